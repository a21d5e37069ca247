"""JAX: one `jit` of loss, gradients and Adam (optax's, without optax), whose state is donated."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.problems import Problem

BETA_1, BETA_2 = 0.9, 0.999


def logits(parameters: Any, x: Any) -> Any:
    for weights, biases in parameters[:-1]:
        x = jax.nn.relu(x @ weights + biases)
    weights, biases = parameters[-1]
    return x @ weights + biases


def loss_of(parameters: Any, x: Any, y: Any) -> Any:
    logarithms = jax.nn.log_softmax(logits(parameters, x))
    return -jnp.take_along_axis(logarithms, y[:, None], axis=1).mean()


def parameters_of(problem: Problem) -> Any:
    return [(jnp.array(w), jnp.array(b)) for w, b in zip(problem.weights, problem.biases, strict=True)]


def training(problem: Problem) -> Callable[[Any, Any], Any]:
    """One step, which gives its loss."""
    rate, epsilon = problem.case.learning_rate, problem.epsilon

    def update(w: Any, g: Any, m: Any, c: Any, t: Any) -> Any:
        m = BETA_1 * m + (1 - BETA_1) * g
        c = BETA_2 * c + (1 - BETA_2) * g * g
        return w - rate * (m / (1 - BETA_1**t)) / (jnp.sqrt(c / (1 - BETA_2**t)) + epsilon), m, c

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: Any, y: Any) -> Any:
        parameters, momenta, caches, t = state
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        flat, tree = jax.tree.flatten(parameters)
        others = (jax.tree.leaves(part) for part in (gradients, momenta, caches))
        updated = [update(*leaves, t + 1) for leaves in zip(flat, *others, strict=True)]
        parameters, momenta, caches = (jax.tree.unflatten(tree, part) for part in zip(*updated, strict=True))
        return (parameters, momenta, caches, t + 1), loss

    parameters = parameters_of(problem)
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state = (parameters, *zeros, jnp.zeros((), problem.dtype))

    def train(x: Any, y: Any) -> Any:
        nonlocal state
        state, loss = step(state, x, y)
        return loss

    return train
