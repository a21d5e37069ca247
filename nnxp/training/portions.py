"""The rows of each batch that one of several processes computes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nnxp.distributed import Communicator
from nnxp.network.model import Model
from nnxp.training import portion_plan
from nnxp.training.batch import Batch, Portion, cut
from nnxp.training.batches import Batches
from nnxp.training.plan import Planned
from nnxp.training.portion_plan import PortionPlan
from nnxp.training.shards import ShardBatches
from nnxp.training.streams import Stream
from nnxp.typing import Array, Floats, Integers


class Portions(Batches):
    """This process's rows of each of the batches: contiguous ones, of n rows those from n · rank / size on.

    All else about a batch, its sums and its heft, is that of the whole. The plan is told which portions a batch is:
    one, or where sums are to be the same bits for any number of processes, this process's of the batch's parts.
    """

    plan: PortionPlan
    _own: list[list[float]] | None = None
    """Σ w of each of this process's portions of each batch."""

    def __init__(self, whole: Batches, communicator: Communicator) -> None:
        vars(self).update(vars(whole))
        self.communicator = communicator

    def epoch(self, key: int | None = None, first: int = 0) -> Iterator[Batch]:
        """This process's rows of each batch from number `first` on; of none, arrays without rows."""
        for number, batch in enumerate(super().epoch(key, first), first):
            self.plan.portions = [*self._portions(number, batch)]
            yield batch

    def _portions(self, number: int, batch: Batch) -> Iterator[Portion]:
        start, rows = super()._place(number).start, int(self._counts[number])
        for k, place in enumerate(self._places(number)):
            count = place.stop - place.start
            weight = count / rows if self._own is None or not batch.total else self._own[number][k] / batch.total
            yield Portion(rows, place.start - start, count, count / rows, weight)

    def _places(self, number: int) -> list[slice]:
        """Where the rows of each of this process's portions are in the order."""
        return cut(super()._place(number), self.communicator)

    def _place(self, number: int) -> slice:
        """Where this process's rows are in the order."""
        places = self._places(number)
        return slice(places[0].start, places[-1].stop)

    def _batch(self, number: int) -> tuple[Array, Array, Array | None, Array | None]:
        place = self._place(number)
        if place.start == place.stop:  # no kernel is asked to gather nothing
            return self.X[:0, ...], self.y[:0, ...], None, None
        return super()._batch(number)

    def _sums(self, w: Floats | None, order: Integers | None) -> list[Any]:
        """The sum of each whole batch's weights; those of the loss are summed for this process's rows too."""
        if w is not None and w is self._host[0]:
            ordered = w if order is None else w[order]
            places = map(self._places, range(self.steps))
            self._own = [[float(np.sum(ordered[place])) for place in own] for own in places]
        return super()._sums(w, order)


def portions(data: Batches | Stream, communicator: Communicator) -> Batches | Stream:
    """This process's part of the data, which its shard is already, and what comes of an iterable."""
    if isinstance(data, Batches) and data.w is not None and data.w.ndim > 1:
        raise ValueError(
            f"got sample_weight of {tuple(data.w.shape)} with a communicator, expected ({data.n},), one weight for all "
            "members: train in one process, or spread the members over processes, nnxp.distributed.ByMember"
        )
    return data if isinstance(data, ShardBatches | Stream) else Portions(data, communicator)


def lend(model: Model, planned: Planned, *data: Batches | Stream | None) -> None:
    """Has a model's gradients where its communicator adds them up in less time. What holds views of the former is made
    anew: the plan, which batches have, and what the optimizer has laid out."""
    assert model.communicator is not None
    if model.store.gradients.shape[0] <= portion_plan.FEW:
        return
    memory = model.communicator.lend(model.store.gradients)
    if memory is not None:
        model.store.move_gradients(memory)
        model.optimizer._laid_out.clear()
        model.replan()
        for batches in data:
            if isinstance(batches, Batches):
                batches.plan = planned()
