"""Numbers as waves of trained frequencies."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnxp import random
from nnxp.doors.options import above_zero, positive
from nnxp.kernels import compose, formulas
from nnxp.layers.base import Layer
from nnxp.layers.columnwise import Columnwise
from nnxp.typing import Array, ArrayLike, HostArray


class PeriodicEmbedding(Columnwise):
    """u = cos(2πwx + b) and z = u A + c, each column for itself: x as `width` numbers, itself among them.

    Outputs: the other columns as they came, in order, then `columns` as they came, in the order in which they are
    named, then `width - 1` numbers for each of them. With activation="relu" these are max(0, z).

    Backward, with da = -sin(2πwx + b) · (dz Aᵀ): dA = uᵀ dz, dc = Σᵢ dzᵢ, db = Σᵢ daᵢ, dw = 2π Σᵢ xᵢ daᵢ, and
    dx = dy + 2π Σⱼ wⱼ daⱼ.

    This is PBLD of Holzmüller et al. 2024 (arXiv:2407.04491), of phases where Gorishniy et al. 2022 (arXiv:2203.05556),
    equation 2, have a sine beside each cosine; the latter's "PLR" ends in the ReLU.

    Parameters
    ----------
    n_in : int
        The number of inputs.
    width : int
        How many numbers a column becomes, from 2 up.
    waves : int
        How many cosines each of them is made of.
    sigma : float
        σ of the frequencies, above 0: the larger, the finer what can be told apart, and the more is told apart by
        chance.
    activation : None or "relu"
        What z passes through.
    columns : sequence of int, optional
        Which inputs to work on; by default all.
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
    frequencies, phases : Array
        w and b, (1, columns · waves): the first column's, then the second's, ...; N(0, σ²) and U(-π, π) at first.
    weights : Array
        A, (columns, waves, width - 1), U(±1/√waves) at first.
    biases : Array
        c, (1, columns · (width - 1)), likewise.
    angles, cosines : Array
        2πwx + b and u of the last forward, (n, columns · waves).
    inputs, output, dinputs : Array
        (n, n_in), (n, n_in + columns · (width - 1)), (n, n_in).

    Examples
    --------
    >>> layer = PeriodicEmbedding(1, width=2, waves=1)
    >>> layer.frequencies, layer.phases, layer.weights, layer.biases = [[0.25]], [[0.0]], [[[2.0]]], [[1.0]]
    >>> [[round(value, 3) for value in row] for row in layer.forward([[0.0], [2.0]]).tolist()]
    [[0.0, 3.0], [2.0, -1.0]]
    """

    parameters = ("frequencies", "phases", "weights", "biases")
    options = ("n_in", "width", "waves", "sigma", "activation", "columns", "factors")
    reads = ("inputs", "angles", "cosines", "output")
    frequencies: Array
    phases: Array
    weights: Array
    biases: Array
    dfrequencies: Array
    dphases: Array
    dweights: Array
    dbiases: Array
    angles: Array
    cosines: Array

    def __init__(
        self,
        n_in: int,
        width: int = 4,
        waves: int = 16,
        sigma: float = 0.1,
        activation: str | None = None,
        columns: Sequence[int] | None = None,
        *,
        seed: int | None = None,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(n_in, columns, seed, trainable, factors, backend, dtype)
        self.width, self.waves, self.sigma = (
            positive("width", width),
            positive("waves", waves),
            above_zero("sigma", sigma),
        )
        if self.width < 2:
            raise ValueError(f"got width={width}, expected 2 or more: one of them is the column itself")
        if activation not in (None, "relu"):
            raise ValueError(f'got activation={activation!r}, expected None or "relu"')
        self.activation = activation

    @property
    def made(self) -> int:
        """`width` for each of its columns."""
        return self.count * self.width

    @property
    def handed(self) -> tuple[int, ...]:
        """All inputs, its own last."""
        return self._others + self._own

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """The other columns, its own, and the numbers made of them, (n, n_out)."""
        self.inputs, n, fuse = inputs, inputs.shape[0], self.backend.fuse
        spread = self._spread(inputs, self._waved, "angles")
        self.angles = fuse(formulas.angle, into=("x",))(spread, self.frequencies, self.phases)
        self.cosines = fuse(formulas.cosine)(self.angles, out=self.take("cosines", tuple(self.angles.shape)))
        out = self.take("numbers", (n, self.count * (self.width - 1)))
        z = self.kernel("block_products")(self.cosines, self.weights, out=out)
        numbers = fuse(self._end(), into=("z",))(z, self.biases)
        self.output = self._joined(inputs, self._gathered(inputs, self._own, "own"), numbers)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the parameters' gradients and `dinputs` from dy, (n, n_out)."""
        fuse, n = self.backend.fuse, dvalues.shape[0]
        dz = self._split(dvalues, self.n_in, "dnumbers")
        if self.activation is not None:
            dz = fuse(formulas.relu_grad, into=("dy",))(self._split(self.output, self.n_in, "kept numbers"), dz)
        out = self.take("dangles", (n, self.count * self.waves))
        da = self.kernel("block_dinputs")(dz, self.weights, out=out)
        if self.needs_gradients:
            self._gradients(dz, da)
        else:
            fuse(formulas.cosine_grad, into=("dy",))(self.angles, da)
        down = None
        if self.needs_dinputs:
            out, turn = self.take("down", (n, self.count)), fuse(formulas.times, into=("x",))
            down = turn(self.kernel("block_dinputs")(da, self._by_column(self.frequencies), out=out), 2 * math.pi)
            passed = len(self._others)
            down += dvalues[:, passed : self.n_in]
        return self._dinputs(dvalues, down)

    def _gradients(self, dz: Array, du: Array) -> None:
        """Sets those of the parameters, and makes da of du, in its place."""
        fuse, dweights = self.backend.fuse, self.kernel("block_dweights")
        self.kernel("column_sums")(dz, out=self.gradient("biases"))
        dweights(self.cosines, dz, self.weights, out=self.gradient("weights"))
        fuse(formulas.cosine_grad, into=("dy",), column_sums=True)(self.angles, du, sums=self.gradient("phases"))
        own = self._gathered(self.inputs, self._own, "own")
        gradient = self._by_column(self.gradient("frequencies"))
        dweights(own, du, gradient, out=gradient)
        fuse(formulas.times, into=("x",))(self.gradient("frequencies"), 2 * math.pi)

    @functools.cached_property
    def _waved(self) -> tuple[int, ...]:
        """Each angle's column."""
        return tuple(c for c in self._own for _ in range(self.waves))

    def _end(self) -> Callable[..., Any]:
        """The formula that z ends in, its bias added."""
        return formulas.add_row if self.activation is None else compose(formulas.relu, formulas.add_row)

    def _by_column(self, frequencies: Array) -> Array:
        """(columns, 1, waves), the same memory."""
        return self.backend.xp.reshape(frequencies, (self.count, 1, self.waves))

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(1, columns · waves) twice, (columns, waves, width - 1), (1, columns · (width - 1))."""
        count, made = self.count, self.width - 1
        row = 1, count * self.waves
        return {"frequencies": row, "phases": row, "weights": (count, self.waves, made), "biases": (1, count * made)}

    def _declared_shape(self, name: str) -> tuple[int, ...]:
        return self.parameter_shapes()[name]

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """w ~ N(0, σ²), b ~ U(-π, π), A and c ~ U(±1/√waves)."""
        shape = self.parameter_shapes()[name]
        if name == "frequencies":
            return self.sigma * random.normal(key, shape)
        limit = np.pi if name == "phases" else 1 / math.sqrt(self.waves)
        return limit * (2 * random.uniform(key, shape) - 1)
