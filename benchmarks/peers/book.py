"""The book's style: plain NumPy, a new array for every intermediate, the optimizer's state on the layers. Given another
namespace, `Network(problem, cupy)`, it is the same script with its import line changed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.problems import Problem

PACKAGES = ("numpy",)
BETA_1, BETA_2 = 0.9, 0.999


class Dense:
    """A layer as in chapter 3, with Adam's moments as in chapter 10."""

    def __init__(self, weights: Any, biases: Any, xp: Any = np) -> None:
        self.xp, self.weights, self.biases = xp, xp.array(weights), xp.array(biases[None, :])
        self.weight_momentums, self.weight_cache = xp.zeros_like(self.weights), xp.zeros_like(self.weights)
        self.bias_momentums, self.bias_cache = xp.zeros_like(self.biases), xp.zeros_like(self.biases)

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = self.xp.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues: Any, first: bool) -> None:
        self.dweights = self.xp.dot(self.inputs.T, dvalues)
        self.dbiases = self.xp.sum(dvalues, axis=0, keepdims=True)
        if not first:
            self.dinputs = self.xp.dot(dvalues, self.weights.T)

    def update(self, rate: float, epsilon: float, t: int) -> None:
        sqrt, first, second = self.xp.sqrt, 1 - BETA_1**t, 1 - BETA_2**t
        self.weight_momentums = BETA_1 * self.weight_momentums + (1 - BETA_1) * self.dweights
        self.bias_momentums = BETA_1 * self.bias_momentums + (1 - BETA_1) * self.dbiases
        self.weight_cache = BETA_2 * self.weight_cache + (1 - BETA_2) * self.dweights**2
        self.bias_cache = BETA_2 * self.bias_cache + (1 - BETA_2) * self.dbiases**2
        self.weights += -rate * (self.weight_momentums / first) / (sqrt(self.weight_cache / second) + epsilon)
        self.biases += -rate * (self.bias_momentums / first) / (sqrt(self.bias_cache / second) + epsilon)


class Network:
    """Dense layers, ReLU between them, softmax with cross-entropy at the end."""

    def __init__(self, problem: Problem, xp: Any = np) -> None:
        self.xp, self.problem, self.iterations = xp, problem, 0
        self.layers = [Dense(*pair, xp) for pair in zip(problem.weights, problem.biases, strict=True)]

    def forward(self, X: Any) -> Any:
        xp, activated = self.xp, []
        for layer in self.layers:
            layer.forward(X)
            X = xp.maximum(0, layer.output)
            activated.append(X)
        z = self.layers[-1].output
        exponentials = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        return exponentials / xp.sum(exponentials, axis=1, keepdims=True)

    def train(self, X: Any, y: Any) -> Any:
        xp, probabilities = self.xp, self.forward(X)
        rows = xp.arange(len(y))
        loss = xp.mean(-xp.log(xp.clip(probabilities[rows, y], 1e-7, 1 - 1e-7)))
        dvalues = probabilities.copy()
        dvalues[rows, y] -= 1
        dvalues = dvalues / len(y)
        for position, layer in reversed(list(enumerate(self.layers))):
            layer.backward(dvalues, first=position == 0)
            if position:
                dvalues = layer.dinputs.copy()
                dvalues[self.layers[position - 1].output <= 0] = 0
        self.iterations += 1
        for layer in self.layers:
            layer.update(self.problem.case.learning_rate, self.problem.epsilon, self.iterations)
        return loss


def step(problem: Problem) -> Callable[[int], float]:
    network, X, y = Network(problem), problem.X, problem.y

    def run(count: int) -> float:
        for _ in range(count):
            loss = network.train(X, y)
        return float(loss)

    return run


def epoch(problem: Problem) -> Callable[[int], float]:
    network, X, y, size = Network(problem), problem.X, problem.y, problem.case.batch
    random = np.random.default_rng(0)

    def run(count: int) -> float:
        for _ in range(count):
            order = random.permutation(len(X))
            total = 0.0
            for start in range(0, len(X), size):
                rows = order[start : start + size]
                total += network.train(X[rows], y[rows]) * len(rows)
        return float(total / len(X))

    return run


def predict(problem: Problem) -> Callable[[int], Any]:
    network, X = Network(problem), problem.X

    def run(count: int) -> Any:
        for _ in range(count):
            out = network.forward(X)
        return out

    return run
