"""Permutation importance, against its definition and a value that is known by hand, for every kind of X."""

import importlib
import math
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import random
from nnxp.tabular.findings import importance
from nnxp.tabular.findings.importance import permutation_importance
from nnxp.tabular.table import Numbers, Table, Words
from tests.helpers.matrix import Target

ROWS = np.random.default_rng(0).normal(size=(30, 3))


def linear(X: Any) -> Any:
    return 3 * X[:, 0] + X[:, 1]


def orders(column: str, n: int, repeats: int = 5, seed: int = 0) -> list[Any]:
    return [random.permutation(random.key(seed, "order", column, repeat), n) for repeat in range(repeats)]


def test_by_hand_and_on_every_backend(backend: Target) -> None:
    """The model is right, so that a column's importance is the RMSE where it is shuffled: 3 √mean (x - shuffled x)²."""
    X = backend.asarray(ROWS)
    before = backend.to_numpy(X)
    found = permutation_importance(linear, X, linear(X), metric="rmse")
    x = ROWS[:, 0]
    by_hand = [3 * math.sqrt(np.mean((x - x[order]) ** 2)) for order in orders("0", 30)]
    assert math.isclose(found.mean["0"], np.mean(by_hand), rel_tol=1e-12)
    assert math.isclose(found.error["0"], np.std(by_hand, ddof=1) / math.sqrt(5), rel_tol=1e-12)
    assert found.mean["2"] == found.error["2"] == 0 and list(found.mean) == ["0", "1", "2"]
    assert found.metric == "rmse" and found.repeats == 5
    assert np.array_equal(backend.to_numpy(X), before)  # X stays as it is


def test_it_is_scikit_learns_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both shuffle in the same order: the fall of the estimator's own score."""
    inspection = pytest.importorskip("sklearn.inspection", reason="compares with scikit-learn's")
    models = pytest.importorskip("sklearn.linear_model", reason="compares with scikit-learn's")
    y = (linear(ROWS) > 0.5).astype(int)
    model = models.LogisticRegression().fit(ROWS, y)

    class Order:
        """The orders of scikit-learn: each column with a generator anew, and each shuffle on top of the one before."""

        def __init__(self) -> None:
            self.count, self.seed = 0, np.random.RandomState(7).randint(np.iinfo(np.int32).max + 1)

        def __call__(self, key: int, n: int) -> Any:
            if self.count % 3 == 0:
                self.random, self.rows, self.order = np.random.RandomState(self.seed), np.arange(n), np.arange(n)
            self.count += 1
            self.random.shuffle(self.rows)
            self.order = self.order[self.rows]
            return self.order

    monkeypatch.setattr(importance.random, "permutation", Order())
    ours = permutation_importance(model, ROWS, y, repeats=3)
    theirs = inspection.permutation_importance(model, ROWS, y, n_repeats=3, random_state=7)
    np.testing.assert_allclose([*ours.mean.values()], theirs.importances_mean, rtol=0, atol=1e-15)
    spread = theirs.importances.std(axis=1, ddof=1) / math.sqrt(3)
    np.testing.assert_allclose([*ours.error.values()], spread, rtol=0, atol=1e-15)


