"""The step of several processes: each computes its rows of the batch, and what they have found is added up."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nnxp.distributed import total
from nnxp.kernels import formulas
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.memory.buffers import Buffers
from nnxp.network.model import Model
from nnxp.training.batch import Batch, Portion
from nnxp.training.measuring import Measuring
from nnxp.training.plan import Plan
from nnxp.training.portion_layers import PortionBatchNorm, PortionStage, found
from nnxp.training.stages import Stage
from nnxp.typing import Array


class PortionMeasuring(Measuring):
    """Loss and metric over the rows of all processes."""

    plan: "PortionPlan"

    def predict(self) -> Callable[[Array], Array]:
        """The forward pass, of a process that has rows."""
        predict = super().predict()
        return lambda x: predict(x) if x.shape[0] else None

    def measured(self, out: Array, batch: Batch) -> tuple[Array, Array]:
        """The sums of this process's rows."""
        return (0.0, 0.0) if out is None else super().measured(out, batch)

    def record(self, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
        """What an evaluation gives; `weight` and `count` are those of all rows already."""
        sums = np.array([total, score], dtype=np.float64)
        self.plan.communicator.sum(sums)
        return super().record(sums[0], sums[1], weight, count)


class PortionPlan(Plan):
    """A training step on this process's rows of each batch.

    A batch's loss is Σ share · (data's + penalties'), over processes, as it is over the parts of `accumulate`: the
    shares are of the weights, and Σ share = 1. The gradient is Σ ρ · (heft · share / ρ · ∇data + ∇penalties) with ρ the
    share of the rows, which is 0 where there are none and nowhere else: `BatchNorm` sends gradients to rows of no
    weight too. One message carries gradients, loss and scores.
    """

    measuring = PortionMeasuring
    portion = Portion(0, 0, 1.0, 1.0)
    """Which rows of its batch are next: who hands them out says so."""

    def __init__(self, model: Model) -> None:
        assert model.communicator is not None
        self.communicator = model.communicator
        self.moments: list[PortionBatchNorm] = []
        self.by_row = False
        """Whether a layer has to know which rows it is given."""
        super().__init__(model)
        self.times = self.backend.fuse(formulas.times)
        if type(self.loss).mean_gradient is not Loss.mean_gradient:
            raise ValueError(
                f"got {type(self.loss).__name__}, whose mean_gradient is its own, with a communicator, expected a loss "
                "whose gradient is a mean over rows: train in one process"
            )

    def _own_stage(self, layers: Sequence[Layer], i: int, buffers: Buffers, first: int) -> Stage | None:
        """That of a layer which has to know its rows, or has such parts."""
        lent = found(layers[i], lambda: self.portion, self.add)
        if not lent:
            return None
        self.by_row = True
        self.moments += [one for one in lent if isinstance(one, PortionBatchNorm)]
        return PortionStage(layers[i], buffers, i, i > first, lent)

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
        _, _, rows, weight = self.portion
        if x.shape[0]:
            super().gradients(x, y, w, v, means, heft if weight == rows else heft * (weight / rows))
        else:
            self._join()
            self.store.gradients[...], means[...] = 0, 0
        return self._added(means, rows, weight)

    def whole(self, parts: "Iterable[tuple[Any, Batch]]", means: Array) -> Array:
        """The mean loss and the gradients of all data, of this process's rows of each batch."""
        own = ((share * self.portion.weight, batch) for share, batch in parts if batch.x.shape[0])
        self.accumulate(own, means)
        return self._added(means, 1.0, 1.0)

    def _added(self, means: Array, rows: float, weight: float) -> Array:
        """Adds up what the processes have found: gradients times `rows`, the mean loss times `weight`, and scores."""
        gradients = self.store.gradients
        n = gradients.shape[0]
        message = self.buffers.take(self, "message", (n + 2,))
        assert message is not None
        self.times(gradients, rows, out=message[:n])
        message[n, ...], message[n + 1, ...] = means[0, ...] * weight, means[1, ...]
        self.add(message)
        gradients[...], means[...] = message[:n], message[n:]
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
