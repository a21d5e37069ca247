"""Batches that an iterable yields: each checked as it comes, none kept."""

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nnxp.doors.arrays import finite, same_length, sample_weights
from nnxp.network.codes import check_codes
from nnxp.network.model import Model
from nnxp.training.batch import Batch
from nnxp.training.batches import Batches, interval
from nnxp.training.plan import Planned
from nnxp.training.shards import Shard, sharded
from nnxp.typing import Array, ArrayLike

BATCH = 32
"""Rows of a training step where nobody says."""
INTERVAL = 32
"""Steps between two looks at the losses where nobody knows how many there will be."""
EXPECTED = "expected (X, y) or (X, y, sample_weight)"


class Stream:
    """The batches of an iterable, or of a function that returns one, begun anew each epoch.

    Attributes
    ----------
    seen : numpy.ndarray, (2,)
        How many rows were trained on since weights first came, in all epochs, and the sum of their weights: a batch's
        `heft` is measured by their quotient, since nobody knows the mean weight of rows that are yet to come.
    """

    def __init__(self, model: Model, planned: Planned, source: Any, name: str = "batch") -> None:
        self.model, self.planned, self.source, self.name = model, planned, source, name
        self.steps = operator.length_hint(source, 0) or None
        self.interval = INTERVAL if self.steps is None else interval(self.steps)
        self.seen = np.zeros(2, dtype=np.float64)
        self._epochs = 0
        self._opened: Iterator[Batch] | None = None
        self._errors = np.geterr()

    def open(self) -> "Stream":
        """Checks the first batch, which decides the backend where nothing has yet."""
        batches = self._batches()
        self._opened = itertools.chain([next(batches)], batches)
        return self

    def epoch(self, key: int | None = None, first: int = 0) -> Iterator[Batch]:
        """Each batch from number `first` on, in the order of the iterable, which has to yield those before again."""
        batches, self._opened = self._opened or self._batches(), None
        count = 0
        for batch in batches:
            self._last, count = batch, count + 1
            if count > first:
                yield self._measured(batch)
        if count < first:
            raise ValueError(
                f"got {count} batches in the epoch, expected at least the {first} that were trained on before the "
                "checkpoint: an iterable has to yield the same batches again for a training to be resumed"
            )

    def again(self, back: int) -> tuple[Array, Array, bool]:
        """Inputs and labels of the last batch, and whether it is the one that came `back` before it."""
        return self._last.x, self._last.y, back == 0

    def _measured(self, batch: Batch) -> Batch:
        """The batch with its heft."""
        if batch.w is None and not self.seen[0]:
            return batch
        n = int(batch.x.shape[0])
        self.seen += n, batch.total
        rows, weight = self.seen.tolist()
        return batch._replace(heft=batch.total * rows / (n * weight) if weight else 0.0)

    def _batches(self) -> Iterator[Batch]:
        self._epochs += 1
        iterator = iter(self.source() if callable(self.source) else self.source)
        number, total, end = 0, 0.0, object()
        while True:
            with np.errstate(**self._errors):  # the iterable's own arithmetic may warn, a training step does not
                item = next(iterator, end)
            if item is end:
                break
            try:
                batch = self._check(item)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{self.name} {number} (the first is 0): {error}") from None
            number, total = number + 1, total + batch.total
            yield batch
        if number == 0:
            raise ValueError(self._nothing())
        if total == 0:
            raise ValueError(
                f"got samples that all weigh 0, in every {self.name}, expected some above 0: see sample_weight, and "
                "the loss's class_weight and ignore_label"
            )

    def _check(self, item: Any) -> Batch:
        """A batch past the doors."""
        if not isinstance(item, tuple | list) or len(item) not in (2, 3):
            size = f" of {len(item)}" if isinstance(item, tuple | list) else ""
            raise TypeError(f"got a {type(item).__name__}{size}, {EXPECTED}")
        model, (X, y, w) = self.model, (*item, None)[:3]
        X = model._checked(X, "X")
        n, plan = int(X.shape[0]), self.planned()
        if n == 0:
            raise ValueError("got X with no samples, expected at least one")
        finite(model.backend, X, "X", model.dtype)
        check_codes(model.backend, model.layers, X, "X")
        x = model._moved(X)
        plan.follow()
        if not plan.takes_bytes:
            x = model.backend.asarray(x, dtype=model.dtype)
        labels = plan.loss.prepare(y, model._outputs(x), model.dtype)
        same_length(n, int(labels.shape[0]), "labels")
        w = sample_weights(model.backend, w, n, model.dtype, some=False)
        with model.backend.context():
            labels, w, v = plan.loss.weigh(labels, w, model.dtype)
        sums = [float(n if u is None else model.backend.to_numpy(u).astype(np.float64).sum()) for u in (w, v)]
        return Batch(x, labels, w, v, *sums)

    def _nothing(self) -> str:
        if self._epochs == 1:
            return f"got an iterable without a {self.name}, expected at least one (X, y)"
        return (
            f"got no {self.name} in epoch {self._epochs}: the iterable ran out in the one before, as a generator does. "
            "Pass what can be begun anew: a list, an object with __iter__, or the function that makes the generator "
            "(fit(batches), not fit(batches()))"
        )


