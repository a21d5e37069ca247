"""How a step's time grows with width, depth and batch, beside its products: no term should grow faster."""

from collections.abc import Callable

import pytest

from benchmarks.conftest import BACKENDS, Measure
from benchmarks.problems import Case
from benchmarks.test_step import run_step

GROWTH = {
    "width": [(w, Case(128, (w, w, w, 10))) for w in (256, 512, 1024, 2048, 4096)],
    "depth": [(d, Case(128, (256,) * d + (10,))) for d in (2, 4, 8, 16, 32)],
    "batch": [(n, Case(n, (784, 512, 512, 10))) for n in (1, 4, 16, 64, 256, 1024, 4096)],
}
POINTS = [
    pytest.param(axis, value, case, id=f"{axis} {value}", marks=[pytest.mark.large] if value >= 2048 else [])
    for axis, points in GROWTH.items()
    for value, case in points
]


@pytest.mark.parametrize("label", [label for label in BACKENDS if label != "torch"], indirect=True)
@pytest.mark.parametrize(("axis", "value", "case"), POINTS)
def test_growth(axis: str, value: int, case: Case, measure: Measure, shown: Callable[[Case], Case]) -> None:
    run_step(shown(case), "float32", measure, kind="growth", axis=axis, value=value)
