"""A whole training step: forward, loss, backward, Adam; `train_step` of a bound model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import Measure, build
from benchmarks.problems import STEPS, Case, Problem


def cross_entropy(probabilities: Any, labels: Any) -> float:
    """The mean of -log p of each row's label, in float64."""
    picked = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), np.asarray(labels)]
    return float(-np.log(picked).mean())


def run_step(case: Case, dtype: str, measure: Measure, **info: Any) -> None:
    """Measures a case's step and holds its loss against the model's predictions."""
    problem, backend = Problem(case, dtype), measure.backend
    model = build(problem, backend)
    X, y = backend.asarray(problem.X, dtype=dtype), backend.asarray(problem.y, dtype="int64")
    first = cross_entropy(model.predict(problem.X), problem.y)
    measure(
        lambda: model.train_step(X, y),
        measure.products(case, dtype),
        case=case.name,
        dtype=dtype,
        shapes={"batch": case.batch, "widths": case.widths, "parameters": case.n_parameters},
        **info,
    )
    expected = cross_entropy(model.predict(problem.X), problem.y)
    # the same sums in another order, over rows as wide as the widest layer
    tolerance = 8 * float(np.finfo(dtype).eps) * max(case.widths)
    assert float(model.train_step(X, y)) == pytest.approx(expected, rel=tolerance, abs=tolerance)
    assert expected < first


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=[pytest.mark.large] if case.batch > 256 else []) for case in STEPS],
)
def test_train_step(case: Case, dtype: str, measure: Measure, shown: Callable[[Case], Case]) -> None:
    run_step(shown(case), dtype, measure, kind="step", seconds=3.0)
