"""A dense layer whose weights several networks share."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnxp import random
from nnxp.doors.naming import snake_case
from nnxp.doors.options import positive
from nnxp.initializers import INITIALIZERS, Initializer, get_initializer
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.typing import Array, ArrayLike, HostArray


class SharedDense(Layer):
    """y = ((x ⊙ r) W) ⊙ s + b: a dense layer with a factor for each input and for each output.

    In a model of several members all share W, and each has r, s and b of its own, so that K networks take little more
    memory than one, and their products are one over K times the rows: BatchEnsemble, Wen et al. 2020
    (arXiv:2002.06715), and TabM, Gorishniy et al. 2025 (arXiv:2410.24210), which `Sequential(..., members=32,
    shared=True)` makes.

    Backward, with z = (x ⊙ r) W and dz = dy ⊙ s: db = Σᵢ dyᵢ, ds = Σᵢ dyᵢ ⊙ zᵢ, dW = (x ⊙ r)ᵀ dz, and with
    u = dz Wᵀ: dr = Σᵢ xᵢ ⊙ uᵢ, dx = u ⊙ r.

    W and b begin uniform within ±1/√n_in, b the same for all members, and s is 1.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and of neurons.
    input_initializer : str or Initializer, optional
        How r begins, by default as 1. What tells members apart is "random_signs" in a first layer, "standard_normal"
        behind an embedding.
    features : sequence of int, optional
        The feature, from 0 up, that each input is of, where an embedding makes several of one: r begins the same for
        all of them.
    seed : int, optional
        For a layer on its own; a model gives its layers its own seed.
    trainable : bool
        False keeps the parameters as they are (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by, by the name of a parameter (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    weights, input_factors, output_factors, biases : Array
        W (n_in, n_out), r (1, n_in), s and b (1, n_out): views of a flat store. In a model of several members all but
        W are (members, ...).
    dweights, dinput_factors, doutput_factors, dbiases : Array
        Their gradients.
    inputs, output, dinputs : Array
        (n, n_in), (n, n_out), (n, n_in).

    Raises
    ------
    ValueError
        `features` does not name one for each input. At `forward`: another number of inputs.

    Examples
    --------
    >>> layer = SharedDense(2, 1)
    >>> layer.weights, layer.biases = [[2.0], [3.0]], [0.5]
    >>> layer.input_factors, layer.output_factors = [[1.0, -1.0]], [[10.0]]
    >>> layer.forward([[1.0, 1.0], [0.0, 2.0]]).tolist()
    [[-9.5], [-59.5]]
    >>> layer.backward([[1.0], [10.0]]).tolist()
    [[20.0, -30.0], [200.0, -300.0]]
    >>> layer.dweights.tolist(), layer.dbiases.tolist()
    ([[10.0], [-210.0]], [[11.0]])
    >>> layer.dinput_factors.tolist(), layer.doutput_factors.tolist()
    ([[20.0, 630.0]], [[-61.0]])
    """

    parameters = ("weights", "input_factors", "output_factors", "biases")
    common, alike = ("weights",), ("biases",)
    options = ("n_in", "n_out", "input_initializer", "features", "factors")
    weights: Array
    input_factors: Array
    output_factors: Array
    biases: Array
    dweights: Array
    dinput_factors: Array
    doutput_factors: Array
    dbiases: Array

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        input_initializer: str | Initializer | None = None,
        features: Sequence[int] | None = None,
        seed: int | None = None,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend, dtype, trainable, factors)
        self.n_in, self.n_out, self.seed = positive("n_in", n_in), positive("n_out", n_out), seed
        self.input_initializer = None if input_initializer is None else get_initializer(input_initializer)
        self.features = None if features is None else _checked(features, self.n_in)

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """((x ⊙ r) W) ⊙ s + b, (n, n_out)."""
        z = self.products(inputs)
        out = self.take("output", z.shape)
        self.output = self.backend.fuse(formulas.rescale)(z, self.output_factors, self.biases, out=out)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the gradients of the parameters and `dinputs` from dy, (n, n_out)."""
        self.kernel("column_sums")(dvalues, out=self.gradient("biases"))
        return self.product_gradients(dvalues, self.take("dz", dvalues.shape))

    # --- all but s, b and what comes after them -----------------------------------------------------

    def products(self, x: Array) -> Array:
        """z = (x ⊙ r) W, (n, n_out); of several members one product over all their rows."""
        self.inputs, xp = x, self.backend.xp
        scaled = self.backend.fuse(formulas.scale_columns)(x, self.input_factors, out=self.take("scaled", x.shape))
        W = self.weights
        self._scaled = xp.reshape(scaled, (-1, W.shape[0]))
        out = self.take("products", (self._scaled.shape[0], W.shape[1]))
        self._z = xp.reshape(self.kernel("matmul")(self._scaled, W, out=out), (x.shape[0], self.n_out))
        return self._z

    def product_gradients(self, dy: Array, dz: Array | None) -> Array | None:
        """Sets ds, dW, dr and `dinputs`, and gives that; dz is written into the memory `dz`, which may be dy's."""
        dz = self._scale_gradients(self._z, dy, "output_factors", dz)
        W, rows = self.weights, self.backend.xp.reshape(dz, (-1, self.weights.shape[1]))
        matmul = self.kernel("matmul")
        matmul(self._scaled.T, rows, out=self.gradient("weights"))
        u = matmul(rows, W.T, out=self.take("u", self._scaled.shape))
        u = self.backend.xp.reshape(u, self.inputs.shape)
        return self._scale_gradients(self.inputs, u, "input_factors", self.take("dinputs", u.shape))

    def _scale_gradients(self, x: Array, dy: Array, name: str, out: Array | None) -> Array:
        """Sets the gradient of factors f in x ⊙ f, Σᵢ xᵢ ⊙ dyᵢ, and gives that of x, dy ⊙ f."""
        products, fuse = self.take(f"products by {name}", x.shape), self.backend.fuse
        fuse(formulas.product, column_sums=True)(x, dy, out=products, sums=self.gradient(name))
        factors = getattr(self, name)
        if out is dy:
            return fuse(formulas.scale_columns, into=("x",))(dy, factors)
        return fuse(formulas.scale_columns)(dy, factors, out=out)

    # --- what is declared -----------------------------------------------------------------------------

    def output_width(self, n_in: int | None) -> int:
        """n_out; raises ValueError where the inputs are not n_in wide."""
        if n_in not in (None, self.n_in):
            raise ValueError(f"got {n_in} features a sample, expected {self.n_in}: this layer has n_in={self.n_in}")
        return self.n_out

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(n_in, n_out), (1, n_in), (1, n_out) and (1, n_out)."""
        shapes = (self.n_in, self.n_out), (1, self.n_in), (1, self.n_out), (1, self.n_out)
        return dict(zip(self.parameters, shapes, strict=True))

    def _declared_shape(self, name: str) -> tuple[int, ...]:
        return self.parameter_shapes()[name]

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """W and b uniform within ±1/√n_in, r from its initializer, else 1 as s is."""
        shape = self.parameter_shapes()[name]
        if name in ("weights", "biases"):
            return (2 * random.uniform(key, (shape[0], shape[1])) - 1) / math.sqrt(self.n_in)
        if name == "output_factors" or self.input_initializer is None:
            return np.ones(shape, dtype=np.float64)
        if self.features is None:
            return self.input_initializer.draw(key, (1, self.n_in))
        return self.input_initializer.draw(key, (1, max(self.features) + 1))[:, self.features]

    def config(self) -> dict[str, Any]:
        """The options, the initializer by its name."""
        config = super().config()
        kind = type(self.input_initializer)  # one of the user's own has done its work: the file holds the factors
        config["input_initializer"] = snake_case(kind.__name__) if kind in INITIALIZERS else None
        return config


def _checked(features: Sequence[int], n_in: int) -> list[int]:
    """The feature of each input, as Python's integers."""
    found = np.asarray(features)
    if found.dtype.kind not in "iu" or found.shape != (n_in,) or found.min() < 0 or found.max() >= n_in:
        raise ValueError(
            f"got features={features!r:.80}, expected {n_in} whole numbers from 0 to {n_in - 1}: the feature that each "
            "input is of"
        )
    return [int(feature) for feature in found]
