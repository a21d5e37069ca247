"""What helps to understand a training: one step of it, with every number, what is wrong with it, by name,
and all of it, to play with."""

from nnxp.teaching.diagnosis import Diagnosing, Diagnosis, Finding, diagnose
from nnxp.teaching.explanation import Explanation, explain
from nnxp.teaching.playground import Playground

__all__ = ["Diagnosing", "Diagnosis", "Explanation", "Finding", "Playground", "diagnose", "explain"]
