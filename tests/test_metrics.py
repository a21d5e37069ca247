"""Metrics against their definitions and against scikit-learn's, on every backend."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxp import metrics
from nnxp.metrics import (
    accuracy,
    average_precision,
    balanced_accuracy,
    calibration_curve,
    calibration_error,
    confusion_matrix,
    f1,
    log_loss,
    macro,
    mean_absolute_error,
    median_absolute_error,
    precision,
    r2,
    recall,
    rmse,
    roc_auc,
)
from tests.helpers.matrix import Target

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20)
eighths = st.integers(-800, 800).map(lambda eighths: eighths / 8)
numbers = st.lists(st.tuples(eighths, eighths), min_size=2, max_size=20)


@given(pairs=labels)
def test_accuracy_and_confusion_matrix(backend: Target, pairs: list[tuple[int, int]]) -> None:
    guess, truth = (backend.asarray(np.array(column)) for column in zip(*pairs, strict=True))
    assert accuracy(guess, truth) == sum(a == b for a, b in pairs) / len(pairs)
    counts = confusion_matrix(guess, truth, 4)
    assert counts.dtype == np.int64 and counts.shape == (4, 4)
    assert counts.tolist() == [[pairs.count((j, i)) for j in range(4)] for i in range(4)]


def test_scores_and_one_hot_rows_stand_for_classes(backend: Target) -> None:
    scores = backend.asarray([[0.1, 0.7, 0.2], [3, -1, 0], [0.2, 0.3, 0.5]], "float32")
    one_hot = backend.asarray([[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    assert accuracy(scores, one_hot) == accuracy(scores, backend.asarray([1, 0, 1])) == 2 / 3
    assert confusion_matrix(scores, one_hot).tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


@given(pairs=numbers)
def test_rmse_and_r2(backend: Target, pairs: list[tuple[float, float]]) -> None:
    p, y = (np.array(column, np.float64) for column in zip(*pairs, strict=True))
    arrays = backend.asarray(p), backend.asarray(y)
    squares = math.fsum((a - b) ** 2 for a, b in pairs)
    assert math.isclose(rmse(*arrays), math.sqrt(squares / len(pairs)), rel_tol=1e-13)
    mean = math.fsum(y) / len(y)
    spread = math.fsum((b - mean) ** 2 for b in y)
    if len(set(y.tolist())) > 1:
        assert math.isclose(r2(*arrays), 1 - squares / spread, rel_tol=1e-9, abs_tol=1e-9)


def test_several_outputs() -> None:
    """R² averages those of the outputs; RMSE is over all numbers."""
    p, y = [[1.0, 0.0], [2.0, 5.0], [3.0, 5.0]], [[1.0, 1.0], [2.0, 4.0], [3.0, 7.0]]
    assert rmse(p, y) == 1.0
    assert math.isclose(r2(p, y), (1 + (1 - 6 / 18)) / 2)


def test_sizes_agree() -> None:
    assert rmse([[1.0], [2.0]], [1.0, 2.0]) == 0  # a column and a vector of the same samples
    assert confusion_matrix([0, 1], [0, 1]).shape == (2, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy([0, 1], [0]), r"got predictions of shape \(2,\) and truth of shape \(1,\), expected"),
        (lambda: accuracy([0.5, 1.0], [0, 1]), r"got float64 of shape \(2,\), expected class indices \(n,\)"),
        (lambda: accuracy([[1], [0]], [0, 1]), r"y.reshape\(-1\)"),
        (lambda: accuracy(np.zeros((0, 3)), np.zeros(0, int)), "got no samples, expected at least one"),
        (lambda: rmse([], []), "no samples, expected at least one"),
        (lambda: rmse([1.0, 2.0], [1.0]), r"got predictions of shape \(2, 1\) and truth of shape \(1, 1\)"),
        (lambda: r2([1.0, 2.0], [3.0, 3.0]), "got a constant y, expected targets that vary"),
        (lambda: confusion_matrix([0, 3], [0, 1], 3), "got y_pred with classes from 0 to 3, expected 0 to 2"),
        (lambda: confusion_matrix([0, 1], [0, -1]), "got y with classes from -1 to 0, expected 0 to 1"),
        (lambda: confusion_matrix([], []), "class indices|no samples"),
        (lambda: accuracy([0, 1], [0, 1], sample_weight=[1.0]), r"got sample_weight of shape \(1,\), expected \(2,\)"),
        (lambda: rmse([1.0], [1.0], sample_weight=[0.0]), "0 for every sample"),
        (lambda: r2([1.0, 2.0, 3.0], [1.0, 1.0, 5.0], sample_weight=[1, 1, 0]), "got a constant y"),
        (lambda: log_loss([[2.0, -1.0]], [0]), "got probabilities from -1 to 2, expected 0 to 1: .* softmax"),
        (lambda: log_loss([[0.5, 0.5], [0.9, 0.3]], [0, 1]), "sum to 1.2 in row 1, expected 1"),
        (lambda: log_loss([[0.5, 0.5]], [2]), "got y with classes from 2 to 2, expected 0 to 1"),
        (lambda: log_loss([0.5], [0, 1]), r"got predictions of shape \(1,\) and truth of shape \(2,\)"),
        (lambda: roc_auc([0.5, math.nan], [0, 1]), "got a score that is NaN, that of row 1"),
        (lambda: roc_auc([0.5, 0.7], [1, 1]), "got samples of one class only, expected others too"),
        (lambda: average_precision([[0.1, 0.2, 0.7]], [2]), "got samples of one class only"),
        (lambda: calibration_curve([0.5], [1], bins=0), "got bins=0, expected a whole number from 1 up"),
        (lambda: macro(np.array([math.nan])), "got a score of no class"),
    ],
)
def test_bad_input(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_probabilities_of_float32_may_be_kept_in_float64() -> None:
    """As a data frame or a JSON file does: a third is 1e-8 off there, as in float32, which is not refused either."""
    thirds = np.full((2, 3), 1 / 3, np.float32)
    assert abs(thirds.astype(np.float64).sum(axis=1) - 1).min() > np.finfo(np.float64).eps ** 0.5
    found = log_loss(thirds.astype(np.float64), [0, 2]), calibration_error(thirds.astype(np.float64), [0, 2])
    assert found == pytest.approx((math.log(3), abs(1 / 3 - 1 / 2)), rel=2**-21)  # roundings


def drawn(seed: int, n: int, k: int, dtype: str = "float64") -> tuple[Any, Any, Any, Any]:
    """Probabilities (n, k) with ties, labels of which one class has few, weights with zeros, and numbers (n, 2)."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(1, 6, (n, k)).astype(np.float64)
    y = rng.integers(0, k, n) * (rng.random(n) < 0.7)
    y[:k] = np.arange(k)
    weights = rng.integers(0, 4, n) / 3
    weights[:k] = 1
    return (raw / raw.sum(axis=1, keepdims=True)).astype(dtype), y, weights, rng.normal(size=(n, 2))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("seed", "n", "k"), [(0, 40, 2), (1, 60, 4), (2, 7, 3), (3, 3, 3)])
