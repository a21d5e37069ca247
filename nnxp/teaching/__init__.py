"""What helps to understand a training: one step of it, with every number, and all of it, to play with."""

from nnxp.teaching.explanation import Explanation, explain
from nnxp.teaching.playground import Playground

__all__ = ["Explanation", "Playground", "explain"]
