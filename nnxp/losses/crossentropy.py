"""The losses of classes: from probabilities, and fused with what makes them, from logits."""

import operator
from collections.abc import Sequence
from typing import Any

from nnxp.backends import dtype_of
from nnxp.doors import labels
from nnxp.doors.options import SMALLEST_NORMAL, class_weights, share
from nnxp.kernels import formulas
from nnxp.losses.base import ElementwiseLoss, Loss
from nnxp.typing import Array, ArrayLike

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}


class SigmoidCrossentropy(ElementwiseLoss):
    """Binary cross-entropy of sigmoid(z), fused: computed from the logits z, so that it neither overflows nor
    takes the logarithm of 0. ℓᵢ = Σⱼ (max(z, 0) - zy + log(1 + e^-|z|)) / m; its gradient is
    (sigmoid(z) - y) / m.

    Parameters
    ----------
    class_weight : sequence of float, optional
        (w₀, w₁) for one output: a sample of label y weighs (1 - y) w₀ + y w₁ in the mean, times its sample weight.
    backend, dtype
        See `nnxp.get_backend`; by default those of the predictions.
    """

    classifies = True
    options = ("class_weight",)
    formula, gradient_formula = formulas.sigmoid_crossentropy, formulas.sigmoid_crossentropy_grad
    metric_formula = formulas.hit_by_logit

    def __init__(
        self, *, class_weight: Sequence[float] | None = None, backend: Any = None, dtype: str | None = None
    ) -> None:
        super().__init__(backend=backend, dtype=dtype)
        self.class_weight = class_weights(class_weight, 2)

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """Labels (n, m) in [0, 1]."""
        if self.class_weight is not None and n_out not in (1, None):
            raise ValueError(
                f"got class_weight with {n_out} yes-or-no outputs, expected one output: several have no one class, "
                "weigh the samples instead, sample_weight="
            )
        return labels.binary(self.backend, y, n_out, dtype, scan)

    def weigh(self, y: Array, w: Array | None, dtype: str) -> tuple[Array, Array | None, Array | None]:
        """The class weights times the sample weights."""
        if self.class_weight is None:
            return y, w, w
        no, yes = self.class_weight
        return y, _times(no + (yes - no) * y[:, 0], w), w

    def truth(self, y: Array) -> Array:
        """Where the label is above 1/2: (n, m), or (n,) for one output."""
        return labels.above(self.backend, y, 0.5)

    def decide(self, p: Array) -> Array:
        """Where the logit is above 0, which is probability 1/2: (n, m), or (n,) for one output."""
        return labels.above(self.backend, p, 0.0)

    def _constants(self, p: Array) -> list[float]:
        return []


