"""An epoch of `fit` on Fashion-MNIST (where it is not on disk: random numbers of its shape) beside as many bound
steps on one batch: what the order, the gather and the losses cost."""

from collections.abc import Callable
from typing import Any

from benchmarks.conftest import Measure, build
from benchmarks.problems import EPOCH, FASHION_ROWS, Case, Problem


def test_fit_epoch(measure: Measure, small: bool, shown: Callable[[Case], Case]) -> None:
    case, rows = shown(EPOCH), 600 if small else FASHION_ROWS
    problem, backend = Problem(case, rows=rows), measure.backend
    model = build(problem, backend)
    X, y = backend.asarray(problem.X), backend.asarray(problem.y, dtype="int64")
    batch = X[: case.batch, ...], y[: case.batch]
    steps = -(-rows // case.batch)
    twin = build(problem, backend)

    def fit() -> Any:
        return model.fit(X, y, epochs=1, batch_size=case.batch, progress=False)

    def bound_steps() -> None:
        for _ in range(steps):
            twin.train_step(*batch)

    history = measure(
        fit,
        bound_steps,
        floor_is=f"{steps} bound steps",
        kind="epoch",
        case=case.name,
        dtype="float32",
        shapes={"X": X.shape, "batch": case.batch, "widths": case.widths, "parameters": case.n_parameters},
    )
    assert model.step == len(model.history["loss"]) * steps
    if not small:
        median = measure.benchmark.extra_info["action"]["median"]
        measure.benchmark.extra_info["samples_per_second"] = rows / median
        assert history["loss"][-1] < history["loss"][0] < 2.3  # chance is ln 10
