"""A model's loop over epochs, and what to do where a loss is not finite."""

import contextlib
import math
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnxp import random
from nnxp.batches import Batches
from nnxp.callbacks import Callback, Callbacks, State
from nnxp.doors import blocks, sum_is_finite
from nnxp.errors import NonFiniteLossError
from nnxp.kernels import vocabulary
from nnxp.layers import BatchNorm, Dropout
from nnxp.losses import Loss
from nnxp.optimizers import LBFGS
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
        sums, sizes, step = np.zeros(4, dtype=np.float64), list[tuple[float, float]](), self._first_step
        calls = bool(self.callbacks.at["step"])
        for batch in data.epoch(random.key(model.seed, "order", model.epoch)):
            step(batch.x, batch.y, batch.w, batch.v, means[len(sizes), ...])
            sizes.append((batch.total, batch.scored))
            step = plan.step
            if len(sizes) == data.interval:
                self._read(means, sizes, sums, data, bar, text)
            if calls:
                self.callbacks.call("step")
                if self.callbacks.state.stop:
                    break
        if sizes:
            self._read(means, sizes, sums, data, bar, text)
        return averages(plan.loss, *sums.tolist())

    def _first_step(self, x: Array, y: Array, w: Array | None, v: Array | None, means: Array) -> None:
        """An epoch's first step. Where its loss is finite, the weights that it began with are the ones to go back to:
        one copy is enough, since until then it still holds those of the epoch before."""
        loss = self.plan.gradients(x, y, w, v, means)
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
        sizes: list[tuple[float, float]],
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
        weights, counts = np.array(sizes, dtype=np.float64).T
        sums += losses @ weights, scores.sum(), weights.sum(), counts.sum()
        bar.advance(len(sizes), f"{text}  loss {sums[0] / sums[2]:.4f}" if sums[2] else text)
        sizes.clear()

    def run(
        self,
        data: "Batches | Stream",
        validation: "Batches | Stream | None",
        epochs: int,
        show: bool | None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        """`epochs` epochs, each recorded in the model's history, or fewer if a callback stops the training."""
        optimizer, state = self.model.optimizer, State(self.model, epochs, validation is not None)
        optimizer.total = None if data.steps is None else optimizer.iterations + epochs * data.steps
        self.callbacks = Callbacks(callbacks, state)
        self.callbacks.call("begin")
        # The weights that the last epoch began with whose first loss was finite.
        self._kept = self.backend.asarray(self.model.store.values, dtype=self.model.dtype, copy=True)
        # what NumPy would warn of, the check of the losses finds on every backend
        try:
            whole = isinstance(optimizer, LBFGS)
            steps = epochs if whole else None if data.steps is None else epochs * data.steps
            with Progress(steps, show) as bar, np.errstate(all="ignore"):
                if whole:
                    self._minimise(data, validation, epochs, bar)
                for number in range(0 if whole else epochs):
                    last = number == epochs - 1 or bool(self.callbacks)  # which may end it, or save the model
                    self._run(data, validation, bar, f"epoch {number + 1}/{epochs}", last)
                    if state.stop:
                        break
            self.callbacks.call("end")
        finally:
            del self._kept, self.callbacks

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
        self._finish(record, validation, start)

    def _finish(self, record: dict[str, float], validation: "Batches | Stream | None", start: float) -> None:
        """Validates, records the epoch that began at `start` seconds, and tells who waits for it."""
        model, schedule = self.model, self.model.optimizer.schedule
        model.epoch += 1
        try:
            if validation is not None:
                with averaged(model):
                    record |= {f"val_{name}": value for name, value in evaluate(model, validation).items()}
        finally:  # an epoch counts, also where an iterable of validation batches raises
            record["learning_rate"] = model.optimizer.current_learning_rate
            record["seconds"] = time.perf_counter() - start
            self._record(record)
            self.callbacks.state.record = record
        if schedule is not None:
            schedule.observe(record)
        self.callbacks.call("epoch")

    def _minimise(
        self, data: "Batches | Stream", validation: "Batches | Stream | None", epochs: int, bar: Progress
    ) -> None:
        """L-BFGS over all of the data, an iteration an epoch."""
        model, plan, optimizer, state = self.model, self.plan, self.model.optimizer, self.callbacks.state
        assert isinstance(optimizer, LBFGS)
        if not isinstance(data, Batches):
            raise ValueError("got an iterable of batches for LBFGS, which needs all data at every step: fit(X, y)")
        for i, layer in enumerate(plan.layers):
            if isinstance(layer, BatchNorm | Dropout):
                raise ValueError(
                    f"got {type(layer).__name__} (layer {i}) with LBFGS, expected layers that give the same for the "
                    "same inputs: leave it out (LayerNorm and l2= are fine), or take another optimizer"
                )
        means = self.backend.xp.empty((2,), dtype=getattr(self.backend.xp, model.dtype), device=self.backend.device)
        weight = sum(batch.total for batch in data.epoch())
        count, start = sum(batch.scored for batch in data.epoch()), time.perf_counter()

        def loss() -> float:
            return float(plan.accumulate(((batch.total / weight, batch) for batch in data.epoch()), means))

        def after(loss: float) -> bool:
            nonlocal start
            model.step += 1
            score = float(means[1, ...])
            bar.advance(1, f"iteration {optimizer.iterations}/{epochs}  loss {loss:.4f}")
            self.callbacks.call("step")
            self._finish(averages(plan.loss, weight * loss, score, weight, count), validation, start)
            start = time.perf_counter()
            return state.stop

        optimizer.minimise(model.store, loss, epochs, after)
        if optimizer.result is not None and not math.isfinite(optimizer.result.loss):
            raise NonFiniteLossError(
                "the loss is not a finite number where the minimisation began, and its weights are as they were: "
                "rescale the inputs"
            )

    def _record(self, record: dict[str, float]) -> None:
        """One entry an epoch in each list of the history: NaN for what an epoch does not have."""
        history = self.model.history
        new = [name for name in record if name not in history]
        if new:
            before = max(map(len, history.values()), default=0)
            known = history | {name: [math.nan] * before for name in new}
            history.clear()
            history.update({name: known[name] for name in sorted(known, key=_place)})
        for name, values in history.items():
            values.append(record.get(name, math.nan))

    def _explain(self, stop: "_Stopped", data: "Batches | Stream") -> NonFiniteLossError:
        """Finds where the numbers stopped being finite, and puts finite weights back."""
        model = self.model
        model.step = stop.step  # where nobody waited for the losses, it had moved on
        x, y, same = data.again(stop.back)
        where = self._first_not_finite(stop, x, y)
        model.store.values[...] = self._kept
        where = self._first_not_finite(stop, x, y, " from the weights put back") or where
        model.store.values[...] = self._kept  # again: a forward in training moves running means
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
            found = [f"the {name}" for name in layer.stored() if self._broken(getattr(layer, name))]
            out = layer.run_forward(out, True)
            found += ["the output"] if self._broken(out) else []
            if found:
                first = f"{found[0]} of layer {position}, {type(layer).__name__}"
                return f"the first values that are not finite are {first}{note}"
        return "the loss itself is not finite" + note if self._broken(self.plan.loss.losses(out, y)) else ""

    def _broken(self, a: Array) -> bool:
        """Whether some value is not finite."""
        xp = self.backend.xp
        return not sum_is_finite(a) and not all(bool(xp.all(xp.isfinite(a[rows, ...]))) for rows in blocks(a))


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
    sums, sizes = np.zeros(4, dtype=np.float64), list[tuple[float, float]]()

    def read() -> None:
        sums[:2] += backend.to_numpy(totals)[: len(sizes)].sum(axis=0, dtype=np.float64)
        sums[2:] += np.sum(sizes, axis=0)
        sizes.clear()

    for batch in data.epoch():
        out, row = predict(batch.x), len(sizes)
        totals[row, 0] = _weighted_sum(xp, plan.loss.losses(out, batch.y), batch.w)
        totals[row, 1] = _weighted_sum(xp, plan.loss.scores(out, batch.y), batch.v)
        sizes.append((batch.total, batch.scored))
        if len(sizes) == data.interval:
            read()
    if sizes:
        read()
    record = averages(plan.loss, *sums.tolist())
    record["loss"] += sum(float(penalty) for penalty in model.penalties())
    return record


@contextlib.contextmanager
def averaged(model: "Sequential") -> Iterator[None]:
    """The weights are their moving average inside, where the optimizer keeps one."""
    store, average = model.store, model.optimizer.average(model.store)
    if average is None:
        yield
        return
    trained = store.values[: store.trained]
    weights = store.backend.asarray(trained, copy=True)
    trained[...] = average
    try:
        yield
    finally:
        trained[...] = weights


def _unless_broken(kept: Array, w: Array, loss: Row) -> Array:
    """A formula: w where the loss is a finite number, else what was kept before."""
    return vocabulary.where(loss - loss == 0, w, kept)


def _weighted_sum(xp: Any, values: Array, w: Array | None) -> Array:
    return xp.sum(values if w is None else w * values)


def averages(loss: Loss, total: float, score: float, weight: float, count: float) -> dict[str, float]:
    """{"loss": ..., "accuracy" or "rmse": ...} from weighted sums, and the sums of the weights of either."""
    mean = score / count if count else float("nan")
    return {
        "loss": total / weight if weight else float("nan"),
        loss.metric: mean if loss.classifies else mean**0.5,
    }
