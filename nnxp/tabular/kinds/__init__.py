"""What each column of a table is, and how its cells are read: one rule a kind."""

from nnxp.tabular.kinds.deciding import HEADER, MEANING, RULES, Decision, decide, printed

__all__ = ["HEADER", "MEANING", "RULES", "Decision", "decide", "printed"]
