"""What the learning rate and the weight decay are multiplied by, by kind of parameter and by layer.

A table of segments over a store, each with its factor. Where a stretch of the store has one factor, it goes into the
number that the formula takes; where it has several, an array laid out like the store does, in the same one pass.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnxp import kernels
from nnxp.backends import Backend
from nnxp.errors import hint
from nnxp.kernels.binding import bound
from nnxp.layers.base import Layer
from nnxp.layers.parts import with_parts
from nnxp.memory.parameters import Entry, ParameterStore, Span
from nnxp.typing import Array, Kernel

Given = Mapping[str, Any] | None
"""Factors by the name of a parameter, of a layer's class, or by both, "Dense.biases"; "members" are one for each."""


@dataclass(frozen=True, slots=True)
class Factors:
    """Those of a stretch, which is of one kind where kinds are updated apart."""

    kind: str
    rate: float
    """Of the learning rate, and `decay` of weight decay: 1 where an array has them."""
    decay: float
    fuse: Callable[..., Kernel]
    """`Backend.fuse`, of a formula whose floats `arrays` multiply: they are its kernel's last arguments."""
    arrays: tuple[Array, ...]
    _updates: dict[tuple[Any, ...], tuple[Callable[..., Any], tuple[Array, ...]]] = field(default_factory=dict)

    def update(
        self, formula: Callable[..., Any], into: tuple[str, ...], *arrays: Array, **fixed: Any
    ) -> Callable[..., Any]:
        """The fused formula, of its numbers alone: the arrays of a stretch are the same at every step."""
        key = (formula, id(arrays[1]), *fixed.values())  # of the gradients there may be two: as they are, and clipped
        if key not in self._updates:
            kernel = self.fuse(formula, into=into, **fixed)
            if self.arrays:  # they come after the numbers
                update: Callable[..., Any] = lambda *numbers: kernel(*arrays, *numbers, *self.arrays)  # noqa: E731
            else:
                update = bound(kernel, *arrays)
            self._updates[key] = update, arrays
        return self._updates[key][0]


class Table:
    """Factors over all of a store that is trained."""

    def __init__(self, store: ParameterStore, factor_of: Callable[[Entry], float], given: Given = None) -> None:
        self._backend, self._dtype = store.backend, store.dtype  # not the store: an optimizer does not keep it alive
        self._flat: Array | None = None
        places = [*zip(store.entries, store.offsets, store.offsets[1:], strict=False)]
        self.segments = [(start, stop, factor_of(entry)) for entry, start, stop in places if entry.kind != "state"]
        self._members: list[Entry] = [entry for entry, *_ in places if entry.kind != "state"]
        self._by_member: tuple[float, ...] | None = (given or {}).get("members")

    def within(self, start: int, stop: int) -> float | Array:
        """The factor of a stretch, or where it has several, an array of them."""
        found = {factor for first, end, factor in self.segments if max(first, start) < min(end, stop)}
        if len(found) == 1 and self._by_member is None:
            return found.pop()
        if self._flat is None:
            counts = [end - first for first, end, _ in self.segments]
            host = np.repeat(np.asarray([factor for *_, factor in self.segments], dtype=np.float64), counts)
            if self._by_member is not None:
                host *= np.concatenate([entry.spread(self._by_member) for entry in self._members])
            self._flat = self._backend.asarray(host, dtype=self._dtype)
        return self._flat[start:stop]


def factors_within(span: Span, rates: Table, decays: Table, backend: Backend) -> Factors:
    """Those of a stretch."""
    found = {"lr": rates.within(span.start, span.stop), "weight_decay": decays.within(span.start, span.stop)}
    arrays = {name: factor for name, factor in found.items() if not isinstance(factor, float)}
    names = tuple(arrays)
    rate, decay = (1.0 if name in arrays else factor for name, factor in found.items())

    def fuse(formula: Callable[..., Any], into: tuple[str, ...] = (), **fixed: Any) -> Kernel:
        return backend.fuse(kernels.scaled(formula, names), into, **fixed)

    return Factors(span.kind, rate, decay, fuse if arrays else backend.fuse, tuple(arrays.values()))


def rate_of(entry: Entry, given: Given) -> float:
    """What the learning rate of a parameter is multiplied by: its layer's own word comes first."""
    return factor_of(entry, given) if entry.factor is None else entry.factor


def factor_of(entry: Entry, given: Given) -> float:
    """The factor under the name that says most: "Dense.biases", then "Dense", then "biases"; 1 under none."""
    return next((given[name] for name in _names(entry.layer, entry.name) if name in given), 1.0) if given else 1.0


def check_names(keyword: str, given: Given, layers: Iterable[Layer], members: int) -> None:
    """Raises ValueError where a name is of nothing in the layers and their parts, or of another number of members."""
    by_member = (given or {}).get("members")
    if by_member is not None and (members == 1 or len(by_member) != members):
        raise ValueError(
            f"got {keyword} of {len(by_member)} members for a model of {members}, expected one for each of several: "
            "Sequential(..., members=)"
        )
    parameters = [(type(layer).__name__, name) for _, layer in with_parts(layers) for name in layer.parameters]
    known = [*dict.fromkeys(name for rank in zip(*(_names(*one) for one in parameters), strict=True) for name in rank)]
    for name in given or ():
        if name not in (*known, "members"):
            raise ValueError(
                f"got {keyword} of {name!r}, expected names that the model has, of a parameter, of a layer's class, or "
                f"of both: {', '.join(known)}{hint(name, known)}"
            )


def of_members(optimizer: Any) -> bool:
    """Whether an optimizer has factors of which each member has its own."""
    return any("members" in (getattr(optimizer, name, None) or {}) for name in ("factors", "decay_factors"))


def _names(layer: str, name: str) -> tuple[str, str, str]:
    """What a parameter goes by, the name that says most first."""
    return f"{layer}.{name}", layer, name
