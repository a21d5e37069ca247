"""scikit-learn's own checks of the estimators for tables."""

from typing import Any

import pytest

pytest.importorskip("sklearn")

from sklearn.utils import estimator_checks

import nnxp
from nnxp.tabular.findings import baselines

# The checks give y as a column, and some of them warn by themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix"),
]
ESTIMATORS = [nnxp.TabularClassifier(epochs=20), nnxp.TabularRegressor(epochs=20)]
WHY = (
    "two rows have two masks of dropout and count twice among the quantiles that columns are scaled by, one row of "
    "weight 2 has one and counts once; and of 100 rows and more, which are held out follows from their number"
)
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": WHY,
    "check_sample_weight_equivalence_on_sparse_data": WHY,
}


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear model, with which a network begins, is cut short."""
    monkeypatch.setattr(baselines, "STEPS", 100)


# Not scikit-learn's own decorator: that of 1.7 gives pytest 9 a generator, which it warns of.
CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{number}")
    for kind in ESTIMATORS
    for number, (estimator, check) in enumerate(estimator_checks.estimator_checks_generator(kind))
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    if check.func.__name__ in EXPECTED:
        with pytest.raises(AssertionError, match="is not equivalent"):
            check(estimator)
        return
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_none_but_these_is_expected_to_fail(estimator: Any) -> None:
    """`check_estimator` takes the reasons as they stand, and finds each of the checks that they name, or no more."""
    names = {check.func.__name__ for _, check in estimator_checks.estimator_checks_generator(estimator)}
    assert {*EXPECTED} & names == {"check_sample_weight_equivalence_on_dense_data"}
