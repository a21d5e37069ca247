"""Losses: how far predictions are from the truth, one number a sample, and the gradient of their mean.

All share one contract. `forward(y_pred, y)` gives each sample's loss ℓᵢ, (n,), averaged over its outputs;
`calculate` their mean Σ wᵢℓᵢ / Σ wᵢ, a 0-d array; `backward` the gradient of that mean by the predictions,
(n, m), with no forward before it. A loss follows the predictions' library, device and dtype.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from nnxp import labels
from nnxp.backends import dtype_of
from nnxp.doors import Switch, same_length, sample_weights
from nnxp.kernels import formulas
from nnxp.naming import lookup
from nnxp.typing import Array, ArrayLike

SMALLEST_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}


class Loss(Switch):
    """The base class: subclasses give each sample's loss, its gradient, and the kind of their labels.

    Parameters
    ----------
    backend, dtype
        See `nnxp.get_backend`; by default those of the predictions.
    """

    options: ClassVar[tuple[str, ...]] = ()
    classifies: ClassVar[bool] = False
    dinputs: Array

    def __init__(self, *, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend, dtype)

    def forward(self, y_pred: ArrayLike, y: ArrayLike) -> Array:
        """Each sample's loss, (n,).

        Raises
        ------
        ValueError
            The labels do not fit the predictions: length, layout, range or dtype.
        """
        p, y, _ = self._door(y_pred, y, None)
        with self.backend.context():
            return self.losses(p, y)

    def calculate(self, y_pred: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """The mean loss Σ wᵢℓᵢ / Σ wᵢ, a 0-d array.

        Parameters
        ----------
        y_pred
            Predictions (n, m).
        y
            The truth, (n,) or (n, m).
        sample_weight
            (n,) weights from 0 up, not all 0; 1 each by default.
        """
        p, y, w = self._door(y_pred, y, sample_weight)
        _some(p)
        with self.backend.context():
            return self.backend.kernels["weighted_mean"](self.losses(p, y), w)

    def backward(self, dvalues: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """Sets and returns `dinputs`, the gradient of `calculate` by the predictions `dvalues`, (n, m)."""
        p, y, w = self._door(dvalues, y, sample_weight)
        with self.backend.context():
            self.dinputs = self.mean_gradient(self.gradients(p, y), w)
        return self.dinputs

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """The labels as the kernels take them, checked: what a model does once per fit. `scan=False` does not
        wait for a device to check their values."""
        return labels.real(self.backend, y, n_out, dtype, scan)

    def losses(self, p: Array, y: Array) -> Array:
        """Each sample's loss (n,), of prepared labels."""
        raise NotImplementedError(f"{type(self).__name__} defines no losses(self, p, y)")

    def gradients(self, p: Array, y: Array) -> Array:
        """The gradient of each sample's own loss by its predictions (n, m)."""
        raise NotImplementedError(f"{type(self).__name__} defines no gradients(self, p, y)")

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """`losses` and `gradients`, in one pass where there is one."""
        return self.losses(p, y), self.gradients(p, y)

    def from_logits_kind(self) -> "Loss | None":
        """The fused pair that takes logits, for a loss that takes probabilities."""
        return None

    def mean_gradient(self, gradient: Array, w: Array | None) -> Array:
        """The gradient of the weighted mean from those of the samples."""
        _some(gradient)
        xp = self.backend.xp
        scale_rows = self.backend.fuse(formulas.scale_rows)
        if w is None:
            return scale_rows(gradient, 1 / gradient.shape[0])
        total = xp.sum(w)
        return scale_rows(gradient, (w / xp.where(total > 0, total, 1))[:, None])

    def decide(self, p: Array) -> Array:
        """The class indices (n,) that the predictions stand for."""
        return self.backend.kernels["argmax"](p)

    def truth(self, y: Array) -> Array:
        """The class indices (n,) that prepared labels stand for."""
        return y if y.ndim == 1 else self.backend.kernels["argmax"](y)

    def score(self, p: Array, y: Array) -> Array:
        """What `metric` averages, of prepared labels: (n,)."""
        if not self.classifies:
            return self.backend.kernels["row_means"](self.backend.fuse(formulas.squared_error)(p, y))
        xp, guess, truth = self.backend.xp, self.decide(p), self.truth(y)
        hits = xp.astype(guess == truth, p.dtype)
        return hits if hits.ndim == 1 else self.backend.kernels["row_means"](hits)

    @property
    def metric(self) -> str:
        """What a model reports beside the loss: "accuracy", or "rmse" for a regression."""
        return "accuracy" if self.classifies else "rmse"

    def config(self) -> dict[str, Any]:
        """The class and its options, as JSON can hold them."""
        return {"class": type(self).__name__, **{name: getattr(self, name) for name in self.options}}

    def _door(self, y_pred: ArrayLike, y: ArrayLike, w: ArrayLike | None) -> tuple[Array, Array, Array | None]:
        p = self._matrix(y_pred, "y_pred")
        if p.shape[1] == 0:
            raise ValueError(f"got y_pred of shape {tuple(p.shape)}, expected at least one output a sample")
        dtype = dtype_of(p)
        prepared = self.prepare(y, p.shape[1], dtype)
        same_length(p.shape[0], prepared.shape[0], "labels")
        return p, prepared, sample_weights(self.backend, w, p.shape[0], dtype)


