"""One flat store owns a model's parameters and gradients; layers hold views."""

import functools
import itertools
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nnxp.backends import Backend
from nnxp.memory.counting import counted
from nnxp.typing import Array, ArrayLike, HostArray

KINDS = ("weights", "biases", "state")
"""The order within a store: all weights, then all biases, then what is not trained."""


Owner: TypeAlias = int | str
"""A layer's position: its index in its model, a part's with the way to it: "3.inner"."""


class Entry(NamedTuple):
    """One array of a store: its owner, the attribute's name, its shape and its kind."""

    owner: Owner
    name: str
    shape: tuple[int, ...]
    kind: str
    layer: str = ""
    """The class of its owner."""
    factor: float | None = None
    """What its owner has the learning rate multiplied by; None leaves that to the optimizer."""
    members: int | None = None
    """How many networks have one each, of this shape; None where there is one network, or one for all of them."""
    beside: bool = False
    """Whether the members' matrices stand side by side in memory, (n_in, members · n_out), as the product with inputs
    that they share takes them; else one after the other."""

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape) * (self.members or 1)

    def spread(self, numbers: Sequence[float]) -> HostArray:
        """One number for each member, once for each of its elements, as they stand in memory, (size,)."""
        by_member = np.asarray(numbers, dtype=np.float64)
        if not self.beside:
            return np.repeat(by_member, math.prod(self.shape))
        n_in, n_out = self.shape
        return np.tile(np.repeat(by_member, n_out), n_in)

    def seen(self, flat: Array, xp: Any) -> Array:
        """Its part of a flat array in its shape; of several members, theirs in a row: (members, ...)."""
        if self.members is None:
            return xp.reshape(flat, self.shape)
        if not self.beside:
            return xp.reshape(flat, (self.members, *self.shape))
        n_in, n_out = self.shape
        return xp.permute_dims(xp.reshape(flat, (n_in, self.members, n_out)), (1, 0, 2))

    def flat(self, a: Array, xp: Any) -> Array:
        """An array as `seen` or as a matrix of memory, in a row as it stands in memory, (size,)."""
        return xp.reshape(xp.permute_dims(a, (1, 0, 2)) if self.beside and a.ndim == 3 else a, (-1,))

    def shaped(self, flat: Array, shape: tuple[int, ...], xp: Any) -> Array:
        """Likewise in a shape: `seen` where that has it, else as it stands in memory."""
        seen = self.seen(flat, xp)
        return seen if tuple(seen.shape) == shape else xp.reshape(flat, shape)


class Span(NamedTuple):
    """A contiguous stretch of a store's trained parameters, all of one kind."""

    start: int
    stop: int
    kind: str


class Token:
    """Stands for a store as the key of an optimizer's state; outlives the store where that is needed."""


