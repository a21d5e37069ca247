"""The best weights of a training."""

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

    def keep(self, model: Model) -> None:
        """Copies them, into the same memory each time."""
        places = _validated(model)
        if not self.arrays:
            self.arrays = tuple(model.store.backend.asarray(place, copy=True) for place in places)
        for kept, place in zip(self.arrays, places, strict=True):
            kept[...] = place

    def put_back(self, model: Model) -> None:
        """Gives the model what was kept, if anything was."""
        if self.arrays:
            for place, kept in zip(_validated(model), self.arrays, strict=True):
                place[...] = kept


def shapes(model: Model) -> list[tuple[int, ...]]:
    """Those of the arrays that would be kept of a model."""
    return [tuple(place.shape) for place in _validated(model)]


def _validated(model: Model) -> tuple[Array, ...]:
    average = model.optimizer.average(model.store)
    return (model.store.values,) if average is None else (model.store.values, average)
