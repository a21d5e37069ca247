"""`predict`: one row, where the Python around the products counts, and 10,000, where nothing should."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import Measure, build
from benchmarks.problems import PREDICTION, Case, Problem


@pytest.mark.parametrize("rows", [1, 10_000])
def test_predict(rows: int, dtype: str, measure: Measure, shown: Callable[[Case], Case]) -> None:
    case = Case(rows, shown(PREDICTION).widths)
    problem, backend = Problem(case, dtype), measure.backend
    model, X = build(problem, backend), backend.asarray(problem.X, dtype=dtype)
    probabilities: Any = measure(
        lambda: model.predict(X),
        measure.products(case, dtype, backward=False),
        kind="prediction",
        case=f"{rows} rows, {'-'.join(map(str, case.widths))}",
        dtype=dtype,
        shapes={"X": (rows, case.widths[0]), "widths": case.widths},
    )
    out = problem.X.astype(np.float64)
    for i, weights in enumerate(problem.weights):
        out = out @ weights.astype(np.float64)
        out = out if i == len(problem.weights) - 1 else np.maximum(out, 0)
    expected = np.exp(out - out.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    tolerance = 8 * np.finfo(dtype).eps * max(case.widths)
    np.testing.assert_allclose(backend.to_numpy(probabilities), expected, atol=tolerance)
