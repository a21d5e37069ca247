"""Data of which each process has its own part: `nnxp.Shard(X, y)`."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from nnxp.distributed import Communicator
from nnxp.layers import Dropout
from nnxp.layers.parts import with_parts
from nnxp.network.model import Model
from nnxp.training.batch import Batch, Portion
from nnxp.training.batches import Batches
from nnxp.typing import Array, ArrayLike, Integers

if TYPE_CHECKING:
    from nnxp.training.portion_plan import PortionPlan

T = TypeVar("T")


class Shard:
    """One process's part of the data, of several that train together: `model.fit(Shard(X, y), epochs=10)`.

    All of the data are the processes' parts, one after the other in the order of their ranks. A training is that of one
    process on these: its order of rows, its batches, what `Dropout` drops, what `validation_split` holds out. Each
    process computes those rows of a batch that it has. Parts may be of any sizes, or without rows, as long as one has
    some. Without a communicator it is all of the data.

    Parameters
    ----------
    X
        (n, features), as `fit` takes them; n may be 0, and differ from process to process. Or, without y, an iterable
        that yields this process's rows of each batch, (X, y) or (X, y, sample_weight): as many as on all others,
        without rows where it has none.
    y
        Labels or targets of these rows.
    sample_weight : optional
        (n,) weights; they may all be 0 on some processes.

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.spiral(seed=0)
    >>> model = nnxp.Sequential([nnxp.Dense(2, 3), "softmax"], loss="categorical_crossentropy", seed=0)
    >>> sorted(model.fit(nnxp.Shard(X, y), epochs=2))
    ['accuracy', 'learning_rate', 'loss', 'seconds']
    """

    def __init__(self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> None:
        self.X, self.y, self.sample_weight = X, y, sample_weight

    def __repr__(self) -> str:
        return "Shard(batches)" if self.y is None else f"Shard({len(self)} rows)"

    def __len__(self) -> int:
        return int(self.X.shape[0]) if hasattr(self.X, "shape") else len(self.X)

    def first(self) -> Self:
        """Its first row: it stands in where a process has none, so that it has something of the right shape."""
        y, weight = [None if a is None else a[:1] for a in (self.y, self.sample_weight)]
        return type(self)(self.X[:1], y, weight)


class ShardBatches(Batches):
    """This process's rows of each of the batches of all data: those of its shard, wherever they are in the batch."""

    plan: "PortionPlan"

    def __init__(self, own: Batches, sizes: list[int], rows: Integers | None = None) -> None:
        vars(self).update(vars(own))
        communicator = self.model.communicator
        assert communicator is not None
        self.sizes, self.rows, self.communicator = sizes, rows, communicator
        self._start = sum(sizes[: communicator.rank])
        self._n = sizes[communicator.rank]
        self._mine = [None if w is None else w[: self._n] for w in self._host]
        self._count(sum(sizes) if rows is None else len(rows), [self._of_all(w) for w in self._mine])

    def _of_all(self, w: Any) -> Any:
        """The weights of all data; None where no process has any."""
        found = self.communicator.gather(w)
        if all(part is None for part in found):
            return None
        ones = [np.ones(n) if part is None else part for n, part in zip(self.sizes, found, strict=True)]
        return np.concatenate(ones)

    def epoch(self, key: int | None = None, first: int = 0) -> Iterator[Batch]:
        """This process's rows of each batch from number `first` on; of none, arrays without rows."""
        for number, batch in enumerate(super().epoch(key, first), first):
            self.plan.portions = [self._portion(number, batch)]
            yield batch

    def _rows_of(self, order: Integers | None) -> Integers:
        """The rows of the shard, in the order in which they come among all."""
        order = np.arange(self.n) if order is None else order
        self._at = np.flatnonzero((order >= self._start) & (order < self._start + self._n))
        self._ends = np.searchsorted(self._at, range(0, (self.steps + 1) * self.batch_size, self.batch_size)).tolist()
        self._order: Integers = order[self._at] - self._start
        return self._order

    def _place(self, number: int) -> slice:
        """Where this process's rows of a batch are in the order of its own."""
        return slice(self._ends[number], self._ends[number + 1])

    def _portion(self, number: int, batch: Batch) -> Portion:
        place, rows = self._place(number), int(self._counts[number])
        n = place.stop - place.start
        weight = n / rows
        if self._host[0] is not None and batch.total:
            own = self._mine[0]
            weight = (n if own is None else float(np.sum(own[self._order[place]]))) / batch.total
        return Portion(rows, 0, n, n / rows, weight, self._at[place] - number * self.batch_size)

    def _batch(self, number: int) -> tuple[Array, Array, Array | None, Array | None]:
        place = self._place(number)
        if place.start == place.stop:
            return self.X[:0, ...], self.y[:0, ...], None, None
        return super()._batch(number)

    def inputs(self, batch_size: int) -> Iterator[Array]:
        """Raises: nobody has the rows that weights would be drawn from."""
        raise ValueError(
            "got a Shard for weights that are drawn from the data, expected them drawn before, from the same rows on "
            "every process: model.draw(X), X some thousand rows such as the shards have"
        )

    def _classes(self) -> Integers | None:
        own = super()._classes()
        found = self.communicator.gather(None if own is None else own[: self._n])
        return None if own is None else np.concatenate(found)

    def _part(
        self, rows: Integers | None, batch_size: int, shuffled: bool = True, drop_last: bool = False
    ) -> "ShardBatches":
        return ShardBatches(super()._part(None, batch_size, shuffled, drop_last), self.sizes, rows)

    def told(self, found: dict[str, Any]) -> dict[str, Any]:
        """By what the shards of all processes are told from other data: each one's digests, and how they are cut."""
        import hashlib  # where somebody wants to know, and not for every fit

        digest = hashlib.sha256(repr(self.communicator.gather(found)).encode())
        return {"shards": self.sizes, "digest": digest.hexdigest()[:16]}


