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
    # Of several members, the loss of what they predict together: the pair that takes logits is of one alone.
    layers, loss = (plan.own, plan.loss) if model.members == 1 else (model.layers, model.loss)
    assert loss is not None
    predict, xp = model.prediction(layers), backend.xp
    totals = xp.empty((data.interval, 2), dtype=getattr(xp, model.dtype), device=backend.device)
    sums, sizes = np.zeros(4, dtype=np.float64), list[tuple[float, float]]()

    def read() -> None:
        sums[:2] += backend.to_numpy(totals)[: len(sizes)].sum(axis=0, dtype=np.float64)
        sums[2:] += np.sum(sizes, axis=0)
        sizes.clear()

    for batch in data.epoch():
        out, row = predict(batch.x), len(sizes)
        with np.errstate(all="ignore"):  # a stream's own arithmetic stands outside
            totals[row, 0] = _weighted_sum(xp, loss.losses(out, batch.y), batch.w)
            totals[row, 1] = _weighted_sum(xp, loss.scores(out, batch.y), batch.v)
        sizes.append((batch.total, batch.scored))
        if len(sizes) == data.interval:
            read()
    if sizes:
        read()
    record = averages(loss, *sums)
    record["loss"] += sum(float(penalty) for penalty in model.penalties()) / model.members
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


def averages(loss: Loss, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
    """{"loss": ..., "accuracy" or "rmse": ...} from weighted sums, and the sums of the weights of either; of sums of
    several members, the means of theirs, and "member_loss", a list."""
    losses, means = [a / n if np.all(n) else np.full_like(a, np.nan) for a, n in ((total, weight), (score, count))]
    record = {"loss": float(np.mean(losses)), loss.metric: float(np.mean(means if loss.classifies else means**0.5))}
    return record if np.ndim(losses) == 0 else record | {"member_loss": losses.tolist()}