def test_classes_as_scikit_learn_has_them(backend: Target, seed: int, n: int, k: int, weighted: bool) -> None:
    """Sums of n numbers, some three a metric: n machine epsilons each."""
    theirs = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn's")
    p, y, weights, _ = drawn(seed, n, k)
    w = weights if weighted else None
    arrays = backend.asarray(p), backend.asarray(y)
    given = {"sample_weight": None if w is None else backend.asarray(w)}
    close = {"rel_tol": 0, "abs_tol": 10 * n * 2.0**-52}
    guess = p.argmax(axis=1)
    assert math.isclose(accuracy(*arrays, **given), theirs.accuracy_score(y, guess, sample_weight=w), **close)
    expected = theirs.balanced_accuracy_score(y, guess, sample_weight=w)
    assert math.isclose(balanced_accuracy(*arrays, **given), expected, **close)
    for ours, name in ((precision, "precision"), (recall, "recall"), (f1, "f1")):
        their = getattr(theirs, f"{name}_score")
        options = {"sample_weight": w, "zero_division": np.nan, "labels": range(k + 1)}
        by_class = ours(*arrays, k + 1, **given)
        np.testing.assert_allclose(by_class, their(y, guess, average=None, **options), rtol=0, atol=close["abs_tol"])
        assert math.isclose(macro(by_class), their(y, guess, average="macro", **options), **close)
    expected = theirs.log_loss(y, p, sample_weight=w, labels=range(k))
    assert math.isclose(log_loss(*arrays, **given), expected, **close)
    expected = theirs.roc_auc_score(y, p[:, 1] if k == 2 else p, sample_weight=w, multi_class="ovr")
    assert math.isclose(roc_auc(*arrays, **given), expected, **close)
    expected = theirs.average_precision_score(y, p[:, 1] if k == 2 else p, sample_weight=w)
    assert math.isclose(average_precision(*arrays, **given), expected, **close)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("seed", "n"), [(0, 40), (1, 9), (2, 2)])
