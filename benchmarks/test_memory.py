"""Peak memory of a step and of an epoch over what it has to hold: parameters times 4 (values, gradients and Adam's
two), each layer's output and gradient for the largest batch, the batch, and the data.

Measured is tracemalloc's peak: NumPy reports every array to it, so that the figure is exact, the same on every
machine, and counts arrays alone. The process's resident size (`ru_maxrss`) would add the interpreter, BLAS's own
buffers and whatever the allocator keeps, which differ from machine to machine and hide what is asked here."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.conftest import BACKENDS, Measure, build
from benchmarks.problems import EPOCH, STEPS, Case, Problem


def held(case: Case, itemsize: int) -> int:
    """Bytes that a step cannot do without."""
    outputs = sum(case.widths[1:])
    return itemsize * (4 * case.n_parameters + case.batch * (2 * outputs + case.widths[0]))


@pytest.mark.parametrize("label", [label for label in BACKENDS if label in ("numpy", "fast")], indirect=True)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in STEPS[:3]])
@pytest.mark.parametrize("kind", ["step", "fit"])
def test_peak(kind: str, case: Case, measure: Measure, small: bool, shown: Callable[[Case], Case]) -> None:
    case = shown(EPOCH if kind == "fit" and case.batch == EPOCH.batch else case)
    rows = 8 * case.batch
    warm = build(Problem(case.smaller(4)), measure.backend)  # so that no kernel is built while we count
    X, y = Problem(case.smaller(4)).X, Problem(case.smaller(4)).y
    warm.fit(X, y, batch_size=len(X), progress=False)
    warm.train_step(X, y)

    def action() -> int:
        gc.collect()
        tracemalloc.start()
        try:
            problem = Problem(case, rows=rows if kind == "fit" else None)
            X, y = problem.X, problem.y
            model: Any = build(problem, measure.backend)
            problem.weights.clear()
            tracemalloc.reset_peak()
            if kind == "fit":
                model.fit(X, y, batch_size=case.batch, progress=False)
            else:
                for _ in range(3):
                    model.train_step(X, y)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak = measure.benchmark.pedantic(action, rounds=1)
    itemsize = 4
    # a step's X is its batch; a fit has the data beside it
    expected = held(case, itemsize) + 8 * case.batch
    expected += rows * (itemsize * case.widths[0] + 8) if kind == "fit" else 0
    assert peak >= itemsize * 4 * case.n_parameters
    measure.describe(
        kind="memory",
        case=f"{kind} {case.name}",
        dtype="float32",
        shapes={"batch": case.batch, "widths": case.widths, "parameters": case.n_parameters},
        floor_is="parameters x 4, activations and gradients of a batch, the data",
        floor=expected,
        peak=peak,
        ratio=peak / expected,
    )
