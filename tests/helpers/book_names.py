"""The book's names, chapters 2 to 22, over the equations of `book` and `book_model`, in float64 and plain NumPy: what a
script gives that imports them from here. Nothing here imports nnxp."""

import copy
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from tests.helpers import book, book_model
from tests.helpers.book import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD

Array = book.Array

__all__ = [
    "Accuracy_Categorical",
    "Accuracy_Regression",
    "Activation_Linear",
    "Activation_ReLU",
    "Activation_Sigmoid",
    "Activation_Softmax",
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Layer",
    "Layer_Dense",
    "Layer_Dropout",
    "Loss_BinaryCrossentropy",
    "Loss_CategoricalCrossentropy",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
    "Model",
    "Neuron",
    "Optimizer_Adagrad",
    "Optimizer_Adam",
    "Optimizer_RMSprop",
    "Optimizer_SGD",
]


class Neuron:
    def __init__(self, weights: list[float], bias: float) -> None:
        self.weights, self.bias = weights, bias

    def forward(self, inputs: list[float]) -> float:
        return sum(x * w for x, w in zip(inputs, self.weights, strict=True)) + self.bias


class Layer:
    def __init__(self, neurons: list[Neuron]) -> None:
        self.neurons = neurons

    def forward(self, inputs: list[float]) -> list[float]:
        return [neuron.forward(inputs) for neuron in self.neurons]


class Layer_Dense(book_model.Dense):
    def __init__(
        self,
        n_inputs: int,
        n_neurons: int,
        weight_regularizer_l1: float = 0,
        weight_regularizer_l2: float = 0,
        bias_regularizer_l1: float = 0,
        bias_regularizer_l2: float = 0,
    ) -> None:
        penalties = weight_regularizer_l1, weight_regularizer_l2, bias_regularizer_l1, bias_regularizer_l2
        super().__init__(n_inputs, n_neurons, *penalties)

    def forward(self, inputs: Any, training: bool = True) -> None:
        super().forward(np.atleast_2d(inputs))


class Layer_Dropout(book_model.Dropout):
    def forward(self, inputs: Array, training: bool = True) -> None:
        super().forward(inputs, training)


class Activation_ReLU(book.Activation_ReLU):
    def forward(self, inputs: Array, training: bool = True) -> None:
        super().forward(inputs)

    def predictions(self, outputs: Array) -> Array:
        return outputs


class Activation_Softmax(book.Activation_Softmax):
    def forward(self, inputs: Any, training: bool = True) -> None:
        super().forward(np.array(inputs))

    def predictions(self, outputs: Array) -> Array:
        return np.argmax(outputs, axis=1)


class Activation_Sigmoid(book_model.Sigmoid):
    def forward(self, inputs: Array, training: bool = True) -> None:
        super().forward(inputs)

    def predictions(self, outputs: Array) -> Array:
        return (outputs > 0.5) * 1


class Activation_Linear(book_model.Linear):
    def forward(self, inputs: Array, training: bool = True) -> None:
        super().forward(inputs)

    def predictions(self, outputs: Array) -> Array:
        return outputs


# --- losses -----------------------------------------------------------------------------------------


class Loss:
    """`both(p, y)` gives each sample's loss, and the gradient of the mean of all."""

    both: ClassVar[Any]
    trainable_layers: tuple[Any, ...] = ()

    def new_pass(self) -> None:
        self.total, self.count = 0.0, 0

    def regularization_loss(self, *layers: Any) -> float:
        return sum(layer.penalty() for layer in layers or self.trainable_layers)

    def calculate(self, output: Array, y: Array) -> float:
        return float(np.mean(self.losses(output, y)))

    def losses(self, output: Array, y: Array) -> Array:
        return type(self).both(output, y)[0]

    def backward(self, dvalues: Array, y: Array) -> None:
        self.dinputs = type(self).both(dvalues, y)[1]


def crossentropy(p: Array, y: Array) -> tuple[Array, Array]:
    """Of class indices, or of one-hot rows."""
    rows = np.eye(p.shape[1])[y] if np.ndim(y) == 1 else y
    return -np.log(np.sum(np.clip(p, 1e-7, 1 - 1e-7) * rows, axis=1)), -rows / np.maximum(p, 1e-300) / len(p)


class Loss_CategoricalCrossentropy(Loss):
    both = staticmethod(crossentropy)


class Loss_BinaryCrossentropy(Loss):
    both = staticmethod(book_model.binary_crossentropy)


class Loss_MeanSquaredError(Loss):
    both = staticmethod(book_model.squared_error)


class Loss_MeanAbsoluteError(Loss):
    both = staticmethod(book_model.absolute_error)


class Activation_Softmax_Loss_CategoricalCrossentropy:
    def __init__(self) -> None:
        self.activation, self.loss = Activation_Softmax(), Loss_CategoricalCrossentropy()

    def forward(self, inputs: Array, y: Array) -> float:
        self.activation.forward(inputs)
        self.output = self.activation.output
        return self.loss.calculate(self.output, y)

    def backward(self, dvalues: Array, y: Array) -> None:
        rows = np.eye(dvalues.shape[1])[y] if np.ndim(y) == 1 else y
        self.dinputs = (dvalues - rows) / len(dvalues)


