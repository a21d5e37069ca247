"""What chapters 14 to 18 of the book add, in plain NumPy and its own style: regularization, dropout, three losses, two
accuracies and the training loop. Nothing here imports nnxp."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.helpers import book

Array = npt.NDArray[Any]


class Dense(book.Layer_Dense):
    """With penalties (weight l1, weight l2, bias l1, bias l2)."""

    def __init__(self, n_inputs: int, n_neurons: int, *penalties: float) -> None:
        super().__init__(n_inputs, n_neurons)
        self.penalties = penalties or (0.0,) * 4

    def backward(self, dvalues: Array) -> None:
        super().backward(dvalues)
        w1, w2, b1, b2 = self.penalties
        self.dweights += w1 * np.where(self.weights < 0, -1.0, 1.0) + 2 * w2 * self.weights
        self.dbiases += b1 * np.where(self.biases < 0, -1.0, 1.0) + 2 * b2 * self.biases

    def penalty(self) -> float:
        w1, w2, b1, b2 = self.penalties
        w, b = self.weights, self.biases
        return float(w1 * abs(w).sum() + w2 * (w * w).sum() + b1 * abs(b).sum() + b2 * (b * b).sum())


class Dropout:
    def __init__(self, rate: float) -> None:
        self.keep = 1 - rate

    def forward(self, inputs: Array, training: bool) -> None:
        mask = np.random.binomial(1, self.keep, size=inputs.shape) / self.keep if training else 1.0
        self.mask, self.output = mask, inputs * mask

    def backward(self, dvalues: Array) -> None:
        self.dinputs = dvalues * self.mask


class Sigmoid:
    def forward(self, inputs: Array) -> None:
        self.output = 1 / (1 + np.exp(-inputs))

    def backward(self, dvalues: Array) -> None:
        self.dinputs = dvalues * self.output * (1 - self.output)


class Linear:
    def forward(self, inputs: Array) -> None:
        self.output = inputs

    def backward(self, dvalues: Array) -> None:
        self.dinputs = dvalues


def binary_crossentropy(p: Array, y: Array) -> tuple[Array, Array]:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    losses = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1)
    return losses, -(y / p - (1 - y) / (1 - p)) / p.shape[1] / len(p)


def squared_error(p: Array, y: Array) -> tuple[Array, Array]:
    return ((y - p) ** 2).mean(axis=1), -2 * (y - p) / p.shape[1] / len(p)


def absolute_error(p: Array, y: Array) -> tuple[Array, Array]:
    """With the sign that goes down."""
    return abs(y - p).mean(axis=1), np.sign(p - y) / p.shape[1] / len(p)


def crossentropy_of_softmax(p: Array, y: Array) -> tuple[Array, Array]:
    """The gradient is that by the logits."""
    losses = -np.log(np.clip(p, 1e-7, 1 - 1e-7)[range(len(p)), y])
    return losses, (p - np.eye(p.shape[1])[y]) / len(p)


def train(layers: list[Any], loss: Any, optimizer: Any, right: Any, X: Array, y: Array, epochs: int, size: int) -> Any:
    """(accuracy, data loss, regularization loss) of each step. `loss` of a softmax takes its gradient past it."""
    found = []
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    for _ in range(epochs):
        for start in range(0, len(X), size):
            x, t = X[start : start + size], y[start : start + size]
            output = x
            for layer in layers:
                layer.forward(output, *([True] if isinstance(layer, Dropout) else []))
                output = layer.output
            losses, gradient = loss(output, t)
            found.append((np.mean(right(output, t)), np.mean(losses), sum(d.penalty() for d in dense)))
            for layer in reversed(layers[:-1] if loss is crossentropy_of_softmax else layers):
                layer.backward(gradient)
                gradient = layer.dinputs
            optimizer.pre_update_params()
            for layer in dense:
                optimizer.update_params(layer)
            optimizer.post_update_params()
    return found
