"""What each column of a table is, and how its cells are read: one rule a kind."""

from nnxp.tabular.kinds.deciding import MEANING, RULES, Decision, decide
from nnxp.tabular.kinds.overview import HEADER, printed

__all__ = ["HEADER", "MEANING", "RULES", "Decision", "decide", "printed"]
