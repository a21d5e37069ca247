"""A model's loop over epochs, and what to do where a loss is not finite."""

import math
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from nnxp import random
from nnxp.batches import Batches
from nnxp.errors import NonFiniteLossError
from nnxp.losses import Loss
from nnxp.plan import Plan
from nnxp.progress import Progress
from nnxp.typing import Array, Integers

if TYPE_CHECKING:
    from nnxp.sequential import Sequential

INTERVALS = 20
"""How often an epoch reads its losses, shows them and checks that they are finite."""


class Training:
    """Runs a bound model's steps and epochs."""

    def __init__(self, model: "Sequential") -> None:
        self.model: Sequential = weakref.proxy(model)  # the model owns this: no cycle keeps it alive
        self.plan, self.loss = Plan(model), model.loss
        self.backend = model.backend

    def epoch(self, data: Batches, bar: Progress, text: str) -> dict[str, float]:
        """One pass over the data in a new order: the mean loss and metric, as floats."""
        model, backend, xp = self.model, self.backend, self.backend.xp
        order = random.permutation(random.key(model.seed, "order", model.epoch), data.n)
        batches = list(data.batches(order))
        interval = -(-len(batches) // INTERVALS)
        total = score = weight = 0.0
        for start in range(0, len(batches), interval):
            chunk = batches[start : start + interval]
            kept = xp.empty((2, len(chunk)), dtype=getattr(xp, model.dtype), device=backend.device)
            for i, rows in enumerate(chunk):
                x, y, w = data.batch(rows)
                kept[0, i], out = self.plan.step(x, y, w)
                kept[1, i] = _weighted_sum(xp, self.plan.loss.score(out, y), w)
            losses, scores = backend.to_numpy(kept).astype(np.float64)
            if not np.all(np.isfinite(losses)):
                bad = int(np.argmin(np.isfinite(losses)))
                raise _Stopped(model.step - len(chunk) + bad, chunk[bad], first=start + bad == 0)
            sizes = np.asarray([data.weight(rows) for rows in chunk], dtype=np.float64)
            total, score, weight = (
                total + float(losses @ sizes),
                score + float(scores.sum()),
                weight + float(sizes.sum()),
            )
            bar.advance(len(chunk), f"{text}  loss {total / weight:.4f}" if weight else text)
        return means(self.plan.loss, total, score, weight)

    def run(self, data: Batches, validation: Batches | None, epochs: int, show: bool | None) -> None:
        """`epochs` epochs, each recorded in the model's history."""
        model, values, xp = self.model, self.model.store.values, self.backend.xp
        # What an epoch began with, and the same of the last epoch whose first loss was finite.
        begun, kept = (self.backend.asarray(values, dtype=model.dtype, copy=True) for _ in range(2))
        # what NumPy would warn of, the check of the losses finds on every backend
        with Progress(epochs * data.steps, show) as bar, np.errstate(all="ignore"):
            for number in range(epochs):
                start = time.perf_counter()
                begun[...] = values
                try:
                    record = self.epoch(data, bar, f"epoch {number + 1}/{epochs}")
                    if number == epochs - 1 and not bool(xp.all(xp.isfinite(values))):
                        raise _Stopped(model.step, next(data.batches(np.arange(data.n))), first=False)
                except _Stopped as stop:
                    raise self._explain(stop, data, kept if stop.first else begun) from None
                begun, kept = kept, begun
                model.epoch += 1
                if validation is not None:
                    record |= {f"val_{name}": value for name, value in evaluate(model, validation).items()}
                record["learning_rate"] = model.optimizer.current_learning_rate
                record["seconds"] = time.perf_counter() - start
                self._record(record)

    def _record(self, record: dict[str, float]) -> None:
        """One entry an epoch in each list of the history: NaN for what an epoch does not have."""
        history = self.model.history
        before = max(map(len, history.values()), default=0)
        for name in {**history, **record}:
            history.setdefault(name, [math.nan] * before).append(record.get(name, math.nan))

    def _explain(self, stop: "_Stopped", data: Batches, kept: Array) -> NonFiniteLossError:
        """Finds where the numbers stopped being finite, and puts finite weights back."""
        model = self.model
        where = self._first_not_finite(stop, data)
        model.store.values[...] = kept
        where = self._first_not_finite(stop, data, " from the weights put back") or where
        model.store.computed.clear()
        model.optimizer.reset()
        return NonFiniteLossError(
            f"the loss of step {stop.step} (epoch {model.epoch + 1}) is not a finite number; running that "
            f"batch again, {where or 'every value is finite, so the weights diverged during the epoch'}. The "
            "weights are back at the last that began an epoch with a finite loss, and the optimizer starts "
            f"afresh: lower the learning rate (now {model.optimizer.learning_rate:g}), give the optimizer "
            "clip_norm=1.0, or rescale the inputs"
        )

    def _first_not_finite(self, stop: "_Stopped", data: Batches, note: str = "") -> str:
        """What is the first not to be finite when a batch is run again, in words; "" where all is."""
        xp = self.backend.xp
        out, y, _ = data.batch(stop.rows)

        def broken(a: Array) -> bool:
            return not bool(xp.all(xp.isfinite(a)))

        for position, layer in enumerate(self.plan.layers):
            layer.moment = (position, self.model.epoch, stop.step)
            found = [f"the {name}" for name in layer.parameters if broken(getattr(layer, name))]
            out = layer.run_forward(out, True)
            found += ["the output"] if broken(out) else []
            if found:
                first = f"{found[0]} of layer {position}, {type(layer).__name__}"
                return f"the first values that are not finite are {first}{note}"
        return "the loss itself is not finite" + note if broken(self.plan.loss.losses(out, y)) else ""


class _Stopped(Exception):
    """A loss that is not finite: its step, its rows, and whether it is the first of its epoch."""

    def __init__(self, step: int, rows: Integers, first: bool) -> None:
        super().__init__(step)
        self.step, self.rows, self.first = step, rows, first


def evaluate(model: "Sequential", data: Batches) -> dict[str, float]:
    """The mean loss, penalties included, and the metric over all data, nothing trained."""
    assert model.loss is not None
    plan, xp = model.training.plan, model.backend.xp
    layers = model.private_layers(plan.layers)
    total = score = weight = 0.0
    for rows in data.batches(np.arange(data.n, dtype=np.int64)):
        x, y, w = data.batch(rows)
        for layer in layers:
            x = layer.run_forward(x, False)
        total += float(_weighted_sum(xp, plan.loss.losses(x, y), w))
        score += float(_weighted_sum(xp, plan.loss.score(x, y), w))
        weight += data.weight(rows)
    record = means(plan.loss, total, score, weight)
    record["loss"] += sum(float(penalty) for penalty in model.penalties())
    return record


def _weighted_sum(xp: Any, values: Array, w: Array | None) -> Array:
    return xp.sum(values if w is None else w * values)


def means(loss: Loss, total: float, score: float, weight: float) -> dict[str, float]:
    """{"loss": ..., "accuracy" or "rmse": ...} from weighted sums."""
    mean = score / weight if weight else float("nan")
    return {
        "loss": total / weight if weight else float("nan"),
        loss.metric: mean if loss.classifies else mean**0.5,
    }
