"""What the estimators compute: held against scikit-learn's linear models, and against their own parts."""

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nnxp
from tests.helpers.models import problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
Floats = npt.NDArray[np.float64]
TOLERANCE = 5e-4
"""L-BFGS ends where the loss falls by less than 2e-9 of itself: weights are then right to about the root of it."""


def regression(n: int = 40, outputs: int = 1) -> tuple[Floats, Floats]:
    """X (n, 4) and y (n,) or (n, outputs), far from 0."""
    generator = np.random.default_rng(1)
    X = generator.standard_normal((n, 4))
    y = 300 + 20 * np.tanh(X @ generator.standard_normal((4, outputs))) + generator.standard_normal((n, outputs))
    return X, y[:, 0] if outputs == 1 else y


def weights(n: int) -> Floats:
    """Sample weights, some of them 0."""
    return np.random.default_rng(2).integers(0, 4, n).astype(np.float64)


def converged(estimator: Any, **options: Any) -> Any:
    """An estimator without hidden layers, brought to its minimum."""
    return estimator(hidden_layer_sizes=(), solver="lbfgs", tol=1e-10, max_iter=2000, **options)


# --- against linear models: without hidden layers the minimum is known ------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_without_hidden_layers_it_is_logistic_regression(classes: int, weighted: bool, class_weight: Any) -> None:
    X, y = problem(60, "float64")
    X, y = X[y < classes], y[y < classes]
    X, y = X[:-7], y[:-7]  # classes of unequal sizes
    w = weights(len(y)) if weighted and class_weight != "balanced" else None
    ours = converged(nnxp.MLPClassifier, alpha=0.5, class_weight=class_weight).fit(X, y, w)
    # mean loss + alpha/2 |W|² / Σw and C Σ wℓ + |W|²/2 have one minimum at C = 1/alpha
    theirs = LogisticRegression(C=2.0, solver="newton-cholesky", class_weight=class_weight).fit(X, y, w)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=TOLERANCE)


def test_without_hidden_layers_several_labels_are_a_logistic_regression_each() -> None:
    X, y = problem(60, "float64")
    Y = np.stack([y == 0, X[:, 1] > 0.3], axis=1).astype(int)
    ours = converged(nnxp.MLPClassifier, alpha=0.5).fit(X, Y)
    each = [LogisticRegression(C=2.0, solver="newton-cholesky").fit(X, Y[:, i]).predict_proba(X)[:, 1] for i in (0, 1)]
    np.testing.assert_allclose(ours.predict_proba(X), np.stack(each, axis=1), atol=TOLERANCE)


@pytest.mark.parametrize("outputs", [1, 2])
def test_without_hidden_layers_it_is_ridge_regression(outputs: int) -> None:
    X, y = regression(outputs=outputs)
    w = weights(len(X))
    ours = converged(nnxp.MLPRegressor, alpha=0.5).fit(X, y, w)
    mean = np.average(y, 0, w)
    sigma = np.sqrt(np.average((y - mean) ** 2, 0, w))
    # as in scikit-learn's MLP: Σ w (p - y)²/2 + alpha/2 |W|², of standardised y
    theirs = Ridge(alpha=0.5, tol=1e-10).fit(X, (y - mean) / sigma, w)
    np.testing.assert_allclose((ours.predict(X) - mean) / sigma, theirs.predict(X), atol=TOLERANCE)


def test_the_reported_loss_is_the_mean_loss_and_the_penalty() -> None:
    X, y = problem(24, "float64")
    w = weights(24)
    model = nnxp.MLPClassifier((8,), alpha=0.3, learning_rate_init=1e-300, max_iter=1, random_state=0).fit(X, y, w)
    losses = -np.log(model.predict_proba(X)[np.arange(24), y])
    penalty = 0.15 * sum(float((c**2).sum()) for c in model.coefs_) / w.sum()
    assert model.loss_ == pytest.approx(np.average(losses, weights=w) + penalty, rel=1e-12)


def test_the_loss_of_a_regression_is_of_standardised_targets() -> None:
    X, y = regression(outputs=2)
    w = weights(40)
    given = {"hidden_layer_sizes": (8,), "learning_rate_init": 1e-300, "max_iter": 1, "alpha": 0.0}
    mean = np.average(y, 0, w)
    sigma = np.sqrt(np.average((y - mean) ** 2, 0, w))
    for loss, of in (("squared_error", np.square), ("absolute_error", np.abs)):
        model = nnxp.MLPRegressor(loss, **given).fit(X, y, w)
        errors = of((model.predict(X) - y) / sigma).mean(axis=1)
        assert model.loss_ == pytest.approx(np.average(errors, weights=w), rel=1e-10)


