"""Layers in a row beside a shortcut, as one layer."""

from collections.abc import Sequence
from typing import Any

from nnxp.doors.options import boolean
from nnxp.kernels import formulas
from nnxp.layers import Dense, Layer
from nnxp.network.row import Row
from nnxp.typing import Array, ArrayLike


class Residual(Row):
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

    options = ("layers", "projected")
    projected = False  # of pickles from before there was a choice

    def __init__(
        self,
        layers: Sequence[Layer | str],
        *,
        projected: bool = False,
        trainable: bool = True,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(layers, trainable, backend, dtype)
        self.projected = boolean("projected", projected)
        if projected and self.n_in is None:
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
        out = self._up(inputs, training)
        beside = inputs if self.shortcut is None else self._forward_of(self.shortcut)(inputs, training)
        return self._sum(beside, out, "output")

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the parts' gradients and `dinputs` from dy, (n, n_out)."""
        shortcut = self.shortcut
        if shortcut is not None and not self.needs_dinputs:  # in a step
            shortcut.__dict__["needs_dinputs"] = False
            shortcut = shortcut if shortcut.trainable else None
        out = self._down(dvalues, self._trained())
        beside = dvalues if shortcut is None else self._backward_of(shortcut)(dvalues)
        return self._sum(beside, out, "dinputs") if self.needs_dinputs else None

    def _sum(self, x: Array, f: Array, name: str) -> Array:
        return self.backend.fuse(formulas.residual)(x, f, out=self.take(name, tuple(f.shape)))
