"""The penalties of a plan's dense layers, in as few passes as there are different ones."""

import operator
from collections.abc import Sequence
from typing import NamedTuple

from nnxp.layers import Dense
from nnxp.memory.parameters import ParameterStore
from nnxp.regularizers import add_gradient
from nnxp.typing import Array

FACTORS = operator.attrgetter("l1", "l2", "bias_l1", "bias_l2")


class Penalised(NamedTuple):
    """A stretch of a store under one penalty: parameters and gradients, flat, and its factors."""

    w: Array
    dw: Array
    l1: float
    l2: float


class Penalties:
    """Those of several layers of one store: a stretch of equal factors, such as all weights, is one pass."""

    def __init__(self, layers: Sequence[Dense], store: ParameterStore) -> None:
        self.layers, self.store = layers, store
        self._factors: list[tuple[float, float, float, float]] = []
        self._stretches: list[Penalised] = []
        self.share = 1.0
        """How much of their gradients is added: another process may add the rest."""

    def add(self, loss: Array) -> Array:
        """The loss, 0-d, with all penalties added in place."""
        for w, _, l1, l2 in self._found():
            loss = self.store.backend.kernels["add_penalty"](loss, w, l1, l2, out=loss)
        return loss

    def add_gradients(self) -> None:
        """Adds their part to the store's gradients."""
        for w, dw, l1, l2 in self._found():
            add_gradient(self.store.backend, dw, w, l1 * self.share, l2 * self.share)

    def _found(self) -> list[Penalised]:
        """The stretches, found again when a layer's factors have been changed."""
        factors = list(map(FACTORS, self.layers))
        if factors != self._factors:
            self._factors, self._stretches = factors, self._stretches_of(factors)
        return self._stretches

    def _stretches_of(self, factors: list[tuple[float, float, float, float]]) -> list[Penalised]:
        found: list[tuple[int, int, float, float]] = []
        for layer, (l1, l2, bias_l1, bias_l2) in zip(self.layers, factors, strict=True):
            for start, stop, kind in self.store.spans(layer.position):
                found.append((start, stop, *((l1, l2) if kind == "weights" else (bias_l1, bias_l2))))
        merged: list[tuple[int, int, float, float]] = []
        for start, stop, l1, l2 in sorted(found):
            if merged and merged[-1][1:] == (start, l1, l2):
                start = merged.pop()[0]
            merged.append((start, stop, l1, l2))
        values, gradients = self.store.values, self.store.gradients
        return [Penalised(values[a:b], gradients[a:b], l1, l2) for a, b, l1, l2 in merged if l1 or l2]
