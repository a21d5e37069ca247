"""Members that each train on a bag of the rows, and the scores of the rows that bags leave out."""

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, BaggingRegressor

import nnxp
from nnxp import MLPClassifier, MLPRegressor, random
from tests.helpers.matrix import Target

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N, K = 60, 3
RNG = np.random.default_rng(7)
X = RNG.standard_normal((N, 4))
NUMBERS = 1e3 + 50 * X[:, 0] + RNG.standard_normal(N)
WEIGHTS = RNG.uniform(0.5, 2.0, N) * (np.arange(N) % 10 > 0)
CLASSES = np.array(["ant", "bee", "cow"])[np.digitize(X[:, 0], [-0.5, 0.5])]
CASES: dict[str, tuple[Any, Any]] = {
    "classes": (MLPClassifier, CLASSES),
    "two classes": (MLPClassifier, CLASSES == "ant"),
    "labels": (MLPClassifier, 1 * (X[:, :2] > 0)),
    "numbers": (MLPRegressor, NUMBERS),
    "several numbers": (MLPRegressor, np.stack([NUMBERS, X[:, 1]], axis=1)),
    "rates": (MLPRegressor, np.abs(X[:, 0])),
}


def bagged(case: str, **options: Any) -> Any:
    given = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.01, "max_iter": 5, "random_state": 0, "members": K}
    rates = {"loss": "poisson"} if case == "rates" else {}
    return CASES[case][0](**(given | rates | {"bootstrap": True, "oob_score": True} | options))


def predicted_by(model: Any) -> Any:
    return getattr(model, "predict_proba", model.predict)


def of_left_out(model: Any) -> Any:
    return getattr(model, "oob_decision_function_" if isinstance(model, MLPClassifier) else "oob_prediction_")


def counts_of(model: Any, weighs: Any) -> Any:
    """How often each member draws each row: draw i is the ⌊m uᵢ⌋-th of m rows that weigh something."""
    found, rows = np.zeros((len(weighs), model.members), dtype=int), np.flatnonzero(weighs)
    for k in range(model.members):
        for u in random.uniform(random.key(model.model_.seeds[k], "bags"), (len(rows),)):
            found[rows[int(u * len(rows))], k] += 1
    return found


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*out-of-bag")
@pytest.mark.parametrize("case", CASES)
def test_each_member_is_what_its_bag_trains_alone_and_predicts_what_that_left_out(case: str) -> None:
    kind, y = CASES[case]
    options: dict[str, Any] = {"dropout": 0.2, "dtype": "float64", "alpha": 0.5, "shuffle": False, "batch_size": 13}
    model = bagged(case, **options).fit(X, y, WEIGHTS)
    counts = counts_of(model, WEIGHTS)
    assert np.all(counts.sum(axis=0) == np.count_nonzero(WEIGHTS)) and counts.max() > 1
    first, alone = bagged(case, **options)._network(4, model._target, "float64", None), []
    for k in range(K):
        one = bagged(case, **options, **{"members": 1, "bootstrap": False, "oob_score": False})
        one._network = lambda *given, k=k: first.member(k)
        one._target_of = lambda *given: model._target  # y is scaled by all rows
        alone.append(one.fit(X, y, counts[:, k] * WEIGHTS))
        for got, expected in zip((*model.coefs_, *model.intercepts_), (*one.coefs_, *one.intercepts_), strict=True):
            np.testing.assert_allclose(got[k], expected, rtol=1e-9, atol=1e-11)
    each = np.array([np.log(a) if case == "rates" else a for a in (predicted_by(one)(X) for one in alone)])
    left_out = (counts == 0).T.reshape(K, N, *[1] * (each.ndim - 2))
    several = left_out.any(axis=0).reshape(N)
    assert several[::10].all() and 0 < np.count_nonzero(~several) < N
    expected = np.sum(left_out * each, axis=0)[several] / np.sum(left_out, axis=0)[several]
    expected, got = np.exp(expected) if case == "rates" else expected, of_left_out(model)
    assert np.isnan(got[~several]).all() and got.shape == np.shape(predicted_by(model)(X))
    np.testing.assert_allclose(got[several], expected, rtol=1e-9, atol=1e-9)
    truth, w = y[several], WEIGHTS[several]
    if case == "labels":
        score = np.average(np.all((expected > 0.5) == truth, axis=1), weights=w)
    elif kind is MLPClassifier:
        score = np.average(np.unique(y)[expected.argmax(axis=1)] == truth, weights=w)
    else:
        errors, varies = (truth - expected) ** 2, (truth - np.average(truth, axis=0, weights=w)) ** 2
        score = np.mean(1 - np.average(errors, axis=0, weights=w) / np.average(varies, axis=0, weights=w))
    assert model.oob_score_ == pytest.approx(score, rel=1e-9)


def test_results_are_where_x_is(backend: Target) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for case in ("classes", "several numbers"):
            x, y = backend.asarray(X), CASES[case][1]
            model = bagged(case, dtype="float64").fit(x, y)
            host = bagged(case, dtype="float64").fit(X, y)
            got, told = of_left_out(model), predicted_by(model)(x)
            assert type(got) is type(told) and got.dtype == told.dtype and got.shape == told.shape
            assert isinstance(model.oob_score_, float)
            # Five epochs of sums of 60 numbers of up to 1e3, in another order.
            np.testing.assert_allclose(backend.to_numpy(got), of_left_out(host), rtol=1e-9, atol=1e-9)


