"""What the processes of a launcher are to each other: where each runs, what a message costs, and what is gained."""

import os
import platform
import statistics
import time
from typing import Any

import numpy as np

from nnxp.backends import blas, get_backend
from nnxp.distributed import OverMPI
from nnxp.doctor.proofs import network, problem
from nnxp.training import portion_plan

FORMAT = 1
"""Of the document."""
NUMBERS = (1_000, 100_000, 1_000_000, 10_000_000)
"""How many float32 are added up."""
WIDTHS = (16, 32, 64, 128, 256, 512, 1024, 2048)
ROWS, STEPS, EPOCHS, ROUNDS = 256, 4, 2, 3
SECONDS = 20.0
"""What the search for a width may take, about."""


def examine(communicator: OverMPI) -> dict[str, Any]:
    """The whole report, on every process; all of them call it together.

    Returns
    -------
    dict
        "format", "mpi" and "mpi4py" (versions), "processes" (of each "rank", "host", "cores", those it may run on, of
        so many "of", and "blas_threads" while it trains), "sums" (of each "numbers", float32, and median "seconds" to
        add them up over all), "rows" (of a batch), "steps" (of each "width" the median "alone" and "together",
        seconds), "pays_from" (the first width from which on together is faster at each; None where there is none).
    """
    import mpi4py
    from mpi4py import MPI

    backend = get_backend("numpy")
    with blas.shared_by(backend, communicator.neighbours):
        threads = blas.of_process().words("small products")
    bound = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    own = {
        "rank": communicator.rank,
        "host": platform.node(),
        "cores": sorted(bound),
        "of": os.cpu_count(),
        "blas_threads": threads,
    }
    steps = _steps(communicator)
    slower = [i for i, step in enumerate(steps) if step["together"] >= step["alone"]]
    first = max(slower, default=-1) + 1
    return {
        "format": FORMAT,
        "mpi": " ".join(MPI.Get_library_version().split(",")[0].split("\n")[0].split()),
        "mpi4py": mpi4py.__version__,
        "processes": communicator.gather(own),
        "sums": [{"numbers": n, "seconds": _sum(communicator, n)} for n in NUMBERS],
        "rows": ROWS,
        "steps": steps,
        "pays_from": steps[first]["width"] if first < len(steps) else None,
    }


def _sum(communicator: OverMPI, n: int) -> float:
    """The median of the seconds that a sum of so many float32 takes, after a first."""
    buffer, times = np.zeros(n, dtype=np.float32), []
    if n > portion_plan.FEW and (lent := communicator.lend(buffer)) is not None:  # as a training's gradients are
        buffer = lent
    for _ in range(12):
        communicator.gather(None)  # all begin together
        start = time.perf_counter()
        communicator.sum(buffer)
        times.append(time.perf_counter() - start)
    return float(communicator.broadcast(statistics.median(times[1:])))


def _steps(communicator: OverMPI) -> list[dict[str, Any]]:
    """Steps of networks of some widths, alone and together by turns, while there is time."""
    found: list[dict[str, Any]] = []
    end, last = time.perf_counter() + SECONDS, 0.0
    for width in WIDTHS:
        started = time.perf_counter()
        if communicator.broadcast(started + 2 * last > end):
            break
        times: dict[str, list[float]] = {"alone": [], "together": []}
        for _ in range(ROUNDS):
            if communicator.rank == 0:
                times["alone"].append(_seconds(width, None))
            _wait(communicator)
            times["together"].append(_seconds(width, communicator))
        medians = {name: statistics.median(each) for name, each in times.items() if each}
        found.append({"width": width, **communicator.broadcast(medians)})
        last = time.perf_counter() - started
    return found


def _seconds(width: int, communicator: OverMPI | None) -> float:
    """Of one step of width-width-width-10: the quicker of a fit's epochs, of which the first takes memory."""
    model = network((width, width, width, 10), get_backend("numpy"))
    model.communicator = communicator
    X, y = problem(ROWS * STEPS, width, 10)
    seconds: float = min(model.fit(X, y, epochs=EPOCHS, batch_size=ROWS, progress=False)["seconds"]) / STEPS
    return seconds


def _wait(communicator: OverMPI) -> None:
    """Until all are here, asleep: MPI's own waits take a core from the one that computes."""
    request = communicator.comm.Ibarrier()
    while not request.Test():
        time.sleep(0.001)