def test_numbers_as_scikit_learn_has_them(backend: Target, seed: int, n: int, weighted: bool) -> None:
    """R² divides by a variance that may be small: the draws' is above 0.1."""
    theirs = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn's")
    version = tuple(map(int, pytest.importorskip("sklearn").__version__.split(".")[:2]))
    _, _, weights, values = drawn(seed, n, 2)
    w = weights if weighted else None
    p, y = values.T
    arrays = backend.asarray(p), backend.asarray(y)
    given = {"sample_weight": None if w is None else backend.asarray(w)}
    for ours, name in (
        (rmse, "root_mean_squared_error"),
        (mean_absolute_error, "mean_absolute_error"),
        (median_absolute_error, "median_absolute_error"),
        (r2, "r2_score"),
    ):
        if w is not None and "median" in name and version < (1, 8):
            continue  # it took the lower of two values in the middle
        expected = getattr(theirs, name)(y, p, sample_weight=w)
        assert math.isclose(ours(*arrays, **given), expected, rel_tol=1e-12), name


def test_what_scikit_learn_calls_undefined() -> None:
    """A class without rows has no recall, one never predicted no precision, and neither counts in a mean."""
    guess, y = [0, 0, 1, 1], [0, 0, 0, 2]
    assert np.array_equal(recall(guess, y, 4), [2 / 3, math.nan, 0, math.nan], equal_nan=True)
    assert np.array_equal(precision(guess, y, 4), [1, 0, math.nan, math.nan], equal_nan=True)
    assert np.array_equal(f1(guess, y, 4), [0.8, 0, 0, math.nan], equal_nan=True)
    assert balanced_accuracy(guess, y) == 1 / 3
    p = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1]]  # of a third class there are no rows
    assert roc_auc(p, [0, 1, 1]) == average_precision(p, [0, 1, 1]) == 1.0


def test_one_row_and_constant_scores(backend: Target) -> None:
    y = backend.asarray([0, 1, 1, 1])
    assert roc_auc(backend.asarray([0.5] * 4), y) == 0.5  # all are ties
    assert average_precision(backend.asarray([0.5] * 4), y) == 0.75  # the share of the class
    one = backend.asarray([1])
    assert log_loss(backend.asarray([[0.25, 0.75]]), one) == -math.log(0.75)
    assert accuracy(one, one) == balanced_accuracy(one, one) == 1
    assert rmse(one, one) == median_absolute_error(one, one) == mean_absolute_error(one, one) == 0
    assert calibration_error(backend.asarray([0.75]), one) == 0.25


