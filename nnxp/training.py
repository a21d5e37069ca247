"""A model's loop over epochs, and what to do where a loss is not finite."""

import math
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from nnxp import random
from nnxp.batches import Batches
from nnxp.doors import blocks
from nnxp.errors import NonFiniteLossError
from nnxp.kernels import vocabulary
from nnxp.losses import Loss
from nnxp.plan import Plan
from nnxp.progress import Progress
from nnxp.streams import Stream
from nnxp.typing import Array, Floats, Row

if TYPE_CHECKING:
    from nnxp.sequential import Sequential


class Training:
    """Runs a bound model's steps and epochs."""

    def __init__(self, model: "Sequential") -> None:
        self.model: Sequential = weakref.proxy(model)  # the model owns this: no cycle keeps it alive
        self.plan, self.loss = Plan(model), model.loss
        self.backend = model.backend

    def epoch(self, data: "Batches | Stream", bar: Progress, text: str) -> dict[str, float]:
        """One pass over the data, arrays in a new order: the mean loss and metric, as floats."""
        model, plan, xp = self.model, self.plan, self.backend.xp
        means = xp.empty((data.interval, 2), dtype=getattr(xp, model.dtype), device=self.backend.device)
        sums, sizes, step = np.zeros(3, dtype=np.float64), list[float](), self._first_step
        for x, y, w, size in data.epoch(random.key(model.seed, "order", model.epoch)):
            step(x, y, w, means[len(sizes), ...])
            sizes.append(size)
            step = plan.step
            if len(sizes) == data.interval:
                self._read(means, sizes, sums, data, bar, text)
        if sizes:
            self._read(means, sizes, sums, data, bar, text)
        return averages(plan.loss, *sums.tolist())

    def _first_step(self, x: Array, y: Array, w: Array | None, means: Array) -> None:
        """An epoch's first step. Where its loss is finite, the weights that it began with are the ones to go back to:
        one copy is enough, since until then it still holds those of the epoch before."""
        loss = self.plan.forward_backward(x, y, w, means)
        values, kept = self.model.store.values, self._kept
        if self.backend.is_device:  # without waiting for it: what is not finite, the interval's reading finds
            self.backend.fuse(_unless_broken, into=("kept",))(kept, values, loss)
        elif math.isfinite(float(loss)):
            kept[...] = values
        else:
            raise _Stopped(self.model.step, 0)
        self.plan.update()

    def _read(
        self,
        means: Array,
        sizes: list[float],
        sums: Floats,
        data: "Batches | Stream",
        bar: Progress,
        text: str,
    ) -> None:
        """Adds an interval's losses and scores, of which a step gives the mean and the sum, to those of the epoch."""
        losses, scores = self.backend.to_numpy(means)[: len(sizes)].T.astype(np.float64)
        if not np.all(np.isfinite(losses)):
            back = len(sizes) - 1 - int(np.argmin(np.isfinite(losses)))
            raise _Stopped(self.model.step - 1 - back, back)
        sums += losses @ sizes, scores.sum(), sum(sizes)
        bar.advance(len(sizes), f"{text}  loss {sums[0] / sums[2]:.4f}" if sums[2] else text)
        sizes.clear()

    def run(
        self, data: "Batches | Stream", validation: "Batches | Stream | None", epochs: int, show: bool | None
    ) -> None:
        """`epochs` epochs, each recorded in the model's history."""
        # The weights that the last epoch began with whose first loss was finite.
        self._kept = self.backend.asarray(self.model.store.values, dtype=self.model.dtype, copy=True)
        # what NumPy would warn of, the check of the losses finds on every backend
        try:
            with Progress(None if data.steps is None else epochs * data.steps, show) as bar, np.errstate(all="ignore"):
                for number in range(epochs):
                    self._run(data, validation, bar, f"epoch {number + 1}/{epochs}", last=number == epochs - 1)
        finally:
            del self._kept

    def _run(
        self, data: "Batches | Stream", validation: "Batches | Stream | None", bar: Progress, text: str, last: bool
    ) -> None:
        model, start = self.model, time.perf_counter()
        try:
            record = self.epoch(data, bar, text)
            if last and self._broken(model.store.values):
                raise _Stopped(model.step, 0)
        except _Stopped as stop:
            raise self._explain(stop, data) from None
        model.epoch += 1
        try:
            if validation is not None:
                record |= {f"val_{name}": value for name, value in evaluate(model, validation).items()}
        finally:  # an epoch counts, also where an iterable of validation batches raises
            record["learning_rate"] = model.optimizer.current_learning_rate
            record["seconds"] = time.perf_counter() - start
            self._record(record)

    def _record(self, record: dict[str, float]) -> None:
        """One entry an epoch in each list of the history: NaN for what an epoch does not have."""
        history = dict(self.model.history)
        before = max(map(len, history.values()), default=0)
        for name in record:
            history.setdefault(name, [math.nan] * before)
        self.model.history.clear()
        for name in sorted(history, key=_place):
            self.model.history[name] = [*history[name], record.get(name, math.nan)]

    def _explain(self, stop: "_Stopped", data: "Batches | Stream") -> NonFiniteLossError:
        """Finds where the numbers stopped being finite, and puts finite weights back."""
        model = self.model
        model.step = stop.step  # where nobody waited for the losses, it had moved on
        x, y, same = data.again(stop.back)
        where = self._first_not_finite(stop, x, y)
        model.store.values[...] = self._kept
        where = self._first_not_finite(stop, x, y, " from the weights put back") or where
        model.store.computed.clear()
        model.optimizer.reset()
        return NonFiniteLossError(
            f"the loss of step {stop.step} (epoch {model.epoch + 1}) is not a finite number; running "
            f"{'that' if same else 'a later'} batch again, "
            f"{where or 'every value is finite, so the weights diverged during the epoch'}. The "
            "weights are back at the last that began an epoch with a finite loss, and the optimizer starts "
            f"afresh: lower the learning rate (now {model.optimizer.learning_rate:g}), give the optimizer "
            "clip_norm=1.0, or rescale the inputs"
        )

    def _first_not_finite(self, stop: "_Stopped", x: Array, y: Array, note: str = "") -> str:
        """What is the first not to be finite when a batch is run again, in words; "" where all is."""
        out = self.backend.asarray(x, dtype=self.model.dtype)  # bytes are numbers to a layer by itself
        for position, layer in enumerate(self.plan.layers):
            layer.moment = (position, self.model.epoch, stop.step)
            found = [f"the {name}" for name in layer.parameters if self._broken(getattr(layer, name))]
            out = layer.run_forward(out, True)
            found += ["the output"] if self._broken(out) else []
            if found:
                first = f"{found[0]} of layer {position}, {type(layer).__name__}"
                return f"the first values that are not finite are {first}{note}"
        return "the loss itself is not finite" + note if self._broken(self.plan.loss.losses(out, y)) else ""

    def _broken(self, a: Array) -> bool:
        """Whether some value is not finite."""
        xp = self.backend.xp
        return not all(bool(xp.all(xp.isfinite(a[rows, ...]))) for rows in blocks(a))