def test_rows_that_all_have_drawn() -> None:
    with pytest.warns(UserWarning, match="rows of 60 have no out-of-bag prediction, which is NaN: all 3 mem") as told:
        model = bagged("classes").fit(X, CLASSES)
    assert told[-1].filename == __file__
    gone = (counts_of(model, np.ones(N)) > 0).all(axis=1)
    assert f"{np.count_nonzero(gone)} rows of" in str(told[-1].message)
    np.testing.assert_array_equal(np.isnan(model.oob_decision_function_).all(axis=1), gone)
    with pytest.warns(UserWarning, match="1 row of 1 has no"):
        one = bagged("numbers").fit(X[:1], NUMBERS[:1])
    assert np.isnan(one.oob_prediction_).all() and np.isnan(one.oob_score_)
    assert not {*vars(model.set_params(oob_score=False).fit(X, CLASSES))} & {"oob_score_", "oob_decision_function_"}


@pytest.mark.parametrize("case", ["classes", "numbers"])
def test_rows_that_have_chosen_the_epoch_are_not_scored(case: str) -> None:
    y = CASES[case][1]
    model = bagged(case, members=24, early_stopping=True, validation_fraction=0.2).fit(X, y)
    gone = np.isnan(of_left_out(model)).reshape(N, -1).all(axis=1)
    assert np.count_nonzero(gone) == 12
    twin = bagged(case, members=24, max_iter=model.n_iter_, early_stopping=True, validation_fraction=0.2).fit(X, y)
    part = model._target.encode(y)
    assert [*np.flatnonzero(~gone)] == [*twin._divided(nnxp.estimators.inputs.Part(X, part, None))[0]]
    stops = nnxp.callbacks.MemberStopping(patience=2)
    each = bagged(case, members=24, max_iter=30, callbacks=[stops]).fit(X, y, X_val=X[:9], y_val=y[:9])
    assert not np.isnan(of_left_out(each)).any() and each.oob_score_ > 0.3


def test_bags_of_one_seed_are_one() -> None:
    models = [bagged("numbers", members=9, oob_score=False, random_state=seed).fit(X, NUMBERS) for seed in (0, 0, 1)]
    first, again, other = (model.coefs_[0] for model in models)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    twin = pickle.loads(pickle.dumps(bagged("classes", members=24).fit(X, CLASSES)))
    assert twin.oob_score_ == bagged("classes", members=24).fit(X, CLASSES).oob_score_
    sparse, dense = (bagged("numbers", members=24, dtype="float64").fit(rows, NUMBERS) for rows in (csr_array(X), X))
    np.testing.assert_allclose(sparse.oob_prediction_, dense.oob_prediction_, rtol=1e-9)
    plain = bagged("classes", members=24, bootstrap=False, oob_score=False).fit(X, CLASSES)
    assert not np.array_equal(plain.coefs_[0], twin.coefs_[0])


def test_folds_and_grids_are_of_bags_too() -> None:
    """One by one, each as scikit-learn's functions fit it."""
    model = bagged("classes", members=16, max_iter=20)
    found = nnxp.cross_validate(model, X, CLASSES, cv=3, return_estimator=True)
    for fitted, score in zip(found["estimator"], found["test_score"], strict=True):
        assert fitted.oob_score_ > 0.33 and score > 0.33 and len(fitted.oob_decision_function_) == 40
    search = nnxp.grid_search(model, {"bootstrap": [False, True], "oob_score": [False]}, X, CLASSES, cv=3)
    again = clone(model).set_params(**search.best_params_).fit(X, CLASSES)
    assert np.array_equal(search.predict_proba(X), again.predict_proba(X))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": 1, "oob_score": False}, r"got bootstrap=True for one network, .*MLPClassifier\(members=32"),
        ({"bootstrap": False}, "got oob_score=True without bags, .* expected bootstrap=True"),
        ({"warm_start": True}, "got oob_score=True and warm_start=True"),
        ({"bootstrap": 2}, "got bootstrap=2"),
        ({"oob_score": "yes"}, "got oob_score='yes'"),
    ],
)
def test_what_bags_cannot_be(options: dict[str, Any], message: str) -> None:
    model = bagged("classes", **options)
    before = copy.copy(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(X, CLASSES)
    assert vars(model) == before
    with pytest.raises(ValueError, match="got bootstrap=True in a partial_fit"):
        bagged("classes").partial_fit(X, CLASSES, classes=["ant", "bee", "cow"])


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_batches_of_rows_that_all_weigh_nothing(kind: type[Any]) -> None:
    """Also in scikit-learn's bags, which give rows that were not drawn a weight of 0."""
    y, weights = CLASSES if kind is MLPClassifier else NUMBERS, np.r_[np.ones(30), np.zeros(30)]
    model = kind(hidden_layer_sizes=(8,), batch_size=4, max_iter=20, random_state=0)
    model.fit(X, y, sample_weight=weights)
    assert np.isfinite(model.loss_curve_).all() and model.loss_curve_[-1] < model.loss_curve_[0]
    bag = BaggingClassifier if kind is MLPClassifier else BaggingRegressor
    assert np.isfinite(bag(clone(model), 5, random_state=0).fit(X, y).score(X, y))
