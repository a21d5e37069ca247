"""Accuracy, RMSE, R² and the confusion matrix against their definitions, on every backend."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxp.metrics import accuracy, confusion_matrix, r2, rmse
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
    ],
)
def test_bad_input(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
