"""JAX: one `jit` of loss, gradients and optax's Adam (ε outside the root, as here), parameters donated. An epoch
gathers its batches inside the jitted step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.problems import Problem

PACKAGES = ("jax", "jaxlib", "optax")


def _logits(parameters: Any, x: Any) -> Any:
    for weights, biases in parameters[:-1]:
        x = jax.nn.relu(x @ weights + biases)
    weights, biases = parameters[-1]
    return x @ weights + biases


def _loss(parameters: Any, x: Any, y: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(_logits(parameters, x), y).mean()


class Training:
    """Parameters, Adam's state and the jitted step."""

    def __init__(self, problem: Problem) -> None:
        adam = optax.adam(problem.case.learning_rate, eps=problem.epsilon)
        self.parameters = [(jnp.array(w), jnp.array(b)) for w, b in zip(problem.weights, problem.biases, strict=True)]
        self.state = adam.init(self.parameters)

        @partial(jax.jit, donate_argnums=(0, 1))
        def train(parameters: Any, state: Any, x: Any, y: Any) -> Any:
            loss, gradients = jax.value_and_grad(_loss)(parameters, x, y)
            updates, state = adam.update(gradients, state)
            return optax.apply_updates(parameters, updates), state, loss

        @partial(jax.jit, donate_argnums=(0, 1))
        def train_rows(parameters: Any, state: Any, X: Any, y: Any, rows: Any) -> Any:
            return train(parameters, state, X[rows], y[rows])

        self._train, self._train_rows = train, train_rows

    def train(self, x: Any, y: Any) -> Any:
        self.parameters, self.state, loss = self._train(self.parameters, self.state, x, y)
        return loss

    def train_rows(self, X: Any, y: Any, rows: Any) -> Any:
        self.parameters, self.state, loss = self._train_rows(self.parameters, self.state, X, y, rows)
        return loss


def step(problem: Problem) -> Callable[[int], float]:
    training, x, y = Training(problem), jnp.array(problem.X), jnp.array(problem.y)

    def run(count: int) -> float:
        for _ in range(count):
            loss = training.train(x, y)
        jax.block_until_ready(training.parameters)
        return float(loss)

    return run


def epoch(problem: Problem) -> Callable[[int], float]:
    training, X, y = Training(problem), jnp.array(problem.X), jnp.array(problem.y)
    size, random = problem.case.batch, np.random.default_rng(0)

    def run(count: int) -> float:
        for _ in range(count):
            order = random.permutation(len(X))
            batches = [order[start : start + size] for start in range(0, len(X), size)]
            losses = [training.train_rows(X, y, rows) for rows in batches]
        jax.block_until_ready(training.parameters)
        return float(np.average(np.array(losses), weights=[len(rows) for rows in batches]))

    return run


def predict(problem: Problem) -> Callable[[int], Any]:
    parameters = [(jnp.array(w), jnp.array(b)) for w, b in zip(problem.weights, problem.biases, strict=True)]
    probabilities, x = jax.jit(lambda x: jax.nn.softmax(_logits(parameters, x))), problem.X

    def run(count: int) -> Any:
        for _ in range(count):
            out = np.asarray(probabilities(x))
        return out

    return run
