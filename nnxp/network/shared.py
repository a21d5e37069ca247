"""Layers that all members of a model have in common."""

from collections.abc import Sequence
from typing import Any

from nnxp.layers import Layer
from nnxp.network.row import Row
from nnxp.typing import Array, ArrayLike


class Shared(Row):
    """Layers in a row that all members of a model share: there is one of each of their parameters.

    On inputs that members share it runs once for all, an embedding say; on those of each, on the rows of all, of which
    a `BatchNorm` then takes the means. In a model of one member it is the layers in a row.

    Parameters
    ----------
    layers : sequence of Layer or str
        In order; an activation may be given by its name.
    trainable : bool
        False keeps the parameters of all parts as they are (see `Layer`).
    backend, dtype
        See `nnxp.get_backend`; by default those of the inputs.

    Attributes
    ----------
    layers : list of Layer
    inputs, output, dinputs : Array
        (n, n_in), (n, n_out), (n, n_in).

    Raises
    ------
    ValueError
        There are no layers, they do not fit each other, or a layer of your own does not say its `output_width`.

    Examples
    --------
    What TabM's authors call mini (arXiv:2410.24210): each member scales the inputs, by signs at first, and has outputs
    of its own; what is between is one network.

    >>> import numpy as np, nnxp
    >>> begin = nnxp.Scaling(4, initializer="random_signs")
    >>> body = nnxp.Shared([nnxp.Dense(4, 8), "relu", nnxp.Dense(8, 8), "relu"])
    >>> mini = nnxp.Sequential([begin, body, nnxp.Dense(8, 1)], "mean_squared_error", members=3, seed=0)
    >>> begin.scale.shape, body.layers[0].weights.shape, mini.layers[2].weights.shape
    ((3, 1, 4), (4, 8), (3, 8, 1))
    >>> mini.predict(np.ones((2, 4)), members=True).shape
    (3, 2, 1)

    What they call packed are members that share nothing: `Sequential(layers, members=3)`.
    """

    options = ("layers",)

    def __init__(
        self,
        layers: Sequence[Layer | str],
        *,
        trainable: bool = True,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(layers, trainable, backend, dtype)
        self._agree()

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """The last layer's output, (n, n_out)."""
        self.output = self._up(inputs, training)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the parts' gradients and `dinputs` from dy, (n, n_out)."""
        down = self._down(dvalues, self._trained())
        if not self.needs_dinputs:
            return None
        self.dinputs = down
        return down
