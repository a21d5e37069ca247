"""What comes in, on the host and checked: predictions, the truth, the weights of rows."""

import numpy as np

from nnxp.backends import get_backend
from nnxp.doors.arrays import sample_weights
from nnxp.typing import ArrayLike, Floats, HostArray, Integers


def on_host(x: ArrayLike) -> HostArray:
    """An array of any library, as NumPy's."""
    return get_backend(x).to_numpy(x)


def classes_of(x: ArrayLike) -> Integers:
    """Class indices (n,), also of scores or one-hot rows (n, m)."""
    host = on_host(x)
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


def numbers_of(x: ArrayLike) -> Floats:
    """float64 (n, outputs)."""
    host = on_host(x).astype(np.float64)
    return host[:, None] if host.ndim == 1 else host


def same(a: HostArray, b: HostArray) -> None:
    """Raises ValueError where predictions and truth are not of one shape, or empty."""
    if a.shape != b.shape:
        raise ValueError(
            f"got predictions of shape {a.shape} and truth of shape {b.shape}, expected the same: "
            "one row for each sample in both"
        )
    if a.shape[0] == 0:
        raise ValueError("got no samples, expected at least one")


def within(name: str, classes: Integers, size: int) -> None:
    """Raises ValueError where class indices are not below a number of classes."""
    if classes.size and not 0 <= classes.min() <= classes.max() < size:
        raise ValueError(
            f"got {name} with classes from {classes.min()} to {classes.max()}, expected 0 to {size - 1}: "
            "number the classes from 0, or pass a larger n_classes"
        )


def weights_of(sample_weight: ArrayLike | None, n: int) -> Floats:
    """The weights of rows, float64 (n,), 1 each where none are given."""
    if sample_weight is None:
        return np.ones(n, dtype=np.float64)
    weights = sample_weights(get_backend("numpy"), on_host(sample_weight), n, "float64")
    return np.asarray(weights, dtype=np.float64)


def summed(group: Integers, numbers: Floats, size: int) -> Floats:
    """The sum of the numbers (n,) of each group 0 to size - 1."""
    return np.asarray(np.bincount(group, numbers, size), dtype=np.float64)


SINGLE = float(np.finfo(np.float32).eps)
"""float32's rounding, which a network's probabilities keep in whatever wider dtype they are put."""


def scores_of(y_score: ArrayLike, y: ArrayLike) -> tuple[Floats, Integers]:
    """Scores (n, k), or (n, 1) of the second of two classes, and class indices (n,) that fit them.

    Raises
    ------
    ValueError
        The shapes differ, there are no rows, a score is NaN, or a class has no column.
    """
    scores, truth = numbers_of(y_score), classes_of(y)
    same(scores[:, 0], truth)
    if np.isnan(scores).any():
        row = int(np.isnan(scores).any(axis=1).argmax())
        raise ValueError(f"got a score that is NaN, that of row {row}, expected numbers: leave such rows out")
    within("y", truth, max(2, scores.shape[1]))
    return scores, truth


def probabilities_of(y_prob: ArrayLike, y: ArrayLike) -> tuple[Floats, Integers]:
    """Probabilities (n, k), k at least 2, and class indices (n,) that fit them.

    Raises
    ------
    ValueError
        As `scores_of`; or a number is not between 0 and 1; or a row does not sum to 1, to half the digits of its dtype
        or of float32, whichever are fewer.
    """
    p, truth = scores_of(y_prob, y)
    if not 0 <= p.min() <= p.max() <= 1:
        raise ValueError(
            f"got probabilities from {p.min():.6g} to {p.max():.6g}, expected 0 to 1: a model that gives logits needs "
            "a softmax, or a sigmoid, after it"
        )
    if p.shape[1] == 1:
        return np.concatenate([1 - p, p], axis=1), truth
    off = np.abs(p.sum(axis=1) - 1)
    if off.max() > max(rounding(y_prob), SINGLE) ** 0.5:
        row = int(off.argmax())
        raise ValueError(
            f"got probabilities that sum to {p[row].sum():.6g} in row {row}, expected 1: classes exclude each other"
        )
    return p, truth


def rounding(x: ArrayLike) -> float:
    """Machine epsilon of an array's dtype; float64's of whole numbers and lists."""
    dtype = on_host(x).dtype
    return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
