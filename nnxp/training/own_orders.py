"""A step of members of which each takes the rows in an order of its own: the one that its seed draws alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nnxp import random
from nnxp.layers import Layer
from nnxp.network.members import side_by_side
from nnxp.network.model import Model
from nnxp.network.sharing import share
from nnxp.training.batch import Batch
from nnxp.training.batches import Batches, Rows
from nnxp.training.shards import ShardBatches
from nnxp.training.side_by_side import MembersMeasuring, MembersPlan
from nnxp.training.streams import Stream
from nnxp.typing import Array, Floats, Integers


def check_own_orders(model: Model, data: Batches | Stream, micro_batch_size: int | None) -> None:
    """Raises ValueError where members cannot each take the rows in an order of their own."""
    if isinstance(data, Stream):
        what, fix = "an iterable of batches", "arrays, fit(X, y): what an iterable yields keeps its order"
    elif model.communicator is not None or isinstance(data, ShardBatches):
        what, fix = "a communicator", "shuffle=True, or one process: processes share the rows of one order"
    elif share(model.layers):
        what, fix = "members that share weights", "shuffle=True: they are one network, whose batches are its own"
    elif micro_batch_size is not None and data.w is not None:
        what, fix = "micro_batch_size and weights of rows or classes", "a smaller batch_size instead"
    else:
        return
    raise ValueError(f'got shuffle="members" for {what}, expected {fix}')


class OwnOrdersMeasuring(MembersMeasuring):
    """Loss and metric of members; labels of a step are each one's own."""

    def losses(self, out: Array, y: Array) -> Array:
        """Each row's by each member, (n · K,), of labels (n, K, ...)."""
        xp, rows = self.plan.backend.xp, self.members * out.shape[0]
        return self.plan.loss.losses(xp.reshape(out, (rows, -1)), xp.reshape(y, (rows, *y.shape[2:])))


class OwnOrdersPlan(MembersPlan):
    """One training step of all members, of inputs side by side, (n, K · n_in), and labels (n, K, ...)."""

    measuring = OwnOrdersMeasuring

    def _running(self, layers: Sequence[Layer]) -> list[Layer]:
        """Layers that share no inputs: the first products are K small ones, too."""
        return [made for row in side_by_side(layers, self.model.seeds, shared=False) for made in row]

    def _labels(self, y: Array) -> Array:
        """The labels of n rows of each, (n · K, ...)."""
        return self.backend.xp.reshape(y, (-1, *y.shape[2:]))


class OwnOrders(Batches):
    """Batches of rows that each of K members has of its own, side by side: inputs (n, K · n_in), labels (n, K, ...) and
    weights (n, K).

    In memory these are n · K rows, the members' in turn, so that one gather brings them all.
    """

    plan: OwnOrdersPlan

    def __init__(self, whole: Batches, plan: OwnOrdersPlan) -> None:
        vars(self).update(vars(whole))
        self.plan, self.members = plan, plan.members
        if self.w is not None and self.w.ndim > 1:
            self._w, self._v = [OwnWeights(self.backend, u, self.model.dtype) for u in (self.w, self.v)]

    def epoch(self, key: int | None = None, first: int = 0) -> Iterator[Batch]:
        """Each batch from number `first` on, of the model's epoch; the orders are by the members' keys."""
        keys = [random.key(seed, "order", self.model.epoch) for seed in self.model.seeds]
        orders = np.stack([random.permutation(own, self.n, self.backend) for own in keys], axis=1)
        self._orders = orders if self.rows is None else self.rows[orders]
        return super().epoch(None, first)

    def _rows_of(self, order: Integers | None) -> Integers:
        return self._orders.reshape(-1)

    def _place(self, number: int) -> slice:
        place = super()._place(number)
        return slice(place.start * self.members, place.stop * self.members)

    def _batch(self, number: int) -> tuple[Array, Array, Array | None, Array | None]:
        x, y, w, v = super()._batch(number)
        reshape, K = self.backend.xp.reshape, self.members
        w, v = [None if u is None else reshape(u, (-1, K)) for u in (w, v)]
        return reshape(x, (-1, K * x.shape[1])), reshape(y, (-1, K, *y.shape[1:])), w, v

    def _sums(self, w: Floats | None, order: Integers | None) -> list[Any]:
        """The sums of each batch's weights by member, (K,)."""
        if w is None:
            return self._counts if self.w is None else [np.full(self.members, count) for count in self._counts]
        own = w[self._orders] if w.ndim == 1 else np.take_along_axis(w, self._orders, axis=0)
        return super()._sums(own, None)


class OwnWeights(Rows):
    """Weights of each member's own, (n, K), as one vector: what is asked for are rows of the members in turn."""

    def __init__(self, backend: Any, source: Array, dtype: str) -> None:
        self.members = source.shape[1]
        super().__init__(backend, backend.xp.reshape(source, (-1,)), dtype)

    def begin(self, order: Integers | None, index: Array) -> None:
        """Sets the order of the rows."""
        if order is not None:
            order = (order.reshape(-1, self.members) * self.members + np.arange(self.members)).reshape(-1)
            index = None if index is None else self.backend.asarray(order, dtype="int64")
        super().begin(order, index)
