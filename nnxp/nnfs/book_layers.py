"""The book's layers and activations."""

from typing import Any

import numpy as np

from nnxp import activations, layers
from nnxp.typing import Array, ArrayLike


class Layer_Dense(layers.Dense):
    """`nnxp.Dense` with the book's initial weights, 0.01 · randn, drawn when it is built.

    Parameters
    ----------
    n_inputs, n_neurons : int
    weight_regularizer_l1, weight_regularizer_l2, bias_regularizer_l1, bias_regularizer_l2 : float
        `nnxp.Dense`'s l1, l2, bias_l1 and bias_l2, which are taken too. The book's gradient of |w| is 1 at w = 0, so
        that biases move from there.
    """

    options = ("n_inputs", "n_neurons", *layers.Dense.options[2:])

    def __init__(
        self,
        n_inputs: int,
        n_neurons: int,
        weight_regularizer_l1: float = 0.0,
        weight_regularizer_l2: float = 0.0,
        bias_regularizer_l1: float = 0.0,
        bias_regularizer_l2: float = 0.0,
        **keywords: Any,
    ) -> None:
        penalties = {
            "l1": weight_regularizer_l1,
            "l2": weight_regularizer_l2,
            "bias_l1": bias_regularizer_l1,
            "bias_l2": bias_regularizer_l2,
        }
        super().__init__(n_inputs, n_neurons, **{**penalties, **keywords})
        self.n_inputs, self.n_neurons = self.n_in, self.n_out
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)  # noqa: NPY002

    def add_penalty_gradients(self) -> None:
        """Adds the regularization's part, the book's sign(0) = 1, to `dweights` and `dbiases`."""
        super().add_penalty_gradients()
        xp = self.backend.xp
        for name, l1, _ in self._penalties():
            if l1:
                w, gradient = getattr(self, name), self.gradient(name)
                gradient += l1 * xp.astype(w == 0, w.dtype)

    def get_parameters(self) -> tuple[Array, Array]:
        """Weights and biases."""
        return self.weights, self.biases

    def set_parameters(self, weights: ArrayLike, biases: ArrayLike) -> None:
        """Copies them in."""
        self.weights, self.biases = weights, biases


class Layer_Dropout(layers.Dropout):
    """`nnxp.Dropout` with the book's draws, `np.random.binomial(1, 1 - rate, shape)`.

    Chapter 15 calls `forward(inputs)` in training and leaves the layer out elsewhere, so `training` is True unless
    given.
    """

    def forward(self, inputs: ArrayLike, training: bool = True) -> Array:
        """x · kept / (1 - rate) while training, else x itself."""
        return super().forward(inputs, training)

    @property
    def _draws_again(self) -> bool:
        return False

    def _draw(self, key: int, shape: tuple[int, ...], rate: float) -> tuple[Any, ...]:
        kept = np.random.binomial(1, 1 - rate, size=shape) == 1  # noqa: NPY002
        return (self.backend.asarray(kept, dtype="bool"),)


class Layer_Input:
    """What a `Model` begins with: its output is its inputs."""

    output: Array

    def forward(self, inputs: Array, training: bool = False) -> None:
        """Sets `output`."""
        self.output = inputs


class Activation_ReLU(activations.ReLU):
    """`nnxp.ReLU` with the book's `predictions`."""

    def predictions(self, outputs: Array) -> Array:
        """The outputs themselves."""
        return outputs


class Activation_Softmax(activations.Softmax):
    """`nnxp.Softmax` with the book's `predictions`."""

    def predictions(self, outputs: Array) -> Array:
        """The class of the largest confidence, (n,)."""
        return self.backend.xp.argmax(outputs, axis=1)


class Activation_Sigmoid(activations.Sigmoid):
    """`nnxp.Sigmoid` with the book's `predictions`."""

    def predictions(self, outputs: Array) -> Array:
        """1 where the output is above 1/2, else 0."""
        return self.backend.xp.astype(outputs > 0.5, self.backend.xp.int64)


class Activation_Linear(activations.Linear):
    """`nnxp.Linear` with the book's `predictions`."""

    def predictions(self, outputs: Array) -> Array:
        """The outputs themselves."""
        return outputs
