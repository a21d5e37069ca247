"""The host's part of a training step on CuPy, where launches return at once: nnxp beside CuPy in the book's style.

    nox -s host_time

CuPy runs on host memory here (tests/helpers/hostcuda) and its kernels do not run at all, so that what is left is the
time of Python and CuPy themselves. A GPU adds its own. Rounds of the two in turn; medians.
"""

import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.helpers import hostcuda

SIZES = (784, 512, 512, 10)
BATCH, ROUNDS, STEPS = 128, 15, 30


class Book:
    """Three dense layers, ReLU, softmax with cross-entropy and Adam, as one writes them from the book."""

    def __init__(self, xp: Any, sizes: tuple[int, ...]) -> None:
        rng = np.random.default_rng(0)
        self.xp, self.step = xp, 0
        pairs = list(itertools.pairwise(sizes))
        self.W = [xp.asarray(rng.standard_normal(p).astype("f4") * (2 / p[0]) ** 0.5) for p in pairs]
        self.b = [xp.zeros((1, p[1]), "f4") for p in pairs]
        self.momenta = [xp.zeros_like(p) for p in (*self.W, *self.b)]
        self.caches = [xp.zeros_like(p) for p in (*self.W, *self.b)]

    def __call__(self, X: Any, y: Any) -> Any:
        xp, n = self.xp, len(X)
        outputs = [X]
        for W, b in zip(self.W[:-1], self.b[:-1], strict=True):
            outputs.append(xp.maximum(0, xp.dot(outputs[-1], W) + b))
        z = xp.dot(outputs[-1], self.W[-1]) + self.b[-1]
        exponentials = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        p = exponentials / xp.sum(exponentials, axis=1, keepdims=True)
        confidences = xp.clip(p, 1e-7, 1 - 1e-7)[xp.arange(n), y]
        loss = xp.mean(-xp.log(confidences))

        dvalues = p.copy()
        dvalues[xp.arange(n), y] -= 1
        dvalues = dvalues / n
        dW, db = [], []
        for i in range(len(self.W))[::-1]:
            dW.insert(0, xp.dot(outputs[i].T, dvalues))
            db.insert(0, xp.sum(dvalues, axis=0, keepdims=True))
            if i:
                dvalues = xp.dot(dvalues, self.W[i].T).copy()
                dvalues[outputs[i] <= 0] = 0
        self.update([*dW, *db])
        return loss

    def update(self, gradients: list[Any]) -> None:
        """Adam."""
        self.step += 1
        parameters = [*self.W, *self.b]
        for i, (w, g) in enumerate(zip(parameters, gradients, strict=True)):
            self.momenta[i] = 0.9 * self.momenta[i] + 0.1 * g
            self.caches[i] = 0.999 * self.caches[i] + 0.001 * g**2
            corrected = self.momenta[i] / (1 - 0.9**self.step)
            w -= 0.001 * corrected / (self.xp.sqrt(self.caches[i] / (1 - 0.999**self.step)) + 1e-7)


def launches(step: Callable[[], Any]) -> int:
    """What one step launches."""
    hostcuda.counters(reset=True)
    step()
    return hostcuda.counters()["launches"]


def timed(step: Callable[[], Any]) -> float:
    """Microseconds a step, of a block of them."""
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - start) / STEPS * 1e6


def main() -> None:
    """Prints both."""
    hostcuda.install(os.environ["NNXP_HOSTCUDA"])
    import cupy

    import nnxp

    rng = np.random.default_rng(0)
    X = cupy.asarray(rng.standard_normal((BATCH, SIZES[0])).astype("f4"))
    y = cupy.asarray(rng.integers(0, SIZES[-1], BATCH))
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(SIZES):
        layers += [nnxp.Dense(n_in, n_out), "relu"]
    model = nnxp.Sequential([*layers[:-1], "softmax"], "categorical_crossentropy", "adam", backend="cupy", seed=0)
    book = Book(cupy, SIZES)
    steps = {"plain CuPy, the book's style": lambda: book(X, y), "nnxp": lambda: model.train_step(X, y)}
    counts = {name: [launches(step) for _ in range(2)][-1] for name, step in steps.items()}  # the first one compiles
    hostcuda.null_launches(True)
    for step in steps.values():
        timed(step)
    times = [[timed(step) for step in steps.values()] for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    print(f"{BATCH} rows, {'-'.join(map(str, SIZES))}, float32, CuPy {cupy.__version__}, launches that return at once")
    for (name, count), median in zip(counts.items(), medians, strict=True):
        print(f"{name:30s} {count:4d} launches  {median:7.0f} µs of the host")
    ratios = [theirs / ours for theirs, ours in times]
    print(f"ratio {statistics.median(ratios):.1f} (of {ROUNDS} rounds: {min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
