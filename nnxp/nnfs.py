"""The names of "Neural Networks from Scratch in Python" (Kinsley and Kukieła) up to chapter 13, and nothing else.

A script of chapters 3 to 13 runs with its classes imported, `from nnxp.nnfs import ...`, instead of defined; its lines
`nnfs.init()` and `from nnfs.datasets import spiral_data` stay, and the package `nnfs` with them. What later chapters
add has other names here: docs/by-hand.md lists them. `on("cupy")` gives the same names bound to another backend.
`Layer_Dense` draws `0.01 * np.random.randn(n_inputs, n_neurons)`, so that `np.random.seed(0)` gives the book's numbers.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from nnxp import activations, layers, losses, optimizers
from nnxp.backends import get_backend
from nnxp.typing import Array, ArrayLike

SMALLEST_PROBABILITY = 1e-7
"""What the book clips probabilities to before the logarithm, so that a loss is at most 16.1."""

Neuron = layers.Neuron
Layer = layers.NeuronLayer


class Layer_Dense(layers.Dense):
    """`nnxp.Dense` with the book's initial weights, drawn when it is built."""

    options = ("n_inputs", "n_neurons", *layers.Dense.options[2:])

    def __init__(self, n_inputs: int, n_neurons: int, **keywords: Any) -> None:
        super().__init__(n_inputs, n_neurons, **keywords)
        self.n_inputs, self.n_neurons = self.n_in, self.n_out
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)  # noqa: NPY002


class Loss_CategoricalCrossentropy(losses.CategoricalCrossentropy):
    """`nnxp.CategoricalCrossentropy` that counts a probability below 1e-7 as 1e-7, as the book does; its
    gradient is not cut off."""

    def both(self, p: Array, y: Array) -> tuple[Array, Array]:
        """Loss and gradient of probabilities."""
        losses, _ = self.backend.kernels["crossentropy"](p, y, SMALLEST_PROBABILITY, self.label_smoothing)
        return losses, super().both(p, y)[1]


class Activation_Softmax_Loss_CategoricalCrossentropy(losses.SoftmaxCrossentropy):
    """Softmax and categorical cross-entropy as one, with the book's calls.

    `forward(inputs, y)` sets `output`, the probabilities, and returns the mean loss, in which one below 1e-7
    counts as 1e-7; `backward(dvalues, y)` takes those probabilities and sets `dinputs` =
    (probabilities - one-hot) / n.
    """

    by_hand = True
    output: Array

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


class Optimizer_SGD(optimizers.SGD):
    """`nnxp.SGD` with the book's learning rate."""

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, momentum: float = 0.0, **keywords: Any) -> None:
        super().__init__(learning_rate, decay=decay, momentum=momentum, **keywords)


class Optimizer_Adagrad(optimizers.Adagrad):
    """`nnxp.Adagrad` with the book's learning rate."""

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, epsilon: float = 1e-7, **keywords: Any) -> None:
        super().__init__(learning_rate, decay=decay, epsilon=epsilon, **keywords)


class Optimizer_RMSprop(optimizers.RMSprop):
    """`nnxp.RMSprop` with the book's order of arguments."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        rho: float = 0.9,
        **keywords: Any,
    ) -> None:
        super().__init__(learning_rate, decay=decay, epsilon=epsilon, rho=rho, **keywords)


class Optimizer_Adam(optimizers.Adam):
    """`nnxp.Adam` with the book's order of arguments."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        **keywords: Any,
    ) -> None:
        super().__init__(learning_rate, decay=decay, epsilon=epsilon, beta_1=beta_1, beta_2=beta_2, **keywords)


LayerDense = Layer_Dense
ActivationReLU = Activation_ReLU = activations.ReLU
ActivationSoftmax = Activation_Softmax = activations.Softmax

__all__ = [
    "ActivationReLU",
    "ActivationSoftmax",
    "Activation_ReLU",
    "Activation_Softmax",
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Layer",
    "LayerDense",
    "Layer_Dense",
    "Loss_CategoricalCrossentropy",
    "Neuron",
    "Optimizer_Adagrad",
    "Optimizer_Adam",
    "Optimizer_RMSprop",
    "Optimizer_SGD",
]


def on(backend: Any) -> SimpleNamespace:
    """The book's names with `backend=` given to each.

    Parameters
    ----------
    backend
        What `nnxp.get_backend` takes: "cupy", "torch", ...; a `Backend` brings its dtype with it.

    Raises
    ------
    BackendUnavailableError
        The library, its GPU or the device is missing.

    Examples
    --------
    >>> book = on("numpy")
    >>> book.ActivationReLU().forward([[-1.0, 2.0]]).tolist()
    [[0.0, 2.0]]
    """
    chosen = get_backend(backend)
    classes = {globals()[name] for name in __all__} - {Layer}  # which computes nothing: its neurons do
    there = {c: type(c.__name__, (c,), {"default_backend": chosen, "__doc__": c.__doc__}) for c in classes}
    return SimpleNamespace(**{name: there.get(globals()[name], Layer) for name in __all__})
