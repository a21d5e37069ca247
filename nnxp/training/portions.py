"""The rows of each batch that one of several processes computes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nnxp.distributed import Communicator
from nnxp.training.batch import Batch, Portion
from nnxp.training.batches import Batches
from nnxp.training.portion_plan import PortionPlan
from nnxp.training.streams import Stream
from nnxp.typing import Array, Floats, Integers


class Portions(Batches):
    """This process's rows of each of the batches: contiguous ones, of n rows those from n · rank / size on.

    All else about a batch, its sums and its heft, is that of the whole. The plan is told which portion a batch is.
    """

    plan: PortionPlan
    _own: list[float] | None = None
    """Σ w of this process's rows of each batch."""

    def __init__(self, whole: Batches, communicator: Communicator) -> None:
        vars(self).update(vars(whole))
        self._rank, self._processes = communicator.rank, communicator.size

    def epoch(self, key: int | None = None, first: int = 0) -> Iterator[Batch]:
        """This process's rows of each batch from number `first` on; of none, arrays without rows."""
        for number, batch in enumerate(super().epoch(key, first), first):
            self.plan.portion = self._portion(number, batch)
            yield batch

    def _portion(self, number: int, batch: Batch) -> Portion:
        start, rows = super()._place(number).start, int(self._counts[number])
        place = self._place(number)
        share = (place.stop - place.start) / rows
        weight = share if self._own is None or not batch.total else self._own[number] / batch.total
        return Portion(rows, place.start - start, share, weight)

    def _place(self, number: int) -> slice:
        """Where this process's rows are in the order."""
        whole = super()._place(number)
        n = whole.stop - whole.start
        a, b = (whole.start + n * rank // self._processes for rank in (self._rank, self._rank + 1))
        return slice(a, b)

    def _batch(self, number: int) -> tuple[Array, Array, Array | None, Array | None]:
        place = self._place(number)
        if place.start == place.stop:  # no kernel is asked to gather nothing
            return self.X[:0, ...], self.y[:0, ...], None, None
        return super()._batch(number)

    def _sums(self, w: Floats | None, order: Integers | None) -> list[Any]:
        """The sum of each whole batch's weights; those of the loss are summed for this process's rows too."""
        if w is not None and w is self._host[0]:
            ordered = w if order is None else w[order]
            self._own = [float(np.sum(ordered[self._place(number)])) for number in range(self.steps)]
        return super()._sums(w, order)


def portions(data: Batches | Stream, communicator: Communicator) -> Portions:
    """This process's part of the data; an iterable of batches is refused."""
    if isinstance(data, Stream):
        raise ValueError(
            "got an iterable of batches with a communicator, expected arrays, of which each process computes its rows: "
            "fit(X, y), or train in one process"
        )
    return Portions(data, communicator)
