"""What a backend has to prove by running: a derivative, and a training that goes as NumPy's does."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nnxp import random
from nnxp.backends import Backend, get_backend
from nnxp.doctor.verdict import Check
from nnxp.gradients import check_gradients
from nnxp.layers import Dense, Layer
from nnxp.optimizers import Adam
from nnxp.sequential import Sequential
from nnxp.typing import Array, Floats, HostArray

STEPS = 20
SIZES = (37, 29, 23, 5)
"""Odd on purpose: no block of threads and no vector of a processor is filled evenly."""
BATCHES = (48, 48, 48, 13)
"""Rows of the batches in turn; the short one uses the memory of the long ones."""
SEED = 0
"""With it, no unit of the runs comes so near ReLU's kink that rounding could decide on which side it is."""


def network(sizes: tuple[int, ...], backend: Backend | str, dtype: str = "float32") -> Sequential:
    """Three dense layers with ReLU, softmax cross-entropy, Adam."""
    a, b, c, k = sizes
    layers: list[Layer | str] = [Dense(a, b), "relu", Dense(b, c), "relu", Dense(c, k), "softmax"]
    return Sequential(
        layers, "categorical_crossentropy", Adam(learning_rate=0.01), backend=backend, dtype=dtype, seed=SEED
    )


def problem(rows: int, features: int, classes: int) -> tuple[Floats, HostArray]:
    """Numbers and classes that follow from them, the same on every machine."""
    X = random.normal(random.key(SEED, "data", 0), (rows, features))
    directions = random.normal(random.key(SEED, "data", 1), (features, classes))
    return X, np.argmax(X @ directions, axis=1)


def gradients(backend: Backend) -> Check:
    """`check_gradients` of the model at a tenth of its size: every derivative against a difference quotient."""
    sizes = (4, 6, 5, 3)
    X, y = problem(8, sizes[0], sizes[-1])
    report = check_gradients(network(sizes, backend, "float64"), X, y)
    worst = report.worst[0]
    text = f"{worst.gradient} at {list(worst.index)}: got {worst.got:.9g}, expected {worst.expected:.9g}"
    return Check(
        report.passed,
        worst.error if math.isfinite(worst.error) else None,
        report.tolerance,
        "" if report.passed else text,
    )


def tolerance(dtype: str) -> float:
    """How far the losses of two right programs may lie apart, relatively.

    The sums of a step have at most max(SIZES, BATCHES) = 48 terms; added in two orders, they differ by at most
    48 ε of the sum of their magnitudes. Each step hands its difference on and adds one of that size: after t steps,
    t · 48 ε. That Adam divides by the gradient's magnitude does not enlarge it: the update of an element
    whose gradient is mere rounding is as good as random, but the loss changes by that gradient times the update.
    The first gradient comes through five products in a row, 5 · 48 ε, and is held to the same bound.
    """
    return STEPS * max(*SIZES, *BATCHES) * float(np.finfo(dtype).eps)


@dataclass(frozen=True)
class Run:
    """The loss of each step, and the gradients of the first: Adam does not see how large they are."""

    losses: Floats
    gradients: Floats


def training(backend: Backend, dtype: str) -> Check:
    """`STEPS` steps in a dtype, and NumPy's beside them.

    NumPy's own row is held to the same steps taken layer by layer: `forward`, `backward`, `update_params`.
    """
    plain = get_backend("numpy", fast=False)
    expected = run(plain, dtype, one_by_one if backend == plain else Sequential.train_step)
    return compare(run(backend, dtype), expected, dtype)


def compare(got: Run, expected: Run, dtype: str) -> Check:
    """Whether the losses and the first gradients agree, and the losses fall."""
    allowed = tolerance(dtype)
    apart = np.abs(got.losses - expected.losses) / expected.losses
    gradients_apart = float(np.max(np.abs(got.gradients - expected.gradients)) / np.max(np.abs(expected.gradients)))
    error = float(np.max([*apart, gradients_apart]))  # NaN, if any is
    text = ""
    if not gradients_apart <= allowed:
        text = f"the gradients of step 1 are off by {gradients_apart:.2g} of the largest"
    elif not np.all(apart <= allowed):
        step = int(np.argmin(apart <= allowed))
        text = f"the loss of step {step + 1} is {got.losses[step]:.9g}, not {expected.losses[step]:.9g}"
    if text:
        return Check(False, error if math.isfinite(error) else None, allowed, f"{text}; {allowed:.2g} is allowed")
    first, last = got.losses[0], got.losses[-1]
    if not last < first / 2:
        return Check(False, error, allowed, f"the loss went from {first:.4g} to {last:.4g}, not below its half")
    return Check(True, error, allowed)


def run(backend: Backend, dtype: str, step: Callable[..., Array] = Sequential.train_step) -> Run:
    """A model trained with `step(model, X, y)`: by default the planned step, as `fit` runs it."""
    model, losses, first = network(SIZES, backend, dtype), [], np.empty(0)
    for X, y in batches(dtype):
        losses.append(float(step(model, X, y)))
        if len(losses) == 1:
            first = np.array(model.backend.to_numpy(model.store.gradients), dtype=np.float64)
    return Run(np.array(losses), first)


def one_by_one(model: Sequential, X: HostArray, y: HostArray) -> Array:
    """A step, layer by layer."""
    assert model.loss is not None
    loss = model.loss.calculate(model.forward(X, training=True), y)
    model.backward(y)
    model.optimizer.pre_update_params()
    model.optimizer.update_params(model)
    model.optimizer.post_update_params()
    return loss


def batches(dtype: str) -> Iterator[tuple[HostArray, HostArray]]:
    """The batches of the `STEPS` steps."""
    X, y = problem(sum(BATCHES), SIZES[0], SIZES[-1])
    ends = np.cumsum(BATCHES).tolist()
    for step in range(STEPS):
        which = step % len(BATCHES)
        rows = slice(ends[which] - BATCHES[which], ends[which])
        yield X[rows].astype(dtype), y[rows]