@pytest.mark.parametrize("classes", [2, 3])
def test_label_smoothing_is_that_of_shares(classes: int) -> None:
    X, y = problem(24, "float64")
    X, y = X[y < classes], y[y < classes]
    given = {"alpha": 0.0, "learning_rate_init": 1e-300, "max_iter": 1, "random_state": 0}
    model = nnxp.MLPClassifier((8,), label_smoothing=0.3, **given).fit(X, y, X_val=X, y_val=y)
    shares = 0.7 * np.eye(classes)[y] + 0.3 / classes
    expected = -(shares * np.log(model.predict_proba(X))).sum(axis=1).mean()
    assert model.loss_ == pytest.approx(expected, rel=1e-12)
    assert model.validation_loss_curve_ == pytest.approx([expected], rel=1e-12)


# --- the network that the parameters make --------------------------------------------------------


def test_parameters_make_the_network() -> None:
    X, y = problem()
    model = nnxp.MLPClassifier((8, 4), "gelu", normalization="batch", dropout=0.25, max_iter=2).fit(X, y)
    hidden = ["Dense", "BatchNorm", "GELU", "Dropout"]
    assert [type(layer).__name__ for layer in model.model_.layers] == [*hidden, *hidden, "Dense", "Softmax"]
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == (4, 3, "softmax")
    assert [c.shape for c in model.coefs_] == [(5, 8), (8, 4), (4, 3)]
    assert [c.shape for c in model.intercepts_] == [(8,), (4,), (3,)]


@pytest.mark.parametrize(
    ("given", "kind", "options"),
    [
        ({"solver": "sgd", "momentum": 0.5}, nnxp.SGD, {"momentum": 0.5, "nesterov": True}),
        ({"solver": "sgd", "momentum": 0.0}, nnxp.SGD, {"momentum": 0.0, "nesterov": False}),
        ({"beta_1": 0.8, "epsilon": 1e-6}, nnxp.Adam, {"beta_1": 0.8, "beta_2": 0.999, "epsilon": 1e-6}),
        ({"solver": "adamw", "learning_rate_init": 0.5}, nnxp.AdamW, {"learning_rate": 0.5}),
        ({"solver": nnxp.Lion(0.25)}, nnxp.Lion, {"learning_rate": 0.25}),
        ({"solver": "lbfgs", "max_fun": 7, "tol": 0.5}, nnxp.LBFGS, {"max_fun": 7, "tol": 0.5}),
    ],
)
def test_parameters_make_the_optimizer(given: dict[str, Any], kind: type, options: dict[str, Any]) -> None:
    X, y = problem()
    optimizer = nnxp.MLPClassifier((4,), max_iter=2, **given).fit(X, y).model_.optimizer
    assert type(optimizer) is kind and optimizer is not given.get("solver")
    assert {name: getattr(optimizer, name) for name in options} == options


def test_a_schedule_knows_how_many_steps_there_will_be() -> None:
    X, y = problem()
    model = nnxp.MLPClassifier((4,), schedule="cosine", batch_size=12, max_iter=5).fit(X, y)
    assert model.model_.history["learning_rate"][0] > 0.0005 > model.model_.history["learning_rate"][-1]
    with pytest.raises(ValueError, match="steps="):  # nobody knows how many calls will follow
        nnxp.MLPRegressor(hidden_layer_sizes=4, schedule="cosine").partial_fit(*regression())
    steady = nnxp.schedules.Cosine(steps=1000)
    nnxp.MLPRegressor(hidden_layer_sizes=4, schedule=steady).partial_fit(*regression())


def test_the_average_of_the_weights_is_what_predicts() -> None:
    X, y = problem(dtype="float64")
    average = nnxp.Adam(ema=0.9)
    model = nnxp.MLPClassifier((4,), solver=average, max_iter=5, random_state=0).fit(X, y, X_val=X, y_val=y)
    assert model.score(X, y) == model.validation_scores_[-1]
    own = nnxp.MLPClassifier((4,), solver=nnxp.Adam(), max_iter=5, random_state=0).fit(X, y)
    assert abs(model.predict_proba(X) - own.predict_proba(X)).max() > 1e-6
    with pytest.raises(ValueError, match="ema="):
        nnxp.MLPClassifier((4,), solver=average).partial_fit(X, y, classes=[0, 1, 2])