def _some(samples: Array) -> None:
    if samples.shape[0] == 0:
        raise ValueError("got no samples, expected at least one: a mean of nothing has no value")


class _ElementwiseLoss(Loss):
    """A loss that is the mean of a formula over a sample's outputs."""

    formula: ClassVar[Callable[..., Array]]
    gradient_formula: ClassVar[Callable[..., Array]]

    def losses(self, p: Array, y: Array) -> Array:
        """ℓᵢ = Σⱼ f(pᵢⱼ, yᵢⱼ) / m."""
        errors = self.backend.fuse(type(self).formula)(p, y, *self._constants(p))
        return self.backend.kernels["row_means"](errors)

    def gradients(self, p: Array, y: Array) -> Array:
        """f'(pᵢⱼ, yᵢⱼ) / m."""
        gradient = self.backend.fuse(type(self).gradient_formula)(p, y, *self._constants(p))
        return self.backend.fuse(formulas.scale_rows)(gradient, 1 / p.shape[1])

    def _constants(self, p: Array) -> list[float]:
        return [getattr(self, name) for name in self.options]


class MeanSquaredError(_ElementwiseLoss):
    """ℓᵢ = Σⱼ (pᵢⱼ - yᵢⱼ)² / m.

    Examples
    --------
    >>> loss = MeanSquaredError()
    >>> float(loss.calculate([[1.0], [4.0]], [1.0, 2.0])), loss.backward([[1.0], [4.0]], [1.0, 2.0]).tolist()
    (2.0, [[0.0], [2.0]])
    """

    formula, gradient_formula = formulas.squared_error, formulas.squared_error_grad


class MeanAbsoluteError(_ElementwiseLoss):
    """ℓᵢ = Σⱼ |pᵢⱼ - yᵢⱼ| / m; its gradient is sign(p - y) / m, 0 where p = y."""

    formula, gradient_formula = formulas.absolute_error, formulas.absolute_error_grad


class Huber(_ElementwiseLoss):
    """ℓᵢ = Σⱼ h(pᵢⱼ - yᵢⱼ) / m, h(e) = e²/2 where |e| ≤ δ, else δ(|e| - δ/2). Huber 1964, equation 2.4.

    Parameters
    ----------
    delta : float
        Where the parabola becomes a line, 1 by default.
    """

    options = ("delta",)
    formula, gradient_formula = formulas.huber, formulas.huber_grad

    def __init__(self, delta: float = 1.0, *, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend=backend, dtype=dtype)
        if isinstance(delta, bool) or not isinstance(delta, int | float) or not 0 < delta < float("inf"):
            raise ValueError(f"got delta={delta!r}, expected a number above 0")
        self.delta = float(delta)


class SigmoidCrossentropy(_ElementwiseLoss):
    """Binary cross-entropy of sigmoid(z), fused: computed from the logits z, so that it neither overflows nor
    takes the logarithm of 0. ℓᵢ = Σⱼ (max(z, 0) - zy + log(1 + e^-|z|)) / m; its gradient is
    (sigmoid(z) - y) / m.
    """

    classifies = True
    formula, gradient_formula = formulas.sigmoid_crossentropy, formulas.sigmoid_crossentropy_grad

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """Labels (n, m) in [0, 1]."""
        return labels.binary(self.backend, y, n_out, dtype, scan)

    def truth(self, y: Array) -> Array:
        """Where the label is above 1/2: (n, m), or (n,) for one output."""
        return labels.above(self.backend, y, 0.5)

    def decide(self, p: Array) -> Array:
        """Where the logit is above 0, which is probability 1/2: (n, m), or (n,) for one output."""
        return labels.above(self.backend, p, 0.0)


