"""What is measured: the networks, their arrays, and the matrix products they cannot avoid. NumPy only, so that the
process of every peer can import it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A batch size, the widths of a network of dense layers, ReLU between them and softmax cross-entropy at the
    end, and Adam's learning rate: so small that thousands of steps on one batch stay far from a loss of 0."""

    batch: int
    widths: tuple[int, ...]
    learning_rate: float = 1e-5

    @property
    def name(self) -> str:
        """As the tables name it: "32, 784-128-10"; a long row of equal layers as "256x8"."""
        if len(self.widths) > 5:
            middle = f"{self.widths[1]}x{len(self.widths) - 2}"
            return f"{self.batch}, {self.widths[0]}-{middle}-{self.widths[-1]}"
        return f"{self.batch}, {'-'.join(map(str, self.widths))}"

    @property
    def n_parameters(self) -> int:
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.widths))

    def smaller(self, factor: int) -> "Case":
        """The same with widths and batch divided, for a look at whether it runs at all."""
        widths = [max(8, width // factor) for width in self.widths[:-1]]
        return replace(self, batch=max(1, self.batch // factor), widths=(*widths, min(self.widths[-1], 10)))


STEPS = (
    Case(32, (784, 128, 10), 1e-6),
    Case(128, (784, 512, 512, 10), 1e-6),
    Case(256, (1024, 2048, 2048, 1000)),
    Case(1024, (4096, 4096, 4096, 10)),
)
"""The steps of the README's table."""
EPOCH = Case(128, (784, 512, 512, 10), 1e-3)
"""The network that learns Fashion-MNIST for an epoch."""
PREDICTION = Case(1, (784, 128, 10))
"""The network that predicts one row, and 10,000."""


class Problem:
    """A case's arrays, the same for everyone: X (n, features), y (n,) int64, weights (n_in, n_out) after He et al.
    2015 and biases (n_out,) of zeros. `rows` of X rather than one batch, for an epoch."""

    epsilon = 1e-7
    """Adam's, outside the root, as PyTorch, optax and the book have it."""

    def __init__(self, case: Case, dtype: str = "float32", rows: int | None = None) -> None:
        self.case, self.dtype = case, np.dtype(dtype)
        self._random = np.random.default_rng(0)
        self.weights = [self.normal(*pair) * self.dtype.type((2 / pair[0]) ** 0.5) for pair in pairwise(case.widths)]
        self.biases = [np.zeros(width, dtype) for width in case.widths[1:]]
        self._rows = rows or case.batch

    @cached_property
    def _data(self) -> tuple[Any, Any]:
        if self._rows == FASHION_ROWS and self.case.widths[0] == 784 and (found := fashion_mnist(self.dtype)):
            return found
        y = self._random.integers(0, self.case.widths[-1], self._rows)
        return self.normal(self._rows, self.case.widths[0]), y

    @property
    def X(self) -> Any:
        return self._data[0]

    @property
    def y(self) -> Any:
        return self._data[1]

    def normal(self, *shape: int) -> Any:
        """Standard normal numbers."""
        return self._random.standard_normal(shape, np.float32).astype(self.dtype, copy=False)


FASHION_ROWS = 60_000


def fashion_mnist(dtype: Any) -> tuple[Any, Any] | None:
    """The training pictures in [0, 1] and their labels, where the files are on this machine."""
    from nnxp import data

    try:
        found = data.fashion_mnist()
    except FileNotFoundError:
        return None
    X = np.asarray(found.X).reshape(FASHION_ROWS, -1)
    return np.multiply(X, 1 / 255, dtype=dtype), np.asarray(found.y, dtype=np.int64)


def products(
    case: Case, dtype: str, convert: Callable[[Any], Any] = np.asarray, backward: bool = True
) -> list[tuple[Any, Any, Any]]:
    """(a, b, out) of each matrix product of a step, in its order and with its transposes; without `backward`, of a
    prediction. The first layer computes no gradient of its inputs."""
    random = np.random.default_rng(1)

    def array(*shape: int) -> Any:
        return convert(random.standard_normal(shape, np.float32).astype(dtype, copy=False))

    layers = [(array(case.batch, i), array(i, o), array(case.batch, o)) for i, o in pairwise(case.widths)]
    forward = [(x, w, array(*y.shape)) for x, w, y in layers]
    if not backward:
        return forward
    gradients = []
    for position, (x, w, dy) in reversed(list(enumerate(layers))):
        gradients.append((x.T, dy, array(*w.shape)))
        if position:
            gradients.append((dy, w.T, array(*x.shape)))
    return forward + gradients
