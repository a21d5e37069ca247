"""Layers in a row as one layer: what those that hold some share."""

from collections.abc import Callable, Sequence
from typing import Any

from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.network.architecture import as_layer, widths
from nnxp.network.wide import OneByOne
from nnxp.typing import Array


class Row(Layer):
    """Layers in a row: the base class of `Residual` and `Shared`."""

    _says_n_in = True
    reads = ()
    initializer_before = None

    def __init__(
        self, layers: Sequence[Layer | str], trainable: bool = True, backend: Any = None, dtype: str | None = None
    ) -> None:
        super().__init__(backend, dtype, trainable)
        name = type(self).__name__
        if isinstance(layers, Layer | str) or not layers:
            raise ValueError(f"got {layers!r} as layers, expected a list of some: {name}([Dense(8, 8), ReLU()])")
        self.layers = [as_layer(layer) for layer in layers]
        self.n_in, self.n_out = widths(self.layers)
        if (self.n_in is None) != (self.n_out is None):
            raise ValueError(
                f"got layers in a {name} whose widths are not known, expected known ones: a layer of your own says "
                "them by `output_width`"
            )

    def output_width(self, n_in: int | None) -> int | None:
        """n_out; raises ValueError where the inputs are not n_in wide."""
        if None not in (n_in, self.n_in) and n_in != self.n_in:
            raise ValueError(f"got {n_in} features a sample, expected {self.n_in}, as the first of {self.layers} takes")
        return n_in if self.n_out is None else self.n_out

    def _up(self, x: Array, training: bool) -> Array:
        """The last one's output."""
        for layer in self.layers:
            x = self._forward_of(layer)(x, training)
        return x

    def _down(self, dvalues: Array, layers: Sequence[Layer]) -> Array:
        """The gradient of the inputs of the first of some layers up to the last."""
        for layer in reversed(layers):
            dvalues = self._backward_of(layer)(dvalues)
        return dvalues

    def _trained(self) -> list[Layer]:
        """The layers from which on gradients are wanted: all, or in a step where none are needed of the inputs, those
        from the first that is trained on, which is told so."""
        if self.needs_dinputs:
            return self.layers
        layers = self.layers[self._first_trained() :]
        for part in layers[:1]:
            part.__dict__["needs_dinputs"] = False
        return layers

    def _forward_of(self, layer: Layer) -> Callable[..., Array]:
        """A part's forward; in a model's step without its door, since what comes is the model's own."""
        return layer.forward if self.moment is None else layer.run_forward

    def _backward_of(self, layer: Layer) -> Callable[..., Array]:
        return layer.backward if self.moment is None else layer.run_backward

    def _first_trained(self) -> int:
        """The place of the first of f that has parameters that are trained, or parts with some."""
        return next((i for i, layer in enumerate(self.layers) if _trains(layer)), len(self.layers))

    def _agree(self) -> None:
        """The backend and the dtype that are named here, or by a part, are those of all parts that name none."""
        whole = [layer for _, layer in with_parts([self])]
        dtype = next((layer._dtype for layer in whole if layer._dtype is not None), None)
        backend = next((layer._backend for layer in whole if layer._named), None)
        for layer in whole:
            if layer._dtype is None and layer.stored():
                layer._dtype = dtype
            if backend is not None and not layer._named:
                layer._backend, layer._named = backend, True


def _trains(layer: Layer) -> bool:
    """Whether a layer has parameters that are trained, or parts with some; of members one by one, their layers."""
    whole = layer.each[:1] if isinstance(layer, OneByOne) else [layer]
    return any(part.parameters and part.trainable for _, part in with_parts(whole))