class _Stopped(Exception):
    """A loss that is not finite: its step, and how many batches came after its own."""

    def __init__(self, step: int, back: int) -> None:
        super().__init__(step)
        self.step, self.back = step, back


def _place(name: str) -> tuple[int, int]:
    """Where a list stands in the history: losses and metrics, those of the validation, the rest."""
    last = ("learning_rate", "seconds")
    return (2, last.index(name)) if name in last else (name.startswith("val_"), not name.endswith("loss"))


def evaluate(model: "Sequential", data: "Batches | Stream") -> dict[str, float]:
    """The mean loss, penalties included, and the metric over all data, nothing trained."""
    plan, backend = model.training.plan, model.backend
    plan.follow()
    predict, xp = model.prediction(plan.layers), backend.xp
    totals = xp.empty((data.interval, 2), dtype=getattr(xp, model.dtype), device=backend.device)
    sums, sizes = np.zeros(3, dtype=np.float64), list[float]()

    def read() -> None:
        sums[:2] += backend.to_numpy(totals)[: len(sizes)].sum(axis=0, dtype=np.float64)
        sums[2] += sum(sizes)
        sizes.clear()

    for x, y, w, size in data.epoch():
        out, row = predict(x), len(sizes)
        totals[row, 0] = _weighted_sum(xp, plan.loss.losses(out, y), w)
        totals[row, 1] = _weighted_sum(xp, plan.loss.scores(out, y), w)
        sizes.append(size)
        if len(sizes) == data.interval:
            read()
    read()
    record = averages(plan.loss, *sums.tolist())
    record["loss"] += sum(float(penalty) for penalty in model.penalties())
    return record


def _unless_broken(kept: Array, w: Array, loss: Row) -> Array:
    """A formula: w where the loss is a finite number, else what was kept before."""
    return vocabulary.where(loss - loss == 0, w, kept)


def _weighted_sum(xp: Any, values: Array, w: Array | None) -> Array:
    return xp.sum(values if w is None else w * values)


def averages(loss: Loss, total: float, score: float, weight: float) -> dict[str, float]:
    """{"loss": ..., "accuracy" or "rmse": ...} from weighted sums."""
    mean = score / weight if weight else float("nan")
    return {
        "loss": total / weight if weight else float("nan"),
        loss.metric: mean if loss.classifies else mean**0.5,
    }
