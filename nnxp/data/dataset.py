"""What every source of data gives: a `Dataset`, and the messages and scales the sources share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnxp.data.split import split
from nnxp.doors.describing import as_call
from nnxp.doors.units import constant
from nnxp.errors import DataError, nearest

Array = NDArray[Any]
Scale = tuple[float, float] | tuple[list[float], list[float]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data to learn from, with what is needed to treat a later row in the same way.

    Attributes
    ----------
    name : str
        A short name for reports.
    X, y : numpy.ndarray
        The training part: X is (n, features); y is (n,) int64 class indices, or float64 targets, (n,) or
        (n, outputs).
    X_test, y_test : numpy.ndarray or None
        The test part; None where the source has no split of its own (see `hold_out`).
    classes : tuple of str, or None
        The classes' names in the order of their indices; None for regression.
    task : "classification" or "regression"
    preprocessing : dict
        JSON-able. How a row of a file becomes a row of X: `features` and `examples` read it.
    rescale : tuple (scale, offset), or None
        For a `Rescaling` layer, ``x * scale + offset``: two floats, or two lists with an entry per column.
        None where X needs none.
    """

    name: str
    X: Array
    y: Array
    X_test: Array | None
    y_test: Array | None
    classes: tuple[str, ...] | None
    task: Literal["classification", "regression"]
    preprocessing: dict[str, Any]
    rescale: Scale | None

    @as_call
    def __repr__(self) -> list[str]:
        parts = [repr(self.name), self.task, f"X {self.X.shape} {self.X.dtype}", f"y {self.y.shape}"]
        if self.classes is not None:
            parts.append(f"{len(self.classes)} classes")
        if self.X_test is not None and self.y_test is not None:
            parts += [f"X_test {self.X_test.shape}", f"y_test {self.y_test.shape}"]
        return parts

    def hold_out(self, fraction: float, seed: int) -> "Dataset":
        """Set a fraction of the rows aside as the test part.

        Per-column scales are computed again, from the rows that stay, so that nothing of the test part
        reaches the training.

        Parameters
        ----------
        fraction : float
            The share of rows set aside, as in `split`.
        seed : int
            Which rows.

        Raises
        ------
        DataError
            The data have a test part already, or `split` cannot divide them.

        Examples
        --------
        >>> from nnxp import data
        >>> digits = data.digits().hold_out(0.2, seed=0)
        >>> digits.X.shape, digits.X_test.shape
        ((1438, 64), (359, 64))
        """
        if self.X_test is not None:
            raise DataError(f"{self.name} has a test part of its own, X_test and y_test; there is nothing to hold out")
        train, test = split(self.y, fraction, seed, stratify=self.task == "classification", names=self.classes)
        X = self.X[train]
        rescale = self.rescale
        if rescale is not None and isinstance(rescale[0], list):
            rescale = standardisation(X, self.preprocessing)
        return replace(self, X=X, y=self.y[train], X_test=self.X[test], y_test=self.y[test], rescale=rescale)


def standardisation(X: Array, preprocessing: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Scales and offsets that give each column of numbers mean 0 and standard deviation 1.

    ``scale = 1 / std(x)``, ``offset = -mean(x) / std(x)``. Columns that stand for a category (0 or 1) stay as
    they are. A column that is constant, but for the rounding of its dtype, teaches nothing: its scale and offset
    are 0, so that a value first met in prediction meets no untrained weight.

    Parameters
    ----------
    X : numpy.ndarray, (n, features)
        The training rows, finite.
    preprocessing : dict
        As of `Dataset`.
    """
    largest = np.abs(X).max(axis=0).astype(np.float64)
    unit = np.where(largest > 0, largest, 1.0)
    relative = X / unit  # of order 1, so that sums and squares neither overflow nor vanish
    deviation = relative.std(axis=0, dtype=np.float64) * unit
    same = constant(X) | (deviation < np.finfo(np.float64).tiny)  # whose reciprocal would overflow
    scale = np.where(same, 0.0, 1 / np.where(same, 1.0, deviation))
    offset = np.where(same, 0.0, -relative.mean(axis=0, dtype=np.float64) * unit * scale)
    start = 0
    for column in preprocessing.get("columns", ()):
        stop = start + len(column.get("categories", (None,)))
        if "categories" in column:
            scale[start:stop], offset[start:stop] = 1.0, 0.0
        start = stop
    return scale.tolist(), offset.tolist()


def encode_labels(y: Array, classes: Sequence[str], source: str) -> Array:
    """Whole-number labels to int64 indices into `classes`, the labels' names."""
    values, inverse = np.unique(y, return_inverse=True)
    index = {name: i for i, name in enumerate(classes)}
    names = [str(int(value)) for value in values]
    unknown = [name for name in names if name not in index]
    if unknown:
        raise DataError(f"{source}: label {unknown[0]} is not among the training part's: {listing(classes)}")
    lookup = np.array([index[name] for name in names], dtype=np.int64)
    return lookup[inverse]


def listing(names: Iterable[object], limit: int = 12) -> str:
    """The names, separated by commas; the first few where there are many."""
    texts = [str(name) for name in names]
    rest = len(texts) - limit
    return ", ".join(texts[:limit]) + (f" and {rest} more" if rest > 0 else "")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`` Did you mean 'digits'?``, or nothing where no name is close."""
    near = nearest(name, names)
    return f" Did you mean {near!r}?" if near else ""
