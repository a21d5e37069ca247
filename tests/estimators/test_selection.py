"""Cross-validation and grids whose folds and points are trained side by side."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.model_selection as sklearn
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nnxp
from nnxp import MLPClassifier, MLPRegressor
from nnxp.estimators import together
from nnxp.schedules import LinearWarmup, ReduceOnPlateau

N, M = 90, 4
RNG = np.random.default_rng(7)
X = RNG.standard_normal((N, M))
SCORES = np.stack([X[:, 0], X[:, 1] + X[:, 2] ** 2 - 1, np.full(N, -0.3)], axis=1) + 0.3 * RNG.standard_normal((N, 3))
CLASSES = np.array(["a", "b", "c"])[SCORES.argmax(axis=1)]
LABELS = 1 * (SCORES > 0)
TARGETS = {"three classes": CLASSES, "two": CLASSES == "a", "several labels": LABELS}
WHOLE: dict[str, Any] = {
    "hidden_layer_sizes": (6, 5), "activation": "tanh", "batch_size": 1000, "max_iter": 30, "random_state": 3,
    "learning_rate_init": 0.05, "tol": 2e-2, "n_iter_no_change": 2, "alpha": 0.1,
}  # fmt: skip


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were trained at once, each time."""
    found, train = [], together.train

    def counting(model: Any, *given: Any) -> None:
        found.append(model.members)
        train(model, *given)

    monkeypatch.setattr(together, "train", counting)
    return found


