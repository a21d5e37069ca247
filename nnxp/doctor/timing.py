"""How long a step takes beside NumPy's, and from which batch size a GPU is faster. Short: a hint, no benchmark."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from nnxp.backends import Backend, get_backend
from nnxp.doctor.proofs import network, problem

SIZES = (784, 512, 512, 10)
BATCH = 128
BATCHES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
ROUNDS = 15
MOST = 3
"""Rounds for each batch size of the search."""
SECONDS, SEARCH_SECONDS = 1.5, 5.0

Step = Callable[[], None]


def timing(
    backend: Backend, gpu: bool, seconds: float = SECONDS, search_seconds: float = SEARCH_SECONDS
) -> dict[str, Any]:
    """Median seconds of a step, in turn with NumPy as `get_backend("numpy")` gives it; on a GPU, where it pays."""
    numpy = get_backend("numpy")
    ours, theirs = in_turn(steps(backend, BATCH), steps(numpy, BATCH), ROUNDS, seconds)
    found: dict[str, Any] = {
        "layers": list(SIZES),
        "batch_size": BATCH,
        "step_seconds": ours,
        "numpy_seconds": theirs,
        "numpy": "numpy+fast" if numpy.fast else "numpy",
    }
    return found | pays(backend, numpy, search_seconds) if gpu else found


def pays(backend: Backend, numpy: Backend, seconds: float) -> dict[str, Any]:
    """The smallest batch size of `BATCHES` at which a step is faster than NumPy's, within the seconds there are."""
    end, tried, last = time.perf_counter() + seconds, 0, 0.0
    for size in BATCHES:
        started = time.perf_counter()
        if started + 2 * last > end:  # twice the rows take at most about twice as long
            break
        ours, theirs = in_turn(steps(backend, size), steps(numpy, size), MOST, end - started)
        tried = size
        if ours < theirs:
            return {"pays_from": size, "pays_up_to": tried}
        last = time.perf_counter() - started
    return {"pays_from": None, "pays_up_to": tried}


def steps(backend: Backend, rows: int) -> Step:
    """A step on data that lie on the device already, finished when it returns."""
    model = network(SIZES, backend)
    X, labels = problem(rows, SIZES[0], SIZES[-1])
    x, y = backend.asarray(X, dtype="float32"), backend.asarray(labels, dtype="int64")

    def step() -> None:
        model.train_step(x, y)
        backend.synchronize()

    return step


def in_turn(a: Step, b: Step, rounds: int, seconds: float) -> tuple[float, float]:
    """The medians of two steps, a and b by turns, at most so many rounds and at least one, the first aside."""
    for step in (a, b):  # memory is taken, kernels are built
        step()
    end = time.perf_counter() + seconds
    times: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for step, found in zip((a, b), times, strict=True):
            start = time.perf_counter()
            step()
            found.append(time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    return statistics.median(times[0]), statistics.median(times[1])