def test_columns_that_mean_the_same(backend: Target) -> None:
    """(n,), (n, 1) and (n, 2) of two classes; labels, and one-hot rows."""
    p, y, _, _ = drawn(5, 20, 2)
    both, one_hot = backend.asarray(p), backend.asarray(np.eye(2)[y])
    for measure in (log_loss, roc_auc, average_precision, calibration_error):
        expected = measure(both, backend.asarray(y))
        assert measure(both, one_hot) == expected
        assert math.isclose(measure(backend.asarray(p[:, 1]), one_hot), expected, rel_tol=1e-13)
        assert math.isclose(measure(backend.asarray(p[:, 1:]), one_hot), expected, rel_tol=1e-13)


def test_a_certain_mistake_costs_what_the_dtype_says(backend: Target) -> None:
    """As scikit-learn, which keeps probabilities from 0 and 1 by the epsilon of their dtype."""
    certain = np.array([[1.0, 0.0]])
    for dtype in ("float32", "float64"):
        eps = float(np.finfo(dtype).eps)
        assert math.isclose(log_loss(backend.asarray(certain, dtype), backend.asarray([1])), -math.log(eps))


@pytest.mark.parametrize("bins", [1, 5, 10])
def test_calibration_curve_as_scikit_learn_has_it(backend: Target, bins: int) -> None:
    theirs = pytest.importorskip("sklearn.calibration", reason="compares with scikit-learn's")
    p, y, _, _ = drawn(6, 200, 2)
    p[:2] = [[1, 0], [0, 1]]  # the ends of the first and the last bin
    observed, predicted = theirs.calibration_curve(y, p[:, 1], n_bins=bins)
    curve = calibration_curve(backend.asarray(p), backend.asarray(y), bins)
    np.testing.assert_allclose(curve.observed, observed, rtol=1e-13)
    np.testing.assert_allclose(curve.predicted, predicted, rtol=1e-13)
    assert curve.weight.sum() == 200 and len(curve.bin) == len(observed)
    expected = np.sum(curve.weight * np.abs(observed - predicted)) / 200
    assert math.isclose(calibration_error(backend.asarray(p), backend.asarray(y), bins), expected, rel_tol=1e-12)


def test_calibration_of_several_classes_is_that_of_the_predicted_one() -> None:
    """By hand: bins (0.5, 1] with a confidence of 0.65 on the mean, one of two right; (0, 0.5] with 0.4, right."""
    p = [[0.6, 0.2, 0.2], [0.1, 0.2, 0.7], [0.4, 0.3, 0.3]]
    curve = calibration_curve(p, [0, 1, 0], bins=2)
    np.testing.assert_allclose(curve.predicted, [0.4, 0.65], rtol=1e-15)
    assert curve.observed.tolist() == [1.0, 0.5] and curve.weight.tolist() == [1, 2] and curve.bin.tolist() == [0, 1]
    assert math.isclose(calibration_error(p, [0, 1, 0], bins=2), (0.6 + 2 * 0.15) / 3)


def test_weights_count_a_row_as_so_many() -> None:
    """Whole weights are rows repeated."""
    p, y, _, values = drawn(7, 30, 3)
    times = np.arange(30) % 3
    rows = np.repeat(np.arange(30), times)
    for name in ("accuracy", "balanced_accuracy", "log_loss", "roc_auc", "average_precision", "calibration_error"):
        measure = getattr(metrics, name)
        assert math.isclose(measure(p, y, sample_weight=times), measure(p[rows], y[rows]), rel_tol=1e-12), name
    a, b = values.T
    for measure in (rmse, r2, mean_absolute_error, median_absolute_error):
        assert math.isclose(measure(a, b, sample_weight=times), measure(a[rows], b[rows]), rel_tol=1e-12)


@pytest.mark.parametrize(("weight", "n"), [(0.1, 14), (0.1, 6), (0.3, 6), (1 / 3, 10)])
def test_a_median_of_equal_weights_is_the_median(weight: float, n: int) -> None:
    """Also where half of the sum of the weights is above, or below, the sum of half of them by a rounding."""
    errors = np.arange(float(n)) ** 2
    assert median_absolute_error(errors, np.zeros(n), sample_weight=np.full(n, weight)) == np.median(errors)
