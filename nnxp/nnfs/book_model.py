"""The book's `Model`: layers that are added one by one, and the training loop around them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from nnxp.activations import Softmax
from nnxp.backends import get_backend
from nnxp.errors import ModelFileError
from nnxp.incoming import load
from nnxp.nnfs.accuracies import Accuracy, Accuracy_Categorical, Accuracy_Regression
from nnxp.nnfs.book_layers import Layer_Input
from nnxp.nnfs.book_losses import Activation_Softmax_Loss_CategoricalCrossentropy, Loss_CategoricalCrossentropy, length
from nnxp.sequential import Sequential
from nnxp.typing import Array, ArrayLike

ACCURACIES = {kind.__name__: kind for kind in (Accuracy_Categorical, Accuracy_Regression)}


class Model:
    """Layers in a row, trained by the book's loop.

    Forward and backward call each layer in turn, as a reader would; `nnxp.Sequential` trains the same network in a
    fraction of the time.

    Attributes
    ----------
    layers, trainable_layers : list
        All that were added, and those with parameters.
    loss, optimizer, accuracy
        As `set` was given them.
    input_layer, output_layer_activation
        The first, a `Layer_Input`, and the last.
    network : Sequential
        The same layers, from `finalize` on: who holds their parameters, and what is saved.

    Examples
    --------
    >>> import numpy as np
    >>> from nnxp import nnfs
    >>> from nnxp.nnfs.datasets import sine_data
    >>> nnfs.init()
    >>> X, y = sine_data(100)
    >>> model = nnfs.Model()
    >>> model.add(nnfs.Layer_Dense(1, 16))
    >>> model.add(nnfs.Activation_ReLU())
    >>> model.add(nnfs.Layer_Dense(16, 1))
    >>> model.add(nnfs.Activation_Linear())
    >>> model.set(loss=nnfs.Loss_MeanSquaredError(), optimizer=nnfs.Optimizer_Adam(learning_rate=0.005, decay=1e-3))
    >>> model.set(accuracy=nnfs.Accuracy_Regression())
    >>> model.finalize()
    >>> model.train(X, y, epochs=100, print_every=1000)  # doctest: +ELLIPSIS
    epoch: 1
    ...
    >>> model.predict(X).shape
    (100, 1)
    """

    default_backend: ClassVar[Any] = None
    names: ClassVar[dict[str, Any]] = {}
    """The book's classes by name, of which a file is made again."""
    loss: Any = None
    optimizer: Any = None
    accuracy: Any = None
    network: Sequential

    def __init__(self) -> None:
        self.layers: list[Any] = []

    def add(self, layer: Any) -> None:
        """Appends a layer."""
        self.layers.append(layer)

    def set(self, *, loss: Any = None, optimizer: Any = None, accuracy: Any = None) -> None:
        """Sets those that are given."""
        given = {"loss": loss, "optimizer": optimizer, "accuracy": accuracy}
        vars(self).update({name: value for name, value in given.items() if value is not None})

    def finalize(self) -> None:
        """Connects the layers: from now on they share one memory, and the loss knows whose regularization counts."""
        if not self.layers:
            raise ValueError("got a model without layers, expected some: model.add(Layer_Dense(...))")
        given = {} if self.optimizer is None else {"optimizer": self.optimizer}
        self.network = Sequential(self.layers, self.loss, **given, backend=self.default_backend)
        self._connect()

    def _connect(self) -> None:
        self.input_layer, self.output_layer_activation = Layer_Input(), self.layers[-1]
        self.trainable_layers = [layer for layer in self.layers if hasattr(layer, "get_parameters")]
        self.softmax_classifier_output: Any = None
        if self.loss is not None:
            self.loss.remember_trainable_layers(self.trainable_layers)
        if isinstance(self.layers[-1], Softmax) and isinstance(self.loss, Loss_CategoricalCrossentropy):
            self.softmax_classifier_output = Activation_Softmax_Loss_CategoricalCrossentropy()

    def forward(self, X: ArrayLike, training: bool) -> Array:
        """The last layer's output."""
        self.input_layer.forward(X, training)
        output = self.input_layer.output
        for layer in self.layers:
            output = layer.forward(output, training)
        return output

    def backward(self, output: ArrayLike, y: ArrayLike) -> None:
        """Sets all gradients; a softmax and its cross-entropy are one function here."""
        layers = self.layers
        if self.softmax_classifier_output is not None:
            gradient, layers = self.softmax_classifier_output.backward(output, y), layers[:-1]
            self.layers[-1].dinputs = gradient
        else:
            gradient = self.loss.backward(output, y)
        for layer in reversed(layers):
            gradient = layer.backward(gradient)

    def train(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        print_every: int = 1,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        """Passes over the data, in the rows' order, and prints every `print_every` steps and at the last.

        Parameters
        ----------
        X, y
            Inputs (n, features) and targets.
        batch_size
            Rows a step; all by default.
        validation_data
            X and y to evaluate on after each epoch.
        """
        self._ready("train", "loss", "optimizer", "accuracy")
        self.accuracy.init(y)
        for epoch in range(1, epochs + 1):
            print(f"epoch: {epoch}")
            self.loss.new_pass()
            self.accuracy.new_pass()
            batches = list(_batches(length(X), batch_size))
            for step, rows in enumerate(batches):
                output = self.forward(X[rows], training=True)
                losses = self.loss.calculate(output, y[rows], include_regularization=True)
                accuracy = self.accuracy.calculate(self.output_layer_activation.predictions(output), y[rows])
                self.backward(output, y[rows])
                self.optimizer.pre_update_params()
                for layer in self.trainable_layers:
                    self.optimizer.update_params(layer)
                self.optimizer.post_update_params()
                if step % print_every == 0 or step == len(batches) - 1:
                    self._print(f"step: {step}", accuracy, losses)
            accumulated = self.loss.calculate_accumulated(include_regularization=True)
            self._print("training", self.accuracy.calculate_accumulated(), accumulated)
            if validation_data is not None:
                self.evaluate(*validation_data, batch_size=batch_size)

    def evaluate(self, X_val: ArrayLike, y_val: ArrayLike, *, batch_size: int | None = None) -> None:
        """Prints accuracy and loss of data that is not trained on."""
        self._ready("evaluate", "loss", "accuracy")
        self.loss.new_pass()
        self.accuracy.new_pass()
        for rows in _batches(length(X_val), batch_size):
            output = self.forward(X_val[rows], training=False)
            self.loss.calculate(output, y_val[rows])
            self.accuracy.calculate(self.output_layer_activation.predictions(output), y_val[rows])
        accuracy, loss = self.accuracy.calculate_accumulated(), self.loss.calculate_accumulated()
        print(f"validation, acc: {accuracy:.3f}, loss: {float(loss):.3f}")

    def predict(self, X: ArrayLike, *, batch_size: int | None = None) -> Array:
        """The last layer's outputs of all rows."""
        outputs = [self.forward(X[rows], training=False) for rows in _batches(length(X), batch_size)]
        return get_backend(outputs[0]).xp.concat(outputs, axis=0)

    def get_parameters(self) -> list[tuple[Array, Array]]:
        """Weights and biases of each layer that has some."""
        return [layer.get_parameters() for layer in self.trainable_layers]

    def set_parameters(self, parameters: Sequence[tuple[ArrayLike, ArrayLike]]) -> None:
        """Copies them in, layer by layer."""
        for layer, given in zip(self.trainable_layers, parameters, strict=True):
            layer.set_parameters(*given)

    def save_parameters(self, path: str | Path) -> None:
        """Writes the model's file, of which `load_parameters` takes the weights and biases: safetensors, no pickle."""
        self.save(path)

    def load_parameters(self, path: str | Path) -> None:
        """Takes weights and biases from a file of `save_parameters` or `save`, of the same layers."""
        self.set_parameters(type(self).load(path).get_parameters())

    def save(self, path: str | Path) -> None:
        """Writes layers, loss, optimizer and accuracy to a safetensors file, without pickle."""
        accuracy = {"class": type(self.accuracy).__name__, **vars(self.accuracy)} if self.accuracy else None
        for name in ("accumulated_sum", "accumulated_count"):
            (accuracy or {}).pop(name, None)
        self.network.preprocessing = {"format": "nnfs", "accuracy": accuracy}
        self.network.save(path)

    @classmethod
    def load(cls, path: str | Path) -> "Model":
        """Reads a model that `save` wrote.

        Raises
        ------
        ModelFileError
            The file is damaged, or no model's of the book.
        """
        network = load(path, backend=cls.default_backend, layers=cls.names)
        said = network.preprocessing or {}
        if said.get("format") != "nnfs":
            raise ModelFileError(f"{path} holds a model that Model.save did not write: nnxp.load(path) reads it")
        model = cls()
        model.layers, model.loss, model.optimizer = network.layers, network.loss, network.optimizer
        model.accuracy = _accuracy(said["accuracy"])
        model.network = network
        model._connect()
        return model

    def _ready(self, what: str, *needed: str) -> None:
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"got {what} without {', '.join(missing)}: model.set({missing[0]}=...) before finalize()")
        if not hasattr(self, "network"):
            raise ValueError(f"got {what} of a model that is not connected: model.finalize() first")

    def _print(self, what: str, accuracy: float, losses: tuple[Any, Any]) -> None:
        data, regularization = map(float, losses)
        print(
            f"{what}, acc: {accuracy:.3f}, loss: {data + regularization:.3f} (data_loss: {data:.3f}, "
            f"reg_loss: {regularization:.3f}), lr: {self.optimizer.current_learning_rate}"
        )


def _batches(n: int, batch_size: int | None) -> Iterator[slice]:
    """The rows of each step, in order."""
    size = batch_size or n
    return (slice(start, start + size) for start in range(0, n, size))


def _accuracy(said: dict[str, Any] | None) -> Accuracy | None:
    if said is None:
        return None
    accuracy = ACCURACIES[said["class"]]()
    vars(accuracy).update({name: value for name, value in said.items() if name != "class"})
    return accuracy
