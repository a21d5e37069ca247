"""tinygrad on its CPU device, which needs clang: a `TinyJit` of loss, gradients and `nn.optim.Adam` (ε outside the
root, as here)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tinygrad import Tensor, TinyJit, nn

from benchmarks.problems import Problem

PACKAGES = ("tinygrad",)
WITHOUT = {"epoch": "TinyJit takes one batch size, and an epoch ends with a smaller batch"}


class Net:
    """Weights as given, (n_in, n_out)."""

    def __init__(self, problem: Problem) -> None:
        self.weights = [Tensor(w).contiguous().realize() for w in problem.weights]
        self.biases = [Tensor(b).contiguous().realize() for b in problem.biases]

    def __call__(self, x: Any) -> Any:
        for i, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weights + biases
            x = x.relu() if i < len(self.weights) - 1 else x
        return x


def _training(problem: Problem) -> Callable[[Any, Any], Any]:
    net = Net(problem)
    adam = nn.optim.Adam([*net.weights, *net.biases], lr=problem.case.learning_rate, eps=problem.epsilon)

    @TinyJit
    def train(x: Any, y: Any) -> Any:
        adam.zero_grad()
        loss = net(x).sparse_categorical_crossentropy(y).backward()
        return loss.realize(*adam.schedule_step())

    return train


def step(problem: Problem) -> Callable[[int], float]:
    train = _training(problem)
    x, y = Tensor(problem.X).realize(), Tensor(problem.y.astype(np.int32)).realize()

    def run(count: int) -> float:
        for _ in range(count):
            loss = train(x, y)
        return float(loss.item())

    return run


def predict(problem: Problem) -> Callable[[int], Any]:
    net, x = Net(problem), Tensor(problem.X).realize()
    forward = TinyJit(lambda x: net(x).softmax().realize())

    def run(count: int) -> Any:
        for _ in range(count):
            out = forward(x).numpy()
        return out

    return run
