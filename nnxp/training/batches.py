"""The batches of an epoch: checked arrays, gathered on a model's backend into memory that is used again."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from nnxp import random
from nnxp.backends import Backend, dtype_of, get_backend
from nnxp.doors.arrays import blocks, finite, on_disk, same_length, sample_weights, some_weight
from nnxp.doors.options import positive
from nnxp.doors.sparse import SparseRows
from nnxp.losses import Loss
from nnxp.memory.buffers import Buffers
from nnxp.network.codes import check_codes
from nnxp.network.model import Model
from nnxp.training.batch import Batch
from nnxp.training.plan import Plan, Planned
from nnxp.typing import Array, ArrayLike, Floats, Integers

INTERVALS, FEWEST = 20, 16
"""How often an epoch reads its losses, shows them and checks that they are finite; after how many steps at least."""


class Rows:
    """Rows of one array, gathered on a backend in one dtype.

    The array is the backend's own, or one of NumPy, in memory or on disk: its rows are then read, cast and moved
    when a batch asks for them. What is handed out is valid until the next call.
    """

    def __init__(self, backend: Backend, source: Array, dtype: str) -> None:
        self.backend, self.source, self.dtype = backend, source, dtype
        host = isinstance(source, np.ndarray)
        lives_on = get_backend("numpy") if host else backend
        self._gather, self._xp = lives_on.kernels["gather"], lives_on.xp
        self._row = source.shape[1:]
        self._casts = source.dtype != np.dtype(dtype) if host else dtype_of(source) != dtype
        self._moves = host and backend.library != "numpy"
        # A gather from an array that is not contiguous would first copy all of it; NumPy's own indexing does not.
        self._contiguous = source.flags.c_contiguous if host else not isinstance(source, SparseRows)
        self._in_place = host or backend.library in ("cupy", "torch")
        self._buffers = Buffers(lives_on, dtype)
        self.begin(None, None)

    def begin(self, order: Integers | None, index: Array) -> None:
        """Sets the order of the rows, None for their own; `index` is it on the backend. A vector in memory is put in
        order at once: one gather an epoch, not one a batch."""
        self._order: Array = order if self._xp is np or not self._contiguous else index
        self._ordered = self.source if order is None else None
        if order is not None and self.source.ndim == 1 and self._contiguous and not on_disk(self.source):
            out = self._buffers.take(self, "ordered", (len(order),), self.source.dtype)
            self._ordered = self._gather(self.source, self._order, out=out)

    def take(self, place: slice) -> Array:
        """The rows at a place in the order."""
        if self._ordered is not None:
            part = self._ordered[place, ...]
        elif not self._contiguous:
            part = self.source[self._order[place]]
        else:
            rows = self._order[place]
            part = self._buffers.take(self, "rows", (rows.shape[0], *self._row), self.source.dtype)
            self._gather(self.source, rows, out=part)
        if self._moves or (self._casts and not self._in_place):
            return self.backend.asarray(part, dtype=self.dtype)
        if not self._casts:
            return part
        out: Array = self._buffers.take(self, "cast", tuple(part.shape))
        out[...] = part
        return out


def interval(steps: int) -> int:
    """After how many of an epoch's steps the losses are read."""
    return max(-(-steps // INTERVALS), min(steps, FEWEST))


def _on_device(backend: Backend, X: Array, dtype: str) -> Array:
    """X on the backend's device, moved some rows at a time; X itself where it would take half of the free memory."""
    free = backend.free_memory()
    if free is not None and 2 * X.size * np.dtype(dtype).itemsize >= free:
        return X
    xp = backend.xp
    with backend.context():
        moved = xp.empty(X.shape, dtype=getattr(xp, dtype), device=backend.device)
        for rows in blocks(X):
            moved[rows, ...] = backend.asarray(X[rows], dtype=dtype)
    return moved


def weighed(loss: Loss, y: Array, w: Array | None, dtype: str) -> tuple[Array, Array | None, Array | None]:
    """`Loss.weigh`, also of weights of several members, (n, members): what a row is to all of them, times its own."""
    if w is None or w.ndim == 1:
        return loss.weigh(y, w, dtype)
    xp = loss.backend.xp
    y, by_loss, by_metric = loss.weigh(y, xp.astype(xp.any(w > 0, axis=1), w.dtype), dtype)
    assert by_loss is not None and by_metric is not None
    own = w * by_loss[:, None]
    return y, own, own if by_metric is by_loss else w * by_metric[:, None]


def _later(loss: Loss, y: Array, w: Array | None, n_out: int | None, dtype: str) -> Array:
    """Labels of a batch that were checked before, as the kernels take them; w are their weights in the loss."""
    return weighed(loss, loss.prepare(y, n_out, dtype, scan=False), w, dtype)[0]


def _weighed_on_disk(
    loss: Loss, y: Array, w: Array | None, n_out: int | None, dtype: str
) -> tuple[Array | None, Array | None]:
    """Checks labels that lie on disk, some at a time, and gives each sample's weight in the loss and in the metric."""
    found = []
    for rows in blocks(y):
        prepared = loss.prepare(y[rows], n_out, dtype)
        found.append(weighed(loss, prepared, None if w is None else w[rows, ...], dtype)[1:])
    by_loss, by_metric = zip(*found, strict=True)
    concat = loss.backend.xp.concat
    by_loss, by_metric = [None if parts[0] is None else concat(list(parts)) for parts in (by_loss, by_metric)]
    return by_loss, by_metric


class Batches:
    """Checked arrays, in batches of `batch_size`: all rows, or those of `rows`.

    `w` are the weights in the loss, `v` those in the metric (see `Batch`). `prepare` makes labels of what a batch takes
    from `y`, and its weights in the loss, where they are not prepared yet. Not `shuffled`, every epoch has the rows in
    their own order. With `drop_last` an epoch passes over the rows that are left after whole batches; where there is no
    whole one, over none.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        X: Array,
        y: Array,
        w: Array | None,
        v: Array | None,
        batch_size: int,
        rows: Integers | None = None,
        prepare: Callable[[Array, Array | None], Array] | None = None,
        shuffled: bool = True,
        drop_last: bool = False,
    ) -> None:
        self.model, self.plan, self.backend, self.shuffled = model, plan, model.backend, shuffled
        self.drop_last = drop_last
        self.X, self.y, self.w, self.v, self.rows, self.prepare = X, y, w, v, rows, prepare
        self.batch_size = batch_size
        as_bytes = dtype_of(X) == "uint8" and plan.takes_bytes
        self._x = Rows(self.backend, X, "uint8" if as_bytes else model.dtype)
        self._y = Rows(self.backend, y, dtype_of(y))
        self._w = None if w is None else Rows(self.backend, w, model.dtype)
        self._v = self._w if v is w else None if v is None else Rows(self.backend, v, model.dtype)
        self._number = 0
        host = [None if u is None else self.backend.to_numpy(u).astype(np.float64) for u in (w, v)]
        self._count(int(X.shape[0]) if rows is None else len(rows), [host[0], host[v is not w]])

    def _count(self, n: int, host: list[Any]) -> None:
        """Sets the batches of n rows, and what they weigh in the loss and in the metric, on the host."""
        self.n, size, self._host = n, self.batch_size, host
        self.steps = n // size if self.drop_last and n > size else -(-n // size)
        self.interval = interval(self.steps)
        self.mean_weight: Any = 1.0
        if (on_host := host[0]) is not None:
            mean = np.mean(on_host if self.rows is None else on_host[self.rows], axis=0)
            self.mean_weight = mean if mean.ndim else float(mean)
        self._counts = [float(min(size, n - start)) for start in range(0, n, size)][: self.steps]

    @classmethod
    def of(
        cls,
        model: Model,
        planned: Planned,
        X: ArrayLike,
        y: ArrayLike,
        w: ArrayLike | None,
        batch_size: int,
        name: str = "X",
        shuffled: bool = True,
        drop_last: bool = False,
        part: bool = False,
    ) -> Self:
        """Inputs, labels and weights, all checked, as a fit or an evaluation takes them; rows that are a `part` of
        all may weigh nothing.

        NumPy's X is copied only where another backend needs it or its rows are scattered in memory; what lies on
        disk stays there. A device gets all of X at once where that takes less than half of the memory it has left,
        and else each batch when it is its turn.
        """
        X = model._checked(X, name)
        n, backend, plan = int(X.shape[0]), model.backend, planned()
        if n == 0:
            raise ValueError(f"got {name} with no samples, expected at least one")
        finite(backend, X, name, model.dtype)  # where it lies, as it is: a cast makes large numbers infinite
        check_codes(backend, model.layers, X, name)
        if isinstance(X, np.ndarray) and backend.is_device:
            as_bytes = X.dtype == np.uint8 and plan.takes_bytes
            X = _on_device(backend, X, "uint8" if as_bytes else model.dtype)
        elif not isinstance(X, np.ndarray) or not (backend.library == "numpy" or on_disk(X)):
            X = model._moved(X)
        elif not (X.flags.c_contiguous or on_disk(X)):
            X = np.asarray(model._moved(X), order="C")
        plan.follow()
        loss, n_out, dtype = plan.loss, model._outputs(X), model.dtype
        if isinstance(y, np.ndarray) and y.ndim > 0 and on_disk(y):
            same_length(n, len(y), "labels")
            w = sample_weights(backend, w, n, dtype, some=not part, members=model.members)
            w, v = _weighed_on_disk(loss, y, w, n_out, dtype)
            labels, later = np.asarray(y), lambda part, w: _later(loss, part, w, n_out, dtype)
        else:
            labels, later = loss.prepare(y, n_out, dtype), None
            same_length(n, int(labels.shape[0]), "labels")
            with backend.context():
                w = sample_weights(backend, w, n, dtype, some=not part, members=model.members)
                labels, w, v = weighed(loss, labels, w, dtype)
        if not part:
            some_weight(backend, w)
        return cls(model, plan, X, labels, w, v, positive("batch_size", batch_size), None, later, shuffled, drop_last)

    def epoch(self, key: int | None = None, first: int = 0) -> Iterator[Batch]:
        """Each batch from number `first` on, shuffled in the order of a key of `nnxp.random`; without, in the rows'."""
        order = self.rows
        if key is not None and self.shuffled:
            order = random.permutation(key, self.n, self.backend)
            order = order if self.rows is None else self.rows[order]
        own = self._rows_of(order)
        moves = own is not None and self.backend.library != "numpy"
        index = self.backend.asarray(own, dtype="int64") if moves else None
        for rows in filter(None, (self._x, self._y, self._w, None if self._v is self._w else self._v)):
            rows.begin(own, index)
        totals = self._sums(self._host[0], order)
        scored = totals if self._host[1] is self._host[0] else self._sums(self._host[1], order)
        self._number = first - 1
        for number, sums in enumerate(zip(totals[first:], scored[first:], strict=True), first):
            self._number = number
            x, y, w, v = self._batch(number)
            yield Batch(x, y, w, v, *sums, sums[0] / (self._counts[number] * self.mean_weight))

    def _rows_of(self, order: Integers | None) -> Integers | None:
        """Which rows there are, in the order of all."""
        return order

    def inputs(self, batch_size: int) -> Iterator[Array]:
        """The rows of X in their own order, some at a time."""
        return (batch.x for batch in self._part(self.rows, batch_size).epoch())

    def again(self, back: int) -> tuple[Array, Array, bool]:
        """Inputs and labels of the batch that came `back` before the last one, and whether it is that one."""
        x, y, *_ = self._batch(self._number - back)
        return x, y, True

    def split(self, fraction: float, batch_size: int) -> tuple["Batches", "Batches"]:
        """Batches of the rows to train on and, `batch_size` at a time, of those held out, which all weigh something."""
        from nnxp.data import split

        classes = self._classes()
        counted = self.n if classes is None else classes
        w = self._host[0]
        w = w if w is None or w.ndim == 1 else w.max(axis=1)
        train, held_out = split(counted, fraction, self.model.seed, classes is not None, w, self.model.classes)
        return self._part(train, self.batch_size, self.shuffled, self.drop_last), self._part(held_out, batch_size)

    def _part(
        self, rows: Integers | None, batch_size: int, shuffled: bool = True, drop_last: bool = False
    ) -> "Batches":
        """Batches of some of the rows."""
        given = self.model, self.plan, self.X, self.y, self.w, self.v
        return Batches(*given, batch_size, rows, self.prepare, shuffled, drop_last)

    def _batch(self, number: int) -> tuple[Array, Array, Array | None, Array | None]:
        place = self._place(number)
        x, y = self._x.take(place), self._y.take(place)
        w = None if self._w is None else self._w.take(place)
        v = w if self._v is self._w else None if self._v is None else self._v.take(place)
        return x, y if self.prepare is None else self.prepare(y, w), w, v

    def _place(self, number: int) -> slice:
        """Where a batch's rows are in the order."""
        start = number * self.batch_size
        return slice(start, min(start + self.batch_size, self.n))

    def _sums(self, w: Floats | None, order: Integers | None) -> list[Any]:
        """The sum of each batch's weights; of those of several members, a list of theirs."""
        if w is None:
            return self._counts
        sums = np.add.reduceat(w if order is None else w[order], range(0, self.n, self.batch_size))
        return [*(sums.tolist() if sums.ndim == 1 else sums)][: self.steps]

    def _classes(self) -> Integers | None:
        """Each row's class; None where a row has not just one."""
        loss, found = self.plan.loss, []
        if not loss.classifies:
            return None
        for rows in blocks(self.y):
            y = self.y[rows, ...]
            truth = loss.truth(y if self.prepare is None else self.prepare(y, None))
            if truth.ndim != 1:
                return None
            found.append(self.backend.to_numpy(truth))
        return np.concatenate(found)
