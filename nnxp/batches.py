"""The batches of an epoch: checked data, gathered on a model's backend."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nnxp.typing import Array, Integers

if TYPE_CHECKING:
    from nnxp.sequential import Sequential


class Batches:
    """Checked data on a model's backend, gathered batch by batch."""

    def __init__(self, model: "Sequential", X: Array, y: Array, w: Array | None, batch_size: int) -> None:
        self.backend, self.dtype = model.backend, model.dtype
        self.X, self.y, self.w = X, y, w
        self.n, self.batch_size = int(X.shape[0]), batch_size
        self.steps = -(-self.n // batch_size)
        self._host_w = None if w is None else model.backend.to_numpy(w).astype(np.float64)

    def batches(self, order: Integers) -> Iterator[Integers]:
        """The rows of each batch; the last may be shorter."""
        for start in range(0, self.n, self.batch_size):
            yield order[start : start + self.batch_size]

    def batch(self, rows: Integers) -> tuple[Array, Array, Array | None]:
        """Inputs, labels and weights of some rows."""
        gather = self.backend.kernels["gather"]
        index = self.backend.asarray(rows, dtype="int64")
        x = self.backend.asarray(gather(self.X, index), dtype=self.dtype)
        return x, gather(self.y, index), None if self.w is None else gather(self.w, index)

    def weight(self, rows: Integers) -> float:
        """The sum of the rows' weights."""
        return float(len(rows) if self._host_w is None else self._host_w[rows].sum())
