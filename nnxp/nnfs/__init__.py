"""The names of "Neural Networks from Scratch in Python" (Kinsley and Kukieła), chapters 1 to 22, and nothing else.

A script of the book runs with its classes imported, `from nnxp.nnfs import ...`, instead of defined, and with
`from nnxp import nnfs` and `from nnxp.nnfs.datasets import spiral_data` for its two other imports (the package `nnfs`
and its lines may stay as well). `on("cupy")` gives the same names bound to another backend. `Layer_Dense` draws
`0.01 * np.random.randn(n_inputs, n_neurons)` and `Layer_Dropout` `np.random.binomial`, so that `np.random.seed(0)`
gives the book's numbers; docs/by-hand.md says where they differ.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from nnxp import layers
from nnxp.backends import get_backend
from nnxp.nnfs.accuracies import Accuracy, Accuracy_Categorical, Accuracy_Regression
from nnxp.nnfs.book_layers import (
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Layer_Dense,
    Layer_Dropout,
    Layer_Input,
)
from nnxp.nnfs.book_losses import (
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
)
from nnxp.nnfs.book_model import Model
from nnxp.nnfs.book_optimizers import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD
from nnxp.nnfs.datasets import sine_data, spiral_data, vertical_data

Neuron = layers.Neuron
Layer = layers.NeuronLayer
LayerDense = Layer_Dense
ActivationReLU = Activation_ReLU
ActivationSoftmax = Activation_Softmax

__all__ = [
    "Accuracy",
    "Accuracy_Categorical",
    "Accuracy_Regression",
    "ActivationReLU",
    "ActivationSoftmax",
    "Activation_Linear",
    "Activation_ReLU",
    "Activation_Sigmoid",
    "Activation_Softmax",
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Layer",
    "LayerDense",
    "Layer_Dense",
    "Layer_Dropout",
    "Layer_Input",
    "Loss",
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
    "init",
    "sine_data",
    "spiral_data",
    "vertical_data",
]


def init(dot_precision_workaround: bool = True, default_dtype: str = "float32", random_seed: int | None = 0) -> None:
    """`np.random.seed(random_seed)`. The book's package changes NumPy's `dot`, `zeros`, `eye` and `randn` besides, as
    the two other arguments say; nothing of that is needed here, and nothing is changed."""
    if random_seed is not None:
        np.random.seed(random_seed)  # noqa: NPY002


def _named() -> dict[str, Any]:
    """The names that are classes, each once."""
    return {c.__name__: c for c in (globals()[name] for name in __all__) if isinstance(c, type)}


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
    computing = {c for c in _named().values() if c not in (Layer, Layer_Input)}  # which compute nothing themselves
    there = {c: type(c.__name__, (c,), {"default_backend": chosen, "__doc__": c.__doc__}) for c in computing}
    there[Model] = type("Model", (there[Model],), {"names": {c.__name__: c for c in there.values()}})
    return SimpleNamespace(**{name: there.get(globals()[name], globals()[name]) for name in __all__})


Model.names = _named()
