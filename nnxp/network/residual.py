"""Layers in a row beside a shortcut, as one layer."""

from collections.abc import Callable, Sequence
from typing import Any

from nnxp.doors.options import boolean
from nnxp.kernels import formulas
from nnxp.layers import Dense, Layer
from nnxp.layers.parts import with_parts
from nnxp.network.architecture import as_layer, widths
from nnxp.typing import Array, ArrayLike


class Residual(Layer):
    """y = s(x) + f(x): f runs layers in a row, s hands x on; where their widths differ, s(x) = x W + b.

    He et al. 2016 (arXiv:1512.03385), equations 1 and 2, without the activation that the paper puts behind the sum: put
    one behind this layer. Backward: dx = s'(dy) + f'(dy).

    It is a layer that holds layers, as one of your own may: its parts are trained, saved and counted with it.

    Parameters
    ----------
    layers : sequence of Layer or str
        f, in order; an activation may be given by its name.
    projected : bool
        Whether s(x) = x W + b where the widths agree, too.
    trainable : bool
        False keeps the parameters of all parts as they are (see `Layer`).
    backend, dtype
        See `nnxp.get_backend`; by default those of the inputs.

    Attributes
    ----------
    layers : list of Layer
    shortcut : Dense or None
        s, where the widths differ, or it is asked for.
    inputs, output, dinputs : Array
        (n, n_in), (n, n_out), (n, n_in).

    Raises
    ------
    ValueError
        There are no layers, they do not fit each other, or a layer of your own does not say its `output_width`.

    Examples
    --------
    >>> import nnxp
    >>> block = nnxp.Residual([nnxp.Dense(2, 2), "relu"])
    >>> block.layers[0].weights = [[1.0, 0.0], [0.0, -1.0]]
    >>> block.forward([[3.0, 5.0]]).tolist()
    [[6.0, 5.0]]
    >>> nnxp.Residual([nnxp.Dense(2, 3), "relu", nnxp.Dense(3, 4)]).shortcut
    Dense(2, 4)
    """

    _says_n_in = True
    options = ("layers", "projected")
    projected = False  # of pickles from before there was a choice
    reads = ()
    initializer_before = None

    def __init__(
        self,
        layers: Sequence[Layer | str],
        *,
        projected: bool = False,
        trainable: bool = True,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend, dtype, trainable)
        if isinstance(layers, Layer | str) or not layers:
            raise ValueError(f"got {layers!r} as layers, expected a list of some: Residual([Dense(8, 8), ReLU()])")
        self.layers = [as_layer(layer) for layer in layers]
        self.projected = boolean("projected", projected)
        self.n_in, self.n_out = widths(self.layers)
        if (self.n_in is None) != (self.n_out is None) or (projected and self.n_in is None):
            raise ValueError(
                "got layers in a Residual whose widths are not known, expected known ones: a layer of your own says "
                "them by `output_width`"
            )
        self.shortcut = None
        if self.n_in is not None and self.n_out is not None and (projected or self.n_in != self.n_out):
            self.shortcut = Dense(self.n_in, self.n_out)
        self._agree()

    def config(self) -> dict[str, Any]:
        """The class and its options; files without a projection that was asked for are as they were before it."""
        return {name: value for name, value in super().config().items() if name != "projected" or value}

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """s(x) + f(x), (n, n_out)."""
        out = inputs
        for layer in self.layers:
            out = self._forward_of(layer)(out, training)
        beside = inputs if self.shortcut is None else self._forward_of(self.shortcut)(inputs, training)
        return self._sum(beside, out, "output")

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the parts' gradients and `dinputs` from dy, (n, n_out)."""
        layers, shortcut = self.layers, self.shortcut
        if not self.needs_dinputs:  # in a step: none are needed of the first that is trained, and of those before it
            layers = layers[self._first_trained() :]
            if shortcut is not None and not shortcut.trainable:
                shortcut = None
            for part in (*layers[:1], shortcut):
                if part is not None:
                    part.__dict__["needs_dinputs"] = False
        out = dvalues
        for layer in reversed(layers):
            out = self._backward_of(layer)(out)
        beside = dvalues if shortcut is None else self._backward_of(shortcut)(dvalues)
        return self._sum(beside, out, "dinputs") if self.needs_dinputs else None

    def output_width(self, n_in: int | None) -> int | None:
        """n_out; raises ValueError where the inputs are not n_in wide."""
        if None not in (n_in, self.n_in) and n_in != self.n_in:
            raise ValueError(f"got {n_in} features a sample, expected {self.n_in}, as the first of {self.layers} takes")
        return n_in if self.n_out is None else self.n_out

    def _forward_of(self, layer: Layer) -> Callable[..., Array]:
        """A part's forward; in a model's step without its door, since what comes is the model's own."""
        return layer.forward if self.moment is None else layer.run_forward

    def _backward_of(self, layer: Layer) -> Callable[..., Array]:
        return layer.backward if self.moment is None else layer.run_backward

    def _first_trained(self) -> int:
        """The place of the first of f that has parameters that are trained, or parts with some."""
        have = (any(part.parameters and part.trainable for _, part in with_parts([layer])) for layer in self.layers)
        return next((i for i, has in enumerate(have) if has), len(self.layers))

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

    def _sum(self, x: Array, f: Array, name: str) -> Array:
        return self.backend.fuse(formulas.residual)(x, f, out=self.take(name, tuple(f.shape)))
