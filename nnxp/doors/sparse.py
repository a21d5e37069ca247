"""Sparse inputs: what a first dense layer multiplies without ever having all of it dense."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from nnxp.backends import Backend
from nnxp.doors.options import beyond
from nnxp.typing import Array, HostArray

PART = 32_000_000
"""Bytes of dense numbers that there are at once, at most."""


class SparseRows:
    """A matrix (n, features) of numbers that are mostly 0: SciPy's, of the host, beside the backend that it is for.

    The products with it are sums over stretches of columns. On NumPy SciPy multiplies a stretch as it is; elsewhere it
    is dense while it lies on the device. So a step takes all of its rows at once, whatever the number of features, and
    its memory is that of the stretch.

    Parameters
    ----------
    matrix
        A `scipy.sparse.csr_array` of finite numbers.
    backend, dtype
        Where, and in which dtype, it is multiplied; see `on`.
    """

    ndim = 2

    def __init__(self, matrix: Any, backend: Backend | None = None, dtype: Any = None) -> None:
        self.matrix, self.backend, self.shape = matrix, backend, matrix.shape
        self.dtype = matrix.dtype if dtype is None else dtype
        self._by_columns: Any = None

    def on(self, backend: Backend, dtype: str) -> Self:
        """The same for a backend, in a dtype; raises where a number is beyond it."""
        with np.errstate(over="ignore"):
            matrix = self.matrix.astype(dtype, copy=False)
        if not np.isfinite(matrix.data).all():
            raise beyond("X with numbers up to ", float(abs(self.matrix.data).max()), dtype)
        return type(self)(matrix, backend, backend.asarray(matrix.data[:0], dtype=dtype).dtype)

    def __getitem__(self, rows: Any) -> Self:
        """Some rows: a slice or indices, alone or before an ellipsis."""
        rows = rows[0] if isinstance(rows, tuple) else rows
        return type(self)(self.matrix[rows], self.backend, self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> HostArray:
        """All of it, dense."""
        return np.asarray(self.matrix.toarray(), dtype=dtype)

    def head(self) -> Self:
        """As many of the first rows as may be dense."""
        return self[: self._stretch(self.shape[1])]

    def product(self, W: Array, out: Array) -> Array:
        """x W, (n, n_out), written into `out`."""
        out[...] = 0
        for columns, part in self._parts(W.shape[1]):
            out += part @ W[columns, ...]
        return out

    def gradient(self, dz: Array, out: Array) -> None:
        """xᵀ dz, (features, n_out), written into `out`."""
        for columns, part in self._parts(dz.shape[1]):
            out[columns, ...] = part.T @ dz

    def _stretch(self, other: int) -> int:
        """How long a stretch is, of which each entry comes with `other` numbers."""
        return max(1, PART // (int(self.matrix.dtype.itemsize) * max(1, other)))

    def _parts(self, n_out: int) -> Iterator[tuple[slice, Any]]:
        """Stretches of columns, and the rows there."""
        assert self.backend is not None
        if self._by_columns is None:
            self._by_columns = self.matrix.tocsc()
        n, features = self.shape
        length = self._stretch(max(n, n_out))
        for start in range(0, features, length):
            columns = slice(start, min(features, start + length))
            part = self._by_columns[:, columns]
            if self.backend.library != "numpy":
                part = self.backend.asarray(part.toarray(), dtype=self.matrix.dtype.name)
            yield columns, part
