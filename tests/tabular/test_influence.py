"""Standard errors: influences are derivatives of the metrics by the weights of rows, and give the textbook's errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnxp import metrics
from nnxp.tabular.findings import influence

EPS = float(np.finfo(np.float64).eps)


def classes(seed: int, n: int, k: int) -> tuple[Any, Any, Any]:
    """Probabilities with ties, labels, weights."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(1, 6, (n, k)).astype(np.float64)
    y = rng.integers(0, k, n)
    y[:k] = np.arange(k)
    return raw / raw.sum(axis=1, keepdims=True), y, rng.integers(1, 5, n) / 2


def derivative(score: Callable[[Any], float], w: Any) -> Any:
    """W ∂T/∂wᵢ by central differences, whose error is of the order h² and ε/h."""
    h, found = 1e-5, []
    for i in range(len(w)):
        up, down = w.copy(), w.copy()
        up[i] += h
        down[i] -= h
        found.append((score(up) - score(down)) / (2 * h))
    return np.array(found) * w.sum()


@pytest.mark.parametrize(("seed", "n", "k"), [(0, 30, 2), (1, 40, 3), (2, 12, 4)])
def test_influences_of_scores_of_classes(seed: int, n: int, k: int) -> None:
    p, y, w = classes(seed, n, k)
    estimates = influence.of_classes(p, y, w, EPS)
    guess = p.argmax(axis=1)
    scores = {
        "f1": lambda w: metrics.macro(metrics.f1(guess, y, k, sample_weight=w)),
        **{
            name: lambda w, name=name: getattr(metrics, name)(p, y, sample_weight=w)
            for name in estimates.keys() - {"f1"}
        },
    }
    assert scores.keys() == estimates.keys()
    for name, measure in scores.items():
        estimate = estimates[name]
        assert estimate is not None
        assert math.isclose(estimate.value, measure(w), rel_tol=1e-13, abs_tol=1e-13), name
        np.testing.assert_allclose(estimate.influence, derivative(measure, w), atol=1e-7 * w.sum(), err_msg=name)
        assert abs(np.sum(w * estimate.influence)) < 1e-9 * w.sum(), name


def test_influences_of_one_class() -> None:
    p, y, w = classes(3, 30, 3)
    guess = p.argmax(axis=1)
    for k in range(3):
        for name, estimate in influence.of_class(guess, y, w, k).items():
            assert estimate is not None

            def measure(w: Any, name: str = name, k: int = k) -> float:
                return float(getattr(metrics, name)(guess, y, 3, sample_weight=w)[k])

            assert math.isclose(estimate.value, measure(w), rel_tol=1e-13)
            np.testing.assert_allclose(estimate.influence, derivative(measure, w), atol=1e-7 * w.sum(), err_msg=name)


@pytest.mark.parametrize("unit", [1.0, 2.0**300, 2.0**-300])
def test_influences_of_scores_of_numbers(unit: float) -> None:
    rng = np.random.default_rng(4)
    p, y = rng.normal(size=(2, 25))
    w = rng.integers(1, 5, 25) / 2
    estimates = influence.of_numbers(p * unit, y * unit, w)
    scores = {
        name: lambda w, name=name: getattr(metrics, name)(p, y, sample_weight=w)
        for name in ("rmse", "mean_absolute_error", "median_absolute_error", "r2")
    }
    scores["bias"] = lambda w: float(np.average(p - y, weights=w))
    assert scores.keys() == estimates.keys()
    for name, measure in scores.items():
        estimate, size = estimates[name], 1 if name == "r2" else unit
        assert estimate is not None
        assert math.isclose(estimate.value, measure(w) * size, rel_tol=1e-13), name
        if name != "median_absolute_error":  # it moves in steps
            np.testing.assert_allclose(estimate.influence / size, derivative(measure, w), atol=1e-7 * w.sum())


