"""A step of several networks side by side, beside as many steps of one, and beside its own products.

OMP_NUM_THREADS=1 python -m benchmarks.members_step                           # --rounds 15
OMP_NUM_THREADS=1 python -m benchmarks.members_step --growth --plot FILE.png  # 1 to 256 networks, and their memory
python -m benchmarks.members_step --threads                                   # two of BLAS's threads, two processes

All take turns in one process, on float32, Adam, numba where it is installed; a turn is some hundredths of a second, its
time that of the thread, and a figure the median of the turns'. The products are NumPy's: one of the inputs that the
members share, batches of small ones behind it. "orders of their own" is a step of `fit(shuffle="members")`, which has a
small product for each in the first layer too, to the step of shared inputs.

Memory is the peak of what Python and NumPy report to tracemalloc while a model is made and takes its first steps:
parameters, gradients, the optimizer's, what a step writes into, and the objects. `--threads` compares fits, by the
wall's clock, in processes that take turns: with one and with two of BLAS's threads, with as many as nnxp takes by
itself, and two processes at once that have half of the networks and one thread each, which is what `--spread members`
does between its epochs. Run it on a machine of two cores or more that does nothing else. `--quick` tries that
everything runs.
"""

import argparse
import contextlib
import gc
import itertools
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from nnxp import Dense, Sequential
from nnxp.training.own_orders import OwnOrdersPlan

ROOT = Path(__file__).resolve().parents[1]
CASES = ((32, (20, 32, 32, 2), 32), (32, (8, 16, 3), 32), (8, (30, 100, 2), 200), (8, (784, 128, 10), 128))
"""Members, widths, rows of a batch."""
GROWTH = tuple(2**i for i in range(9))
"""Members of the first case's networks."""
TURN = 0.02
STEPS, EPOCHS = 50, 4
"""Of an epoch, and of a fit."""
Step = Callable[[], Any]


def network(members: int, widths: tuple[int, ...]) -> Sequential:
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [Dense(n_in, n_out), "relu"]
    return Sequential([*layers[:-1], "softmax"], "categorical_crossentropy", seed=0, members=members, backend="numpy")


def batch(widths: tuple[int, ...], rows: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, widths[0])).astype(np.float32), rng.integers(0, widths[-1], rows)


def step(members: int, widths: tuple[int, ...], X: Any, y: Any) -> Step:
    """nnxp's bound step."""
    model = network(members, widths)
    plan = model.training.plan
    return lambda model=model: plan.step(X, y)  # type: ignore[misc]  # the model lives as long


def own_step(members: int, widths: tuple[int, ...], X: Any, y: Any) -> Step:
    """Likewise, of rows that each member has of its own."""
    model = network(members, widths)
    plan, x, labels = OwnOrdersPlan(model), np.tile(X, (1, members)), np.repeat(y[:, None], members, axis=1)
    return lambda model=model: plan.step(x, labels)  # type: ignore[misc]


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


def medians(runs: Sequence[Step], rounds: int) -> list[float]:
    """Seconds for one of each, which take turns."""
    for run in runs:
        turn(run, 3)
    times = [max(3, int(TURN / turn(run, 3))) for run in runs]
    found = [[turn(run, n) for run, n in zip(runs, times, strict=True)] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*found, strict=True)]


def named(members: int, widths: tuple[int, ...], rows: int) -> str:
    return f"{members} × {'-'.join(map(str, widths))}, batches of {rows}"


