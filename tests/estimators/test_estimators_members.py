"""Estimators of several networks: what they predict, what they keep, and how sure they say they are."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy.sparse import csr_array
from scipy.stats import beta
from sklearn.base import clone
from sklearn.utils import estimator_checks

import nnxp
from nnxp.estimators.uncertainty import MOST, Intervals, mutual_information
from tests.helpers.matrix import Target

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix"),
]
K = 3
RNG = np.random.default_rng(7)
X = RNG.standard_normal((60, 4))
LABELS = np.array(["ant", "bee", "cow"])[RNG.integers(0, 3, 60)]
BITS = RNG.integers(0, 2, (60, 2))
NUMBERS = 1e3 + 50 * X[:, 0] + RNG.standard_normal(60)
WEIGHTS = RNG.uniform(0.5, 2.0, 60)
CASES: dict[str, tuple[Any, Any]] = {
    "classes": (nnxp.MLPClassifier, LABELS),
    "two classes": (nnxp.MLPClassifier, LABELS == "ant"),
    "labels": (nnxp.MLPClassifier, BITS),
    "numbers": (nnxp.MLPRegressor, NUMBERS),
    "several numbers": (nnxp.MLPRegressor, np.stack([NUMBERS, X[:, 1]], axis=1)),
}


def several(case: str, **options: Any) -> Any:
    given = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.01, "max_iter": 5, "random_state": 0, "members": K}
    return CASES[case][0](**(given | options))


@pytest.mark.parametrize("case", CASES)
def test_a_prediction_is_the_mean_of_what_each_network_predicts(case: str, backend: Target) -> None:
    """Each is the network that its seed trains alone: of its own in `model_.member(k)`."""
    x, y = backend.asarray(X), CASES[case][1]
    model = several(case, dropout=0.2, dtype="float64").fit(x, y, WEIGHTS)
    alone = []
    for k in range(K):
        one = copy.copy(model)
        one.model_, one.members = model.model_.member(k), 1
        alone.append(backend.to_numpy(getattr(one, "predict_proba", one.predict)(x)))
    got = backend.to_numpy(getattr(model, "predict_proba", model.predict)(x))
    # Sums of 8 products, of up to 1e3, may round otherwise side by side.
    np.testing.assert_allclose(got, np.mean(alone, axis=0), rtol=1e-12, atol=1e-12)
    assert not np.allclose(alone[0], alone[1])
    assert [tuple(a.shape) for a in (*model.coefs_, *model.intercepts_)] == [
        (K, 4, 8), (K, 8, model.n_outputs_), (K, 8), (K, model.n_outputs_)
    ]  # fmt: skip
    assert model.loss_ == pytest.approx(np.mean(model.model_.history["member_loss"][-1]), rel=1e-12)
    assert len(model.loss_curve_) == 5


@pytest.mark.parametrize("case", CASES)
def test_the_networks_are_those_that_a_fit_of_each_alone_gives(case: str) -> None:
    """The whole fit: penalties, weights, dropout; the same batches, since these do not depend on the seed here."""
    y = CASES[case][1]
    model = several(case, dropout=0.2, dtype="float64", alpha=0.5, shuffle=False, batch_size=13)
    one = several(case, dropout=0.2, dtype="float64", alpha=0.5, shuffle=False, batch_size=13, members=1)
    twin = several(case, dropout=0.2, dtype="float64", alpha=0.5, shuffle=False, batch_size=13)
    model.fit(X, y, WEIGHTS)
    first = twin._network(4, model._target, "float64", None)
    for k in range(K):
        alone = clone(one)
        alone._network = lambda *given, k=k: first.member(k)
        alone.fit(X, y, WEIGHTS)
        for got, expected in zip((*model.coefs_, *model.intercepts_), (*alone.coefs_, *alone.intercepts_), strict=True):
            np.testing.assert_allclose(got[k], expected, rtol=1e-9, atol=1e-11)


def test_one_member_is_as_before() -> None:
    plain, one = nnxp.MLPClassifier((8,), max_iter=3, random_state=0), several("classes", members=1, max_iter=3)
    plain.learning_rate_init = 0.01
    assert np.array_equal(plain.fit(X, LABELS).predict_proba(X), one.fit(X, LABELS).predict_proba(X))
    assert "members" not in repr(one) and repr(several("classes")).count("members=3") == 1
    old = pickle.loads(pickle.dumps(one))
    state = old.__getstate__()
    del state["members"], state["_made"]["members"]
    old.__setstate__(state)
    assert old.members == 1 and old.partial_fit(X, LABELS).n_iter_ == 1


@pytest.mark.parametrize("case", ["classes", "numbers"])
def test_copies_go_on_with_all_of_them(case: str) -> None:
    y, classes = CASES[case][1], {"classes": np.unique(LABELS)} if case == "classes" else {}
    model = several(case).partial_fit(X, y, **classes)
    twins = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    for twin in twins:
        assert np.array_equal(twin.predict(X), model.predict(X))
    model.partial_fit(X, y)
    for twin in twins:
        assert np.array_equal(twin.partial_fit(X, y).coefs_[0], model.coefs_[0])
    with pytest.raises(ValueError, match="got members=2 in a partial_fit, expected 3"):
        model.set_params(members=2).partial_fit(X, y)


def test_a_later_penalty_counts_for_every_member() -> None:
    """Beside what else moves a weight, SGD takes lr α W / n off."""
    model = several("numbers", solver="sgd", momentum=0.0, alpha=0.0, batch_size=60, dtype="float64")
    model.partial_fit(X, NUMBERS)
    before = model.coefs_[0].copy()
    twin = copy.deepcopy(model).partial_fit(X, NUMBERS)
    model.set_params(alpha=600.0).partial_fit(X, NUMBERS)
    # scikit-learn's gradient of the penalty is alpha W / n; the loss here is twice its half of the squares.
    np.testing.assert_allclose(model.coefs_[0], twin.coefs_[0] - 0.01 * 2 * 600.0 / 60 * before, rtol=1e-9)


def test_warm_starts_and_early_stopping() -> None:
    model = several("classes", warm_start=True, early_stopping=True, max_iter=20).fit(X, LABELS)
    assert model.best_validation_score_ == max(model.validation_scores_)
    before = model.coefs_[0].copy()
    model.set_params(learning_rate_init=1e-9, max_iter=1, early_stopping=False).fit(X, LABELS)
    np.testing.assert_allclose(model.coefs_[0], before, rtol=0, atol=1e-8)  # a step of Adam is of the rate's size
    with pytest.raises(ValueError, match="members as they were"):
        model.set_params(members=2).fit(X, LABELS)


def test_sparse_rows() -> None:
    """The first product sums the same numbers in another order."""
    model = several("numbers", dtype="float64")
    dense, sparse = (clone(model).fit(rows, NUMBERS) for rows in (X, csr_array(X)))
    np.testing.assert_allclose(sparse.predict(csr_array(X)), dense.predict(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "lbfgs"}, "got LBFGS for a model of 3 members"),
        ({"solver": nnxp.Adam(clip_norm=1.0)}, "got clip_norm for a model of 3 members"),
        ({"members": 0}, "got members=0, expected a whole number from 1 up"),
    ],
)
def test_what_several_cannot_take(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        several("classes", **options).fit(X, LABELS)


# --- how sure they are ----------------------------------------------------------------------------------


def outputs(model: Any, x: Any) -> np.ndarray[Any, Any]:
    return np.asarray(model.model_.predict(x, members=True))


@pytest.mark.parametrize("case", ["numbers", "several numbers"])
def test_the_spread_is_the_members_standard_deviation(case: str, backend: Target) -> None:
    x = backend.asarray(X)
    model = several(case, dtype="float64").fit(x, CASES[case][1])
    each = np.stack([backend.to_numpy(model.model_.member(k).predict(x)) for k in range(K)])
    expected = np.sqrt(np.sum((each - each.mean(0)) ** 2, axis=0) / (K - 1))
    got = model.predict_std(x)
    assert type(got) is type(x) and tuple(got.shape) == np.shape(CASES[case][1])
    np.testing.assert_allclose(
        backend.to_numpy(got).reshape(expected.shape), expected, rtol=1e-6
    )  # of 1e3, 1e-9 rounds


def test_the_spread_of_rates_is_in_their_units() -> None:
    model = several("numbers", loss="poisson", dtype="float64").fit(X, np.abs(X[:, 0]))
    np.testing.assert_allclose(
        model.predict_std(X), np.std(np.exp(outputs(model, X)), axis=0, ddof=1)[:, 0], rtol=1e-12
    )
    with pytest.raises(ValueError, match='another loss than "poisson"'):
        model.fit(X, np.abs(X[:, 0]), X_val=X, y_val=np.abs(X[:, 0])).predict_interval(X)


def made(n: int, seed: int) -> tuple[Any, Any]:
    """Rows whose noise is another on either side of 0."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(-2, 2, (n, 1))
    return x, 100 + 30 * np.sin(2 * x[:, 0]) + np.where(x[:, 0] > 0, 10, 2) * generator.standard_normal(n)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_what_they_say(level: float) -> None:
    """Given m held-out rows, the share of new rows within is Beta(k, m + 1 - k), k = ⌈(m + 1) level⌉ (Vovk 2012, of
    split conformal prediction); of 20,000 new rows it is counted to 0.004. A millionth of all tests fall outside."""
    held_out, (x, y) = 300, made(200, 0)
    val, new = made(held_out, 1), made(20_000, 2)
    model = several("numbers", max_iter=60, hidden_layer_sizes=(16,)).fit(x, y, X_val=val[0], y_val=val[1])
    low, high = model.predict_interval(new[0], level)
    k = int(np.ceil((held_out + 1) * level))
    least, most = beta.ppf([5e-7, 1 - 5e-7], k, held_out + 1 - k)
    assert least - 0.02 < np.mean((low <= new[1]) & (new[1] <= high)) < most + 0.02
    far = np.array([[0.5], [30.0]])
    low, high = model.predict_interval(far, level)
    assert (high - low)[1] > 2 * (high - low)[0] and np.all(np.argsort(model.predict_std(far)) == [0, 1])
    np.testing.assert_allclose((low + high) / 2, model.predict(far), rtol=1e-12)


