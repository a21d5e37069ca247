"""The penalties of a plan's dense layers, in as few passes as there are different ones."""

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from nnxp.layers import Dense
from nnxp.memory.parameters import ParameterStore
from nnxp.regularizers import Adding, adding
from nnxp.typing import Array

FACTORS = operator.attrgetter("l1", "l2", "bias_l1", "bias_l2")


class Penalised(NamedTuple):
    """A stretch of a store under one penalty: parameters and gradients, flat, its factors, numbers or flat too, and
    what adds its gradient."""

    w: Array
    dw: Array
    l1: Any
    l2: Any
    adding: Adding


class Penalties:
    """Those of several layers of one store: a stretch of equal factors, such as all weights, is one pass. Factors of
    which each member has its own are arrays as the parameters are, and so are those of a stretch."""

    def __init__(self, layers: Sequence[Dense], store: ParameterStore) -> None:
        self.layers, self.store = layers, store
        self._factors: list[tuple[Any, ...]] = []
        self._stretches: list[Penalised] = []
        self.share = 1.0
        """How much of their gradients is added: another process may add the rest."""

    def add(self, loss: Array) -> Array:
        """The loss, 0-d, with all penalties added in place."""
        for w, _, l1, l2, _ in self._found():
            loss = self.store.backend.kernels["add_penalty"](loss, w, l1, l2, out=loss)
        return loss

    def add_gradients(self) -> None:
        """Adds their part to the store's gradients."""
        for w, dw, _, _, add in self._found():
            add(dw, w, self.share)

    def _found(self) -> list[Penalised]:
        """The stretches, found again when a layer's factors have been changed."""
        factors = list(map(FACTORS, self.layers))
        if factors != self._factors:
            self._factors, self._stretches = factors, self._stretches_of(factors)
        return self._stretches

    def _stretches_of(self, factors: list[tuple[Any, ...]]) -> list[Penalised]:
        backend, store, found = self.store.backend, self.store, list[tuple[int, int, list[Any]]]()
        owners, xp = {layer.position: own for layer, own in zip(self.layers, factors, strict=True)}, backend.xp
        for entry, start, stop in zip(store.entries, store.offsets, store.offsets[1:], strict=False):
            if entry.owner in owners and entry.name in ("weights", "biases"):
                own = owners[entry.owner][:2] if entry.name == "weights" else owners[entry.owner][2:]
                found.append((start, stop, [a if isinstance(a, float) else entry.flat(a, xp) for a in own]))
        merged: list[tuple[int, int, list[Any]]] = []
        for start, stop, given in found:
            if merged and merged[-1][1] == start and all(map(_alike, merged[-1][2], given)):
                start, _, before = merged.pop()
                given = [a if isinstance(a, float) else xp.concat([b, a]) for b, a in zip(before, given, strict=True)]
            merged.append((start, stop, given))
        return [
            Penalised(self.store.values[start:stop], self.store.gradients[start:stop], l1, l2, adding(backend, l1, l2))
            for start, stop, (l1, l2) in merged
            if not (isinstance(l1, float) and isinstance(l2, float)) or l1 or l2
        ]


def _alike(a: Any, b: Any) -> bool:
    """Whether two stretches of these factors can be one: equal numbers, or arrays."""
    numbers = [isinstance(factor, float) for factor in (a, b)]
    return a == b if all(numbers) else not any(numbers)
