"""Rows held out to follow a training by: they weigh something, or it does not begin."""

import math
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import CategoricalCrossentropy, Dense, Sequential, data

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, 0]


def test_rows_that_weigh_0_are_not_held_out() -> None:
    y, w = np.repeat([0, 1], 20), np.ones(40)
    w[:16] = 0  # 4 rows of class 0 and 20 of class 1 are left
    train, held_out = data.split(y, 0.25, 3, sample_weight=w)
    assert sorted([*train, *held_out]) == [*range(40)]
    assert len(held_out) == 6 and np.bincount(y[held_out]).tolist() == [1, 5] and (w[held_out] > 0).all()
    assert {*range(16)} <= {*train}


@pytest.mark.parametrize("y", [40, np.repeat([0, 1], 20)], ids=["a number", "classes"])
def test_weights_above_0_change_nothing(y: Any) -> None:
    plain, weighed = data.split(y, 0.2, 1), data.split(y, 0.2, 1, sample_weight=np.linspace(1e-9, 9, 40))
    np.testing.assert_array_equal(plain[1], weighed[1])


@pytest.mark.parametrize(("above", "fraction"), [(2, 0.05), (2, 0.9), (3, 0.01)])
def test_of_few_rows_one_is_held_out_and_one_left(above: int, fraction: float) -> None:
    w = (np.arange(40) < above).astype(float)
    train, held_out = data.split(40, fraction, 0, sample_weight=w)
    assert w[held_out].sum() >= 1 and w[train].sum() >= 1


def test_what_cannot_be_divided() -> None:
    for above in (0, 1):
        with pytest.raises(data.DataError, match=f"of {above} rows of weight above 0 leaves {above} to train on and 0"):
            data.split(40, 0.1, 0, sample_weight=(np.arange(40) < above).astype(float))
    with pytest.raises(data.DataError, match="class 0 has one row of weight above 0 only"):
        data.split(np.repeat([0, 1], 20), 0.1, 0, sample_weight=(np.arange(40) >= 19).astype(float))
    with pytest.raises(data.DataError, match=r"sample_weight of shape \(3,\), expected \(40,\)"):
        data.split(40, 0.1, 0, sample_weight=np.ones(3))


@pytest.mark.parametrize("part", [0, 1], ids=["those trained on", "those held out"])
def test_no_loss_is_nan_where_a_part_weighed_0(part: int) -> None:
    w = np.ones(40)
    w[data.split(40, 0.1, 0)[part]] = 0
    history = Sequential([Dense(3, 1)], "mean_squared_error", seed=0).fit(X, Y, sample_weight=w, validation_split=0.1)
    assert all(math.isfinite(values[0]) for values in history.values())


def test_ignored_labels_are_not_held_out() -> None:
    model = Sequential([Dense(3, 2), "softmax"], CategoricalCrossentropy(ignore_label=-1), seed=0)
    history = model.fit(X, np.where(np.arange(40) < 38, -1, 1), validation_split=0.05)
    assert math.isfinite(history["val_loss"][0])


@pytest.mark.filterwarnings("ignore:training ended after")
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_early_stopping_under_bagging(kind: str) -> None:
    """Bagging draws rows by weights of which a third are 0."""
    ensemble = pytest.importorskip("sklearn.ensemble", reason="estimators need scikit-learn")
    options: dict[str, Any] = {"hidden_layer_sizes": (4,), "early_stopping": True, "max_iter": 2}
    for seed in range(10):
        if kind == "classifier":
            bag = ensemble.BaggingClassifier(nnxp.MLPClassifier(**options), 10, random_state=seed).fit(X, Y > 0)
        else:
            bag = ensemble.BaggingRegressor(nnxp.MLPRegressor(**options), 10, random_state=seed).fit(X, Y)
        assert all(math.isfinite(score) for each in bag.estimators_ for score in each.validation_scores_)


def test_an_estimator_with_one_row_that_weighs_says_so() -> None:
    pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    with pytest.raises(data.DataError, match="early_stopping=True.*of 1 rows of weight above 0"):
        nnxp.MLPRegressor(early_stopping=True).fit(X, Y, sample_weight=np.arange(40) == 3)
