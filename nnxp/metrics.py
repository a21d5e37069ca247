"""How good predictions are, in numbers a person reads. Arguments are of one library; results are floats or
host arrays."""

import numpy as np

from nnxp.backends import get_backend
from nnxp.doors.units import constant, unit_of
from nnxp.typing import ArrayLike, Floats, HostArray, Integers


def accuracy(y_pred: ArrayLike, y: ArrayLike) -> float:
    """The share of samples whose class is right.

    Parameters
    ----------
    y_pred
        Class indices (n,), or scores (n, m), of which the largest counts.
    y
        Class indices (n,), or one-hot rows (n, m).

    Examples
    --------
    >>> accuracy([[0.9, 0.1], [0.2, 0.8]], [0, 0])
    0.5
    """
    guess, truth = _classes(y_pred), _classes(y)
    _same(guess, truth)
    return float(np.mean(guess == truth))


def rmse(y_pred: ArrayLike, y: ArrayLike) -> float:
    """√(Σ (p - y)² / count), in the units of y.

    Examples
    --------
    >>> rmse([1.0, 5.0], [1.0, 1.0]) == 8**0.5
    True
    """
    p, t = _real(y_pred), _real(y)
    _same(p, t)
    unit = unit_of((p - t).reshape(-1))
    return float(np.sqrt(np.mean(((p - t) / unit) ** 2)) * unit)


def r2(y_pred: ArrayLike, y: ArrayLike) -> float:
    """1 - Σ (p - y)² / Σ (y - ȳ)², averaged over outputs: 1 is perfect, 0 no better than the mean ȳ.

    Raises
    ------
    ValueError
        An output's y is constant but for rounding: there is no variance to explain.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), r2([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    (1.0, 0.0)
    """
    p, t = _real(y_pred), _real(y)
    _same(p, t)
    if np.any(constant(_host(y).reshape(t.shape))):
        raise ValueError("got a constant y, expected targets that vary: R² has no meaning here, use rmse")
    unit = unit_of(t)
    p, t = p / unit, t / unit
    return float(np.mean(1 - np.sum((p - t) ** 2, axis=0) / np.sum((t - np.mean(t, axis=0)) ** 2, axis=0)))


def confusion_matrix(y_pred: ArrayLike, y: ArrayLike, n_classes: int | None = None) -> Integers:
    """Counts (n_classes, n_classes), int64: row i, column j is how many samples of class i were taken for j.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 0, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    guess, truth = _classes(y_pred), _classes(y)
    _same(guess, truth)
    size = n_classes or 1 + int(max(guess.max(initial=0), truth.max(initial=0)))
    for name, values in (("y_pred", guess), ("y", truth)):
        if values.size and not 0 <= values.min() <= values.max() < size:
            raise ValueError(
                f"got {name} with classes from {values.min()} to {values.max()}, expected 0 to {size - 1}: "
                "number the classes from 0, or pass a larger n_classes"
            )
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (truth, guess), 1)
    return counts


def _host(x: ArrayLike) -> HostArray:
    return get_backend(x).to_numpy(x)


def _classes(x: ArrayLike) -> Integers:
    host = _host(x)
    if host.ndim == 2 and host.shape[1] > 1:
        host = np.argmax(host, axis=1)
    if host.ndim != 1 or host.dtype.kind not in "iub":
        how = (
            "y.reshape(-1) makes them" if host.dtype.kind in "iub" else "(p > 0.5).reshape(-1) of a yes-or-no question"
        )
        raise ValueError(
            f"got {host.dtype} of shape {host.shape}, expected class indices (n,) as integers, or scores "
            f"(n, classes): {how}"
        )
    return np.asarray(host, dtype=np.int64)


def _real(x: ArrayLike) -> Floats:
    host = _host(x).astype(np.float64)
    return host[:, None] if host.ndim == 1 else host


def _same(a: HostArray, b: HostArray) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"got predictions of shape {a.shape} and truth of shape {b.shape}, expected the same: "
            "one row for each sample in both"
        )
    if a.shape[0] == 0:
        raise ValueError("got no samples, expected at least one")
