"""Neural networks on the arrays you already hold: readable backpropagation on NumPy, CuPy, PyTorch and any
other array library that follows the Python array API standard.

`import nnxp` imports no NumPy: each name is imported when it is first used. Type checkers read the same table in
`__init__.pyi`.
"""

from nnxp import moved

moved.install()  # before anything else: another thread may be reading an old pickle

import importlib  # noqa: E402
from typing import Any  # noqa: E402

__version__ = "0.1.0"

_HOMES = {
    "activations": "ELU GELU SELU Activation LeakyReLU Linear Mish ReLU Sigmoid SiLU Softmax Softplus Tanh",
    "backends": "Backend get_backend",
    "errors": "BackendMismatchError BackendUnavailableError DataError ExportError ModelFileError NonFiniteLossError "
    "NotComputedError",
    "estimators": "MLPClassifier MLPRegressor TabularClassifier TabularRegressor load_estimator",
    "estimators.selection": "cross_val_predict cross_validate grid_search",
    "gradients": "GradientReport check_gradients",
    "layers": "BatchNorm Dense Dropout Embedding Layer LayerNorm Neuron NeuronLayer PeriodicEmbedding "
    "PiecewiseLinearEmbedding Rescaling Scaling SharedDense",
    "incoming": "from_torch load",
    "losses": "BinaryCrossentropy CategoricalCrossentropy Huber Loss MeanAbsoluteError "
    "MeanSquaredError Poisson SigmoidCrossentropy SoftmaxCrossentropy",
    "network.parametric": "ParametricActivation",
    "network.residual": "Residual",
    "network.shared": "Shared",
    "optimizers": "LBFGS SGD Adagrad Adam AdamW Lion Optimizer RMSprop",
    "sequential": "Sequential",
    "teaching": "Diagnosing Diagnosis Explanation Finding Playground diagnose explain",
    "training.shards": "Shard",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}
_MODULES = (
    "activations backends callbacks data distributed errors estimators initializers kernels layers losses metrics nnfs "
    "optimizers plots random schedules tabular"
).split()


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted([*_HOME, *_MODULES])
    if name in _HOME:
        value = getattr(importlib.import_module(f"nnxp.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"nnxp.{name}")
    else:
        raise AttributeError(f"module 'nnxp' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_HOME, *_MODULES, *(name for name in globals() if name.startswith("__"))})
