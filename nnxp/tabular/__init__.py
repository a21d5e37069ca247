"""A person's own table, from the file to the matrix that a network learns from, and back."""

from nnxp.tabular.encoders.encoder import Encoder
from nnxp.tabular.encoders.notes import Notes
from nnxp.tabular.findings.importance import permutation_importance
from nnxp.tabular.reading import blocks, read
from nnxp.tabular.table import Table

__all__ = ["Encoder", "Notes", "Table", "blocks", "permutation_importance", "read"]
