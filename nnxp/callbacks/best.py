"""The best weights of a training."""

from collections.abc import Sequence

import numpy as np

from nnxp.network.model import Model
from nnxp.typing import Array


class BestWeights:
    """A copy of what a validation sees: all values, and the weights' moving average where the optimizer keeps one.

    Attributes
    ----------
    arrays : tuple of Array
        Empty until something is kept.
    """

    def __init__(self) -> None:
        self.arrays: tuple[Array, ...] = ()

    def keep(self, model: Model, members: Sequence[bool] | None = None) -> None:
        """Copies them, into the same memory each time; of several members, those of some."""
        places = _validated(model)
        if not self.arrays:
            self.arrays = tuple(model.store.backend.asarray(place, copy=True) for place in places)
        for kept, place in zip(self.arrays, places, strict=True):
            _copy(model, place, kept, members)

    def put_back(self, model: Model, members: Sequence[bool] | None = None) -> None:
        """Gives the model, or some of its members, what was kept, if anything was."""
        if self.arrays:
            for place, kept in zip(_validated(model), self.arrays, strict=True):
                _copy(model, kept, place, members)


def shapes(model: Model) -> list[tuple[int, ...]]:
    """Those of the arrays that would be kept of a model."""
    return [tuple(place.shape) for place in _validated(model)]


def _validated(model: Model) -> tuple[Array, ...]:
    average = model.optimizer.average(model.store)
    return (model.store.values,) if average is None else (model.store.values, average)


def _copy(model: Model, source: Array, target: Array, members: Sequence[bool] | None) -> None:
    """Copies what is laid out as the model's values are, or as those that are trained."""
    if members is None or all(members):
        target[...] = source
        return
    store = model.store
    of_these = np.concatenate([entry.spread(members) for entry in store.entries])[: target.shape[0]]
    with store.backend.context():
        target[...] = store.backend.xp.where(store.backend.asarray(of_these > 0, dtype="bool"), source, target)
