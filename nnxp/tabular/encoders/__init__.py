"""From a table to one matrix, and from a target to what is learned, and back."""
