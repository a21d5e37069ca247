"""Layers that hold layers: a layer's parts are found, trained, frozen and copied with it."""

import collections
import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from nnxp.doors.arrays import Switch
from nnxp.doors.options import factors_by_name
from nnxp.errors import hint
from nnxp.memory.parameters import Owner, ParameterStore

HOLDERS = (Switch, list, tuple, dict, set, frozenset, collections.deque)
"""What may have layers in it; of these a layer, a list and a tuple may be a layer's attribute that has some."""


class Whole(Switch):
    """What makes a layer a tree. Its parts are the layers that it keeps as attributes, alone or in a list or tuple.

    Once a model or a store of its own has found them they stay: their parameters have a place there.
    """

    trainable: bool = True
    """False: the parameters keep their values in a training (see `Layer`). Setting it sets it on the parts too."""
    parameters: ClassVar[tuple[str, ...]] = ()
    common: ClassVar[tuple[str, ...]] = ()
    """Those of the parameters that there is one of for all members of a model; of the others each has its own."""
    alike: ClassVar[tuple[str, ...]] = ()
    """Those that are each member's own, but begin the same for all."""
    factors: dict[str, float] | None = None
    """What the learning rate is multiplied by, by the name of a parameter of this layer, not of its parts."""
    _if_given: ClassVar[tuple[str, ...]] = ("factors",)
    position: Owner = 0
    _store: ParameterStore | None = None
    _held: "dict[str, Whole] | None" = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, value in vars(cls).items():
            if isinstance(value, Whole):
                raise TypeError(f"got a layer as {cls.__name__}.{name}, for all its objects, expected one for each: "
                                f"set self.{name} in __init__")  # fmt: skip

    def __init__(
        self,
        backend: Any = None,
        dtype: str | None = None,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(backend, dtype)
        if trainable is not True:
            self.trainable = trainable
        if factors is not None:
            self.factors = factors_by_name("factors", factors)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        holds = isinstance(value, HOLDERS)
        if name == "trainable":
            self._freeze(value)
        elif name == "factors":
            own[name] = self._factors_of_its_own(value)
        elif not holds and name in own and not isinstance(own[name], HOLDERS):
            own[name] = value  # what a step sets again and again
        else:
            parts = dict(layers_in(name, value)) if holds else {}
            held = own.get("_held")
            if held is not None and (parts or name in _attributes(held)):
                raise self._changed(name)
            super().__setattr__(name, value)
            if parts and not self.trainable:
                for part in parts.values():
                    part.trainable = False

    def __copy__(self) -> Self:
        twin, state = object.__new__(type(self)), self.__getstate__()
        for name in _attributes(self._found() if self._held is None else self._held):
            state[name] = _copied(state[name])
        if hasattr(twin, "__setstate__"):
            twin.__setstate__(state)
        else:
            twin.__dict__.update(state)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """A copy belongs to no model, and its parts may be changed."""
        return {name: value for name, value in dict(self.__dict__).items() if name not in ("_model", "_held")}

    def _found(self) -> "dict[str, Whole]":
        """The parts by their names: "inner", "blocks.0", ... Raises where they are not those that are held."""
        held = self._held
        names = _attributes(held) if held is not None else [name for name in self.__dict__ if name != "_held"]
        parts = {path: part for name in names for path, part in layers_in(name, self.__dict__.get(name))}
        if held is not None and parts != held:
            raise self._changed(min(name for name, _ in {*parts.items()} ^ {*held.items()}))
        return parts

    def _hold(self) -> None:
        """Keeps the parts as they are from now on."""
        self.__dict__["_held"] = self._found()

    def _freeze(self, trainable: Any) -> None:
        if not isinstance(trainable, bool | np.bool_):
            raise TypeError(f"got trainable={trainable!r}, expected True or False")
        if self.model is not None:
            self.model.replan()
        self.__dict__["trainable"] = bool(trainable)
        if self._store is not None:
            self._store.freeze(self.position, not trainable)
        for part in self._found().values():
            part.trainable = bool(trainable)

    def _factors_of_its_own(self, given: Any) -> dict[str, float] | None:
        name, own, factors = type(self).__name__, self.parameters, factors_by_name("factors", given)
        for key in factors or ():
            if key not in own:
                known = ", ".join(own) or f"none, as {name} has no parameters but those of its parts: give them factors"
                raise ValueError(f"got factors of {key!r} for {name}, expected some of {known}{hint(key, own)}")
        if self._store is not None:
            raise ValueError(
                f"got {name}.factors when its parameters have found their place, expected it before: "
                f"{name}(..., factors={given!r})"
            )
        return factors

    def _changed(self, names: str) -> ValueError:
        return ValueError(
            f"got other layers in {type(self).__name__}.{names}, expected those that it had when its parameters found "
            "their place: change the layers of a copy (copy.deepcopy), and build a new model of it"
        )


L = TypeVar("L", bound=Whole)


def with_parts(layers: Iterable[L], start: int = 0) -> Iterator[tuple[Owner, L]]:
    """Layers in a row and their parts, each with its position: 0, 1, "1.inner", "1.blocks.0", 2, ...

    Raises
    ------
    ValueError
        One layer is at two places, or parts were changed after they were bound.
    """
    seen: dict[int, Owner] = {}

    def visit(position: Owner, layer: L) -> Iterator[tuple[Owner, L]]:
        if id(layer) in seen:
            raise ValueError(
                f"got one layer twice, a {type(layer).__name__} at {seen[id(layer)]} and at {position}: give each "
                "place an object of its own (copy.deepcopy makes one)"
            )
        seen[id(layer)] = position
        yield position, layer
        for name, part in layer._found().items():
            yield from visit(f"{position}.{name}", part)  # type: ignore[arg-type]  # of a layer, layers

    for position, layer in enumerate(layers, start):
        yield from visit(position, layer)


def _attributes(parts: Iterable[str]) -> list[str]:
    """The attributes that parts of these names are in, each once."""
    return [*dict.fromkeys(name.partition(".")[0] for name in parts)]


def layers_in(name: str, value: Any) -> Iterator[tuple[str, Whole]]:
    """The layers of an attribute. Raises where they are in what is not searched when they train."""
    if isinstance(value, Whole):
        yield name, value
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            if isinstance(item, HOLDERS):
                yield from layers_in(f"{name}.{number}", item)
    elif isinstance(value, HOLDERS) and _hides(value):
        raise TypeError(f"got layers in a {type(value).__name__} ({name}), expected them in a list, or each by itself")


def _hides(value: Any) -> bool:
    """Whether something that is neither a layer nor a list has layers in it."""
    if isinstance(value, Switch):
        return isinstance(value, Whole) or bool(vars(value).get("layers"))  # a model
    items = value.values() if isinstance(value, dict) else value
    return any(isinstance(item, HOLDERS) and _hides(item) for item in items)


def _copied(value: Any) -> Any:
    """The value, its layers as copies."""
    if isinstance(value, Whole):
        return copy.copy(value)
    if isinstance(value, list):
        twin = copy.copy(value)
        twin[:] = map(_copied, value)
        return twin
    if isinstance(value, tuple):
        make = getattr(value, "_make", type(value))  # a namedtuple's
        return make(map(_copied, value))
    return value
