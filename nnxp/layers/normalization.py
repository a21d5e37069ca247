"""Normalisation: of each feature over a batch, and of each sample over its features."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from nnxp.doors.options import above_zero, positive, share
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.typing import Array, ArrayLike, HostArray


class Normalization(Layer):
    """What `BatchNorm` and `LayerNorm` share: n features, each with a gain γ, 1 at first, and a bias β, 0 at first."""

    parameters = ("gains", "biases")
    options: ClassVar[tuple[str, ...]] = ("n", "epsilon", "factors")
    reads = ("normalized",)
    initializer_before = None
    gains: Array
    biases: Array
    dgains: Array
    dbiases: Array
    normalized: Array
    scale: Array  # 1 / √(σ² + ε) of the last forward

    def __init__(
        self, n: int, epsilon: float, trainable: bool, factors: Mapping[str, float] | None, backend: Any, dtype: Any
    ) -> None:
        super().__init__(backend, dtype, trainable, factors)
        self.n, self.epsilon = positive("n", n), above_zero("epsilon", epsilon)

    @property
    def width(self) -> int:
        """The number of features."""
        return self.n

    def output_width(self, n_in: int | None) -> int:
        """n; raises ValueError where the inputs have another number of features."""
        if n_in not in (None, self.n):
            name = type(self).__name__
            raise ValueError(f"got {n_in} features a sample, expected {self.n}: this layer is {name}({self.n})")
        return self.n

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(1, n) each."""
        return dict.fromkeys(self.stored(), (1, self.n))

    def _declared_shape(self, name: str) -> tuple[int, ...]:
        return 1, self.n

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """Gains and variances 1, biases and means 0."""
        return np.full((1, self.n), float(name in ("gains", "running_variance")), dtype=np.float64)

    def room(self, shape: tuple[int, ...], *names: str) -> tuple[Array, ...] | None:
        """Where to write several results of one shape: None makes a kernel return new arrays."""
        places = tuple(self.take(name, shape) for name in names)
        return None if places[0] is None else places

    def affine_grads(self, dvalues: Array) -> tuple[Array, Array]:
        """dγ = Σᵢ dyᵢx̂ᵢ and dβ = Σᵢ dyᵢ."""
        out = self.gradient("gains"), self.gradient("biases")
        self.kernel("affine_grads")(self.normalized, dvalues, out=out)
        return out


