"""The truth's door: labels checked and brought into the one form that the kernels take.

Values are checked where they lie: on the host at once, on a device only where `scan` allows to wait for it.
"""

from collections.abc import Callable

import numpy as np

from nnxp.backends import Backend, dtype_of
from nnxp.doors.arrays import blocks, lost
from nnxp.doors.options import beyond
from nnxp.typing import Array, ArrayLike, Namespace

TEXT = (
    "np.unique(y, return_inverse=True)[1] numbers classes; for quantities give every cell a value, then x.astype(float)"
)
"""What to do about labels that are text."""


def categorical(
    backend: Backend,
    y: ArrayLike,
    n_classes: int | None,
    dtype: str,
    scan: bool = True,
    ignored: int | None = None,
) -> Array:
    """Class indices (n,) as int64, or rows of class weights (n, n_classes) that sum to 1. The index `ignored` may lie
    outside the range.

    Raises
    ------
    ValueError
        Labels out of range, negative, floating, a column (n, 1), or rows of another width or another sum.
    """
    y = _array(backend, y)
    if y.ndim == 2 and y.shape[1] == 1 and n_classes != 1:
        raise ValueError(
            f"got labels of shape {tuple(y.shape)}, a column, expected class indices (n,): y.reshape(-1) makes them"
        )
    if y.ndim == 1:
        return _indices(backend, y, n_classes, scan, ignored)
    if y.ndim != 2 or (n_classes is not None and y.shape[1] != n_classes):
        raise ValueError(
            f"got labels of shape {tuple(y.shape)}, expected class indices (n,) or one-hot rows "
            f"(n, {n_classes or 'classes'}), as wide as the predictions"
        )
    y = _floats(backend, y)
    tolerance = 1e-6 if dtype_of(y) == "float64" else 1e-3

    def shares(xp: Namespace, y: Array) -> Array:
        return xp.logical_and(xp.abs(xp.sum(y, axis=1) - 1) <= tolerance, xp.all(y >= 0, axis=1))

    if not _holds(backend, y, scan, shares):
        raise ValueError(
            "got label rows that are negative or do not sum to 1, expected one-hot rows (or shares of the "
            "classes): for several yes-or-no labels a sample use a sigmoid and binary_crossentropy"
        )
    return backend.asarray(y, dtype=dtype)


def are_indices(y: ArrayLike, n: int, n_classes: int | None) -> bool:
    """Whether y is an array of NumPy with n class indices within range, as int64; one call of a ufunc."""
    return (
        type(y) is np.ndarray
        and y.shape == (n,)
        and n > 0
        and n_classes is not None
        and y.dtype == np.int64
        and bool(np.maximum.reduce(y.view(np.uint64)) < n_classes)  # what is below 0 is beyond 2⁶³ there
    )


def are_indices_there(backend: Backend, y: ArrayLike, n: int) -> bool:
    """Whether y is a vector of n numbers of int64 on CuPy's device, where nobody waits for a look at them."""
    return backend.library == "cupy" and backend.owns(y) and y.shape == (n,) and y.dtype == np.int64


def _indices(backend: Backend, y: Array, n_classes: int | None, scan: bool, ignored: int | None) -> Array:
    if not dtype_of(y).startswith(("int", "uint", "bool")):
        whole = dtype_of(y).startswith("float") and _holds(backend, y, True, lambda xp, y: xp.floor(y) == y)
        how = "y.astype(int), or" if whole else "for probabilities give rows of them (n, classes), for quantities"
        raise ValueError(f"got class labels of dtype {dtype_of(y)}, expected integers from 0: {how} a regression loss")
    limit = n_classes or 2**62
    y = np.asarray(y, dtype=np.int64) if isinstance(y, np.ndarray) else backend.asarray(y, dtype="int64")

    def known(xp: Namespace, y: Array) -> Array:
        within = xp.logical_and(y >= 0, y < limit)
        return within if ignored is None else xp.logical_or(within, y == ignored)

    if not _holds(backend, y, scan, known):
        host = y if isinstance(y, np.ndarray) else backend.to_numpy(y)
        last = "..." if n_classes is None else n_classes - 1
        raise ValueError(
            f"got class labels from {host.min()} to {host.max()}, expected 0 to {last}: number the classes "
            "from 0 (np.unique(y, return_inverse=True)[1]) or widen the last layer"
        )
    return backend.asarray(y, dtype="int64")


