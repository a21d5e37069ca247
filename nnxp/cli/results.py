"""What a model's predictions come to, and which rows of a data set are its test part."""

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from nnxp import metrics
from nnxp.data.dataset import Array
from nnxp.network.answers import answered, answers, class_names
from nnxp.sequential import Sequential

TEST_SHARE = 0.2
FOLLOWED = 0.1
"""The share of the training rows that is held out where something follows them and nobody says how many."""

Inverse: TypeAlias = Callable[[Array], Array] | None
"""Gives outputs the units of the truth, where they have others."""


@dataclass(frozen=True)
class Result:
    """A test.

    Attributes
    ----------
    output : numpy.ndarray
        Probabilities (n, classes), or values (n, outputs).
    guesses, confusion : numpy.ndarray or None
        Predicted class indices (n,), and how often each class was taken for which; None for numbers.
    classes : list of str or None
    figures : dict
        "accuracy" and "correct", or "rmse" and "r2" (None where the truth is constant).
    alone : list of float
        Of several members, the accuracy or rmse of each.
    """

    samples: int
    output: Array
    guesses: Array | None
    confusion: Array | None
    classes: list[str] | None
    figures: dict[str, Any]
    alone: list[float]

    @classmethod
    def of(cls, model: Sequential, X: Any, y: Any, inverse: Inverse = None) -> Self:
        """The model's predictions for X against y; `inverse` gives them the units of y."""
        output, classes = predict(model, X), class_names(model)
        output = output if inverse is None else inverse(output)
        if classes is None:
            try:
                r2 = metrics.r2(output, y)
            except ValueError:  # a constant truth
                r2 = None
            figures = {"rmse": metrics.rmse(output, y), "r2": r2}
            alone = [metrics.rmse(own if inverse is None else inverse(own), y) for own in _of_members(model, X)]
            return cls(len(X), output, None, None, None, figures, alone)
        guesses = output.argmax(axis=1)
        correct = int(np.sum(guesses == y))
        figures = {"accuracy": correct / len(X), "correct": correct}
        confusion = metrics.confusion_matrix(guesses, y, len(classes))
        alone = [float(np.mean(own.argmax(axis=1) == y)) for own in _of_members(model, X)]
        return cls(len(X), output, guesses, confusion, classes, figures, alone)


def _of_members(model: Sequential, X: Array) -> list[Array]:
    """The answers of each of several members."""
    return [] if model.members == 1 else [answers(model, own) for own in np.asarray(model.predict(X, members=True))]


def predict(model: Sequential, X: Array) -> Array:
    """Probabilities (n, classes) or values (n, outputs), finite, on the host.

    Raises
    ------
    ValueError
        A row's prediction is not finite.
    """
    with np.errstate(all="ignore"):
        return answered(model, np.asarray(model.predict(X)))


def fingerprint(X: Array, y: Array) -> str:
    """A digest by which the same data are known again.

    Of float32 values: made-up data may differ in float64's last bits from one machine to another.
    """
    digest = hashlib.sha256(repr((X.shape, y.shape)).encode())
    for array in (X, y):
        with np.errstate(over="ignore"):
            digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return digest.hexdigest()


def library_version(library: str) -> str:
    """The version of the array library."""
    return str(importlib.import_module(library).__version__)
