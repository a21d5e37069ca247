"""The step of several processes: each computes its rows of the batch, and what they have found is added up."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnxp.distributed import in_pairs, total
from nnxp.kernels import formulas
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.memory.buffers import Buffers
from nnxp.network.model import Model
from nnxp.optimizers import Optimizer
from nnxp.training.batch import Batch, Portion
from nnxp.training.measuring import Measuring
from nnxp.training.part_update import PartUpdate, part_update
from nnxp.training.plan import Plan
from nnxp.training.portion_layers import PortionBatchNorm, PortionStage, found
from nnxp.training.stages import Stage
from nnxp.typing import Array

FEW = 16_384
"""Up to so many gradients are copied into one message with loss and scores: a second message costs more. And all of so
many parameters are updated by all."""


class Message(NamedTuple):
    """What a process tells the others of its rows: `sent` is made of gradients and means, as one array or as two."""

    sent: tuple[Array, ...]
    gradients: Array
    means: Array


class PortionMeasuring(Measuring):
    """Loss and metric over the rows of all processes."""

    plan: "PortionPlan"

    def __init__(self, plan: "PortionPlan") -> None:
        super().__init__(plan)
        self.columns, self.number = (plan.parts,), getattr(plan.backend.xp, plan.model.dtype)

    def predict(self) -> Callable[[Array], Array]:
        """The rows themselves: portions are predicted one by one."""
        self._predict = super().predict()
        return lambda x: x

    def measured(self, out: Array, batch: Batch) -> tuple[Array, Array]:
        """The sums of each portion of this process, (portions,)."""
        sums = self.plan.backend.xp.zeros((2, *self.columns), dtype=self.number, device=self.plan.backend.device)
        for k, (portion, part) in enumerate(self.plan.divided(batch)):
            if portion.n:
                sums[0, k, ...], sums[1, k, ...] = super().measured(self._predict(part.x), part)
        return sums[0, ...], sums[1, ...]

    def record(self, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
        """What an evaluation gives; `weight` and `count` are those of all rows already."""
        sums = np.array([in_pairs(total), in_pairs(score)], dtype=np.float64)
        self.plan.communicator.sum(sums)
        return super().record(sums[0], sums[1], weight[0], count[0])


class PortionPlan(Plan):
    """A training step on this process's rows of each batch.

    A batch's loss is Σ share · (data's + penalties'), over processes, as it is over the parts of `accumulate`: the
    shares are of the weights, and Σ share = 1. The gradient is Σ heft · share · ∇data + ρ ∇penalties with ρ the share
    of the rows. Where a layer adds its own penalty's gradient, it is Σ s · (heft · share / s · ∇data + ∇penalties),
    s = ρ, which is 0 where there are no rows and nowhere else: `BatchNorm` sends gradients to rows of no weight too.
    One message carries gradients, loss and scores; two do, where the gradients are many and need not be copied.

    Of several portions, each is computed by itself, and they are added in pairs of pairs: (1 + 2) + (3 + 4).
    """

    measuring: type[Measuring] = PortionMeasuring
    portions: list[Portion]
    """Which rows of its batch are next: who hands them out says so."""
    portion: Portion
    """Which of them is computed."""
    scale = 1.0
    """What its gradients are multiplied by."""
    _begins = False
    """Whether the next update is the first that may be in parts."""
    _in_parts: PartUpdate | None = None

    def __init__(self, model: Model) -> None:
        assert model.communicator is not None
        self.communicator = model.communicator
        self.parts = max(1, self.communicator.leaves // self.communicator.size)
        self.moments: list[PortionBatchNorm] = []
        self.by_row = False
        """Whether a layer has to know which rows it is given."""
        super().__init__(model)
        self.times, self.multiply = self.backend.fuse(formulas.times), self.backend.fuse(formulas.times, into=("x",))
        if type(self.loss).mean_gradient is not Loss.mean_gradient:
            raise ValueError(
                f"got {type(self.loss).__name__}, whose mean_gradient is its own, with a communicator or "
                "reproducible=True, expected a loss whose gradient is a mean over rows: train in one process"
            )

    def _own_stage(self, layers: Sequence[Layer], i: int, buffers: Buffers, first: int) -> Stage | None:
        """That of a layer which has to know its rows, or has such parts."""
        lent = found(layers[i], lambda: self.portion, lambda: self.scale, self.add)
        if not lent:
            return None
        self.by_row = True
        moments = [one for one in lent if isinstance(one, PortionBatchNorm)]
        if moments and self.communicator.leaves:
            raise ValueError(
                f"got BatchNorm (layer {i}) with reproducible=True, expected layers that take row by row: LayerNorm, "
                "or leave reproducible= out"
            )
        self.moments += moments
        return PortionStage(layers[i], buffers, i, i > first).lend(lent)

    @contextlib.contextmanager
    def in_parts(self) -> Iterator[None]:
        """Each process updates a part inside, where it can be."""
        self._begins = self.store.trained > FEW
        try:
            yield
        finally:
            self._begins = False
            self._end_parts()

    def _update_store(self, optimizer: Optimizer) -> None:
        """Likewise, or this process's part of it."""
        if self._begins:  # with the first step, which callbacks come before
            self._begins, self._in_parts = False, part_update(self.model)
        if self._in_parts is not None and self._in_parts.is_of(optimizer):
            self._in_parts()
            return
        self._end_parts()
        super()._update_store(optimizer)

    def _end_parts(self) -> None:
        if self._in_parts is not None:
            self._in_parts.end()
            self._in_parts = None

    def add(self, buffer: Array) -> None:
        """Adds up a flat array over all processes, in place."""
        total(self.communicator, self.backend, buffer)

    def lines(self) -> list[str]:
        """Likewise, and who takes part."""
        rows = f"process {self.communicator.rank} of {self.communicator.size}: its rows of each batch"
        return [rows, *super().lines(), "gradients, loss and scores of all processes are added before the update"]

    def gradients(
        self, x: Array, y: Array, w: Array | None = None, v: Array | None = None, means: Array = None, heft: float = 1.0
    ) -> Array:
        """The mean loss and the gradients of the whole batch, of this process's rows of it."""
        means = self.backend.xp.empty_like(self.store.gradients[:2]) if means is None else means
        parts = self.divided(Batch(x, y, w, v, math.nan, math.nan))

        def found(message: Message) -> None:
            self.portion, part = next(parts)
            n, rows, weight = self.portion.n, self.portion.rows, self.portion.weight
            self.scale = rows if self.penalised else 1.0
            if n:
                self.penalties.share = rows / self.scale
                own = heft if weight == self.scale else heft * (weight / self.scale)
                super(PortionPlan, self).gradients(part.x, part.y, part.w, part.v, means, own)
            else:
                self._join()
                self.store.gradients[...], means[...] = 0, 0
            self._write(message, means, self.scale, weight)

        return self._added(self._in_pairs(found, len(self.portions)), means)

    def divided(self, batch: Batch) -> Iterator[tuple[Portion, Batch]]:
        """This process's portions of a batch, and the rows of each."""
        if len(self.portions) == 1:
            yield self.portions[0], batch
            return
        start = self.portions[0].first
        for portion in self.portions:
            rows = slice(portion.first - start, portion.first - start + portion.n)
            w, v = [None if a is None else a[rows] for a in (batch.w, batch.v)]
            yield portion, batch._replace(x=batch.x[rows, ...], y=batch.y[rows, ...], w=w, v=v)

    def _in_pairs(self, found: Callable[[Message], None], parts: int, depth: int = 0) -> Message:
        """The message of so many portions: that of their first half and that of their second, added."""
        if parts == 1:
            found(message := self._message(depth))
            return message
        first = self._in_pairs(found, parts // 2, depth)
        for one, other in zip(first.sent, self._in_pairs(found, parts - parts // 2, depth + 1).sent, strict=True):
            one += other
        return first

    def _message(self, depth: int) -> Message:
        """The memory of a message."""
        n, take, shape = self.store.gradients.shape[0], self.buffers.take, (2, *self.columns)
        numbers = math.prod(shape)
        if n <= FEW:
            whole = take(self, f"message {depth}", (n + numbers,))
            assert whole is not None
            return Message((whole,), whole[:n], self.backend.xp.reshape(whole[n:], shape, copy=False))
        gradients = self.store.gradients if self.parts == 1 else take(self, f"gradients {depth}", (n,))
        means = take(self, f"means {depth}", (numbers,))
        return Message((gradients, means), gradients, self.backend.xp.reshape(means, shape, copy=False))

    def whole(self, parts: "Iterable[tuple[Any, Batch]]", means: Array) -> Array:
        """The mean loss and the gradients of all data, of this process's rows of each batch."""
        self.penalties.share = 1.0
        own = ((share * self.portions[0].weight, batch) for share, batch in parts if batch.x.shape[0])
        self.accumulate(own, means)
        self._write(message := self._message(0), means, 1.0, 1.0)
        return self._added(message, means)

    def _write(self, message: Message, means: Array, scale: float, weight: float) -> None:
        """Gradients times `scale`, the mean loss times `weight`, and scores."""
        if message.gradients is not self.store.gradients:
            self.times(self.store.gradients, scale, out=message.gradients)
        elif scale != 1:
            self.multiply(self.store.gradients, scale)
        message.means[0, ...], message.means[1, ...] = means[0, ...] * weight, means[1, ...]

    def _added(self, message: Message, means: Array) -> Array:
        """Adds up the processes' messages: gradients, mean loss and scores are those of the whole batch."""
        for part in message.sent:
            self.add(part)
        if message.gradients is not self.store.gradients:
            self.store.gradients[...] = message.gradients
        means[...] = message.means
        self.store.computed.update(self.owners)
        return means[0, ...]

    def _join(self) -> None:
        """A step of no rows: other processes' means and variances want a part of each."""
        for stage in self.stages:
            stage.begin(self.model.epoch, self.model.step, 0)
        for moments in self.moments:
            moments.join()
        for moments in reversed(self.moments):
            moments.join_backward()
