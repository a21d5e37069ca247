"""The attributes through which a layer reads and writes its parameters and their gradients."""

from typing import TYPE_CHECKING, Any

from nnxp.errors import NotComputedError
from nnxp.typing import ArrayLike

if TYPE_CHECKING:
    from nnxp.layers.base import Layer


class Parameter:
    """A layer's parameter: reads as a view of the layer's store; assigning writes into the view."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: "Layer | None", owner: type) -> Any:
        if layer is None:
            return self
        if layer._store is None and self.name in layer._assigned and layer._unassigned():
            return layer._assigned[self.name]  # read in `__init__`, before all are there
        return layer.store.view(layer.position, self.name)

    def __set__(self, layer: "Layer", value: ArrayLike) -> None:
        if layer._store is None:
            layer._assign(self.name, value)
        else:
            layer._store.write(layer._store.view(layer.position, self.name), value, self.name)


class Gradient:
    """The gradient of a parameter, likewise a view."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: "Layer | None", owner: type) -> Any:
        if layer is None:
            return self
        if layer.position not in layer.store.computed:
            raise NotComputedError("d" + self.name)  # worded by `Layer.__getattr__`, to which Python turns next
        return layer.store.gradient(layer.position, self.name)

    def __set__(self, layer: "Layer", value: ArrayLike) -> None:
        layer.store.write(layer.store.gradient(layer.position, self.name), value, "d" + self.name)
        layer.store.computed.add(layer.position)