class BatchNorm(Normalization):
    """y = γx̂ + β with x̂ = (x - μ) / √(σ² + ε), feature by feature.

    While training, μ and σ² (biased) are those of the batch, and running ones follow them:
    μ̄ = (1 - α)μ̄ + αμ, v̄ = (1 - α)v̄ + ασ² · n / (n - 1). Prediction uses μ̄ and v̄. This is algorithms 1 and 2 of
    Ioffe and Szegedy 2015 (arXiv:1502.03167), with PyTorch's running variance (unbiased) and its meaning of
    `momentum` = α, the share of the new; Keras's momentum is 1 - α, and its running variance biased.

    Backward: dγ = Σᵢ dyᵢx̂ᵢ, dβ = Σᵢ dyᵢ, dx = γ / √(σ² + ε) · (dy - (dβ + x̂ dγ) / n); after a forward with
    `training=False`, where the statistics are constants, dx = γ / √(v̄ + ε) · dy.

    A batch of one row has no variance. By hand, and where an epoch begins with one, it is refused. In a model's
    training a short last batch of one row is normalised by μ̄ and v̄, as constants, and does not move them. Every
    row of a batch counts the same, also where samples have weights.

    Parameters
    ----------
    n : int
        The number of features.
    momentum : float
        α, from 0 up to but not including 1.
    epsilon : float
        ε, above 0, inside the root.
    trainable : bool
        False keeps γ and β as they are, normalises by μ̄ and v̄ while training too, and leaves them (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by: {"gains": 0.5} (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    gains, biases : Array
        γ and β, (1, n): views of a flat store. Weight decay may leave them out, as it may biases.
    running_mean, running_variance : Array
        μ̄ and v̄, (1, n): kept in the store and in the model's file, not trained.
    normalized : Array
        x̂ of the last forward, (batch, n).
    dgains, dbiases : Array
        Gradients, in memory that the next backward uses again: copy one to keep it.
    inputs, output, dinputs : Array
        (batch, n) each.

    Raises
    ------
    ValueError
        At `forward`: a single row while training, or another number of features.

    Examples
    --------
    >>> layer = BatchNorm(1)
    >>> [round(y, 3) for y, in layer.forward([[1.0], [3.0]], training=True).tolist()]
    [-1.0, 1.0]
    >>> [round(float(a[0, 0]), 3) for a in (layer.running_mean, layer.running_variance)]
    [0.2, 1.1]
    """

    untrained = ("running_mean", "running_variance")
    _lent = ("_has_variance", "_moments", "affine_grads")
    options = ("n", "momentum", "epsilon", "factors")
    running_mean: Array
    running_variance: Array

    def __init__(
        self,
        n: int,
        *,
        momentum: float = 0.1,
        epsilon: float = 1e-5,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(n, epsilon, trainable, factors, backend, dtype)
        self.momentum = share("momentum", momentum)
        self._epoch: int | None = None  # the model's epoch that last saw a batch of several rows
        self._share = 0.0

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """γx̂ + β, (batch, n)."""
        self.inputs = inputs
        rows = inputs.shape[0]
        if training and self.trainable and self._has_variance(rows):
            mean, self.scale = self._moments(inputs)
            self._share = 1 / rows
        else:
            mean, out = self.running_mean, self.take("scale", (1, self.n))
            self.scale = self.backend.fuse(formulas.inverse_deviation)(self.running_variance, self.epsilon, out=out)
            self._share = 0.0
        out = self.room(inputs.shape, "normalized", "output")
        normalize = self.backend.fuse(formulas.batch_norm)
        self.normalized, self.output = normalize(inputs, mean, self.scale, self.gains, self.biases, out=out)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets `dgains`, `dbiases` and `dinputs` from dy, (batch, n)."""
        sums = self.affine_grads(dvalues)
        if not self.needs_dinputs:
            self.__dict__.pop("dinputs", None)
            return None
        rows = self.scale, self.gains, *sums
        differentiate, out = self.backend.fuse(formulas.batch_norm_dinputs), self.take("dinputs", dvalues.shape)
        self.dinputs = differentiate(self.normalized, dvalues, *rows, self._share, out=out)
        return self.dinputs

    def resume(self, epoch: int) -> None:
        """Goes on within an epoch whose first batch, of several rows, another process saw."""
        self._epoch = epoch

    def _has_variance(self, rows: int) -> bool:
        """Whether a batch has several rows; raises where one has not, and is no epoch's short last one."""
        epoch = None if self.moment is None else self.moment[1]
        if rows > 1:
            self._epoch = epoch
        elif epoch is None or epoch != self._epoch:
            raise ValueError(
                f"got a batch with {rows} row{'s' * (rows != 1)} to train on, expected at least 2: BatchNorm "
                "normalises by the batch's own variance; use a larger batch_size, or LayerNorm"
            )
        return rows > 1

    def _moments(self, x: Array) -> tuple[Array, Array]:
        """The batch's μ and 1 / √(σ² + ε); the running ones follow."""
        out = self.room((1, self.n), "mean", "variance", "scale")
        mean, variance, scale = self.kernel("column_moments")(x, self.epsilon, out=out)
        self._follow(mean, variance, x.shape[0])
        return mean, scale

    def _follow(self, mean: Array, variance: Array, rows: int) -> None:
        """The running moments follow those of a batch of so many rows."""
        follow = self.backend.fuse(formulas.running_moments, into=("m", "v"))
        follow(self.running_mean, self.running_variance, mean, variance, self.momentum, rows / (rows - 1))


class LayerNorm(Normalization):
    """y = γx̂ + β with x̂ = (x - μ) / √(σ² + ε), μ and σ² (biased) of each sample's own features.

    Ba et al. 2016 (arXiv:1607.06450), equation 4, with ε inside the root as in PyTorch. Training and prediction
    compute the same. Backward: dγ = Σᵢ dyᵢx̂ᵢ, dβ = Σᵢ dyᵢ, and by rows
    dx = (γdy - Σⱼ γⱼdyⱼ / n - x̂ Σⱼ γⱼdyⱼx̂ⱼ / n) / √(σ² + ε).

    Parameters
    ----------
    n : int
        The number of features.
    epsilon : float
        ε, above 0.
    trainable : bool
        False keeps γ and β as they are (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by: {"gains": 0.5} (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    gains, biases : Array
        γ and β, (1, n): views of a flat store. Weight decay may leave them out, as it may biases.
    normalized : Array
        x̂ of the last forward, (batch, n).
    dgains, dbiases : Array
        Gradients, in memory that the next backward uses again: copy one to keep it.
    inputs, output, dinputs : Array
        (batch, n) each.

    Examples
    --------
    >>> [round(y, 3) for y in LayerNorm(2).forward([[1.0, 3.0]])[0].tolist()]
    [-1.0, 1.0]
    """

    def __init__(
        self,
        n: int,
        *,
        epsilon: float = 1e-5,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(n, epsilon, trainable, factors, backend, dtype)

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """γx̂ + β, (batch, n)."""
        self.inputs = inputs
        out = self.room((inputs.shape[0], 1), "mean", "variance", "scale")
        mean, _, self.scale = self.kernel("row_moments")(inputs, self.epsilon, out=out)
        out = self.room(inputs.shape, "normalized", "output")
        normalize = self.backend.fuse(formulas.layer_norm)
        self.normalized, self.output = normalize(inputs, mean, self.scale, self.gains, self.biases, out=out)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets `dgains`, `dbiases` and `dinputs` from dy, (batch, n)."""
        if self.needs_gradients:
            self.affine_grads(dvalues)
        if not self.needs_dinputs:
            self.__dict__.pop("dinputs", None)
            return None
        out = self.room((dvalues.shape[0], 1), "mean gradient", "mean product")
        means = self.kernel("row_products")(self.normalized, dvalues, self.gains, out=out)
        differentiate, out = self.backend.fuse(formulas.layer_norm_dinputs), self.take("dinputs", dvalues.shape)
        self.dinputs = differentiate(self.normalized, dvalues, self.scale, self.gains, *means, out=out)
        return self.dinputs