def kinds() -> dict[str, tuple[Any, Any]]:
    """The same table in every kind, and how the model reads it."""
    word = np.array(["a", "b"])[(ROWS[:, 1] > 0).astype(int)]
    columns = {"number": ROWS[:, 0].tolist(), "word": word.tolist(), "none": ROWS[:, 2].tolist()}

    def model(number: Any, word: Any) -> Any:
        return np.asarray(number, dtype=float) + 5 * (np.asarray(word) == "a")

    def texts(column: Words) -> list[str]:
        return [column.texts[code] for code in column.codes]

    as_words = Words(["b", "a"], np.array([0 if w == "b" else 1 for w in word], np.int32))
    table = Table("made.csv", {"number": Numbers(ROWS[:, 0]), "word": as_words, "none": Numbers(ROWS[:, 2])}, range(30))
    found = {
        "table": (table, lambda X: model(X.columns["number"].values, texts(X.columns["word"]))),
        "dict": (columns, lambda X: model(X["number"], X["word"])),
        "rows": (
            [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
            lambda X: model([row["number"] for row in X], [row["word"] for row in X]),
        ),
    }
    for library, make in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "table")):
        if importlib.util.find_spec(library) and importlib.util.find_spec("narwhals"):
            frame = getattr(importlib.import_module(library), make)(columns)
            found[library] = (frame, lambda X: model(X["number"], np.asarray(X["word"]).astype(str)))
    if "pandas" in found:
        frame = found["pandas"][0].copy()
        frame.index = range(100, 70, -1)  # what rows are called does not matter
        frame["word"] = frame["word"].astype("category")
        found["pandas, other index"] = (frame, found["pandas"][1])
    return found


def test_every_kind_of_table_gives_the_same() -> None:
    found = {}
    for kind, (X, model) in kinds().items():
        y = model(X)
        found[kind] = permutation_importance(model, X, y, seed=3)
        assert np.array_equal(model(X), y), kind  # X stays as it is
    for kind, one in found.items():
        assert one == found["table"], kind
    assert found["table"].metric == "r2" and found["table"].mean["none"] == 0 < found["table"].mean["word"]


def test_estimators_of_every_kind() -> None:
    models = pytest.importorskip("sklearn.linear_model", reason="takes scikit-learn's estimators")
    y = np.array(["no", "yes"])[(linear(ROWS) > 0).astype(int)]
    logistic, ridge = models.LogisticRegression().fit(ROWS, y), models.RidgeClassifier().fit(ROWS, y)
    assert permutation_importance(logistic, ROWS, y).metric == "score"
    for metric in ("accuracy", "log_loss", "roc_auc", "f1", "balanced_accuracy", "average_precision"):
        assert permutation_importance(logistic, ROWS, y, metric=metric).mean["0"] > 0, metric
    by_score = permutation_importance(ridge, ROWS, y)
    assert by_score.mean == permutation_importance(ridge, ROWS, y, metric="accuracy").mean
    weights = np.arange(30) % 2
    weighted = permutation_importance(ridge, ROWS, y, sample_weight=weights).mean
    assert weighted == permutation_importance(ridge, ROWS, y, metric="accuracy", sample_weight=weights).mean
    assert weighted != by_score.mean
    network = nnxp.Sequential([nnxp.Dense(3, 2), "softmax"], "categorical_crossentropy", seed=0)
    assert permutation_importance(network, ROWS, (y == "yes").astype(int)).metric == "accuracy"
    found = permutation_importance(ridge, ROWS, y, metric=lambda guess, y: -float(np.mean(guess != y)))
    assert found.mean == pytest.approx(by_score.mean, abs=1e-15)
    with pytest.raises(ValueError, match="got y with 'perhaps', expected classes of the estimator"):
        permutation_importance(ridge, ROWS, ["perhaps"] * 30, metric="accuracy")


def test_the_seed_and_the_name_decide() -> None:
    once, again = (permutation_importance(linear, ROWS, linear(ROWS), seed=1) for _ in range(2))
    assert once == again != permutation_importance(linear, ROWS, linear(ROWS), seed=2)
    single = permutation_importance(linear, ROWS, linear(ROWS), repeats=1, seed=1)
    assert math.isnan(single.error["0"])


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (ROWS[:, 0], {}, r"got X of shape \(30,\), expected a table: a frame, dicts, or an array"),
        (ROWS[:0], {}, "got X without rows"),
        (ROWS, {"metric": "rsme"}, "got metric='rsme', expected one of accuracy, .*; did you mean 'rmse'"),
        (ROWS, {"repeats": 0}, "got repeats=0, expected a whole number from 1 up"),
    ],
)
def test_bad_input(X: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        permutation_importance(linear, X, linear(ROWS), **options)
