"""Of predicted probabilities: how much they say, and whether they come true as often."""

from typing import NamedTuple

import numpy as np

from nnxp.doors.options import positive
from nnxp.metrics.pairs import probabilities_of, rounding, summed, weights_of
from nnxp.typing import ArrayLike, Floats, Integers


class Calibration(NamedTuple):
    """Predicted probabilities beside what came true, by bins of equal width that have rows: arrays of one length."""

    predicted: Floats
    """The mean of the predicted probabilities."""
    observed: Floats
    """The share that came true."""
    weight: Floats
    """Σ w of the rows; their number where they have no weights."""
    bin: Integers
    """Which bin it is: probabilities above bin / bins (from 0 in the first) up to (bin + 1) / bins."""


def log_loss(y_prob: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """The mean of -ln p, p the probability that was given to the true class: 0 is perfect.

    As in scikit-learn, p is kept from 0 and 1 by the machine epsilon of its dtype.

    Parameters
    ----------
    y_prob
        Probabilities (n, classes), or (n,) of the second of two classes.
    y
        Class indices (n,), or one-hot rows (n, classes).
    sample_weight
        (n,) weights from 0 up.

    Examples
    --------
    >>> import math
    >>> log_loss([[0.5, 0.5], [0.25, 0.75]], [0, 0]) == (math.log(2) + math.log(4)) / 2
    True
    """
    p, truth = probabilities_of(y_prob, y)
    w = weights_of(sample_weight, len(truth))
    return float(np.average(surprise(p, truth, rounding(y_prob)), weights=w))


def surprise(p: Floats, truth: Integers, eps: float) -> Floats:
    """-ln p of each row's true class, (n,)."""
    return -np.log(np.clip(p[np.arange(len(truth)), truth], eps, 1 - eps))


def calibration_curve(
    y_prob: ArrayLike, y: ArrayLike, bins: int = 10, *, sample_weight: ArrayLike | None = None
) -> Calibration:
    """Predicted probabilities beside what came true, in bins of equal width.

    Of two classes, the probability of the second; of more, the probability of the predicted class (its largest) beside
    the share of predictions that are right: Guo, Pleiss, Sun and Weinberger 2017.

    Parameters
    ----------
    y_prob, y, sample_weight
        As `log_loss`.
    bins
        How many; bin k holds probabilities above k / bins up to (k + 1) / bins, the first 0 too.

    Examples
    --------
    >>> curve = calibration_curve([0.1, 0.1, 0.8, 0.8], [0, 0, 1, 0], bins=2)
    >>> curve.predicted.tolist(), curve.observed.tolist(), curve.weight.tolist()
    ([0.1, 0.8], [0.0, 0.5], [2.0, 2.0])
    """
    p, came_true = events(*probabilities_of(y_prob, y))
    w, bin = weights_of(sample_weight, len(p)), bin_of(p, positive("bins", bins))
    weight, predicted, observed = (summed(bin, column, bins) for column in (w, w * p, w * came_true))
    some = np.flatnonzero(weight > 0)
    return Calibration(predicted[some] / weight[some], observed[some] / weight[some], weight[some], some)


def calibration_error(
    y_prob: ArrayLike, y: ArrayLike, bins: int = 10, *, sample_weight: ArrayLike | None = None
) -> float:
    """The expected calibration error: the mean of |predicted - observed| of `calibration_curve` over its rows.

    Few rows make it larger than 0 also where the probabilities are right: some √(0.16 bins / n).

    Parameters
    ----------
    y_prob, y, bins, sample_weight
        As `calibration_curve`.

    Examples
    --------
    >>> round(calibration_error([0.1, 0.1, 0.8, 0.8], [0, 0, 1, 0], bins=2), 3)
    0.2
    """
    curve = calibration_curve(y_prob, y, bins, sample_weight=sample_weight)
    return float(np.average(np.abs(curve.predicted - curve.observed), weights=curve.weight))


def events(p: Floats, truth: Integers) -> tuple[Floats, Floats]:
    """The probability that is asked about, and 1.0 where it came true, both (n,)."""
    if p.shape[1] == 2:
        return p[:, 1], (truth == 1).astype(np.float64)
    return p.max(axis=1), (p.argmax(axis=1) == truth).astype(np.float64)


def bin_of(p: Floats, bins: int) -> Integers:
    """The bin of each probability, (n,)."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p).astype(np.int64)
