"""What is wrong with a training, by name: measured once by a probe, looked at by one check a fault."""

from nnxp.teaching.diagnosis.diagnosing import diagnose
from nnxp.teaching.diagnosis.told import Diagnosis, Finding
from nnxp.teaching.diagnosis.watching import Diagnosing

__all__ = ["Diagnosing", "Diagnosis", "Finding", "diagnose"]
