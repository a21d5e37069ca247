"""Layers that hold layers: a layer's parts are found, trained, frozen and copied with it."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

import numpy as np

from nnxp.doors.arrays import Switch
from nnxp.memory.parameters import Owner, ParameterStore


class Whole(Switch):
    """What makes a layer a tree. Its parts are the layers that it keeps as attributes, alone or in a list or tuple.

    Once a model or a store of its own has found them they stay: their parameters have a place there.
    """

    trainable: bool = True
    """False: the parameters keep their values in a training (see `Layer`). Setting it sets it on the parts too."""
    position: Owner = 0
    _store: ParameterStore | None = None
    _held: "dict[str, Whole] | None" = None

    def __init__(self, backend: Any = None, dtype: str | None = None, trainable: bool = True) -> None:
        super().__init__(backend, dtype)
        if trainable is not True:
            self.trainable = trainable

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "trainable":
            self._freeze(value)
            return
        parts: dict[str, Whole] = {}
        if isinstance(value, Whole | list | tuple | dict | set):
            _collect(name, value, parts)
        held = self.__dict__.get("_held")
        if held is not None and (parts or any(path.partition(".")[0] == name for path in held)):
            raise self._changed(name)
        super().__setattr__(name, value)
        if not self.trainable:
            for part in parts.values():
                part.trainable = False

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update({name: _copied(value) for name, value in self.__getstate__().items()})
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """A copy belongs to no model, and its parts may be changed."""
        return {name: value for name, value in dict(self.__dict__).items() if name not in ("_model", "_held")}

    def _found(self) -> "dict[str, Whole]":
        """The parts by their names: "inner", "blocks.0", ... Raises where they are not those that were held."""
        parts: dict[str, Whole] = {}
        for name, value in self.__dict__.items():
            if name != "_held":
                _collect(name, value, parts)
        if self._held is not None and parts != self._held:
            raise self._changed(min(name for name, _ in {*parts.items()} ^ {*self._held.items()}))
        return parts

    def _hold(self) -> None:
        """Keeps the parts as they are from now on; those of a frozen layer are frozen."""
        held = self.__dict__["_held"] = self._found()
        for part in held.values():
            if part.trainable and not self.trainable:
                part.trainable = False

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


def _collect(name: str, value: Any, parts: dict[str, Whole]) -> None:
    """Adds the layers of an attribute to the parts."""
    if isinstance(value, Whole):
        parts[name] = value
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _collect(f"{name}.{number}", item, parts)
    elif isinstance(value, dict | set) and any(isinstance(item, Whole) for item in _items(value)):
        raise TypeError(f"got layers in a {type(value).__name__} ({name}), expected them in a list, or each by itself")


def _items(value: "dict[Any, Any] | set[Any]") -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _copied(value: Any) -> Any:
    """The value, its layers as copies."""
    if isinstance(value, Whole):
        return copy.copy(value)
    if type(value) in (list, tuple) and any(isinstance(item, Whole | list | tuple) for item in value):
        return type(value)(_copied(item) for item in value)
    return value
