"""A small problem, a model for it, and two layers such as a user would write."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nnxp import Dense, Dropout, Layer, Sequential

CLASSES = 3


def problem(n: int = 24, dtype: str = "float32") -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """X (n, 5) and y (n,) of three classes that can be learned."""
    generator = np.random.default_rng(0)
    y = np.arange(n, dtype=np.int64) % CLASSES
    centres = generator.standard_normal((CLASSES, 5))
    return (centres[y] + 0.5 * generator.standard_normal((n, 5))).astype(dtype), y


def classifier(backend: Any = None, *, inserted: tuple[Any, ...] = (), **options: Any) -> Sequential:
    """5-8-3, softmax; `inserted` follows the first activation."""
    layers = [Dense(5, 8), "tanh", *inserted, Dense(8, CLASSES), "softmax"]
    options = {"seed": 1, "loss": "categorical_crossentropy"} | options
    return Sequential(layers, backend=backend, **options)


def with_everything(backend: Any = None, **options: Any) -> Sequential:
    """The same with L2, dropout and Adam."""
    layers = [Dense(5, 8, l2=1e-3), "relu", Dropout(0.25), Dense(8, CLASSES, l1=1e-3), "softmax"]
    return Sequential(layers, loss="categorical_crossentropy", optimizer="adam", backend=backend, seed=1, **options)


def values(model: Sequential) -> npt.NDArray[Any]:
    """A copy of all parameters on the host."""
    return np.array(model.store.backend.to_numpy(model.store.values))


class Scale(Layer):
    """y = x · scale, with one trained number a feature."""

    parameters = ("scale",)
    options = ("n",)

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.scale = [[1.0] * n]

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.inputs = inputs
        self.output = inputs * self.scale
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dscale = self.backend.kernels["column_sums"](dvalues * self.inputs)
        self.dinputs = dvalues * self.scale
        return self.dinputs


class Recorder(Layer):
    """Hands everything on, and keeps the first feature of what it saw while training and while not."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[bool, list[npt.NDArray[Any]]] = {True: [], False: []}

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.inputs = self.output = inputs
        self.seen[training].append(np.array(self.backend.to_numpy(inputs[:, 0])))
        return inputs

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = dvalues
        return dvalues

    def rows(self, training: bool = True) -> list[int]:
        """What was seen, where the first feature is the row's number; then forgotten."""
        found = np.concatenate(self.seen[training]).astype(int).tolist()
        self.seen[training].clear()
        return found
