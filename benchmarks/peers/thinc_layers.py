"""thinc: `Relu` layers, `Softmax`, its Adam without L2, clipping or averages. Its Adam folds the corrections into
the learning rate and leaves ε as it is; its loss is computed beside the gradient, as its training loops do."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from thinc.api import Adam, Relu, Softmax, chain

from benchmarks.problems import Problem

PACKAGES = ("thinc", "blis", "numpy")


def _model(problem: Problem) -> Any:
    widths = problem.case.widths
    layers = [Relu(nO=o, nI=i) for i, o in pairwise(widths[:-1])]
    model: Any = chain(*layers, Softmax(nO=widths[-1], nI=widths[-2]))
    model.initialize()
    for layer, weights, biases in zip(model.layers, problem.weights, problem.biases, strict=True):
        layer.set_param("W", np.ascontiguousarray(weights.T))
        layer.set_param("b", biases)
    return model


class Training:
    """The model, its optimizer and one step."""

    def __init__(self, problem: Problem) -> None:
        self.model = _model(problem)
        self.adam = Adam(problem.case.learning_rate, eps=problem.epsilon, L2=0.0, grad_clip=0.0)

    def train(self, x: Any, y: Any) -> float:
        p, backward = self.model.begin_update(x)
        rows = np.arange(len(y))
        loss = -np.log(p[rows, y]).mean()
        p[rows, y] -= 1
        backward(p / np.float32(len(y)))
        self.model.finish_update(self.adam)
        return float(loss)


def step(problem: Problem) -> Callable[[int], float]:
    training, X, y = Training(problem), problem.X, problem.y

    def run(count: int) -> float:
        for _ in range(count):
            loss = training.train(X, y)
        return loss

    return run


def epoch(problem: Problem) -> Callable[[int], float]:
    training, X, y = Training(problem), problem.X, problem.y

    def run(count: int) -> float:
        for _ in range(count):
            total = 0.0
            for x, labels in training.model.ops.multibatch(problem.case.batch, X, y, shuffle=True):
                total += training.train(x, labels) * len(labels)
        return total / len(X)

    return run


def predict(problem: Problem) -> Callable[[int], Any]:
    model, X = _model(problem), problem.X

    def run(count: int) -> Any:
        for _ in range(count):
            out = model.predict(X)
        return out

    return run