class BinaryCrossentropy(_ElementwiseLoss):
    """ℓᵢ = -Σⱼ (yᵢⱼ log pᵢⱼ + (1 - yᵢⱼ) log(1 - pᵢⱼ)) / m, for one or several yes-or-no outputs.

    p is taken within [ε, 1 - ε], ε the dtype's machine epsilon; the gradient is (p - y) / (p(1 - p)) / m
    there. For logits take `SigmoidCrossentropy`, or `from_logits=True`, which gives one.
    """

    classifies = True
    formula, gradient_formula = formulas.binary_crossentropy, formulas.binary_crossentropy_grad
    prepare = SigmoidCrossentropy.prepare
    truth = SigmoidCrossentropy.truth

    def __new__(cls, *, from_logits: bool = False, backend: Any = None, dtype: str | None = None) -> Any:
        """The loss itself, or its fused pair for logits."""
        return SigmoidCrossentropy(backend=backend, dtype=dtype) if from_logits else super().__new__(cls)

    def __init__(self, *, from_logits: bool = False, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend=backend, dtype=dtype)

    def decide(self, p: Array) -> Array:
        """Where the probability is above 1/2: (n, m), or (n,) for one output."""
        return labels.above(self.backend, p, 0.5)

    def from_logits_kind(self) -> Loss:
        """The pair with the sigmoid before it."""
        return SigmoidCrossentropy()

    def _constants(self, p: Array) -> list[float]:
        return [EPSILON[dtype_of(p)]]


class SoftmaxCrossentropy(Loss):
    """Categorical cross-entropy of softmax(z), fused: computed from the logits z, so that it neither
    overflows nor takes the logarithm of 0. ℓᵢ = log Σⱼ exp(zᵢⱼ) - zᵢₖ for class k; its gradient is
    softmax(z) - one-hot(k).

    Examples
    --------
    >>> loss = SoftmaxCrossentropy()
    >>> round(float(loss.calculate([[0.0, 0.0], [1000.0, 0.0]], [1, 0])), 6)
    0.346574
    """

    classifies = True

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """Class indices (n,) int64, or rows of class weights (n, m)."""
        return labels.categorical(self.backend, y, n_out, dtype, scan)

    def losses(self, p: Array, y: Array) -> Array:
        """ℓᵢ of logits."""
        return self.both(p, y)[0]

    def gradients(self, p: Array, y: Array) -> Array:
        """softmax(z) - t."""
        return self.both(p, y)[1]

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """Loss and gradient share one softmax."""
        losses, gradients = self.backend.kernels["softmax_crossentropy"](p, y)
        return losses, gradients


class CategoricalCrossentropy(Loss):
    """ℓᵢ = -log pᵢₖ for class k, or -Σⱼ tᵢⱼ log pᵢⱼ for rows t that sum to 1; its gradient is -t / p.

    p is taken no smaller than the dtype's smallest normal number. For logits take `SoftmaxCrossentropy`, or
    `from_logits=True`, which gives one.
    """

    classifies = True
    prepare = SoftmaxCrossentropy.prepare

    def __new__(cls, *, from_logits: bool = False, backend: Any = None, dtype: str | None = None) -> Any:
        """The loss itself, or its fused pair for logits."""
        return SoftmaxCrossentropy(backend=backend, dtype=dtype) if from_logits else super().__new__(cls)

    def __init__(self, *, from_logits: bool = False, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend=backend, dtype=dtype)

    def losses(self, p: Array, y: Array) -> Array:
        """-Σⱼ tᵢⱼ log pᵢⱼ."""
        return self.both(p, y)[0]

    def gradients(self, p: Array, y: Array) -> Array:
        """-t / p."""
        return self.both(p, y)[1]

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """Loss and gradient of probabilities."""
        losses, gradients = self.backend.kernels["crossentropy"](p, y, SMALLEST_NORMAL[dtype_of(p)])
        return losses, gradients

    def from_logits_kind(self) -> Loss:
        """The pair with the softmax before it."""
        return SoftmaxCrossentropy()


LOSSES = (
    CategoricalCrossentropy,
    BinaryCrossentropy,
    SoftmaxCrossentropy,
    SigmoidCrossentropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
)


def get_loss(spec: Any) -> Loss:
    """A loss from an object, a class, or a name such as "mean_squared_error"."""
    return lookup(spec, Loss, LOSSES, "loss")
