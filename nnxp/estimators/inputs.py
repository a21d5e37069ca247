"""The estimators' door: X stays in its library, everything else comes to the host and is checked there."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from nnxp.backends import Backend, check_dtype, dtype_of, get_backend, library_of, refuse_masked
from nnxp.doors.arrays import finite, refuse_sparse, sample_weights
from nnxp.doors.sparse import SparseRows
from nnxp.errors import BackendMismatchError
from nnxp.typing import Array, ArrayLike, Floats, HostArray, Integers

Given: TypeAlias = tuple[ArrayLike, ArrayLike, ArrayLike]
"""X, y and weights as a user gives them."""


class Part(NamedTuple):
    """Rows to train on or to validate with: X where it lies, targets and weights on the host."""

    X: Array
    y: HostArray
    w: Floats | None

    def rows(self, rows: Any) -> "Part":
        """Some of them."""
        return Part(take(self.X, rows), self.y[rows], None if self.w is None else self.w[rows])


def features(estimator: Any, X: ArrayLike, reset: bool) -> Array:
    """X as (n, features) finite numbers, in its own library and on its device; what NumPy reads (lists, frames)
    becomes a NumPy array of float32 or float64, what is sparse, of SciPy's or a frame's, `SparseRows` of these.

    Parameters
    ----------
    estimator
        The estimator whose number of features and feature names X decides (`reset`), or has to have.
    """
    if type(X).__module__.startswith("scipy.sparse") or hasattr(X, "sparse"):  # as a frame of such columns alone has it
        X = validate_data(estimator, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=reset)
        return SparseRows(csr_array(X))
    refuse_sparse(X)
    if library_of(X) == "numpy":
        refuse_masked(X, "values of X")
        return validate_data(estimator, X, dtype=(np.float64, np.float32), reset=reset)
    shape = tuple(X.shape)
    if len(shape) != 2:
        raise ValueError(
            f"got X of shape {shape}, expected (samples, features): one sample is X.reshape(1, -1), one feature "
            "X.reshape(-1, 1)"
        )
    if 0 in shape:
        raise ValueError(f"got X of shape {shape}, expected at least one sample and one feature")
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    finite(get_backend(X), X, "X")
    return X


def precision(X: Array, dtype: str | None) -> str:
    """The model's dtype: the one that was asked for, else float32 where X has it, and float64."""
    if dtype is not None:
        return check_dtype(dtype)
    return "float32" if dtype_of(X) == "float32" else "float64"


def same_home(estimator: Any, X: ArrayLike, home: Backend, method: str) -> None:
    """Raises where X is not of the library, and on the device, of the X that the estimator was fitted on."""
    if library_of(X) == home.library == "numpy" or (home.library != "numpy" and home.owns(X)):
        return
    name, got = type(estimator).__name__, library_of(X)
    where = "" if got == "numpy" else f" on {getattr(X, 'device', 'its device')}"
    raise BackendMismatchError(
        f"got X of {got}{where}, expected X on {home.name}: inputs passed to {name}.{method}() must use the same "
        f"namespace and the same device as those passed to fit(). Convert X, or build the {name} with backend=, which "
        "lets NumPy arrays move in"
    )


def on_host(x: ArrayLike) -> ArrayLike:
    """An array of another library as NumPy's; anything else as it is."""
    return x if x is None or library_of(x) == "numpy" else get_backend(x).to_numpy(x)


def targets(estimator: Any, y: ArrayLike, X: Array, numeric: bool) -> HostArray:
    """y on the host, (n,) or (n, outputs), as many as X has rows; a column becomes (n,) with a warning."""
    if y is None:
        raise ValueError(f"this {type(estimator).__name__} requires y to be passed, but the target y is None")
    refuse_masked(y, "targets")
    y = on_host(y)
    _all_there(y, numeric)
    y = check_array(y, ensure_2d=False, dtype="numeric" if numeric else None, input_name="y")
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_consistent_length(np.empty(X.shape[0]), y)
    return np.asarray(y)


def _all_there(y: ArrayLike, numeric: bool) -> None:
    """Raises where a target is missing, whatever a library calls that, or is a date where numbers are wanted: NumPy
    makes a class "nan" of a missing cell among texts, and of a missing date the number -2⁶³."""
    cells = np.asarray(y, dtype=object if isinstance(y, list | tuple) else None)
    if numeric and cells.dtype.kind in "mM":
        raise ValueError(f"got y of {cells.dtype}, expected numbers: (y - first) / np.timedelta64(1, 'D') is in days")
    if cells.dtype.kind not in "OmM":
        return  # numbers are looked at where they are read
    rows = cells.reshape(len(cells), -1) if cells.ndim and cells.size else ()
    gone = [number for number, row in enumerate(rows) if _gone(row)]
    if gone:
        raise ValueError(
            f"got y with NaN or another missing value in {len(gone)} of {len(rows)} rows, the first of them row "
            f"{gone[0]}, counted from 0, expected a target in each: leave those rows out of X and y"
        )


def _gone(row: Any) -> bool:
    """Whether one of a row's cells is None, NaN, NaT or NA."""
    return any(
        cell is None
        or type(cell).__name__ in ("NAType", "NaTType")
        or (isinstance(cell, float | np.floating | np.datetime64 | np.timedelta64) and bool(cell != cell))
        for cell in row
    )


def weights(w: ArrayLike | None, n: int) -> Floats | None:
    """Sample weights on the host, (n,), in float64."""
    if w is None:
        return None
    refuse_masked(w, "sample weights")
    host = sample_weights(get_backend("numpy"), on_host(w), n, "float64", some=False)
    assert host is not None
    if not np.any(host):  # in the words that scikit-learn looks for
        raise ValueError("got a sample_weight of zero for every sample, expected some above zero")
    return np.asarray(host)


def take(X: Array, rows: Integers) -> Array:
    """Some rows of X, where it lies."""
    if isinstance(X, np.ndarray | SparseRows):
        return X[rows]
    backend = get_backend(X)
    with backend.context():
        return backend.xp.take(X, backend.asarray(rows, dtype="int64"), axis=0)