class ParameterStore:
    """The parameters and gradients of one or more layers in two flat arrays.

    Attributes
    ----------
    values : Array
        (size,), weights first, then biases, then state that is not trained.
    gradients : Array
        (trained,), laid out like the first part of `values`.
    computed : set of int or str
        Owners whose gradients a backward has filled.
    frozen : frozenset of int or str
        Owners whose parameters no update changes: they keep their places, in `gradients` and an optimizer's slots too.
    token : Token
        What an optimizer keys its state by; `former` holds the tokens of stores whose layers moved in here.
    """

    frozen: frozenset[Owner] = frozenset()

    def __init__(self, backend: Backend, dtype: str, entries: list[Entry]) -> None:
        xp = backend.xp
        self.backend, self.dtype = backend, dtype
        self.entries = sorted(entries, key=lambda entry: KINDS.index(entry.kind))
        sizes = [entry.size for entry in self.entries]
        self.offsets = [0, *itertools.accumulate(sizes)]
        self.trained = sum(size for size, entry in zip(sizes, self.entries, strict=True) if entry.kind != "state")
        self.computed: set[Owner] = set()
        self._spans: dict[tuple[Any, ...], list[Span]] = {}
        self.token, self.former = Token(), list[Token]()
        with backend.context():
            make = {"dtype": getattr(xp, dtype), "device": backend.device}
            self.values: Array = xp.zeros((self.offsets[-1],), **make)
            self.gradients: Array = xp.zeros((self.trained,), **make)
        try:
            self.values[:0] = self.values[:0]
        except TypeError:
            raise TypeError(
                f"{backend.library}'s arrays cannot be written in place, which parameters need: use activations and "
                'losses on them by hand, or train with backend="numpy", "cupy" or "torch"'
            ) from None
        self._make_views()

    def _make_views(self) -> None:
        self._views: dict[tuple[Owner, str], Array] = {}
        self._gradient_views: dict[tuple[Owner, str], Array] = {}
        with self.backend.context():
            for entry, start, stop in zip(self.entries, self.offsets, self.offsets[1:], strict=False):
                place, xp = (entry.owner, entry.name), self.backend.xp
                self._views[place] = entry.seen(self.values[start:stop], xp)
                if entry.kind != "state":
                    self._gradient_views[place] = entry.seen(self.gradients[start:stop], xp)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_views", "_gradient_views")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._spans = {}  # an older pickle's have other keys
        self._make_views()

    def move_gradients(self, to: Array) -> None:
        """Has the gradients in other memory of their shape; who holds views of the former has to ask anew."""
        to[...] = self.gradients
        self.gradients = to
        self._make_views()

    @property
    def largest(self) -> int:
        """How many elements the largest parameter has."""
        return max((entry.size for entry in self.entries), default=0)

    @functools.cached_property
    def common(self) -> frozenset[tuple[Owner, str]]:
        """What there is one of, however many members there are."""
        return frozenset((e.owner, e.name) for e in self.entries if e.members is None)

    @property
    def beside(self) -> dict[str, Array]:
        """The views whose elements are in another order in memory, by the names that a file has for them."""
        return {f"{e.owner}.{e.name}": self._views[e.owner, e.name] for e in self.entries if e.beside}

    def counted(self, slots: Sequence[str]) -> AbstractContextManager[None]:
        """Where memory ends inside, the error says what the model takes (see `nnxp.memory.counting`)."""
        return counted(self.offsets[-1], self.trained, self.dtype, slots, self.backend.name)

    def view(self, owner: Owner, name: str) -> Array:
        """The parameter's view of `values`."""
        return self._views[owner, name]

    def gradient(self, owner: Owner, name: str) -> Array:
        """The parameter's view of `gradients`."""
        return self._gradient_views[owner, name]

    def reshaped(self, owner: Owner, name: str, shape: tuple[int, ...], gradient: bool = False) -> Array:
        """The parameter's part of `values` or of `gradients` in another shape, as `Entry.shaped` gives it."""
        places = zip(self.entries, self.offsets, self.offsets[1:], strict=False)
        entry, start, stop = next(place for place in places if place[0][:2] == (owner, name))
        with self.backend.context():
            return entry.shaped((self.gradients if gradient else self.values)[start:stop], shape, self.backend.xp)

    def write(self, view: Array, value: ArrayLike, name: str) -> None:
        """Copies a value of the same shape into a view. A value of shape (m,) fits a view of (1, m)."""
        value = self.backend.asarray(value, dtype=self.dtype)
        shape, wanted = tuple(value.shape), tuple(view.shape)
        if shape != wanted and (1, *shape) != wanted:
            raise ValueError(f"got {name} of shape {shape}, expected {wanted}")
        with self.backend.context():
            view[...] = self.backend.xp.reshape(value, wanted)

    def freeze(self, owner: Owner, frozen: bool) -> None:
        """Leaves an owner's parameters out of updates, or takes them in again."""
        self.frozen = self.frozen | {owner} if frozen else self.frozen - {owner}
        self._spans = {}

    def spans(
        self, owner: Owner | None = None, by_kind: bool = True, frozen: bool = False, part: slice | None = None
    ) -> list[Span]:
        """The contiguous stretches that an owner's (or everybody's) trained parameters fill, or those that are frozen,
        or what a part has of them; `by_kind`, each of one kind."""
        first, end = (0, self.trained) if part is None else (part.start, part.stop)
        key = owner, by_kind, frozen, first, end
        if key not in self._spans:
            spans: list[Span] = []
            for entry, start, stop in zip(self.entries, self.offsets, self.offsets[1:], strict=False):
                start, stop = max(start, first), min(stop, end)
                if entry.kind == "state" or start >= stop or owner not in (None, entry.owner):
                    continue
                if (entry.owner in self.frozen) is not frozen:
                    continue
                before = spans[-1] if spans else None
                if before and before.stop == start and (before.kind == entry.kind or not by_kind):
                    spans[-1] = Span(before.start, stop, before.kind)
                else:
                    spans.append(Span(start, stop, entry.kind))
            self._spans[key] = spans
        return self._spans[key]
