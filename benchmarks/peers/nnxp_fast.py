"""nnxp on NumPy with the extra `fast`, numba."""

from collections.abc import Callable
from typing import Any

import nnxp
from benchmarks.problems import Problem

PACKAGES: tuple[str, ...] = ("nnxp", "numpy", "numba")


def model(problem: Problem, backend: Any) -> nnxp.Sequential:
    """The problem's network, bound to a backend, with its initial weights."""
    case = problem.case
    layers: list[Any] = []
    for pair in zip(case.widths, case.widths[1:], strict=False):
        layers += [nnxp.Dense(*pair), nnxp.ReLU()]
    network = nnxp.Sequential(
        [*layers[:-1], nnxp.Softmax()],
        "categorical_crossentropy",
        nnxp.Adam(learning_rate=case.learning_rate, epsilon=problem.epsilon),
        backend=backend,
        dtype=problem.dtype.name,
        seed=0,
    )
    for dense, weights, biases in zip(layers[::2], problem.weights, problem.biases, strict=True):
        dense.weights, dense.biases = weights, biases[None, :]
    return network


def _model(problem: Problem, fast: bool) -> nnxp.Sequential:
    return model(problem, nnxp.get_backend("numpy", fast=fast))


def step(problem: Problem, fast: bool = True) -> Callable[[int], float]:
    network, X, y = _model(problem, fast), problem.X, problem.y

    def run(count: int) -> float:
        for _ in range(count):
            loss = network.train_step(X, y)
        return float(loss)

    return run


def epoch(problem: Problem, fast: bool = True) -> Callable[[int], float]:
    network, X, y = _model(problem, fast), problem.X, problem.y

    def run(count: int) -> float:
        return network.fit(X, y, epochs=count, batch_size=problem.case.batch, progress=False)["loss"][-1]

    return run


def predict(problem: Problem, fast: bool = True) -> Callable[[int], Any]:
    network, X = _model(problem, fast), problem.X

    def run(count: int) -> Any:
        for _ in range(count):
            out = network.predict(X)
        return out

    return run