def test_errors_are_the_textbooks() -> None:
    """√(p(1 - p)/n) of a share, s/√n of a mean, the area's of DeLong's covariances, as equal weights give them."""
    y = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9], [0.6, 0.4]])
    w = np.full(8, 2.0)
    found = {name: influence.score(e, w)["error"] for name, e in influence.of_classes(p, y, w, EPS).items()}
    assert found["accuracy"] == pytest.approx(math.sqrt(5 / 8 * 3 / 8 / 8), rel=1e-13)
    losses = -np.log(p[np.arange(8), y])
    assert found["log_loss"] == pytest.approx(losses.std() / math.sqrt(8), rel=1e-13)
    wins = (p[y == 1, 1][:, None] > p[y == 0, 1]) + 0.5 * (p[y == 1, 1][:, None] == p[y == 0, 1])
    delong = wins.mean(axis=1).var() / 5 + wins.mean(axis=0).var() / 3
    assert found["roc_auc"] == pytest.approx(math.sqrt(delong), rel=1e-13)


def test_the_error_of_a_median() -> None:
    """Of 100 numbers, half the distance of the values 5 ranks below and above the middle."""
    x = np.arange(1.0, 101.0) ** 2
    error = influence.score(influence.of_numbers(x, np.zeros(100), np.ones(100))["median_absolute_error"], np.ones(100))
    low, high = (45**2 + 46**2) / 2, (55**2 + 56**2) / 2
    assert error["value"] == (50**2 + 51**2) / 2
    assert error["error"] == pytest.approx((high - low) / 2, rel=1e-12)


def test_rows_that_all_agree() -> None:
    """A share of 0 or 1 still has an error, and what is not defined has none."""
    p, y, w = np.array([[0.9, 0.1]] * 4), np.zeros(4, int), np.ones(4)
    estimates = influence.of_classes(p, y, w, EPS)
    assert influence.score(estimates["accuracy"], w) == {"value": 1.0, "error": 0.25}
    assert influence.score(estimates["roc_auc"], w) == {"value": None, "error": None}
    second = influence.of_class(np.zeros(4, int), y, w, 1)
    assert second == {"recall": None, "precision": None, "f1": None}
    assert influence.of_numbers(np.ones(3), np.ones(3), np.ones(3))["r2"] is None


def test_means_of_shares_that_are_all_0() -> None:
    """Twenty recalls of one row each, ± 1, which have no row in common: their mean has the error 1 / √20, not 1."""
    y = np.arange(20)
    estimates = influence.of_classes(np.eye(20)[(y + 1) % 20], y, np.ones(20), EPS)
    found = influence.score(estimates["balanced_accuracy"], np.ones(20))
    assert found == {"value": 0.0, "error": pytest.approx(20**-0.5)}


@pytest.mark.parametrize("k", [2, 3, 7])
def test_means_over_classes_are_those_of_each(k: int) -> None:
    p, y, w = classes(k, 40, k)
    w[:3] = 0
    guess = p.argmax(axis=1)
    guess[guess == k - 1], y[y == 0] = 0, 1  # a class without guesses, another without rows
    p = np.where(np.arange(k) == guess[:, None], 0.6, 0.4 / (k - 1))
    found, by_class = influence.of_classes(p, y, w, EPS), [influence.of_class(guess, y, w, i) for i in range(k)]
    for mean, one in (("balanced_accuracy", "recall"), ("f1", "f1")):
        each = [scores[one] for scores in by_class if scores[one] is not None]
        assert 0 < len(each) <= k
        got = found[mean]
        # Sums of at most 40 rows and 7 classes of numbers of 1 and, of influences, of W / Bₖ < 100.
        assert got.value == pytest.approx(np.mean([e.value for e in each]), rel=50 * EPS)
        assert got.influence == pytest.approx(np.mean([e.influence for e in each], axis=0), abs=100 * 50 * EPS)
        assert got.least == pytest.approx(math.hypot(*(e.least for e in each)) / len(each), rel=50 * EPS)


def test_a_difference_is_taken_row_by_row() -> None:
    """What two models find hard alike is in neither: the error of the difference is that of the rows' differences."""
    p, y, w = classes(6, 50, 3)
    worse = 0.9 * p + 0.1 / 3
    a, b = (influence.of_classes(q, y, w, EPS)["log_loss"] for q in (p, worse))
    found = influence.score(influence.difference(a, b, -1), w)
    by_row = np.log(p[np.arange(50), y]) - np.log(worse[np.arange(50), y])
    value = np.average(by_row, weights=w)
    assert found["value"] == pytest.approx(value, rel=1e-12)
    assert found["error"] == pytest.approx(np.linalg.norm(w * (by_row - value)) / w.sum(), rel=1e-12)
    assert influence.score(influence.difference(a, None, 1), w) == {"value": None, "error": None}