@pytest.mark.parametrize("rows", [9, 57, MOST, 2 * MOST + 1])
def test_intervals_by_hand(rows: int) -> None:
    """The half-width of a row is u = √(s² + σ²) times the ⌈(n + 1) level⌉-th lowest of |y - ŷ| / u over n rows; of very
    many, 999 of them are kept."""
    generator = np.random.default_rng(rows)
    each, y = generator.standard_normal((4, rows, 2)), 3 * generator.standard_normal((rows, 2))
    new = generator.standard_normal((4, 5, 2))
    middle, sigma = each.mean(0), np.sqrt(np.mean((y - each.mean(0)) ** 2, axis=0))
    scores = np.sort(np.abs(y - middle) / np.sqrt(each.std(0, ddof=1) ** 2 + sigma**2), axis=0)
    found = Intervals.of(each, y, None)
    for level in (0.1, 0.5, 0.8, 0.9):
        k = int(np.ceil((rows + 1) * level - 1e-9))
        low, high = found.around(new, level)
        half = scores[k - 1] * np.sqrt(new.std(0, ddof=1) ** 2 + sigma**2)
        np.testing.assert_allclose(low, new.mean(0) - half, rtol=1e-12)
        np.testing.assert_allclose(high, new.mean(0) + half, rtol=1e-12)
    assert len(found.bounds) == 2 and len(found.bounds[0]) == min(rows, MOST)


