"""Batches that an iterable yields: each checked as it comes, none kept."""

import itertools
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnxp.doors.arrays import finite, same_length, sample_weights
from nnxp.network.codes import check_codes
from nnxp.network.model import Model
from nnxp.training.batch import Batch
from nnxp.training.batches import interval
from nnxp.training.plan import Planned
from nnxp.typing import Array

INTERVAL = 32
"""Steps between two looks at the losses where nobody knows how many there will be."""
EXPECTED = "expected (X, y) or (X, y, sample_weight)"
END = object()
"""What comes after the last batch."""


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
        n, weighs = self._counted(batch)
        if not weighs and not self.seen[0]:
            return batch
        self.seen += n, batch.total
        rows, weight = self.seen.tolist()
        return batch._replace(heft=batch.total * rows / (n * weight) if weight else 0.0)

    def _counted(self, batch: Batch) -> tuple[int, bool]:
        """How many rows a batch has, and whether they have weights."""
        return int(batch.x.shape[0]), batch.w is not None

    def _batches(self) -> Iterator[Batch]:
        self._epochs += 1
        iterator = iter(self.source() if callable(self.source) else self.source)
        number, total = 0, 0.0
        while (batch := self._next(iterator, number)) is not None:
            number, total = number + 1, total + batch.total
            yield batch
        if number == 0:
            raise ValueError(self._nothing())
        if total == 0:
            raise ValueError(
                f"got samples that all weigh 0, in every {self.name}, expected some above 0: see sample_weight, and "
                "the loss's class_weight and ignore_label"
            )

    def _next(self, iterator: Iterator[Any], number: int) -> Batch | None:
        """The next batch, None after the last."""
        with np.errstate(**self._errors):  # the iterable's own arithmetic may warn, a training step does not
            item = next(iterator, END)
        if item is END:
            return None
        try:
            return self._check(item)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name} {number} (the first is 0): {error}") from None

    def _check(self, item: Any) -> Batch:
        """A batch past the doors."""
        if not isinstance(item, tuple | list) or len(item) not in (2, 3):
            size = f" of {len(item)}" if isinstance(item, tuple | list) else ""
            raise TypeError(f"got a {type(item).__name__}{size}, {EXPECTED}")
        model, (X, y, w) = self.model, (*item, None)[:3]
        X = model._checked(X, "X")
        n, plan = int(X.shape[0]), self.planned()
        if n == 0:
            return self._without_rows(X)
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

    def _without_rows(self, X: Array) -> Batch:
        """What a batch without rows comes to."""
        raise ValueError("got X with no samples, expected at least one")

    def _nothing(self) -> str:
        if self._epochs == 1:
            return f"got an iterable without a {self.name}, expected at least one (X, y)"
        return (
            f"got no {self.name} in epoch {self._epochs}: the iterable ran out in the one before, as a generator does. "
            "Pass what can be begun anew: a list, an object with __iter__, or the function that makes the generator "
            "(fit(batches), not fit(batches()))"
        )
