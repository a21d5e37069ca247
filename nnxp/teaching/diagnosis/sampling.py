"""Some rows of many: what a diagnosis looks at costs the same for a thousand rows and for a million."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnxp.backends import library_of
from nnxp.doors.arrays import finite, same_length
from nnxp.doors.sparse import SparseRows
from nnxp.network.codes import check_codes
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


def sample(model: Sequential, X: ArrayLike, y: ArrayLike, name: str = "X") -> Sample:
    """Some rows of X and y, on the model's backend, none of an ignored label; raises what a fit would raise of them."""
    assert model.loss is not None
    x = model._checked(X, name)
    n, backend = int(x.shape[0]), model.backend
    if n == 0:
        raise ValueError(f"got {name} with no samples, expected at least one")
    if library_of(y) == "numpy":
        y = np.asarray(y)
    same_length(n, int(y.shape[0]) if y.ndim else 0, "labels")
    index = _that_count(model, y, positions(n, ROWS))
    with backend.context():
        moved = model._moved(rows_of(backend, x, index))
        inputs = backend.asarray(np.asarray(moved) if isinstance(moved, SparseRows) else moved, dtype=model.dtype)
        try:
            _admit(model, inputs, name)
        except ValueError:
            _admit(model, x, name)  # which names the row of all
            raise
        loss = model.loss._on(backend, model.dtype)
        labels = loss.prepare(rows_of(backend, y, index), model._outputs(inputs), model.dtype)
        columns = as_floats(backend, rows_of(backend, x, index))
        return Sample(inputs, labels, columns, truth_of(model, labels), n)


def _admit(model: Sequential, x: Array, name: str) -> None:
    """Raises where numbers are not finite, or codes are none."""
    finite(model.backend, x, name, model.dtype)
    check_codes(model.backend, model.layers, x, name)


def _that_count(model: Sequential, y: Array, index: Integers) -> Integers:
    """Those of the positions whose label the loss does not ignore."""
    ignored = getattr(model.loss, "ignore_label", None)
    if ignored is None or math.prod(y.shape[1:]) != 1:
        return index
    with model.backend.context():
        labels = as_floats(model.backend, rows_of(model.backend, y, index))
    found: Integers = index[labels.reshape(-1) != ignored]
    if len(found) == 0:
        raise ValueError(
            f"got labels that are all the ignored one, {ignored}, expected others: nothing is learned of them"
        )
    return found


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
