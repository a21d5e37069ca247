"""Some rows of many: what a diagnosis looks at costs the same for a thousand rows and for a million."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnxp.backends import library_of
from nnxp.doors.arrays import same_length
from nnxp.doors.sparse import SparseRows
from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis.truth import Truth, truth_of
from nnxp.typing import Array, ArrayLike, Floats, Integers

ROWS = 1000
"""So many rows at most are run through the network: a share of them has a standard error of 1.6 % at most."""


@dataclass(frozen=True)
class Sample:
    """Rows in their order.

    Attributes
    ----------
    x, y : Array
        Inputs as the model takes them, and prepared labels, on its backend.
    columns : numpy.ndarray of float64, (n, features)
        The inputs as they were given, on the host.
    truth : Truth
        The labels on the host.
    total : int
        How many rows they are of.
    """

    x: Array
    y: Array
    columns: Floats
    truth: Truth
    total: int

    def __len__(self) -> int:
        return len(self.columns)


def sample(model: Sequential, X: ArrayLike, y: ArrayLike, most: int = ROWS) -> Sample:
    """Some rows of X and y, on the model's backend; raises what a fit would raise of them."""
    assert model.loss is not None
    x = model._checked(X)
    n, backend = int(x.shape[0]), model.backend
    if n == 0:
        raise ValueError("got X with no samples, expected at least one")
    if library_of(y) == "numpy":
        y = np.asarray(y)
    same_length(n, int(y.shape[0]), "labels")
    index = positions(n, most)
    with backend.context():
        moved = model._moved(rows_of(backend, x, index))
        inputs = backend.asarray(np.asarray(moved) if isinstance(moved, SparseRows) else moved, dtype=model.dtype)
        loss = model.loss._on(backend, model.dtype)
        labels = loss.prepare(rows_of(backend, y, index), model._outputs(inputs), model.dtype)
        columns = as_floats(backend, rows_of(backend, x, index))
        return Sample(inputs, labels, columns, truth_of(model, labels), n)


def positions(n: int, most: int) -> Integers:
    """Indices in order, one by chance of each of `most` stretches of equal length, the same at every call. (Evenly
    spaced ones would see one class alone where classes take turns.)"""
    if n <= most:
        return np.arange(n)
    bounds = np.arange(most + 1) * n // most
    return bounds[:-1] + (np.random.default_rng(0).random(most) * np.diff(bounds)).astype(np.int64)


def rows_of(backend: Any, a: Any, index: Integers) -> Any:
    """The rows at these positions, where the array is."""
    if library_of(a) == "numpy" or isinstance(a, SparseRows) or not backend.owns(a):
        return a[index]
    return backend.xp.take(a, backend.xp.asarray(index, device=backend.device), axis=0)


def as_floats(backend: Any, a: Any) -> Floats:
    """On the host, in float64."""
    host = a if isinstance(a, np.ndarray | SparseRows) else backend.to_numpy(a)
    return np.array(host, dtype=np.float64)
