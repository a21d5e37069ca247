"""How good predictions are, in numbers a person reads.

Arguments are arrays of any library, or lists: predictions first, then the truth. Results are floats or host arrays.
`sample_weight` counts a row as so many; without it, each counts once.
"""

from nnxp.metrics.classified import accuracy, balanced_accuracy, confusion_matrix, f1, macro, precision, recall
from nnxp.metrics.distance import mean_absolute_error, median_absolute_error, r2, rmse
from nnxp.metrics.probability import Calibration, calibration_curve, calibration_error, log_loss
from nnxp.metrics.ranking import average_precision, roc_auc

__all__ = [
    "Calibration",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "calibration_curve",
    "calibration_error",
    "confusion_matrix",
    "f1",
    "log_loss",
    "macro",
    "mean_absolute_error",
    "median_absolute_error",
    "precision",
    "r2",
    "recall",
    "rmse",
    "roc_auc",
]
