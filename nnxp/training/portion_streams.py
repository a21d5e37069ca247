"""Batches of iterables, of which each of several processes computes its rows: of whole batches, or what it has."""

from collections.abc import Iterator
from typing import Any

from nnxp.network.model import Model
from nnxp.training.batch import Batch, Portion, own_rows
from nnxp.training.digests import digests
from nnxp.training.plan import Planned
from nnxp.training.shards import Shard, agreed, check_order
from nnxp.training.streams import Stream
from nnxp.typing import Array


class PortionStream(Stream):
    """The same batches on every process: each computes its rows. What one of them cannot take is refused on all."""

    def __init__(self, model: Model, planned: Planned, source: Any, name: str) -> None:
        super().__init__(model, planned, source, name)
        assert model.communicator is not None
        self.communicator = model.communicator

    def epoch(self, key: int | None = None, first: int = 0) -> Iterator[Batch]:
        """This process's rows of each batch from number `first` on; of none, arrays without rows."""
        for batch in super().epoch(key, first):
            self.planned().portions, self._last = self._own(batch)  # type: ignore[attr-defined]
            yield self._last

    def _next(self, iterator: Iterator[Any], number: int) -> Batch | None:
        batch, told = agreed(
            self.communicator,
            lambda: super(PortionStream, self)._next(iterator, number),
            lambda batch: None if batch is None else self._told(batch),
        )
        ends = [one is None for one in told]
        if batch is None or any(ends):
            if all(ends):
                return None
            raise ValueError(
                f"got {self.name} {number} (the first is 0) on process {ends.index(False)}, and no more of them on "
                f"process {ends.index(True)}, expected as many on all; of a Shard, one without rows counts: "
                "(X[:0], y[:0])"
            )
        return self._agreed(batch, told, number)

    def _told(self, batch: Batch) -> Any:
        """What the others have to know of this process's batch."""
        return told_of(self.model, batch)

    def _agreed(self, batch: Batch, told: list[Any], number: int) -> Batch:
        """The batch, as it is to all."""
        check_same(told, f"{self.name} {number}")
        return batch

    def _own(self, batch: Batch) -> tuple[list[Portion], Batch]:
        """This process's portions of a batch, and their rows."""
        return own_rows(batch, self.communicator, self.model.backend)


class ShardStream(PortionStream):
    """Each process's own part of each batch, which is all of them, one after the other in the order of ranks."""

    _portion: Portion
    _weighs: bool
    """Of the last batch that came: which part this process has, and whether some process has weights."""

    def _told(self, batch: Batch) -> Any:
        return int(batch.x.shape[0]), batch.total, batch.scored, batch.w is not None

    def _agreed(self, batch: Batch, told: list[Any], number: int) -> Batch:
        rows, totals, scored, weigh = zip(*told, strict=True)
        rank, n, total = self.communicator.rank, sum(rows), sum(totals)
        if n == 0:
            raise ValueError(f"{self.name} {number} (the first is 0): got no samples on any process, expected some")
        share = rows[rank] / n
        self._weighs = any(weigh)
        self._portion = Portion(n, sum(rows[:rank]), rows[rank], share, totals[rank] / total if total else share)
        return batch._replace(total=total, scored=sum(scored))

    def _own(self, batch: Batch) -> tuple[list[Portion], Batch]:
        return [self._portion], batch

    def _counted(self, batch: Batch) -> tuple[int, bool]:
        return self._portion.batch, self._weighs

    def _without_rows(self, X: Array) -> Batch:
        return Batch(X, X[:, 0], None, None, 0.0, 0.0)


def stream(model: Model, planned: Planned, source: Any, name: str = "batch") -> Stream:
    """The batches of an iterable, or of the shards of all processes that are such."""
    if isinstance(source, Shard) and (source.y is not None or source.sample_weight is not None):
        raise ValueError("got a Shard of an iterable and y or sample_weight, expected it to yield them: Shard(batches)")
    iterable = source.X if isinstance(source, Shard) else source
    if model.communicator is None:
        return Stream(model, planned, iterable, name)
    if not isinstance(source, Shard):
        return PortionStream(model, planned, iterable, name)
    check_order(model.communicator)
    return ShardStream(model, planned, iterable, name)


def told_of(model: Model, batch: Batch) -> dict[str, str]:
    """By what a whole batch is told from another."""
    return digests(model.backend, batch.x, batch.y, batch.w, model.dtype)


def check_same(told: list[dict[str, str]], name: str) -> None:
    """Raises where a process has another batch than process 0."""
    for rank, theirs in enumerate(told):
        if theirs != told[0]:
            raise ValueError(
                f"got {name} {theirs} on process {rank}, expected {told[0]} as on process 0: every process is given "
                "the same and computes its rows, so what shuffles has the same seed on all; of an iterable whose "
                "batches are each process's own, Shard(batches)"
            )