def test_callbacks_are_called() -> None:
    seen: list[int] = []

    def watch(state: Any) -> None:
        seen.append(state.epoch)
        state.stop = state.epoch == 3

    model = nnxp.MLPRegressor(hidden_layer_sizes=4, callbacks=[watch]).fit(*regression())
    assert seen == [1, 2, 3] and model.n_iter_ == 3 and not model.stopped_


# --- chance ---------------------------------------------------------------------------------------


def test_random_state_decides_everything() -> None:
    X, y = problem(dtype="float64")
    make = {"max_iter": 5, "dropout": 0.2, "early_stopping": True}
    one, two, three = (nnxp.MLPClassifier((4,), random_state=seed, **make).fit(X, y) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    assert abs(one.predict_proba(X) - three.predict_proba(X)).max() > 1e-3
    again = one.predict_proba(X)
    np.testing.assert_array_equal(one.fit(X, y).predict_proba(X), again)
    generator = np.random.RandomState(0)
    four, five = (nnxp.MLPClassifier((4,), random_state=generator, **make).fit(X, y) for _ in range(2))
    assert abs(four.predict_proba(X) - five.predict_proba(X)).max() > 1e-3


# --- labels and targets ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"],
        np.array(["b", "a", "c"], dtype=object),
        [-1, 1],
        [2.0, 5.0, 7.0],
        [False, True],
        ["only"],
        np.array([3, 200, 7], dtype=np.uint8),
    ],
    ids=str,
)
def test_any_labels(labels: Any) -> None:
    X, y = problem(30)
    labels = np.asarray(labels)
    y = labels[y % len(labels)]
    model = nnxp.MLPClassifier((16,), learning_rate_init=0.05, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    assert model.classes_.dtype == y.dtype and model.predict(X).dtype == y.dtype
    assert model.predict_proba(X).shape == (30, len(labels))
    assert model.score(X, y) > 0.8
    np.testing.assert_array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


def test_a_single_class_is_what_is_predicted() -> None:
    X, _ = problem(30)
    model = nnxp.MLPClassifier((16,), learning_rate_init=1e-300, max_iter=1).fit(X, np.full(30, "x"))
    assert bool((model.predict(X) == "x").all()) and model.predict_proba(X).tolist() == [[1.0]] * 30


def test_several_labels_a_sample() -> None:
    X, y = problem(60, "float64")
    Y = np.stack([y == 0, y != 1, X[:, 0] > 0], axis=1).astype(int)
    model = nnxp.MLPClassifier((32,), learning_rate_init=0.02, random_state=0).fit(X, Y, X_val=X, y_val=Y)
    assert model.predict(X).shape == model.predict_proba(X).shape == (60, 3)
    assert model.out_activation_ == "logistic" and model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, Y) == (model.predict(X) == Y).all(axis=1).mean() > 0.8
    assert model.validation_scores_[-1] == pytest.approx((model.predict(X) == Y).mean())


def test_several_outputs_and_the_units_of_y() -> None:
    X, y = regression(80, outputs=2)
    given = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "random_state": 0}
    model = nnxp.MLPRegressor(**given).fit(X, y)
    assert model.predict(X).shape == y.shape and model.score(X, y) > 0.9
    thousand = nnxp.MLPRegressor(**given).fit(X, 1000 * y - 7)  # learns the same in any units
    np.testing.assert_allclose(thousand.predict(X), 1000 * model.predict(X) - 7, rtol=1e-9)
    np.testing.assert_allclose(model.model_.predict(X), model.predict(X))


def test_a_target_that_does_not_vary() -> None:
    X, _ = regression()
    model = nnxp.MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs").fit(X, np.full(40, 7.0))
    np.testing.assert_allclose(model.predict(X), 7.0, atol=0.05)


# --- other doors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_and_their_names(library: str) -> None:
    frames = pytest.importorskip(library)
    X, y = problem(dtype="float64")
    frame = frames.DataFrame({name: X[:, i] for i, name in enumerate("abcde")})
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        pytest.skip(f"this scikit-learn reads no names of this {library}")
    model = nnxp.MLPClassifier((4,), max_iter=2).fit(frame, frames.Series(y), frames.Series(np.ones(24)))
    assert model.feature_names_in_.tolist() == list("abcde")
    np.testing.assert_array_equal(model.predict_proba(frame), nnxp_predict(model, X))
    with pytest.raises(ValueError, match="names should match"):
        model.predict(frame[["b", "a", "c", "d", "e"]])


def nnxp_predict(model: Any, X: Floats) -> Floats:
    """The network's own prediction."""
    return np.asarray(model.model_.predict(X))


