"""How well a column predicts the target by itself."""

import numpy as np
import pytest

from nnxp.tabular.findings import leaks
from nnxp.tabular.findings.leaks import alone
from nnxp.tabular.table import Column, Moments, Numbers, Table, Words

N = 2000
CHANCE = np.random.default_rng(0)


def words(values: np.ndarray) -> Words:
    texts, codes = np.unique(values, return_inverse=True)
    return Words([str(text) for text in texts], codes.astype(np.int32))


def score(column: Column, y: np.ndarray, n_classes: int | None = None) -> float:
    return alone(Table("made.csv", {"x": column}, range(2, len(y) + 2)), y, n_classes)["x"]


X = CHANCE.normal(size=N)
TWO = (X > 0.3).astype(int)
HIDDEN = np.where(TWO == 1, X, np.nan)  # known of one class only: the date of a death
FAR = 1e300 * X


@pytest.mark.parametrize(
    ("column", "y", "n_classes"),
    [
        (Numbers(X), TWO, 2),
        (Numbers(-FAR), TWO, 2),
        (Numbers(X), (np.abs(X) > 1).astype(int), 2),  # at both ends
        (Numbers(HIDDEN), TWO, 2),
        (Numbers(np.where(TWO == 1, 5.0, np.nan)), TWO, 2),
        (Numbers(np.digitize(X, [-1, 0, 1]).astype(float)), np.digitize(X, [-1, 0, 1]), 4),
        (words(np.digitize(X, [-1, 0, 1])), np.digitize(X, [-1, 0, 1]), 4),
        (Moments((X * 1e15).astype("datetime64[us]")), TWO, 2),
        (Numbers(X), 1e6 * X - 3, None),
        (Numbers(X), np.tanh(X), None),
        (Numbers(X**5), X**5, None),  # a few rows far out, which no group holds
        (words(np.digitize(np.tanh(X), np.linspace(-1, 1, 50))), np.tanh(X), None),
    ],
    ids="line reversed ends missing known numbers words moments values curve tails bins".split(),
)
def test_a_leak_is_found(column: Column, y: np.ndarray, n_classes: int | None) -> None:
    assert score(column, y, n_classes) >= 0.99


@pytest.mark.parametrize(
    ("column", "y", "n_classes"),
    [
        (Numbers(CHANCE.normal(size=N)), TWO, 2),
        (words(np.arange(N)), TWO, 2),  # an identifier: no word of the second half was seen
        (Numbers(np.full(N, np.nan)), TWO, 2),
        (Numbers(X + 0.5 * CHANCE.normal(size=N)), TWO, 2),  # a good column is no leak
        (Numbers(X + 0.5 * CHANCE.normal(size=N)), X, None),
        (words(np.arange(N)), X, None),
    ],
    ids="nothing identifier empty good good_value identifier_value".split(),
)
def test_no_leak_is_made_up(column: Column, y: np.ndarray, n_classes: int | None) -> None:
    assert score(column, y, n_classes) < 0.97


def test_what_says_nothing_has_the_score_of_nothing() -> None:
    assert score(words(np.arange(N)), TWO, 2) == 0.5
    assert abs(score(Numbers(np.full(N, 7.0)), X)) < 0.01


def test_few_rows_and_a_target_that_does_not_vary() -> None:
    y = np.arange(40) % 3
    columns = {"y": Numbers(y + 1.0), "other": Numbers(np.arange(40.0))}
    found = alone(Table("made.csv", columns, range(2, 42)), y, 3)
    assert found["y"] == 1.0 and found["other"] < 0.99
    assert alone(Table("made.csv", columns, range(2, 42)), np.zeros(40), None) == {}
    assert alone(Table("made.csv", columns, range(2, 42)), np.zeros(40, int), 2) == {}


def test_many_rows_are_not_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(leaks, "over_classes", lambda area, p, y, w: seen.append(len(y)) or 0.5)
    score(Numbers(np.arange(30_001.0)), np.arange(30_001) % 2, 2)
    assert seen == [10_000, 10_000]  # half of 20,000, by groups and by a line


def test_to_know_a_group_again_is_not_to_predict() -> None:
    """60 patients with four visits each, a date that says which patient it is, and an outcome by chance."""
    generator = np.random.default_rng(3)
    patient = np.repeat(np.arange(60), 4)
    outcome, date = generator.integers(0, 2, 60)[patient], generator.permutation(60)[patient].astype(float)
    visits = Table("t.csv", {"date": Numbers(date), "told": Numbers(outcome * 3.0)}, range(240))
    assert alone(visits, outcome, 2)["date"] > 0.9
    apart = alone(visits, outcome, 2, patient)
    assert apart["date"] < 0.8 and apart["told"] == 1.0  # 0.5 ± √(31 / (12 · 15 · 15)) = 0.11, of 15 patients each
    first_is_most = np.repeat([0, 1], [200, 40])
    assert alone(visits, outcome, 2, first_is_most)["told"] == 1.0
    assert alone(visits, outcome, 2, np.zeros(240, np.int64)) == {}