def test_a_row_of_weight_2_is_there_twice() -> None:
    """But for the one row that is to come, which counts as a typical one, and for the steps of the levels that are
    kept: three rows of 300 at most."""
    generator = np.random.default_rng(0)
    each, y = generator.standard_normal((4, 300, 1)), generator.standard_normal((300, 1))
    w = generator.integers(0, 3, 300)
    twice = Intervals.of(np.repeat(each, w, axis=1), np.repeat(y, w, axis=0), None)
    weighed = Intervals.of(each, y, w.astype(float))
    np.testing.assert_allclose(weighed.deviation, twice.deviation, rtol=1e-12)
    new = generator.standard_normal((4, 1, 1))
    for level in (0.3, 0.62, 0.905):
        least, got, most = (
            one.around(new, by)[1] for one, by in ((twice, level - 0.01), (weighed, level), (twice, level + 0.01))
        )
        assert least <= got <= most


def test_intervals_need_rows_and_members() -> None:
    model = several("numbers").fit(X, NUMBERS)
    with pytest.raises(ValueError, match=r"rows held out: MLPRegressor\(early_stopping=True\)"):
        model.predict_interval(X)
    model.fit(X, NUMBERS, X_val=X[:12], y_val=NUMBERS[:12])
    for level, message in ((0.95, "at most 0.923076: hold more rows out"), (0, "level=0"), (1, "level=1")):
        with pytest.raises(ValueError, match=message):
            model.predict_interval(X, level)
    low, high = model.predict_interval(X, 12 / 13)  # as far as 12 rows tell
    assert np.all(low < high)
    twin = pickle.loads(pickle.dumps(model))
    assert np.array_equal(twin.predict_interval(X), model.predict_interval(X))
    assert model.fit(X, NUMBERS)._intervals is None
    early = several("numbers", early_stopping=True, validation_fraction=0.3).fit(X, NUMBERS)
    assert len(early.predict_interval(X)) == 2
    one = nnxp.MLPRegressor(max_iter=1).fit(X, NUMBERS, X_val=X, y_val=NUMBERS)
    for method in (one.predict_std, one.predict_interval, nnxp.MLPClassifier(max_iter=1).fit(X, LABELS).disagreement):
        with pytest.raises(ValueError, match=rf"got {method.__name__} of one network, expected several.*\(members=8\)"):
            method(X)


