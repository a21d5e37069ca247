"""A person's own table, from the file to the matrix that a network learns from, and back."""

from nnxp.tabular.importance import permutation_importance

__all__ = ["permutation_importance"]

from nnxp.tabular.encoder import Encoder

__all__ = ["Encoder"]