def is_stream(X: Any) -> bool:
    """Whether X yields batches (X, y), and is no array and no list of rows."""
    if hasattr(X, "shape") or hasattr(X, "__array__"):
        return False
    if isinstance(X, Sequence):
        return len(X) > 0 and _is_batch(X[0])
    return callable(X) or isinstance(X, Iterable)


def _is_batch(item: Any) -> bool:
    return isinstance(item, tuple | list) and len(item) in (2, 3) and _is_matrix(item[0])


def _is_matrix(x: Any) -> bool:
    """Whether x is an array, or a list of rows."""
    if isinstance(x, list | tuple):
        return len(x) > 0 and (isinstance(x[0], list | tuple) or _is_matrix(x[0]))
    return len(getattr(x, "shape", ())) > 0


def training_data(
    model: Model,
    planned: Planned,
    X: Any,
    y: ArrayLike | None,
    w: ArrayLike | None,
    batch_size: int | None,
    split: float | None = None,
    shuffle: bool = True,
    drop_last: bool = False,
) -> Batches | Stream:
    """What a fit or an evaluation goes over: arrays, all checked, or an iterable, not begun yet."""
    size = BATCH if batch_size is None else batch_size
    if isinstance(X, Shard):
        for name, value in (("y", y), ("sample_weight", w)):
            if value is not None:
                raise ValueError(f"got {name} beside a Shard, expected it in it: Shard(X, y, sample_weight)")
        return sharded(model, planned, X, size, shuffled=shuffle, drop_last=drop_last)
    if not is_stream(X):
        if y is None:
            raise TypeError(
                "got X without y, expected both, fit(X, y), or an iterable that yields (X, y) or "
                "(X, y, sample_weight): fit(batches)"
            )
        return Batches.of(model, planned, X, y, w, size, shuffled=shuffle, drop_last=drop_last)
    for name, value, fix in (
        ("y", y, "yield it: (X, y)"),
        ("sample_weight", w, "yield it: (X, y, sample_weight)"),
        ("batch_size", batch_size, "a batch is what the iterable yields"),
        ("validation_split", split, "hold some batches out, and pass them as validation_data"),
        ("drop_last", drop_last or None, "do not yield it"),
    ):
        if value is not None:
            raise ValueError(f"got {name} with an iterable of batches, expected none: {fix}")
    return Stream(model, planned, X)


def validation_of(model: Model, planned: Planned, data: Any, batch_size: int) -> Batches | Stream:
    """What `validation_data` goes over; an iterable is not begun yet."""
    if isinstance(data, Shard):
        return sharded(model, planned, data, batch_size, "validation X")
    if is_stream(data):
        return Stream(model, planned, data, "validation batch")
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise ValueError(
            "got validation_data that is not (X, y) or (X, y, sample_weight), no Shard, and no iterable of such batches"
        )
    X, y, w = (*data, None)[:3]
    return Batches.of(model, planned, X, y, w, batch_size, "validation X")