def binary(backend: Backend, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
    """Yes-or-no labels (n, n_out) in [0, 1]; (n,) becomes (n, 1).

    Raises
    ------
    ValueError
        Another shape, or values outside [0, 1].
    """
    y = _columns(backend, y, n_out)
    if not _holds(backend, y, scan, lambda xp, y: xp.logical_and(y >= 0, y <= 1)):
        raise ValueError(
            "got labels outside 0 to 1, expected 0 or 1 (or shares between): for more classes use a softmax "
            "and categorical_crossentropy"
        )
    return backend.asarray(y, dtype=dtype)


def real(backend: Backend, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
    """Numbers (n, n_out), finite; (n,) becomes (n, 1) and is never broadcast.

    Raises
    ------
    ValueError
        Another shape, NaN or infinity, or numbers beyond the dtype.
    """
    given = _columns(backend, y, n_out)
    with np.errstate(over="ignore"):  # what comes from the host is checked there, before it moves
        y = np.asarray(given, dtype=dtype) if isinstance(given, np.ndarray) else backend.asarray(given, dtype=dtype)
    if not _holds(backend, y, scan, lambda xp, y: xp.isfinite(y)):
        with backend.context():
            if (large := lost(np if isinstance(given, np.ndarray) else backend.xp, given)) is not None:
                raise beyond("targets of ", large, dtype)
        raise ValueError(
            "got targets with NaN or infinity, expected finite numbers: fill or drop such rows before training"
        )
    return backend.asarray(y, dtype=dtype)


def counts(backend: Backend, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
    """Numbers from 0 up (n, n_out); (n,) becomes (n, 1).

    Raises
    ------
    ValueError
        Another shape, NaN, infinity, or a number below 0.
    """
    y = real(backend, y, n_out, dtype, scan)
    if not _holds(backend, y, scan, lambda xp, y: y >= 0):
        raise ValueError(
            "got targets below 0, expected counts or rates from 0 up, as the Poisson loss takes them: for other "
            "numbers take a squared error"
        )
    return y


def above(backend: Backend, p: Array, threshold: float) -> Array:
    """Where p is above the threshold, as int64: (n,) for one output, else (n, m)."""
    chosen = backend.xp.astype(p > threshold, backend.xp.int64)
    return chosen[:, 0] if p.shape[1] == 1 else chosen


def _array(backend: Backend, y: ArrayLike) -> Array:
    """y as it is if it lives on the device, else as numbers on the host, in its own dtype."""
    return y if backend.owns(y) and not isinstance(y, np.ndarray) else backend._admit(y, TEXT)


def _columns(backend: Backend, y: ArrayLike, n_out: int | None) -> Array:
    """y as (n, n_out) floats."""
    y = _floats(backend, _array(backend, y))
    if y.ndim == 1:
        y = y[:, None]
    if y.ndim != 2 or (n_out is not None and y.shape[1] != n_out):
        raise ValueError(
            f"got targets of shape {tuple(y.shape)}, expected (n, {n_out or 'outputs'}), as wide as the "
            "predictions: reshape y, or give the last layer as many outputs"
        )
    return y


def _floats(backend: Backend, y: Array) -> Array:
    """y itself on the host; on a device as floats: the standard compares and sums no Boolean arrays."""
    return y if isinstance(y, np.ndarray) else backend.asarray(y)


def _holds(backend: Backend, y: Array, scan: bool, condition: Callable[[Namespace, Array], Array]) -> bool:
    """Whether the condition holds for all of y; taken for true where finding out would wait for a device."""
    if isinstance(y, np.ndarray):
        return all(bool(np.all(condition(np, y[rows]))) for rows in blocks(y))
    if not scan:
        return True
    with backend.context():
        return all(bool(backend.xp.all(condition(backend.xp, y[rows, ...]))) for rows in blocks(y))
