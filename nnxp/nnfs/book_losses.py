"""The book's losses: mean losses that may have the regularization beside them, and means over many batches."""

from collections.abc import Sequence
from typing import Any

from nnxp import losses
from nnxp.typing import Array, ArrayLike

SMALLEST_PROBABILITY = 1e-7
"""What the book clips probabilities to before the logarithm, so that a loss is at most 16.1."""


def length(x: ArrayLike) -> int:
    """How many rows an array or a list has."""
    return int(x.shape[0]) if hasattr(x, "shape") else len(x)


class Loss(losses.Loss):
    """What the book's losses have beside `nnxp.Loss`.

    Attributes
    ----------
    trainable_layers : sequence of Layer_Dense
        Those whose regularization counts.
    accumulated_sum, accumulated_count
        Of all samples since `new_pass`.
    """

    trainable_layers: Sequence[Any] = ()
    accumulated_sum: Any = 0.0
    accumulated_count: int = 0

    def remember_trainable_layers(self, trainable_layers: Sequence[Any]) -> None:
        """Says whose regularization counts."""
        self.trainable_layers = trainable_layers

    def regularization_loss(self, layer: Any = None) -> Any:
        """Σ l1 Σ|w| + l2 Σw² of a layer, or of all that are remembered; 0 where none has a penalty."""
        found = [one.penalty() for one in (self.trainable_layers if layer is None else (layer,))]
        return sum((penalty for penalty in found if penalty is not None), 0)

    def calculate(
        self,
        output: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        include_regularization: bool = False,
    ) -> Any:
        """The mean loss, 0-d; with `include_regularization` that and the regularization's."""
        loss = super().calculate(output, y, sample_weight)
        count = length(output)
        self.accumulated_sum = self.accumulated_sum + loss * count
        self.accumulated_count += count
        return (loss, self.regularization_loss()) if include_regularization else loss

    def calculate_accumulated(self, *, include_regularization: bool = False) -> Any:
        """The mean loss of all samples since `new_pass`, perhaps with the regularization's, as `calculate`."""
        loss = self.accumulated_sum / self.accumulated_count
        return (loss, self.regularization_loss()) if include_regularization else loss

    def new_pass(self) -> None:
        """Begins a mean over many batches."""
        self.accumulated_sum, self.accumulated_count = 0.0, 0


class Loss_CategoricalCrossentropy(Loss, losses.CategoricalCrossentropy):
    """`nnxp.CategoricalCrossentropy` that counts a probability below 1e-7 as 1e-7, as the book does; its
    gradient is not cut off."""

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """Loss and gradient of probabilities."""
        losses, _ = self.backend.kernels["crossentropy"](p, y, SMALLEST_PROBABILITY, self.label_smoothing)
        return losses, super().both(p, y)[1]


class Loss_BinaryCrossentropy(Loss, losses.BinaryCrossentropy):
    """`nnxp.BinaryCrossentropy` with probabilities held within 1e-7 and 1 - 1e-7, as the book does."""

    def _constants(self, p: Array) -> list[float]:
        return [SMALLEST_PROBABILITY]


class Loss_MeanSquaredError(Loss, losses.MeanSquaredError):
    """`nnxp.MeanSquaredError`."""


class Loss_MeanAbsoluteError(Loss, losses.MeanAbsoluteError):
    """`nnxp.MeanAbsoluteError`: its gradient is sign(p - y) / m, where the book's has the other sign and climbs."""


class Activation_Softmax_Loss_CategoricalCrossentropy(losses.SoftmaxCrossentropy):
    """Softmax and categorical cross-entropy as one, with the book's calls.

    `forward(inputs, y)` sets `output`, the probabilities, and returns the mean loss, in which one below 1e-7
    counts as 1e-7; `backward(dvalues, y)` takes those probabilities and sets `dinputs` =
    (probabilities - one-hot) / n. `loss` is the cross-entropy alone, which chapter 14 asks for `regularization_loss`.
    """

    by_hand = True
    output: Array

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.loss = Loss_CategoricalCrossentropy()

    def forward(self, y_pred: ArrayLike, y: ArrayLike) -> Array:
        """The mean loss of logits (n, m), a 0-d array."""
        z, y, _ = self._door(y_pred, y, None)
        kernels = self.backend.kernels
        with self.backend.context():
            self.output = kernels["softmax"](z)
            losses, _ = kernels["crossentropy"](self.output, y, SMALLEST_PROBABILITY, self.label_smoothing)
            return kernels["weighted_mean"](losses, None)

    def backward(self, dvalues: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """(probabilities - one-hot) / n, (n, m), of probabilities `dvalues`."""
        p, y, w = self._door(dvalues, y, sample_weight)
        with self.backend.context():
            error = self.backend.kernels["probability_error"](p, y, self.label_smoothing)
            self.dinputs = self.mean_gradient(error, w)
        return self.dinputs
