"""Baselines: the best constant, and a linear model that is scikit-learn's."""

import numpy as np
import pytest

from nnxp.tabular.findings.baselines import coefficients, linear_model, without_columns


def test_without_columns() -> None:
    y = np.array([2, 0, 2, 2])
    assert without_columns(y, 2, 4)["shares"].tolist() == [[0.25, 0, 0.75, 0]] * 2
    assert without_columns(y, 1, 3, np.array([0.0, 3, 1, 0]))["shares"].tolist() == [[0.75, 0, 0.25]]
    values = np.array([1, 2, 3, 10])
    assert {name: p.tolist() for name, p in without_columns(values, 2).items()} == {"mean": [4, 4], "median": [2.5] * 2}
    weighted = without_columns(values, 1, None, np.array([1.0, 1, 0, 2]))
    assert weighted["mean"].tolist() == [5.75] and weighted["median"].tolist() == [6]


def columns(n: int) -> np.ndarray:
    """Numbers of all sizes, one far from 0, words one-hot, a column that is constant."""
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(n, 4)) * [1, 1000, 0.001, 1] + [0, 0, 0, 500]
    words = np.eye(3)[rng.integers(0, 3, n)]
    return np.concatenate([numbers, words, np.ones((n, 1))], axis=1).astype(np.float32)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_linear_model_of_classes_is_scikit_learns(weighted: bool) -> None:
    """Its objective, at the minimum that scikit-learn's solver finds: no more than 1 % of the loss above it."""
    models = pytest.importorskip("sklearn.linear_model", reason="compares with scikit-learn's")
    rng, X = np.random.default_rng(2), columns(900)
    Z = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    y = (Z[:, :3] * 2 + rng.gumbel(size=(900, 3))).argmax(axis=1)
    w = rng.integers(0, 3, 900).astype(float) if weighted else np.ones(900)
    model = linear_model(X, y, 3, w if weighted else None)
    p = model.predict(X)
    expected = models.LogisticRegression(tol=1e-8, max_iter=1000).fit(Z, y, w).predict_proba(Z)
    losses = [-np.average(np.log(q[np.arange(900), y]), weights=w) for q in (p, expected)]
    assert abs(losses[0] - losses[1]) < 0.01 * losses[1]
    assert np.mean(p.argmax(axis=1) == expected.argmax(axis=1)) > 0.97
    assert np.array_equal(p, linear_model(X, y, 3, w if weighted else None).predict(X))  # by the seed
    W, b = coefficients(model)
    logits = X @ W + b - np.log(p)
    assert np.abs(logits - logits[:, :1]).max() < 1e-6  # 500 and 1000 are subtracted in float64, the data are float32


@pytest.mark.parametrize("unit", [1.0, 1e6])
def test_a_linear_model_of_numbers_is_scikit_learns(unit: float) -> None:
    """In any units: the errors of its weights are below those that 900 rows leave, 1/30 of the noise for each of 8: the
    predictions differ by less than half of √8 / 30."""
    models = pytest.importorskip("sklearn.linear_model", reason="compares with scikit-learn's")
    rng, X = np.random.default_rng(3), columns(900)
    Z = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    y = unit * (Z @ np.arange(8) + 50 + rng.normal(size=900))
    expected = models.Ridge(1.0).fit(Z, y).predict(Z[:100])
    model = linear_model(X, y)
    p = model.predict(X[:100])[:, 0]
    assert np.sqrt(np.mean((p - expected) ** 2)) < 0.047 * unit
    W, b = coefficients(model)
    assert np.abs((X[:100] @ W + b)[:, 0] - p).max() < 1e-6 * np.abs(p).max()