class BinaryCrossentropy(ElementwiseLoss):
    """ℓᵢ = -Σⱼ (yᵢⱼ log pᵢⱼ + (1 - yᵢⱼ) log(1 - pᵢⱼ)) / m, for one or several yes-or-no outputs.

    p is taken within [ε, 1 - ε], ε the dtype's machine epsilon; the gradient is (p - y) / (p(1 - p)) / m
    there. For logits take `SigmoidCrossentropy`, or `from_logits=True`, which gives one.

    Parameters
    ----------
    from_logits : bool
        Gives a `SigmoidCrossentropy` instead.
    class_weight, backend, dtype
        See `SigmoidCrossentropy`.
    """

    classifies = True
    options = SigmoidCrossentropy.options
    formula, gradient_formula = formulas.binary_crossentropy, formulas.binary_crossentropy_grad
    metric_formula = formulas.hit_by_probability
    prepare = SigmoidCrossentropy.prepare
    weigh = SigmoidCrossentropy.weigh
    truth = SigmoidCrossentropy.truth

    def __new__(cls, *, from_logits: bool = False, **options: Any) -> Any:
        """The loss itself, or its fused pair for logits."""
        return SigmoidCrossentropy(**options) if from_logits else super().__new__(cls)

    def __init__(
        self,
        *,
        from_logits: bool = False,
        class_weight: Sequence[float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend=backend, dtype=dtype)
        self.class_weight = class_weights(class_weight, 2)

    def decide(self, p: Array) -> Array:
        """Where the probability is above 1/2: (n, m), or (n,) for one output."""
        return labels.above(self.backend, p, 0.5)

    def from_logits_kind(self) -> Loss | None:
        """The pair with the sigmoid before it."""
        return SigmoidCrossentropy(class_weight=self.class_weight) if type(self) is BinaryCrossentropy else None

    def _constants(self, p: Array) -> list[float]:
        return [EPSILON[dtype_of(p)]]


class SoftmaxCrossentropy(Loss):
    """Categorical cross-entropy of softmax(z), fused: computed from the logits z, so that it neither
    overflows nor takes the logarithm of 0. ℓᵢ = log Σⱼ exp(zᵢⱼ) - zᵢₖ for class k; its gradient is
    softmax(z) - one-hot(k).

    Parameters
    ----------
    label_smoothing : float
        s, from 0 up to but not including 1: the truth t becomes (1 - s) t + s / m for m classes (Szegedy et al. 2016,
        arXiv:1512.00567, section 7; as in PyTorch).
    class_weight : sequence of float, optional
        One number a class, from 0 up: a sample of class k weighs wₖ in the mean, times its sample weight, and one of
        shares t weighs Σₖ tₖ wₖ. (Of smoothed labels, PyTorch weighs each class's part by itself.)
    ignore_label : int, optional
        A class index, within the classes or outside, -1 say: samples that have it weigh 0, in the loss and the metric.
    backend, dtype
        See `nnxp.get_backend`; by default those of the predictions.

    Examples
    --------
    >>> loss = SoftmaxCrossentropy()
    >>> round(float(loss.calculate([[0.0, 0.0], [1000.0, 0.0]], [1, 0])), 6)
    0.346574
    """

    classifies = True
    options = ("label_smoothing", "class_weight", "ignore_label")

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weight: Sequence[float] | None = None,
        ignore_label: int | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend=backend, dtype=dtype)
        self.label_smoothing = share("label_smoothing", label_smoothing)
        self.class_weight = class_weights(class_weight)
        self.ignore_label = None if ignore_label is None else operator.index(ignore_label)

    def prepare(self, y: ArrayLike, n_out: int | None, dtype: str, scan: bool = True) -> Array:
        """Class indices (n,) int64, or rows of class weights (n, m)."""
        if None not in (self.class_weight, n_out):
            class_weights(self.class_weight, n_out)
        return labels.categorical(self.backend, y, n_out, dtype, scan, self.ignore_label)

    def weigh(self, y: Array, w: Array | None, dtype: str) -> tuple[Array, Array | None, Array | None]:
        """Class weights times sample weights; an ignored label becomes one within range, of weight 0."""
        xp, backend = self.backend.xp, self.backend
        if self.ignore_label is not None and y.ndim == 1:
            counts = y != self.ignore_label
            y, w = xp.where(counts, y, 0), _times(xp.astype(counts, getattr(xp, dtype)), w)
        if self.class_weight is None:
            return y, w, w
        by_class = backend.asarray(self.class_weight, dtype=dtype)
        return y, _times(xp.take(by_class, y) if y.ndim == 1 else y @ by_class, w), w

    def ready(self, y: ArrayLike, n: int, n_out: int | None) -> bool:
        """Class indices (n,) within range, as int64; where `prepare` is this one, and all weigh the same."""
        return (
            type(self).prepare is SoftmaxCrossentropy.prepare
            and type(self).weigh is SoftmaxCrossentropy.weigh
            and self.class_weight is None
            and self.ignore_label is None
            and (
                labels.are_indices_there(self.backend, y, n)
                if self.backend.library == "cupy"
                else labels.are_indices(y, n, n_out)
            )
        )

    def losses(self, p: Array, y: Array) -> Array:
        """ℓᵢ of logits."""
        return self.both(p, y)[0]

    def gradients(self, p: Array, y: Array) -> Array:
        """softmax(z) - t."""
        return self.both(p, y)[1]

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """Loss and gradient share one softmax."""
        out = self.take("losses", p.shape[:1]), self.take("gradient", p.shape)
        kernel = self.backend.kernels["softmax_crossentropy"]
        losses, gradients = kernel(p, y, self.label_smoothing, out=None if out[0] is None else out)
        return losses, gradients


class CategoricalCrossentropy(Loss):
    """ℓᵢ = -log pᵢₖ for class k, or -Σⱼ tᵢⱼ log pᵢⱼ for rows t that sum to 1; its gradient is -t / p.

    p is taken no smaller than the dtype's smallest normal number. For logits take `SoftmaxCrossentropy`, or
    `from_logits=True`, which gives one.

    Parameters
    ----------
    from_logits : bool
        Gives a `SoftmaxCrossentropy` instead.
    label_smoothing, class_weight, ignore_label, backend, dtype
        See `SoftmaxCrossentropy`.
    """

    classifies = True
    options = SoftmaxCrossentropy.options
    prepare = SoftmaxCrossentropy.prepare
    weigh = SoftmaxCrossentropy.weigh

    def __new__(cls, *, from_logits: bool = False, **options: Any) -> Any:
        """The loss itself, or its fused pair for logits."""
        return SoftmaxCrossentropy(**options) if from_logits else super().__new__(cls)

    def __init__(
        self,
        *,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        class_weight: Sequence[float] | None = None,
        ignore_label: int | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend=backend, dtype=dtype)
        self.label_smoothing = share("label_smoothing", label_smoothing)
        self.class_weight = class_weights(class_weight)
        self.ignore_label = None if ignore_label is None else operator.index(ignore_label)

    def losses(self, p: Array, y: Array) -> Array:
        """-Σⱼ tᵢⱼ log pᵢⱼ."""
        return self.both(p, y)[0]

    def gradients(self, p: Array, y: Array) -> Array:
        """-t / p."""
        return self.both(p, y)[1]

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """Loss and gradient of probabilities."""
        kernel, floor = self.backend.kernels["crossentropy"], SMALLEST_NORMAL[dtype_of(p)]
        losses, gradients = kernel(p, y, floor, self.label_smoothing)
        return losses, gradients

    def from_logits_kind(self) -> Loss | None:
        """The pair with the softmax before it."""
        if type(self) is not CategoricalCrossentropy:
            return None
        return SoftmaxCrossentropy(**{name: getattr(self, name) for name in self.options})


def _times(factors: Array, w: Array | None) -> Array:
    return factors if w is None else factors * w