def test_mutual_information_by_hand() -> None:
    """H(p̄) - mean H(p): of two sure members that differ ln 2, of unsure ones that agree 0."""
    p = np.array([[[1, 0], [0.5, 0.5], [0.9, 0.1]], [[0, 1], [0.5, 0.5], [0.3, 0.7]]])
    bits = lambda q: -sum(x * np.log(x) for x in q)  # noqa: E731
    expected = [np.log(2), 0, bits([0.6, 0.4]) - (bits([0.9, 0.1]) + bits([0.3, 0.7])) / 2]
    np.testing.assert_allclose(mutual_information(p), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("case", ["classes", "two classes", "labels"])
def test_disagreement_is_the_mutual_information(case: str, backend: Target) -> None:
    x = backend.asarray(X)
    model = several(case, dtype="float64").fit(x, CASES[case][1])
    p = np.stack([backend.to_numpy(model.model_.member(k).predict(x)) for k in range(K)])
    if case != "classes":
        p = np.stack([1 - p, p], axis=-1)
    expected = mutual_information(p)
    got = model.disagreement(x)
    assert type(got) is type(x) and tuple(got.shape) == ((60, 2) if case == "labels" else (60,))
    np.testing.assert_allclose(backend.to_numpy(got).reshape(expected.shape), expected, rtol=1e-6, atol=1e-12)
    assert 0 < expected.max() < np.log(3)


# Not scikit-learn's own decorator: that of 1.7 gives pytest 9 a generator, which it warns of.
CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{number}")
    for kind in (nnxp.MLPClassifier, nnxp.MLPRegressor)
    for number, (estimator, check) in enumerate(estimator_checks.estimator_checks_generator(kind(members=K)))
    if "array_api" not in check.func.__name__  # slow, and of one network they are run
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