def micro(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"


# --- a step of some cases ----------------------------------------------------------------------------


def steps(rounds: int) -> Table:
    """A line for each case."""
    table = Table("networks", "a step of all", "of one", "to one by one", "to the products", "orders of their own")
    for members, widths, rows in CASES:
        X, y = batch(widths, rows)
        runs = [step(members, widths, X, y), step(1, widths, X, y), products(members, widths, rows)]
        together, one, product, own = medians([*runs, own_step(members, widths, X, y)], rounds)
        ratios = [together / (members * one), together / product, own / together]
        table.add_row(named(members, widths, rows), micro(together), micro(one), *(f"{ratio:.2f}" for ratio in ratios))
    return table


# --- how it grows with the members -------------------------------------------------------------------


class Grown(NamedTuple):
    """Seconds of a step and of its products, and the peak of memory in bytes, of so many members."""

    members: int
    seconds: float
    products: float
    peak: int


def peak(members: int, widths: tuple[int, ...], rows: int) -> int:
    """The most bytes of arrays while a model is made and takes three steps."""
    X, y = batch(widths, rows)
    gc.collect()
    tracemalloc.start()
    try:
        run = step(members, widths, X, y)
        for _ in range(3):
            run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth(counts: Sequence[int], rounds: int) -> list[Grown]:
    """All counts take turns with each other."""
    _, widths, rows = CASES[0]
    X, y = batch(widths, rows)
    runs = [made for K in counts for made in (step(K, widths, X, y), products(K, widths, rows))]
    found = medians(runs, rounds)
    peaks = [peak(K, widths, rows) for K in counts]
    return [Grown(*figures) for figures in zip(counts, found[::2], found[1::2], peaks, strict=True)]


def growth_table(found: Sequence[Grown]) -> Table:
    table = Table(
        "networks", "a step of all", "to one by one", "its products", "to the products", "memory", "to K times"
    )
    one = found[0]
    for each in found:
        K, seconds = each.members, each.seconds
        ratios = [
            f"{a:.2f}" for a in (seconds / (K * one.seconds), seconds / each.products, each.peak / (K * one.peak))
        ]
        memory = f"{each.peak / 1e3:,.0f} kB"
        table.add_row(f"{K}", micro(seconds), ratios[0], micro(each.products), ratios[1], memory, ratios[2])
    return table


def plot_growth(found: Sequence[Grown], path: str) -> None:
    """A step beside its products and as many steps of one; memory beside as many times that of one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    (left, right), K, one = figure.subplots(1, 2), [each.members for each in found], found[0]
    left.plot(K, [each.seconds for each in found], "o-", ms=4, color="#1b6ca8", label="a step of all")
    left.plot(K, [k * one.seconds for k in K], ":", color="#7a7a7a", label="one by one")
    left.plot(K, [each.products for each in found], "--", color="black", label="its products")
    right.plot(K, [each.peak / 1e6 for each in found], "o-", ms=4, color="#1b6ca8", label="all in one model")
    right.plot(K, [k * one.peak / 1e6 for k in K], ":", color="#7a7a7a", label="as many models")
    for axes, label in ((left, "seconds a step"), (right, "MB, the peak of a step")):
        axes.set(xscale="log", yscale="log", xlabel="networks", ylabel=label)
        axes.set_xticks(K, [str(k) for k in K])
        axes.minorticks_off()
        axes.legend(frameon=False)
    _, widths, rows = CASES[0]
    figure.suptitle(f"{'-'.join(map(str, widths))}, batches of {rows}")
    figure.savefig(path, dpi=110)


# --- two threads, two processes ----------------------------------------------------------------------

SETTINGS: dict[str, tuple[int, str | None]] = {
    "one thread": (1, "1"), "two threads": (1, "2"), "nnxp's own": (1, None), "two processes": (2, "1")
}  # fmt: skip
"""Processes, and OMP_NUM_THREADS."""


def serve(case: int, members: int) -> None:
    """Prints the seconds of a step of a fit, of so many members, for each line that comes."""
    _, widths, rows = CASES[case]
    X, y = batch(widths, STEPS * rows)
    model = network(members, widths)
    for _ in sys.stdin:
        start = time.perf_counter()
        model.fit(X, y, EPOCHS, batch_size=rows, progress=False, verbose=False)
        print((time.perf_counter() - start) / (EPOCHS * STEPS), flush=True)


def threads(rounds: int, cases: Sequence[int]) -> Table:
    """A line for each case; settings take turns, processes of one setting run at once."""
    table = Table("a step of", *SETTINGS)
    for case in cases:
        members, widths, rows = CASES[case]
        with contextlib.ExitStack() as stack:
            started = {
                name: [stack.enter_context(started_server(case, members // processes, omp)) for _ in range(processes)]
                for name, (processes, omp) in SETTINGS.items()
            }
            found: dict[str, list[float]] = {name: [] for name in started}
            for number, (name, servers) in itertools.product(range(rounds + 1), started.items()):
                seconds = fitted(servers)
                if number:  # the first one takes memory, loads kernels
                    found[name].append(seconds)
        each = [statistics.median(found[name]) for name in SETTINGS]
        table.add_row(named(members, widths, rows), *(f"{micro(a)} ({a / each[0]:.2f})" for a in each))
    return table


@contextlib.contextmanager
def started_server(case: int, members: int, omp: str | None) -> Any:
    """A process of `serve`."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment |= {} if omp is None else {"OMP_NUM_THREADS": omp}
    command = [sys.executable, "-m", "benchmarks.members_step", "--serve", str(case), str(members)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        yield process
        process.stdin.close()  # type: ignore[union-attr]


def fitted(servers: Sequence["subprocess.Popen[str]"]) -> float:
    """Seconds of a step, of the slowest of those that run at once."""
    for server in servers:
        _pipe(server.stdin).write("\n")
        _pipe(server.stdin).flush()
    return max(float(_pipe(server.stdout).readline()) for server in servers)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the growth")
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--serve", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(*options.serve)
        return
    rounds = 1 if options.quick else options.rounds
    console = Console(width=160)
    console.print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'as it is')}")
    if options.growth:
        found = growth(GROWTH[:3] if options.quick else GROWTH, rounds)
        console.print(growth_table(found))
        if options.plot:
            plot_growth(found, options.plot)
    elif options.threads:
        console.print(threads(rounds, [1] if options.quick else range(len(CASES))))
    else:
        console.print(steps(rounds))


if __name__ == "__main__":
    main()