# --- accuracies and the model -------------------------------------------------------------------------


class Accuracy_Categorical:
    def __init__(self, *, binary: bool = False) -> None:
        self.binary = binary

    def init(self, y: Array) -> None:
        pass

    def right(self, predictions: Array, y: Array) -> Array:
        return predictions == (np.argmax(y, axis=1) if y.ndim == 2 and not self.binary else y)


class Accuracy_Regression:
    def init(self, y: Array) -> None:
        self.precision = np.std(y) / 250

    def right(self, predictions: Array, y: Array) -> Array:
        return np.abs(predictions - y) < self.precision


class Model:
    kept: ClassVar[dict[str, "Model"]] = {}
    """What stands for files."""
    optimizer: Any = None

    def __init__(self) -> None:
        self.layers: list[Any] = []

    def add(self, layer: Any) -> None:
        self.layers.append(layer)

    def set(self, **given: Any) -> None:
        vars(self).update(given)

    def finalize(self) -> None:
        self.trainable_layers = [layer for layer in self.layers if hasattr(layer, "weights")]
        self.loss.trainable_layers = tuple(self.trainable_layers)
        self.output_layer_activation = self.layers[-1]

    def forward(self, X: Array, training: bool) -> Array:
        output = X
        for layer in self.layers:
            layer.forward(output, training)
            output = layer.output
        return output

    def backward(self, output: Array, y: Array) -> None:
        layers = self.layers
        if isinstance(layers[-1], Activation_Softmax) and isinstance(self.loss, Loss_CategoricalCrossentropy):
            combined = Activation_Softmax_Loss_CategoricalCrossentropy()
            combined.backward(output, y)
            gradient, layers = combined.dinputs, layers[:-1]
        else:
            self.loss.backward(output, y)
            gradient = self.loss.dinputs
        for layer in reversed(layers):
            layer.backward(gradient)
            gradient = layer.dinputs

    def train(
        self,
        X: Array,
        y: Array,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        print_every: int = 1,
        validation_data: tuple[Array, Array] | None = None,
    ) -> None:
        self.accuracy.init(y)
        for epoch in range(1, epochs + 1):
            print(f"epoch: {epoch}")
            losses, right = [], []
            steps = [*batches(len(X), batch_size)]
            for step, rows in enumerate(steps):
                output = self.forward(X[rows], training=True)
                losses.append(self.loss.losses(output, y[rows]))
                right.append(self.accuracy.right(self.output_layer_activation.predictions(output), y[rows]))
                before = losses[-1].mean(), self.loss.regularization_loss()
                self.backward(output, y[rows])
                self.optimizer.pre_update_params()
                for layer in self.trainable_layers:
                    self.optimizer.update_params(layer)
                self.optimizer.post_update_params()
                if step % print_every == 0 or step == len(steps) - 1:
                    self.say(f"step: {step}", right[-1], *before)
            self.say("training", np.concatenate(right), np.concatenate(losses).mean(), self.loss.regularization_loss())
            if validation_data is not None:
                self.evaluate(*validation_data, batch_size=batch_size)

    def say(self, what: str, right: Array, data_loss: float, penalty: float) -> None:
        print(
            f"{what}, acc: {right.mean():.3f}, loss: {data_loss + penalty:.3f} (data_loss: {data_loss:.3f}, "
            f"reg_loss: {penalty:.3f}), lr: {self.optimizer.current_learning_rate}"
        )

    def evaluate(self, X: Array, y: Array, *, batch_size: int | None = None) -> None:
        output = self.predict(X, batch_size=batch_size)
        right = self.accuracy.right(self.output_layer_activation.predictions(output), y)
        print(f"validation, acc: {right.mean():.3f}, loss: {self.loss.losses(output, y).mean():.3f}")

    def predict(self, X: Array, *, batch_size: int | None = None) -> Array:
        return np.concatenate([self.forward(X[rows], training=False) for rows in batches(len(X), batch_size)])

    def get_parameters(self) -> list[tuple[Array, Array]]:
        return [(layer.weights, layer.biases) for layer in self.trainable_layers]

    def set_parameters(self, parameters: Any) -> None:
        for layer, (weights, biases) in zip(self.trainable_layers, parameters, strict=True):
            layer.weights, layer.biases = np.array(weights), np.array(biases)

    def save(self, path: str) -> None:
        Model.kept[path] = copy.deepcopy(self)

    save_parameters = save

    def load_parameters(self, path: str) -> None:
        self.set_parameters(Model.kept[path].get_parameters())

    @staticmethod
    def load(path: str) -> "Model":
        return copy.deepcopy(Model.kept[path])


def batches(n: int, size: int | None) -> Iterator[slice]:
    return (slice(start, start + (size or n)) for start in range(0, n, size or n))
