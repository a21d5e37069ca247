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

from benchmarks.peers.book import Network
from benchmarks.problems import Case, Problem
from tests.helpers import hostcuda

CASE, ROUNDS, STEPS = Case(128, (784, 512, 512, 10)), 15, 30


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

    problem = Problem(CASE)
    X, y = cupy.asarray(problem.X), cupy.asarray(problem.y)
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(CASE.widths):
        layers += [nnxp.Dense(n_in, n_out), "relu"]
    model = nnxp.Sequential([*layers[:-1], "softmax"], "categorical_crossentropy", "adam", backend="cupy", seed=0)
    book = Network(problem, cupy)
    steps = {"plain CuPy, the book's style": lambda: book.train(X, y), "nnxp": lambda: model.train_step(X, y)}
    counts = {name: [launches(step) for _ in range(2)][-1] for name, step in steps.items()}  # the first one compiles
    hostcuda.null_launches(True)
    for step in steps.values():
        timed(step)
    times = [[timed(step) for step in steps.values()] for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    print(f"{CASE.name}, float32, CuPy {cupy.__version__}, launches that return at once")
    for (name, count), median in zip(counts.items(), medians, strict=True):
        print(f"{name:30s} {count:4d} launches  {median:7.0f} µs of the host")
    ratios = [theirs / ours for theirs, ours in times]
    print(f"ratio {statistics.median(ratios):.1f} (of {ROUNDS} rounds: {min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
