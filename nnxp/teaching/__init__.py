"""What helps to understand a training: one step of it, with every number."""

from nnxp.teaching.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
