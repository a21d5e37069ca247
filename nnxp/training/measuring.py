"""What an evaluation measures: sums over batches, and the means that come of them."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from nnxp.backends import Backend
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.network.history import MEMBER
from nnxp.network.model import Model
from nnxp.training.batch import Batch
from nnxp.typing import Array


class Planned(Protocol):
    """What it needs of a plan: the loss of the labels that are prepared, and the layers before it."""

    model: Model
    backend: Backend
    loss: Loss
    own: list[Layer]


class Measuring:
    """Loss and metric of what a model predicts."""

    columns: tuple[int, ...] = ()
    """The shape of a sum."""

    def __init__(self, plan: Planned) -> None:
        self.plan = plan

    def predict(self) -> Callable[[Array], Array]:
        """The forward pass whose outputs `measured` takes."""
        return self.plan.model.prediction(self.plan.own)

    def losses(self, out: Array, y: Array) -> Array:
        """Each row's loss, of what the plan's loss takes."""
        return self.plan.loss.losses(out, y)

    def measured(self, out: Array, batch: Batch) -> tuple[Array, Array]:
        """Σ w ℓ and Σ v s, s the metric's scores, of outputs."""
        sums, loss = self.plan.backend.xp.sum, self.plan.loss
        found = (loss.losses(out, batch.y), batch.w), (loss.scores(out, batch.y), batch.v)
        total, score = [sums(values if w is None else w * values) for values, w in found]
        return total, score

    def sizes(self, batch: Batch) -> tuple[Any, Any]:
        """Σ w and Σ v."""
        return batch.total, batch.scored

    def record(self, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
        """What an evaluation gives, from the sums of what `measured` gave, and of the weights of either."""
        found = averages(self.plan.loss, total, score, weight, count)
        found["loss"] += sum(float(penalty) for penalty in self.plan.model.penalties())
        return found


def averages(loss: Loss, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
    """{"loss": ..., "accuracy" or "rmse": ...} from weighted sums, and the sums of the weights of either; of sums of
    several members, the means of theirs, and theirs, "member_loss" and so on, lists."""
    losses, means = [a / n if np.all(n) else np.full_like(a, np.nan) for a, n in ((total, weight), (score, count))]
    found = {"loss": losses, loss.metric: means if loss.classifies else means**0.5}
    if np.ndim(losses) == 0:
        return {name: float(value) for name, value in found.items()}
    each = {f"{MEMBER}{name}": values.tolist() for name, values in found.items()}
    return {name: float(np.mean(values)) for name, values in found.items()} | each
