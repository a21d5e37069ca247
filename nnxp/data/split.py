"""One division of rows into two parts, the same for the same seed on every machine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnxp import random
from nnxp.errors import DataError

Indices = NDArray[np.int64]


def split(
    y_or_n: int | ArrayLike,
    fraction: float,
    seed: int,
    stratify: bool = True,
    sample_weight: NDArray[Any] | None = None,
    names: Sequence[str] | None = None,
) -> tuple[Indices, Indices]:
    """Divide row indices into those to train on and those held out.

    Exactly ``t = round(fraction * n)`` rows are held out. With class labels and `stratify`, class c with
    ``n_c`` rows gives ``t * n_c / n`` of them to within one (the largest-remainder method; equal remainders
    are decided by the seed), and keeps a row to train on.

    Parameters
    ----------
    y_or_n : int or array_like
        The labels, (n,) of a whole-number dtype; targets of another dtype or shape, or a number of rows n,
        are divided without classes.
    fraction : float
        The share held out, between 0 and 1, both excluded.
    seed : int
        The same seed gives the same rows, from `nnxp.random`.
    stratify : bool, default True
        Whether classes keep their shares.
    sample_weight : numpy.ndarray, optional
        (n,); rows that weigh 0 are not counted and never held out, since nothing could be scored by them. Of the
        others one at least is held out, and one is left.

    names : sequence of str, optional
        Those of the classes 0, 1, ..., for errors.

    Returns
    -------
    train, held_out : numpy.ndarray of int64
        Together every index once, each in ascending order.

    Raises
    ------
    DataError
        The fraction is out of range or leaves one part without a row, a class has too few rows, or there is not a
        weight for each row.

    Examples
    --------
    >>> import numpy as np
    >>> from nnxp import data
    >>> y = np.repeat([0, 1], [60, 30])
    >>> train, held_out = data.split(y, 0.2, seed=0)
    >>> np.bincount(y[held_out]).tolist()
    [12, 6]
    """
    y: NDArray[Any] | None = None if isinstance(y_or_n, (int, np.integer)) else np.asarray(y_or_n)
    n = len(y) if y is not None and y.ndim > 0 else int(np.asarray(y_or_n).item())
    if not 0 < fraction < 1:
        raise DataError(f"fraction is the share of rows held out, between 0 and 1 (0.2, say); got {fraction}")
    order = random.permutation(random.key(seed, "split"), n)
    total, of_weight = round(fraction * n), ""
    if sample_weight is not None and sample_weight.shape != (n,):
        raise DataError(f"got sample_weight of shape {sample_weight.shape}, expected ({n},), a weight for each row")
    if sample_weight is not None and not np.all(sample_weight > 0):
        order, of_weight = order[sample_weight[order] > 0], " of weight above 0"
        total = min(max(round(fraction * len(order)), 1), len(order) - 1)
    if not 0 < total < len(order):
        raise DataError(
            f"holding out {fraction:g} of {len(order)} rows{of_weight} leaves {len(order) - max(total, 0)} to train on "
            f"and {max(total, 0)} held out; each part needs one at least: change the fraction or bring more rows"
        )
    if y is None or not stratify or y.ndim != 1 or y.dtype.kind not in "iu":
        held_out = order[:total]
    else:
        held_out = _stratified(y, order, total, seed, of_weight, names)
    is_held_out = np.zeros(n, dtype=np.bool_)
    is_held_out[held_out] = True
    return np.flatnonzero(~is_held_out).astype(np.int64), np.flatnonzero(is_held_out).astype(np.int64)


def _stratified(
    y: NDArray[Any], order: Indices, total: int, seed: int, of_weight: str, names: Sequence[str] | None
) -> Indices:
    """The held-out rows of `order`, class by class, in that order."""
    labels, classes, counts = np.unique(y[order], return_inverse=True, return_counts=True)

    called = labels if names is None else [repr(names[label]) for label in labels]
    if counts.min() == 1:
        raise DataError(
            f"class {called[counts.argmin()]} has one row{of_weight} only, which cannot be both trained on and held "
            "out: bring more rows of it, or leave it out"
        )
    shares, remainders = np.divmod(total * counts, len(order))  # whole numbers: no rounding to argue about
    # One row more for the classes with the largest remainders, last of all for those it would use up.
    ties = random.permutation(random.key(seed, "split", 1), len(labels))
    by_claim = np.lexsort((ties, -remainders, shares + 1 == counts))
    shares[by_claim[: total - shares.sum()]] += 1
    if np.any(shares == counts):
        label = called[(shares == counts).argmax()]
        raise DataError(
            f"holding out {total} of {len(order)} rows{of_weight} leaves none of class {label} to train on: lower the "
            "fraction"
        )
    return np.concatenate([order[classes == c][:share] for c, share in enumerate(shares)])
