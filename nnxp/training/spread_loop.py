"""The epochs of members that are spread over processes: all decide on what the members of all have found."""

from typing import Any

from nnxp.training.batches import Batches
from nnxp.training.course import resume_within
from nnxp.training.loop import Training
from nnxp.training.progress import Progress
from nnxp.training.shards import ShardBatches
from nnxp.training.spread_plan import SpreadPlan
from nnxp.training.streams import Stream
from nnxp.typing import Array, ArrayLike


class SpreadTraining(Training):
    """Runs the epochs of a model whose members are spread over processes."""

    plan: SpreadPlan

    def at_once(self, X: ArrayLike, y: ArrayLike) -> Array | None:
        """Nothing: see `checked`."""
        return None

    def checked(self, x: Array, y: ArrayLike, w: ArrayLike | None) -> Array:
        """Raises: the members of other processes would not be heard of."""
        raise ValueError(
            "got a train_step of a model whose members are spread over processes, expected fit, after whose epochs "
            "every process has all members: fit(X, y, batch_size=len(X))"
        )

    def epoch(self, data: "Batches | Stream", bar: Progress, text: str) -> dict[str, float]:
        """Likewise; before and after it the whole model has the members of all processes."""
        self.plan.take()
        if self._running.batches:
            part = self.plan.part
            resume_within(part.running(part.layers), part.epoch)
        record = super().epoch(data, bar, text)
        self.plan.gather()
        return record

    def _explain(self, stop: Any, data: "Batches | Stream") -> Any:
        """Likewise, of the members of all processes."""
        self.plan.gather()
        return super()._explain(stop, data)


def of_all_rows(data: Batches | Stream) -> Batches:
    """The data, of which each process takes all; raises where it may not have them."""
    if isinstance(data, Stream | ShardBatches):
        what = "an iterable of batches" if isinstance(data, Stream) else "a Shard"
        raise ValueError(
            f"got {what} for members that are spread over processes, expected arrays, all of which every process "
            "takes: fit(X, y), of which a memory map costs nothing"
        )
    return data