def alike(got: Any, expected: Any, tolerance: float = 1e-8) -> None:
    """Two fitted estimators of the same training: to rounding, of up to 30 updates."""
    assert type(got) is type(expected) and {*vars(got)} == {*vars(expected)}
    assert (got.n_iter_, got.t_, got.stopped_) == (expected.n_iter_, expected.t_, expected.stopped_)
    assert got.model_.history.keys() <= expected.model_.history.keys() and got.model_.epoch == expected.model_.epoch
    if isinstance(got, MLPClassifier):
        np.testing.assert_array_equal(got.classes_, expected.classes_)
    assert (got.best_loss_ is None) == (expected.best_loss_ is None) == expected.early_stopping
    for name in ("loss_curve_", "loss_", *([] if expected.early_stopping else ["best_loss_"])):
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=tolerance)
    for a, b in zip(got.coefs_ + got.intercepts_, expected.coefs_ + expected.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize(
    "given",
    [{}, {"solver": "sgd", "class_weight": "balanced"}, {"solver": "adamw", "label_smoothing": 0.1}],
    ids=["adam", "sgd", "adamw"],
)
def test_folds_in_whole_batches_are_the_trainings_alone(y: Any, given: Any, trainings: list[int]) -> None:
    estimator = MLPClassifier(**WHOLE | given | ({} if y.ndim == 1 else {"class_weight": None}))
    asked: dict[str, Any] = {"cv": 4, "return_estimator": True, "return_train_score": True, "return_indices": True}
    found, expected = nnxp.cross_validate(estimator, X, y, **asked), sklearn.cross_validate(estimator, X, y, **asked)
    assert trainings == [4] and list(found) == list(expected)
    for name in ("test_score", "train_score"):
        np.testing.assert_array_equal(found[name], expected[name])
    for got, wanted in zip(found["estimator"], expected["estimator"], strict=True):
        alike(got, wanted)
    assert any(one.stopped_ for one in found["estimator"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("monitor", [None, "loss"])
@pytest.mark.parametrize("y", [CLASSES, CLASSES == "a", 1e4 + 300 * SCORES[:, 0] ** 3], ids=["three", "two", "numbers"])
def test_each_fold_stops_by_rows_that_it_holds_out(y: Any, monitor: str | None, trainings: list[int]) -> None:
    """By its score, of one score by the loss, or by the loss alone; and goes back to its best weights."""
    kind, given = (MLPClassifier, {}) if y.dtype.kind != "f" else (MLPRegressor, {"tol": 1e-3})
    given |= {"early_stopping": True, "validation_fraction": 0.2} | ({} if monitor is None else {"monitor": monitor})
    estimator = kind(**WHOLE | given)
    asked: dict[str, Any] = {"cv": 4, "return_estimator": True}
    found, expected = nnxp.cross_validate(estimator, X, y, **asked), sklearn.cross_validate(estimator, X, y, **asked)
    assert trainings == [4]
    np.testing.assert_allclose(found["test_score"], expected["test_score"], rtol=1e-5)
    for got, wanted in zip(found["estimator"], expected["estimator"], strict=True):
        alike(got, wanted, 1e-5)
        assert got._rule.best == pytest.approx(wanted._rule.best, rel=1e-6)
        for name in ("validation_loss_curve_", "validation_scores_", "best_validation_score_"):
            np.testing.assert_allclose(getattr(got, name), getattr(wanted, name), rtol=1e-5)
    assert any(one.stopped_ for one in found["estimator"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_folds_of_numbers_are_learned_in_units_of_their_own(loss: str, solver: str, trainings: list[int]) -> None:
    y = RNG.poisson(np.exp(X[:, 0])) if loss == "poisson" else 1e4 + 300 * SCORES[:, 0] ** 3
    rate = 0.05 if solver == "adam" else 0.01
    estimator = MLPRegressor(**WHOLE | {"loss": loss, "solver": solver, "learning_rate_init": rate, "tol": 1e-2})
    asked: dict[str, Any] = {"cv": 4, "return_estimator": True}
    found, expected = nnxp.cross_validate(estimator, X, y, **asked), sklearn.cross_validate(estimator, X, y, **asked)
    assert trainings == [4]
    np.testing.assert_allclose(found["test_score"], expected["test_score"], rtol=1e-4)
    for got, wanted in zip(found["estimator"], expected["estimator"], strict=True):
        alike(got, wanted, 1e-5)  # Adam's ε, 1e-8, weighs less or more beside gradients in units of another size


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_grid_is_the_one_of_trainings_alone(trainings: list[int]) -> None:
    estimator = MLPClassifier(**WHOLE)
    grid = {
        "alpha": [1e-3, 10.0], "learning_rate_init": [0.001, 0.05], "hidden_layer_sizes": [(6, 5), (3,)],
        "class_weight": [None, "balanced"],
    }  # fmt: skip
    cv = sklearn.StratifiedKFold(3, shuffle=True, random_state=0)
    found = nnxp.grid_search(estimator, grid, X, CLASSES, cv=cv, return_train_score=True)
    expected = sklearn.GridSearchCV(estimator, grid, cv=cv, return_train_score=True).fit(X, CLASSES)
    assert trainings == [24, 24]
    assert type(found) is sklearn.GridSearchCV and {*vars(found)} == {*vars(expected)}
    assert list(found.cv_results_) == list(expected.cv_results_)
    for name, values in expected.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(found.cv_results_[name], values, err_msg=name)
    assert (found.cv_results_["mean_fit_time"] > 0).all()
    assert found.best_params_ == expected.best_params_ and found.best_index_ == expected.best_index_
    assert type(found.best_estimator_) is MLPClassifier and found.get_params() == expected.get_params()
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    again = pickle.loads(pickle.dumps(found))
    assert again.score(X, CLASSES) == expected.score(X, CLASSES)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_predictions_of_the_folds(method: str, trainings: list[int]) -> None:
    estimator = MLPClassifier(**WHOLE)
    found = nnxp.cross_val_predict(estimator, X, CLASSES, cv=5, method=method)
    expected = sklearn.cross_val_predict(estimator, X, CLASSES, cv=5, method=method)
    assert trainings == [5]
    if method == "predict":
        assert found.tolist() == expected.tolist()
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_folds_in_batches_score_as_alone(trainings: list[int]) -> None:
    y, losses = CLASSES == "a", []
    for seed in range(12):
        estimator = MLPClassifier(
            (8,), batch_size=8, max_iter=8, random_state=seed, learning_rate_init=0.01, dropout=0.1
        )
        cv = sklearn.StratifiedKFold(4, shuffle=True, random_state=seed)
        each = [
            of.cross_validate(estimator, X, y, cv=cv, scoring="neg_log_loss")["test_score"] for of in (nnxp, sklearn)
        ]
        losses.append(each[0].mean() - each[1].mean())
    assert trainings == [4] * 12
    assert 0 < abs(np.mean(losses)) < 3 * np.std(losses, ddof=1) / len(losses) ** 0.5


@pytest.mark.parametrize(
    "given",
    [
        {"normalization": "layer"},
        {"members": 2},
        {"solver": "lbfgs"},
        {"learning_rate": "adaptive", "solver": "sgd"},
        {"hidden_layer_sizes": (257,), "max_iter": 2},
        {"solver": nnxp.Adam(ema=0.9)},
        {"solver": nnxp.Adam(clip_norm=1.0)},
        {"solver": nnxp.SGD(0.1, factors={"biases": 0})},
        {"solver": nnxp.AdamW(0.1, decay_factors={"weights": 0.5})},
        {"solver": "adam", "schedule": ReduceOnPlateau(patience=1, monitor="loss")},
        {"solver": nnxp.Adam(0.1, schedule=LinearWarmup(3, then=ReduceOnPlateau(monitor="loss")))},
        {"random_state": np.random.RandomState(0)},
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_trained_alone(given: Any, trainings: list[int]) -> None:
    estimator = MLPClassifier(**WHOLE | {"max_iter": 4} | given)
    found = nnxp.cross_validate(estimator, X, CLASSES, cv=3)
    expected = sklearn.cross_validate(estimator, X, CLASSES, cv=3)
    assert not trainings and found["test_score"].tolist() == expected["test_score"].tolist()
    assert (found["fit_time"] > 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_folds_of_other_sizes_are_trained_in_as_many_steps_as_alone(trainings: list[int]) -> None:
    """A first group is most of the rows: the fold without it has half as many steps an epoch."""
    groups = np.array([0] * 42 + [1] * 12 + [2] * 12 + [3] * 12 + [4] * 12)
    estimator = MLPClassifier(**WHOLE | {"batch_size": 12, "max_iter": 5, "tol": 0.0})
    splits = [*sklearn.LeaveOneGroupOut().split(X, CLASSES, groups)]
    for cv, together_ in ((splits, [4]), (sklearn.TimeSeriesSplit(5), [])):
        trainings.clear()
        given: dict[str, Any] = {"cv": cv, "return_estimator": True}
        found, alone = [of.cross_validate(estimator, X, CLASSES, **given)["estimator"] for of in (nnxp, sklearn)]
        assert trainings == together_
        assert [one.model_.step for one in found] == [one.model_.step for one in alone]
    whole = MLPClassifier(**WHOLE | {"max_iter": 5})  # one step, of however many rows: the same numbers
    options: dict[str, Any] = {"cv": splits, "scoring": "neg_log_loss"}
    found, alone = [of.cross_validate(whole, X, CLASSES, **options)["test_score"] for of in (nnxp, sklearn)]
    assert trainings == [5]
    np.testing.assert_allclose(found, alone, rtol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_wide_inputs_and_many_rows(trainings: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer's weights, once for each of those trained together, are what a search may lack memory for, and so
    are what rows weigh to each."""
    estimator = MLPClassifier((8,), max_iter=1, random_state=0)
    wide = csr_array((np.ones(N), (np.arange(N), np.arange(N) * 50)), shape=(N, together.HEAVIEST // 8 + 1))
    assert nnxp.cross_validate(estimator, wide, CLASSES, cv=3)["test_score"].shape == (3,)
    assert not trainings
    nnxp.cross_validate(estimator, wide[:, :-1], CLASSES, cv=3)
    monkeypatch.setattr(together, "CELLS", 2 * N)
    found = nnxp.cross_validate(estimator, X, CLASSES, cv=5)["test_score"]
    assert trainings == [3, 2, 2] and np.isfinite(found).all()  # the fifth by itself


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_subclass_and_routed_metadata(trainings: list[int]) -> None:
    class Blind(MLPClassifier):
        def fit(self, X: Any, y: Any, *given: Any, **named: Any) -> Any:
            return super().fit(0 * X, y, *given, **named)

    found, alone = [of.cross_validate(Blind(**WHOLE), X, CLASSES, cv=3)["test_score"] for of in (nnxp, sklearn)]
    assert not trainings and found.tolist() == alone.tolist()
    estimator = MLPClassifier(**WHOLE)
    with config_context(enable_metadata_routing=True):
        assert nnxp.cross_validate(estimator, X, CLASSES, cv=3)["test_score"].shape == (3,)
        assert nnxp.cross_val_predict(estimator, X, CLASSES, cv=3).shape == (N,)
        assert nnxp.grid_search(estimator, {"alpha": [0.1, 1.0]}, X, CLASSES, cv=3).predict(X).shape == (N,)
    assert trainings == [3, 3, 6]
    for search in (nnxp.cross_validate, nnxp.cross_val_predict):
        with pytest.raises(ValueError, match="got y=None, expected a label or a target for each row of X"):
            search(estimator, X, None, cv=3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_folds_that_lack_a_class_or_most_rows(trainings: list[int]) -> None:
    estimator, y = MLPClassifier(**WHOLE), np.where(np.arange(N) == 5, "rare", CLASSES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        nnxp.cross_validate(estimator, X, y, cv=sklearn.KFold(3))
    nnxp.cross_validate(
        estimator, X, CLASSES, cv=sklearn.ShuffleSplit(3, train_size=0.3, test_size=0.1, random_state=0)
    )
    assert not trainings


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_point_that_fails_has_no_score() -> None:
    estimator = MLPClassifier(**WHOLE | {"solver": "sgd", "activation": "relu"})
    grid = [{"learning_rate_init": [0.01, 1e200]}, {"alpha": [-1.0]}]
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        search = nnxp.grid_search(estimator, grid, X, CLASSES, cv=3)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True, True]
    assert search.best_params_ == {"learning_rate_init": 0.01}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("class_weight", None, {"no": 2}),
        ("activation", "tanh", "swish"),
        ("label_smoothing", 0.0, 1.0),
        ("schedule", None, "nope"),
        ("beta_1", 0.9, 1.0),
        ("epsilon", 1e-8, 0.0),
    ],
)
def test_a_value_that_no_fit_takes_costs_its_own_points_alone(
    name: str, good: Any, bad: Any, trainings: list[int]
) -> None:
    with pytest.warns(FitFailedWarning, match="got "), pytest.warns(UserWarning, match="non-finite"):
        search = nnxp.grid_search(MLPClassifier(**WHOLE), {name: [good, bad]}, X, CLASSES, cv=3)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    assert search.best_params_ == {name: good}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_estimators_and_other_data(trainings: list[int]) -> None:
    piped = make_pipeline(StandardScaler(), MLPClassifier(**WHOLE))
    for of in (nnxp.cross_validate, sklearn.cross_validate):
        assert of(piped, X, CLASSES, cv=3)["test_score"].shape == (3,)
    nnxp.grid_search(piped, {"mlpclassifier__alpha": [0.1, 1.0]}, X, CLASSES, cv=3).predict(X)
    nnxp.cross_val_predict(piped, X, CLASSES, cv=3)
    assert not trainings
    estimator = MLPClassifier(**WHOLE)
    dense = nnxp.cross_validate(estimator, X * (X > 0), CLASSES, cv=3)["test_score"]
    sparse = nnxp.cross_validate(estimator, csr_array(X * (X > 0)), CLASSES, cv=3)["test_score"]
    assert dense.tolist() == sparse.tolist()
    lists = nnxp.cross_validate(estimator, X.tolist(), CLASSES.tolist(), cv=3, scoring=["accuracy", "f1_macro"])
    assert {"test_accuracy", "test_f1_macro"} <= {*lists}


def test_who_has_not_converged_is_counted() -> None:
    with pytest.warns(ConvergenceWarning, match="3 of 3 trainings side by side ended after max_iter=2 epochs") as told:
        nnxp.cross_validate(MLPClassifier(**WHOLE | {"max_iter": 2}), X, CLASSES, cv=3)
    assert len(told) == 1 and told[0].filename == __file__
