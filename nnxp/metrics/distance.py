"""Of numbers that were predicted: how far they are from the truth."""

import numpy as np

from nnxp.doors.units import constant, unit_of
from nnxp.metrics.pairs import numbers_of, on_host, same, weights_of
from nnxp.typing import ArrayLike, Floats


def rmse(y_pred: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """√(Σ (p - y)² / count), in the units of y.

    Parameters
    ----------
    y_pred, y
        (n,) or (n, outputs).
    sample_weight
        (n,) weights from 0 up.

    Examples
    --------
    >>> rmse([1.0, 5.0], [1.0, 1.0]) == 8**0.5
    True
    """
    error, w = _differences(y_pred, y, sample_weight)
    unit = unit_of(error.reshape(-1))
    return float(np.sqrt(np.sum(w * (error / unit) ** 2) / np.sum(w)) * unit)


def mean_absolute_error(y_pred: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Σ |p - y| / count, in the units of y.

    Parameters
    ----------
    y_pred, y, sample_weight
        As `rmse`.

    Examples
    --------
    >>> mean_absolute_error([1.0, 5.0], [1.0, 1.0])
    2.0
    """
    error, w = _differences(y_pred, y, sample_weight)
    return float(np.sum(w / np.sum(w) * np.abs(error)))


def median_absolute_error(y_pred: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """The median of |p - y|, in the units of y: half of the predictions are nearer.

    Parameters
    ----------
    y_pred, y, sample_weight
        As `rmse`.

    Examples
    --------
    >>> median_absolute_error([1.0, 5.0, 2.0], [1.0, 1.0, 1.0])
    1.0
    """
    error, w = _differences(y_pred, y, sample_weight)
    return quantile(np.abs(error).reshape(-1), 0.5, w.reshape(-1))


def r2(y_pred: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """1 - Σ (p - y)² / Σ (y - ȳ)², averaged over outputs: 1 is perfect, 0 no better than the mean ȳ.

    Parameters
    ----------
    y_pred, y, sample_weight
        As `rmse`.

    Raises
    ------
    ValueError
        An output's y is constant but for rounding: there is no variance to explain.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), r2([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    (1.0, 0.0)
    """
    p, t = numbers_of(y_pred), numbers_of(y)
    same(p, t)
    w = weights_of(sample_weight, len(t))[:, None]
    if np.any(constant(on_host(y).reshape(t.shape)[w[:, 0] > 0])):
        raise ValueError("got a constant y, expected targets that vary: R² has no meaning here, use rmse")
    unit = unit_of(t)
    p, t = p / unit, t / unit
    mean = np.sum(w * t, axis=0) / np.sum(w)
    return float(np.mean(1 - np.sum(w * (p - t) ** 2, axis=0) / np.sum(w * (t - mean) ** 2, axis=0)))


def quantile(values: Floats, share: float, w: Floats) -> float:
    """The value (of n) that a share of the weights (n,) lies below: the mean of the two where it falls between.

    Hyndman and Fan 1996, definition 2, with weights; the share is met to the rounding of the sums.
    """
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(w[order])
    near = len(values) * float(np.finfo(np.float64).eps)
    low = np.searchsorted(sums, share * sums[-1] * (1 - near))
    high = min(np.searchsorted(sums, share * sums[-1] * (1 + near)), len(values) - 1)
    return float(values[order[low]] / 2 + values[order[high]] / 2)


def _differences(y_pred: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Floats, Floats]:
    """p - y, and what each of its numbers weighs, both (n, outputs)."""
    p, t = numbers_of(y_pred), numbers_of(y)
    same(p, t)
    return p - t, np.broadcast_to(weights_of(sample_weight, len(t))[:, None], t.shape)
