"""The attributes through which a layer reads and writes its parameters and their gradients."""

from typing import Any, Protocol

from nnxp.errors import NotComputedError
from nnxp.memory.parameters import Owner, ParameterStore
from nnxp.typing import ArrayLike


class Holder(Protocol):
    """Whose parameters they are: what a layer keeps them in, and what was assigned before it had a store."""

    position: Owner
    _store: ParameterStore | None
    _assigned: dict[str, Any]

    @property
    def store(self) -> ParameterStore:
        """Made when first needed."""

    def _unassigned(self) -> list[str]: ...

    def _assign(self, name: str, value: ArrayLike) -> None: ...


class Parameter:
    """A layer's parameter: reads as a view of the layer's store; assigning writes into the view."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: Holder | None, owner: type) -> Any:
        if layer is None:
            return self
        if layer._store is None and self.name in layer._assigned and layer._unassigned():
            return layer._assigned[self.name]  # read in `__init__`, before all are there
        return layer.store.view(layer.position, self.name)

    def __set__(self, layer: Holder, value: ArrayLike) -> None:
        if layer._store is None:
            layer._assign(self.name, value)
        else:
            layer._store.write(layer._store.view(layer.position, self.name), value, self.name)


class Gradient:
    """The gradient of a parameter, likewise a view."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: Holder | None, owner: type) -> Any:
        if layer is None:
            return self
        if layer.position not in layer.store.computed:
            raise NotComputedError("d" + self.name)  # worded by `Layer.__getattr__`, to which Python turns next
        return layer.store.gradient(layer.position, self.name)

    def __set__(self, layer: Holder, value: ArrayLike) -> None:
        layer.store.write(layer.store.gradient(layer.position, self.name), value, "d" + self.name)
        layer.store.computed.add(layer.position)
