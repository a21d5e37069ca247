"""The step of several processes that share the rows of members: each computes its rows for all of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnxp.layers import Layer
from nnxp.memory.buffers import Buffers
from nnxp.training.batch import Batch
from nnxp.training.portion_layers import PortionSharedStage, found
from nnxp.training.portion_plan import PortionPlan
from nnxp.training.shared_stage import shared_stage
from nnxp.training.side_by_side import MembersMeasuring, MembersPlan
from nnxp.training.stages import Stage
from nnxp.typing import Array


class PortionMembersMeasuring(MembersMeasuring):
    """Loss and metric of members over the rows of all processes."""

    plan: "PortionMembersPlan"

    def predict(self) -> Callable[[Array], Array]:
        """The forward pass; of no rows, nothing."""
        predict = super().predict()
        return lambda x: predict(x) if x.shape[0] else None

    def measured(self, out: Array, batch: Batch) -> tuple[Array, Array]:
        """The sums of this process's rows."""
        return (0.0, 0.0) if out is None else super().measured(out, batch)

    def record(self, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
        """What an evaluation gives; `weight` and `count` are those of all rows already."""
        sums = np.concatenate([total, score])
        self.plan.communicator.sum(sums)
        total, score = np.split(sums, 2)
        return super().record(total, score, weight, count)


class PortionMembersPlan(PortionPlan, MembersPlan):
    """A training step of all members on this process's rows of each batch; see both."""

    measuring = PortionMembersMeasuring

    def _own_stage(self, layers: Sequence[Layer], i: int, buffers: Buffers, first: int) -> Stage | None:
        """That of layers whose members share weights, or of one that has to know its rows."""
        stage = shared_stage(layers, i, buffers, first, PortionSharedStage)
        if not isinstance(stage, PortionSharedStage):
            return super()._own_stage(layers, i, buffers, first)
        known = (lambda: self.portion), (lambda: self.scale), self.add
        lent = [one for layer in stage.layers for one in found(layer, *known)]
        self.by_row = self.by_row or bool(lent)
        return stage.lend(lent)
