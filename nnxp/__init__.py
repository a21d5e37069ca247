"""Neural networks on the arrays you already hold: readable backpropagation on NumPy, CuPy, PyTorch and any
other array library that follows the Python array API standard.

`import nnxp` imports NumPy and nothing else; each name is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "activations": (
        "ELU", "GELU", "SELU", "Activation", "LeakyReLU", "Linear", "Mish", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh",
    ),
    "backends": ("Backend", "get_backend"),
    "checkpoint": ("load",),
    "errors": (
        "BackendMismatchError", "BackendUnavailableError", "DataError", "ModelFileError", "NonFiniteLossError", "NotComputedError",
    ),
    "gradients": ("GradientReport", "check_gradients"),
    "layers": ("Dense", "Dropout", "Layer", "Neuron", "NeuronLayer", "Rescaling"),
    "losses": (
        "BinaryCrossentropy", "CategoricalCrossentropy", "Huber", "Loss", "MeanAbsoluteError", "MeanSquaredError",
        "SigmoidCrossentropy", "SoftmaxCrossentropy",
    ),
    "optimizers": ("SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"),
    "sequential": ("Sequential",),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = ("data", "initializers", "kernels", "metrics", "nnfs", "plots", "random")

__all__ = [*sorted(_HOME), *_MODULES, "__version__"]

if TYPE_CHECKING:
    from nnxp import data, initializers, kernels, metrics, nnfs, plots, random
    from nnxp.activations import (
        ELU, GELU, SELU, Activation, LeakyReLU, Linear, Mish, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh,
    )
    from nnxp.backends import Backend, get_backend
    from nnxp.checkpoint import load
    from nnxp.errors import (
        BackendMismatchError, BackendUnavailableError, DataError, ModelFileError, NonFiniteLossError, NotComputedError,
    )
    from nnxp.gradients import GradientReport, check_gradients
    from nnxp.layers import Dense, Dropout, Layer, Neuron, NeuronLayer, Rescaling
    from nnxp.losses import (
        BinaryCrossentropy, CategoricalCrossentropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError, SigmoidCrossentropy,
        SoftmaxCrossentropy,
    )
    from nnxp.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
    from nnxp.sequential import Sequential


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"nnxp.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"nnxp.{name}")
    else:
        raise AttributeError(f"module 'nnxp' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
