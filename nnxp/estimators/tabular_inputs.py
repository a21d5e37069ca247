"""The door of the estimators for tables: X of any form becomes a `Table`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from nnxp.backends import Backend, get_backend, library_of, refuse_masked
from nnxp.data.dataset import listing
from nnxp.doors.arrays import refuse_sparse
from nnxp.errors import DataError
from nnxp.estimators import inputs
from nnxp.tabular import Encoder
from nnxp.tabular.reading.frames import as_table
from nnxp.tabular.reading.objects import column_of
from nnxp.tabular.table import Column, Moments, Numbers, Table
from nnxp.typing import ArrayLike, HostArray


class Cells(NamedTuple):
    """What X holds, where results go, and what is known of its columns without a look at their cells.

    Attributes
    ----------
    table : Table
    home : Backend
    kinds : dict of str to str
        Of an array of numbers, each column is one of numbers.
    """

    table: Table
    home: Backend
    kinds: dict[str, str]


def cells(estimator: Any, X: ArrayLike, reset: bool) -> Cells:
    """The cells of a frame, of rows of named values, or of an array, whose columns are called x0, x1 and so on.

    Parameters
    ----------
    estimator
        The estimator whose number of features and feature names X decides (`reset`), or has to have.
    """
    refuse_sparse(X)
    host = get_backend("numpy")
    texts = [name for name, kind in (estimator.kinds or {}).items() if kind == "category"]
    if isinstance(X, Table) or _named(X):
        table = as_table(X, texts=texts)
        if reset:
            estimator.feature_names_in_ = np.array([*table.columns], dtype=object)
            estimator.n_features_in_ = len(table.columns)
        return Cells(table, host, {})
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        if reset or hasattr(estimator, "n_features_in_"):
            validate_data(estimator, X, skip_check_array=True, reset=reset)
        return Cells(as_table(X, texts=texts), host, {})
    refuse_masked(X, "values of X")
    home = host if library_of(X) == "numpy" else get_backend(X)
    X = inputs.on_host(X)
    X = validate_data(estimator, X, dtype=None, ensure_all_finite=False, reset=reset)
    columns = {f"x{j}": _column(X[:, j], f"x{j}" in texts) for j in range(X.shape[1])}
    known = {name: "number" for name, column in columns.items() if X.dtype.kind in "fiub"}
    return Cells(Table("X", columns, range(1, len(X) + 1)), home, known)


def check_names(table: Table, encoder: Encoder) -> None:
    """Raises where none of the columns is one that the encoder learned, as where X is an array and was a frame."""
    names = [decision.name for decision in encoder.decisions if decision.used]
    if names and not any(name in table.columns for name in names):
        raise DataError(
            f"got X with the columns {listing(table.columns)}, expected {listing(names)}, as in fit: give X in the "
            "form that fit was given, an array (its columns are x0, x1 and so on), or a frame or rows with these names"
        )


def _named(X: ArrayLike) -> bool:
    """Whether these are named values: lists by name, or rows."""
    return isinstance(X, Mapping) or (isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], Mapping))


def _column(x: HostArray, as_spelled: bool) -> Column:
    if x.dtype.kind == "M":
        return Moments(x.astype("datetime64[us]"))
    if x.dtype.kind in "fiub" and not as_spelled:
        values = x.astype(np.float64)
        return Numbers(np.where(np.isfinite(values), values, np.nan))
    return column_of(x.tolist(), as_spelled)
