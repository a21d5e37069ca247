"""A person's own table, from the file to the matrix that a network learns from, and back."""
