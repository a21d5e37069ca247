"""scikit-learn's own checks of an estimator, none expected to fail, and those of the array API with values."""

from typing import Any

import pytest

pytest.importorskip("sklearn")

from sklearn.utils import estimator_checks

import nnxp
from tests.helpers.matrix import Target

# The checks fit briefly, on purpose with a column y, and some of them warn by themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix"),
]
ESTIMATORS = [nnxp.MLPClassifier, nnxp.MLPRegressor]


# Not scikit-learn's own decorator: that of 1.7 gives pytest 9 a generator, which it warns of.
CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{number}")
    for kind in ESTIMATORS
    for number, (estimator, check) in enumerate(estimator_checks.estimator_checks_generator(kind()))
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_array_api_checks_with_values(backend: Target, estimator: Any, dtype: str) -> None:
    if backend.module == "array_api_strict" and not hasattr(estimator_checks, "check_array_api_mixed_inputs"):
        pytest.skip("this scikit-learn's check takes no device by name")
    device = {"array_api_strict": backend.device_name or "CPU_DEVICE", "torch": "cpu"}.get(backend.module)
    given = estimator(max_iter=20, random_state=0)
    estimator_checks.check_array_api_input_and_values(estimator.__name__, given, backend.module, device, dtype)
