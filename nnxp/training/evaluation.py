"""A model's mean loss and metric over data, and the sums that they come from."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnxp.callbacks import Callbacks
from nnxp.network.model import Model
from nnxp.training.batches import Batches
from nnxp.training.plan import Plan
from nnxp.training.streams import Stream


def evaluate(model: Model, plan: Plan, data: Batches | Stream) -> dict[str, float]:
    """The mean loss, penalties included, and the metric over all data, nothing trained."""
    backend = model.backend
    plan.follow()
    measuring = plan.measuring(plan)
    predict, columns, xp = measuring.predict(), measuring.columns, backend.xp
    totals = xp.empty((data.interval, 2, *columns), dtype=getattr(xp, model.dtype), device=backend.device)
    sums, sizes = np.zeros((4, *columns), dtype=np.float64), list[tuple[Any, Any]]()

    def read() -> None:
        sums[:2] += backend.to_numpy(totals)[: len(sizes)].sum(axis=0, dtype=np.float64)
        for i, counts in enumerate(zip(*sizes, strict=True), 2):
            sums[i] += np.sum(counts, axis=0)
        sizes.clear()

    for batch in data.epoch():
        out, row = predict(batch.x), len(sizes)
        with np.errstate(all="ignore"):  # a stream's own arithmetic stands outside
            totals[row, 0, ...], totals[row, 1, ...] = measuring.measured(out, batch)
        sizes.append(measuring.sizes(batch))
        if len(sizes) == data.interval:
            read()
    if sizes:
        read()
    return measuring.record(*sums)


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
