"""A step of several networks side by side, beside as many steps of one, and beside its own products.

OMP_NUM_THREADS=1 python -m benchmarks.members_step        # --rounds 15; --stages says what the time goes to

All take turns in one process, on float32, Adam, numba where it is installed; a turn is some hundredths of a second, its
time that of the thread, and a figure the median of the turns'. The products are NumPy's: one of the inputs that the
members share, batches of small ones behind it.
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from nnxp import Dense, Sequential

CASES = ((32, (20, 32, 32, 2), 32), (32, (8, 16, 3), 32), (8, (30, 100, 2), 200), (8, (784, 128, 10), 128))
"""Members, widths, rows of a batch."""
TURN = 0.02
Step = Callable[[], Any]


def network(members: int, widths: tuple[int, ...]) -> Sequential:
    """Dense layers with ReLU between them, softmax and cross-entropy behind."""
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [Dense(n_in, n_out), "relu"]
    layers[-1] = "softmax"
    return Sequential(layers, "categorical_crossentropy", seed=0, members=members, backend="numpy")


def step(members: int, widths: tuple[int, ...], X: Any, y: Any) -> Step:
    """nnxp's bound step."""
    model = network(members, widths)
    plan = model.training.plan
    return lambda model=model: plan.step(X, y)  # type: ignore[misc]  # the model lives as long


def products(members: int, widths: tuple[int, ...], rows: int) -> Step:
    """The products of a step of them all."""
    made: list[tuple[Any, Any, Any]] = []

    def apart(x: Any) -> Any:
        return x.reshape(rows, members, -1).transpose(1, 0, 2)

    for place, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        z = np.ones((rows, members * n_out), np.float32)
        if place == 0:
            x, W = np.ones((rows, n_in), np.float32), np.ones((n_in, members * n_out), np.float32)
            made += [(x, W, z), (x.T, z, np.empty_like(W))]
        else:
            x, W = np.ones((rows, members * n_in), np.float32), np.ones((members, n_in, n_out), np.float32)
            made += [(apart(x), W, apart(z)), (apart(x).transpose(0, 2, 1), apart(z), np.empty_like(W))]
            made += [(apart(z), W.transpose(0, 2, 1), apart(np.empty_like(x)))]

    def run() -> None:
        for a, b, out in made:
            np.matmul(a, b, out=out)

    return run


def turn(run: Step, times: int) -> float:
    """Seconds of the thread for one."""
    start = time.thread_time()
    for _ in range(times):
        run()
    return (time.thread_time() - start) / times


def measured(members: int, widths: tuple[int, ...], rows: int, rounds: int) -> list[str]:
    """A line of the table."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((rows, widths[0])).astype(np.float32), rng.integers(0, widths[-1], rows)
    runs = [step(members, widths, X, y), step(1, widths, X, y), products(members, widths, rows)]
    for run in runs:
        turn(run, 3)
    times = [max(3, int(TURN / turn(run, 3))) for run in runs]
    found = [[turn(run, n) for run, n in zip(runs, times, strict=True)] for _ in range(rounds)]
    all_of_them, one, product = (statistics.median(column) for column in zip(*found, strict=True))
    name = f"{members} × {'-'.join(map(str, widths))}, batches of {rows}"
    ratios = [f"{all_of_them / (members * one):.2f}", f"{all_of_them / product:.2f}"]
    return [name, f"{all_of_them * 1e6:,.0f} µs", f"{one * 1e6:,.0f} µs", *ratios]


def stages(members: int, widths: tuple[int, ...], rows: int, steps: int = 500) -> list[str]:
    """A line of the table of stages: medians of the steps' microseconds, by a clock around each call of a plan's."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((rows, widths[0])).astype(np.float32), rng.integers(0, widths[-1], rows)
    model = network(members, widths)
    plan: Any = model.training.plan
    plan.step(X, y)  # makes the calls that are clocked
    spent = dict.fromkeys(("products", "passes", "loss", "update"), 0.0)

    def clock(kind: str, owner: Any, *names: str) -> None:
        for name in names:
            setattr(owner, name, clocked(kind, getattr(owner, name)))

    def clocked(kind: str, call: Step) -> Step:
        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            result = call(*arguments, **keywords)
            spent[kind] += time.perf_counter() - start
            return result

        return timed

    for stage in (*plan.stages, plan.head):
        clock("products", stage, "matmul", "into_blocks", "down")
        clock("passes", stage.at, *(["flush"] if stage is plan.head else ["forward", "backward"]))
    clock("loss", plan, "_mean")
    clock("update", plan, "update")
    found = []
    for _ in range(steps):
        spent.update(dict.fromkeys(spent, 0.0))
        start = time.perf_counter()
        plan.step(X, y)
        whole = time.perf_counter() - start
        found.append((whole, *spent.values(), whole - sum(spent.values())))
    medians = [f"{statistics.median(column) * 1e6:,.0f}" for column in zip(*found, strict=True)]
    return [f"{members} × {'-'.join(map(str, widths))}, batches of {rows}", *medians]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--stages", action="store_true", help="what a step's microseconds go to, of all and of one")
    options = parser.parse_args()
    if options.stages:
        table = Table("networks", "µs a step", "products", "passes", "loss", "update", "rest: Python, and the clocks")
        for members, widths, rows in (*CASES, *((1, *case[1:]) for case in CASES)):
            table.add_row(*stages(members, widths, rows))
    else:
        table = Table("networks", "a step of all", "of one", "to one by one", "to the products")
        for members, widths, rows in CASES:
            table.add_row(*measured(members, widths, rows, options.rounds))
    console = Console(width=120)
    console.print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'as it is')}")
    console.print(table)


if __name__ == "__main__":
    main()
