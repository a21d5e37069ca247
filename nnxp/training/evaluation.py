"""A model's mean loss and metric over data, and the sums that they come from."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnxp.callbacks import Callbacks
from nnxp.losses import Loss
from nnxp.network.model import Model
from nnxp.training.batches import Batches
from nnxp.training.plan import Plan
from nnxp.training.streams import Stream
from nnxp.typing import Array


def evaluate(model: Model, plan: Plan, data: Batches | Stream) -> dict[str, float]:
    """The mean loss, penalties included, and the metric over all data, nothing trained."""
    backend = model.backend
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
        with np.errstate(all="ignore"):  # a stream's own arithmetic stands outside
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


def validated(model: Model, plan: Plan, data: Batches | Stream | None, callbacks: Callbacks) -> dict[str, float]:
    """An epoch's entries in the history that are of rows not trained on: the validation's, and the callbacks' own."""
    if data is None and not callbacks.measure:
        return {}
    with averaged(model):
        found = {} if data is None else evaluate(model, plan, data)
        return {f"val_{name}": value for name, value in found.items()} | callbacks.entries()


@contextlib.contextmanager
def averaged(model: Model) -> Iterator[None]:
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


def _weighted_sum(xp: Any, values: Array, w: Array | None) -> Array:
    return xp.sum(values if w is None else w * values)


def averages(loss: Loss, total: float, score: float, weight: float, count: float) -> dict[str, float]:
    """{"loss": ..., "accuracy" or "rmse": ...} from weighted sums, and the sums of the weights of either."""
    mean = score / count if count else float("nan")
    return {
        "loss": total / weight if weight else float("nan"),
        loss.metric: mean if loss.classifies else mean**0.5,
    }
