"""The metrics that are one number, by name: what a training can follow."""

from collections.abc import Callable, Mapping
from typing import Any

from nnxp.metrics.classified import accuracy, balanced_accuracy, f1, macro, precision, recall
from nnxp.metrics.distance import mean_absolute_error, median_absolute_error, r2, rmse
from nnxp.metrics.probability import calibration_error, log_loss
from nnxp.metrics.ranking import average_precision, roc_auc

Measure = Callable[..., float]
"""`measure(predictions, truth, *, sample_weight)`."""


def _over_classes(by_class: Callable[..., Any]) -> Measure:
    """The mean over the classes."""
    return lambda y_pred, y, **weights: macro(by_class(y_pred, y, **weights))


OF_CLASSES: Mapping[str, Measure] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "log_loss": log_loss,
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "precision": _over_classes(precision),
    "recall": _over_classes(recall),
    "f1": _over_classes(f1),
    "calibration_error": calibration_error,
}
"""Of probabilities (n, classes) and class indices (n,)."""
RANKING = ("roc_auc", "average_precision")
"""Those of one class against others: there have to be samples of two."""
BY_CLASS = (*RANKING, "balanced_accuracy", "precision", "recall", "f1")
"""Means over the classes that have samples, all others being means over samples."""
OF_NUMBERS: Mapping[str, Measure] = {
    "r2": r2,
    "rmse": rmse,
    "mean_absolute_error": mean_absolute_error,
    "median_absolute_error": median_absolute_error,
}
"""Of numbers (n, outputs) and as many that are true."""