def sharded(
    model: Model,
    planned: Any,
    shard: Shard,
    batch_size: int,
    name: str = "X",
    shuffled: bool = True,
    drop_last: bool = False,
) -> Batches:
    """The batches of the shards of all processes; what one of them cannot take is refused on all."""
    communicator, options = model.communicator, (batch_size, name, shuffled, drop_last)
    if shard.y is None:
        raise TypeError("got a Shard of X without y, expected both, Shard(X, y), or an iterable: Shard(batches)")
    if communicator is None:
        return Batches.of(model, planned, shard.X, shard.y, shard.sample_weight, *options)
    check_order(communicator)
    _, sizes = agreed(communicator, lambda: len(shard), lambda n: n)
    if not any(sizes):
        raise ValueError(f"got {name} with no samples on any process, expected at least one")
    if not all(sizes):
        lent = next(rank for rank, n in enumerate(sizes) if n)
        row = communicator.gather(shard.first() if communicator.rank == lent else None)[lent]
        shard = shard if len(shard) else row

    def own() -> Batches:
        made = Batches.of(model, planned, shard.X, shard.y, shard.sample_weight, *options, part=True)
        if model.backend.library == "cupy" and any(isinstance(layer, Dropout) for _, layer in with_parts(model.layers)):
            raise ValueError(
                "got Dropout with a Shard on CuPy, whose kernel draws for rows that follow each other: give all of the "
                "data to every process (a memory map costs nothing)"
            )
        return made

    batches, shapes = agreed(communicator, own, lambda made: [tuple(a.shape[1:]) for a in (made.X, made.y)])
    for rank, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(
                f"got rows of X and y of shapes {shape[0]} and {shape[1]} on process {rank}, expected {shapes[0][0]} "
                f"and {shapes[0][1]} as on process 0: a Shard is a part of the same data"
            )
    found = ShardBatches(batches, sizes)
    if found._host[0] is not None and not found._host[0].any():
        raise ValueError(
            "got samples that all weigh 0 on all processes, expected some above 0: nothing would be learned"
        )
    return found


def check_order(communicator: Communicator) -> None:
    """Raises where sums are to have one order, which parts of any sizes do not allow."""
    if communicator.leaves:
        raise ValueError(
            "got a Shard with reproducible=True, whose batches are cut by their rows, whoever has them: give all of "
            "the data to every process (a memory map costs nothing), or leave reproducible= out"
        )


def agreed(communicator: Communicator, make: Callable[[], T], tell: Callable[[T], Any]) -> tuple[T, list[Any]]:
    """What each process makes, and what all tell of it; where one of them refuses, all do, in its words."""
    made, told, refusal = [], None, None
    try:
        made.append(make())
        told = tell(made[0])
    except (TypeError, ValueError) as error:
        refusal = error
    said = communicator.gather((told, None if refusal is None else (isinstance(refusal, TypeError), str(refusal))))
    for rank, (_, words) in enumerate(said):
        if words is not None:
            raise (TypeError if words[0] else ValueError)(f"process {rank}: {words[1]}") from refusal
    return made[0], [told for told, _ in said]
