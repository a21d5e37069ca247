"""Labels and predictions as numbers of the host: what is compared, whatever the loss takes."""

from typing import NamedTuple

import numpy as np

from nnxp.losses import Loss, MeanAbsoluteError, Poisson, SigmoidCrossentropy, SoftmaxCrossentropy, StandardisedLoss
from nnxp.sequential import Sequential
from nnxp.typing import Array, Floats, Integers

LEAST = 1e-7
"""What a constant's probabilities are held above."""


class Truth(NamedTuple):
    """Labels on the host.

    Attributes
    ----------
    matrix : numpy.ndarray of float64, (n, outputs)
        One-hot, yes or no, or values.
    classes : numpy.ndarray of int, (n,), or None
        The class of each row, of labels that have one.
    of : int
        How many classes there may be; 0 where there are none.
    """

    matrix: Floats
    classes: Integers | None
    of: int


def truth_of(model: Sequential, y: Array) -> Truth:
    """Prepared labels as the host has them."""
    loss, backend = model.loss, model.backend
    assert loss is not None
    host = np.array(backend.to_numpy(y), dtype=np.float64)
    if not loss.classifies:
        return Truth(host.reshape(len(host), -1), None, 0)
    if (classes := class_indices(loss, host)) is not None:
        count = int(model.n_out or host.max() + 1) if host.ndim == 1 else host.shape[1]
        return Truth((classes[:, None] == np.arange(count)).astype(np.float64), classes, count)
    if host.shape[1] == 1:
        return Truth(host, (host[:, 0] > 0.5).astype(np.int64), 2)
    return Truth(host, None, 0)


def class_indices(loss: Loss, prepared: Floats) -> Integers | None:
    """Of labels that are one of several classes each, as indices or as rows, which; None of others."""
    if not hasattr(loss, "label_smoothing"):
        return None
    return prepared.astype(np.int64) if prepared.ndim == 1 else prepared.argmax(axis=1)


def comparable(loss: Loss, p: Floats) -> Floats:
    """Predictions as probabilities, or in the target's units: what `Truth.matrix` is compared with."""
    if isinstance(loss, SoftmaxCrossentropy):
        e: Floats = np.exp(p - p.max(axis=1, keepdims=True))
        shares: Floats = e / e.sum(axis=1, keepdims=True)
        return shares
    if isinstance(loss, SigmoidCrossentropy):
        return 1 / (1 + np.exp(-p))
    if isinstance(loss, Poisson):
        return np.exp(p)
    return p


def constant(loss: Loss, truth: Truth) -> Floats:
    """The prediction, (1, outputs), that is best where nothing is known of a row, as the loss takes it."""
    Y = truth.matrix
    if not loss.classifies:
        of = loss.inner if isinstance(loss, StandardisedLoss) else loss
        middle = np.median(Y, axis=0) if isinstance(of, MeanAbsoluteError) else Y.mean(axis=0)
        return np.log(np.maximum(middle, LEAST))[None] if isinstance(loss, Poisson) else middle[None]
    weights = np.ones(len(Y))
    if (by_class := getattr(loss, "class_weight", None)) is not None and truth.classes is not None:
        weights = np.asarray(by_class, dtype=np.float64)[truth.classes]
    shares = np.clip(np.average(Y, axis=0, weights=weights), LEAST, 1 - LEAST)[None]
    if isinstance(loss, SigmoidCrossentropy):
        return np.log(shares / (1 - shares))
    shares = shares if not hasattr(loss, "label_smoothing") else shares / shares.sum()
    return np.log(shares) if isinstance(loss, SoftmaxCrossentropy) else shares


def skill(Y: Floats, P: Floats) -> float:
    """1 - Σ(y - p)² / Σ(y - ȳ)²: of values R², of probabilities Brier's skill. 0 where the labels are all the same."""
    least = float(np.sum((Y - Y.mean(axis=0)) ** 2))
    return 1 - float(np.sum((Y - P) ** 2)) / least if least > 0 else 0.0