@pytest.mark.parametrize("estimator", [nnxp.MLPClassifier((4,), max_iter=3), nnxp.MLPRegressor("huber", 4, max_iter=3)])
def test_copies_and_pickles(estimator: Any) -> None:
    X, y = problem(dtype="float64")
    with pytest.raises(NotFittedError):
        estimator.predict(X)
    fitted = clone(estimator).fit(X, y)
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(twin.predict(X), fitted.predict(X))
        assert twin.loss_curve_ == fitted.loss_curve_
        twin.partial_fit(X, y)  # goes on, and leaves the other as it was
        assert twin.n_iter_ == 1 and len(twin.loss_curve_) == 4 and len(fitted.loss_curve_) == 3
    assert not hasattr(clone(fitted), "model_") and clone(fitted).get_params() == estimator.get_params()


def test_in_pipelines_and_searches() -> None:
    X, y = problem(60, "float64")
    pipeline = make_pipeline(StandardScaler(), nnxp.MLPClassifier((16,), learning_rate_init=0.02, random_state=0))
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.6
    assert cross_val_score(pipeline, X, y, cv=2).min() > 0.5
    assert CalibratedClassifierCV(pipeline, cv=2).fit(X, y).predict_proba(X).shape == (60, 3)


def test_only_asking_for_an_estimator_imports_scikit_learn() -> None:
    code = """
import sys, nnxp
nnxp.Sequential([nnxp.Dense(2, 1)])
assert "sklearn" not in sys.modules
sys.modules["sklearn"] = None
try:
    nnxp.MLPClassifier
except ModuleNotFoundError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == 'estimators need scikit-learn: pip install "nnxp[sklearn]"\n'


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hidden_layer_sizes": (4, 0)}, "hidden_layer_sizes=0, expected a whole number from 1"),
        ({"hidden_layer_sizes": "4"}, "hidden_layer_sizes='4'"),
        ({"activation": "softmax"}, "activation 'softmax'"),
        ({"solver": "adamm"}, "did you mean 'adamw?'"),
        ({"alpha": -1}, "alpha=-1, expected a number from 0 up"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate_init": 0}, "learning_rate_init=0, expected a number above 0"),
        ({"learning_rate": 0.01}, "expected one of constant, invscaling, adaptive: .* is learning_rate_init=0.01"),
        ({"learning_rate": "optimal"}, "learning_rate='optimal', expected one of constant, invscaling, adaptive$"),
        ({"learning_rate": "adaptive", "schedule": "cosine"}, "schedule='cosine', expected one of them"),
        ({"power_t": -0.5}, "power_t=-0.5, expected a number from 0 up"),
        ({"shuffle": "batch"}, "shuffle='batch', expected True or False"),
        ({"early_stopping": "no"}, "early_stopping='no', expected True or False"),
        ({"warm_start": "False"}, "warm_start='False', expected True or False"),
        ({"nesterovs_momentum": 1}, "nesterovs_momentum=1, expected True or False"),
        ({"verbose": "no"}, "verbose='no', expected True, False or a whole number"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"tol": "a"}, "tol='a'"),
        ({"validation_fraction": 1.0, "early_stopping": True}, "validation_fraction=1.0"),
        (
            {"validation_fraction": 0.01, "early_stopping": True},
            r"validation_fraction=0.01 and 24 rows.*give fit X_",
        ),
        ({"callbacks": nnxp.callbacks.EarlyStopping()}, r"expected a list of them"),
        ({"callbacks": [nnxp.callbacks.EarlyStopping()], "early_stopping": True}, "expected one of them"),
        ({"n_iter_no_change": 0.5}, "n_iter_no_change=0.5"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"normalization": "group"}, 'expected "batch", "layer" or None'),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
        ({"class_weight": "equal"}, 'expected "balanced", None, or a dict'),
        ({"class_weight": {5: 1.0}}, r"the classes \[5\], expected some of \[0, 1, 2\]"),
        ({"class_weight": {1: -1.0}}, "class_weight=-1.0"),
        ({"dtype": "float16"}, "dtype='float16'"),
        ({"solver": nnxp.SGD(), "schedule": "cosine"}, "schedule='cosine' with the solver SGD"),
        ({"solver": "lbfgs", "schedule": "cosine"}, "no learning rate"),
    ],
)
def test_a_parameter_out_of_range_raises_at_fit(given: dict[str, Any], message: str) -> None:
    model = nnxp.MLPClassifier(**given)
    with pytest.raises(ValueError, match=message):
        model.fit(*problem())


def test_yes_and_no_of_numpy_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("early_stopping", "warm_start", "nesterovs_momentum", "shuffle", "verbose")
    nnxp.MLPClassifier((4,), max_iter=1, **dict.fromkeys(names, np.bool(True))).fit(*problem())
    nnxp.MLPClassifier((4,), max_iter=1, verbose=1).fit(*problem())
    assert capsys.readouterr().out.count("loss") >= 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"callbacks": [nnxp.callbacks.EarlyStopping()]}, "no validation"),
        ({"solver": "lbfgs", "dropout": 0.2}, "Dropout"),
        ({"class_weight": {0: 0.0, 1: 0.0, 2: 0.0}}, "above"),
        ({"schedule": "reduce_on_plateau"}, "val_loss"),
    ],
    ids=["callback", "lbfgs", "weights", "plateau"],
)
def test_a_fit_that_raises_before_an_epoch_is_over_leaves_the_last_one(given: dict[str, Any], message: str) -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((4,), max_iter=3, random_state=0)
    with pytest.raises(ValueError, match=message):
        clone(model).set_params(**given).fit(X, y)
    never = clone(model).set_params(**given)
    with pytest.raises(ValueError, match=message):
        never.fit(X[:, :4], y)
    with pytest.raises(NotFittedError):
        never.predict(X)
    model.fit(X, y)
    before, losses = model.predict_proba(X), model.loss_curve_
    with pytest.raises(ValueError, match=message):
        model.set_params(**given).fit(X[:, :4], y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.loss_curve_ == losses and model.n_iter_ == 3 and model.n_features_in_ == 5


def test_targets_that_the_dtype_cannot_tell_apart_are_refused() -> None:
    X, y = regression()
    far = 1.7e9 + y
    assert nnxp.MLPRegressor(hidden_layer_sizes=4, max_iter=2).fit(X, far).n_iter_ == 2
    with pytest.raises(ValueError, match=r"times its standard deviation.*float64"):
        nnxp.MLPRegressor(hidden_layer_sizes=4).fit(X.astype(np.float32), far)
    with pytest.raises(ValueError, match="squares overflow"):
        nnxp.MLPRegressor(hidden_layer_sizes=4).fit(X, y * 1e200)
    with pytest.raises(ValueError, match="beyond float32.*float64"):
        nnxp.MLPRegressor(hidden_layer_sizes=4).fit(X.astype(np.float32), (y - y.mean()) * 1e38)


def test_a_class_of_one_row_is_trained_on() -> None:
    X, y = problem(30, "float64")
    labels = np.where(np.arange(30) == 7, "zebra", np.array(["a", "b", "c"])[y])
    model = nnxp.MLPClassifier((4,), max_iter=3, early_stopping=True).fit(X, labels)
    assert model.classes_.tolist() == ["a", "b", "c", "zebra"] and model.t_ == 27 * 3
    assert model.model_.classes == ["a", "b", "c", "zebra"]


def test_a_backend_may_be_a_module() -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((4,), max_iter=2, backend=np, random_state=0).fit(X, y)
    assert clone(model).get_params()["backend"] == "numpy"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_wrong_data_raise() -> None:
    X, y = problem(dtype="float64")
    with pytest.raises(ValueError, match="loss='gamma', expected one of squared_error"):
        nnxp.MLPRegressor(loss="gamma").fit(X, y)
    with pytest.raises(ValueError, match="zero"):
        nnxp.MLPClassifier().fit(X, y, np.zeros(24))
    with pytest.raises(ValueError, match="fit a classifier for each column"):
        nnxp.MLPClassifier().fit(X, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="several labels"):
        nnxp.MLPClassifier(class_weight="balanced").fit(X, np.stack([y > 0, y > 1], axis=1))
    with pytest.raises(ValueError, match="X_val and y_val together"):
        nnxp.MLPClassifier().fit(X, y, X_val=X)
    model = nnxp.MLPClassifier((4,), max_iter=2).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"y with the classes \[9\]"):
        model.fit(X, y + 1, X_val=X[:1], y_val=[9])
    with pytest.raises(ValueError, match="classes"):
        model.set_params(class_weight={7: 1.0}).fit(X, y + 1)
    np.testing.assert_array_equal(model.predict_proba(X), before)  # what failed changed nothing
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    regressor = nnxp.MLPRegressor(hidden_layer_sizes=(4,)).partial_fit(X, y)
    with pytest.raises(ValueError, match="2 outputs, expected 1"):
        regressor.partial_fit(X, np.stack([y, y], axis=1))
