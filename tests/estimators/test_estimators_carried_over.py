"""What carries over from scikit-learn's own MLP: its parameters, its rules for the learning rate, its losses."""

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import mean_poisson_deviance, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

import nnxp
from nnxp.estimators.rate import Rate
from tests.estimators.test_estimators import TOLERANCE, converged, weights
from tests.helpers.matrix import Target
from tests.helpers.models import problem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAIRS = [
    pytest.param(getattr(nnxp, name), getattr(neural_network, name), id=name)
    for name in ("MLPClassifier", "MLPRegressor")
]
X, Y = problem(dtype="float64")
COUNTS = np.random.default_rng(0).poisson(np.exp(0.5 * X @ np.array([1.0, -1.0, 0.5, 0.0, 0.2]) + 1))


def parameters(estimator: Any) -> dict[str, Any]:
    return {name: p.default for name, p in inspect.signature(estimator).parameters.items()}


# --- the parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_parameter_is_there_with_its_default(ours: Any, theirs: Any) -> None:
    own = parameters(ours)
    assert {name: own.get(name, "missing") for name in parameters(theirs)} == parameters(theirs)


def test_the_page_lists_every_parameter() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "estimators.md").read_text(encoding="utf-8")
    table = page.partition("## Coming from `sklearn.neural_network`")[2].partition("What is added")[0]
    for _, theirs in (pair.values for pair in PAIRS):
        assert [name for name in parameters(theirs) if f"`{name}" not in table] == []


GRID = {
    "solver": ["sgd", "adam", "lbfgs"],
    "learning_rate": ["constant", "invscaling", "adaptive"],
    "power_t": [0.25],
    "shuffle": [True, False],
    "alpha": [1e-3],
    "batch_size": [8],
    "max_iter": [3],
    "early_stopping": [True],
    "validation_fraction": [0.25],
}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_grid_of_scikit_learn_s_is_searched(ours: Any, theirs: Any) -> None:
    grid = GRID if theirs is neural_network.MLPClassifier else GRID | {"loss": ["squared_error", "poisson"]}
    for estimator in (ours, theirs):
        search = GridSearchCV(estimator(hidden_layer_sizes=(4,), random_state=0), grid, cv=2, error_score="raise").fit(
            X, Y
        )
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# --- the learning rate -----------------------------------------------------------------------------


def scikit_learns_rates(
    kind: str,
    power: float,
    init: float,
    followed: list[float],
    tol: float,
    patience: float,
    samples: int,
    partial: bool,
) -> list[float]:
    """The rate of each epoch by scikit-learn's own optimizer, driven as `_fit_stochastic` does by what is followed:
    scores, or negative losses."""
    optimizer, best, count, rates = SGDOptimizer([], init, kind, power_t=power), -np.inf, 0, []
    for epoch, score in enumerate(followed, start=1):
        rates.append(optimizer.learning_rate)
        count = count + 1 if score < best + tol else 0
        best = max(best, score)
        optimizer.iteration_ends(epoch * samples)
        if count > patience:
            if optimizer.trigger_stopping("", False) and not partial:
                break
            count = 0
    return rates


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", ["constant", "invscaling", "adaptive"])
def test_the_rates_are_scikit_learn_s(kind: str, early_stopping: bool) -> None:
    """To the epoch in which the training ends, which "adaptive" puts off until the rate is not above 1e-6."""
    given = {"solver": "sgd", "learning_rate": kind, "power_t": 0.3, "tol": 0.02, "n_iter_no_change": 2}
    model = nnxp.MLPClassifier(
        (4,), batch_size=8, max_iter=300, random_state=0, learning_rate_init=0.3, early_stopping=early_stopping, **given
    ).fit(X, Y)
    samples = 22 if early_stopping else 24
    followed = model.validation_scores_ if early_stopping else [-loss for loss in model.loss_curve_]
    expected = scikit_learns_rates(kind, 0.3, 0.3, [*followed, *[-9.0] * 9], 0.02, 2, samples, False)
    assert model.model_.history["learning_rate"] == pytest.approx(expected, rel=1e-13)
    assert model.stopped_ and model.n_iter_ == len(expected) < 300
    if kind == "adaptive":
        assert 2e-7 < expected[-1] <= 1e-6 and len({*expected}) == 9  # 0.3 / 5⁸ = 7.7e-7


@pytest.mark.parametrize("kind", ["invscaling", "adaptive"])
def test_the_rate_goes_on_over_partial_fits(kind: str) -> None:
    """Of parts of different sizes, through a pickle; the training loss ends none, and a new fit begins anew."""
    given = {"learning_rate": kind, "tol": 10.0, "n_iter_no_change": 1, "random_state": 0}
    model = nnxp.MLPRegressor(solver="sgd", hidden_layer_sizes=(3,), **given)
    theirs = neural_network.MLPRegressor(solver="sgd", hidden_layer_sizes=(3,), **given)
    rates = []
    for number in range(20):
        part = slice(0, 10 + number)
        rates.append(theirs._optimizer.learning_rate if number else 0.001)
        model.partial_fit(X[part], Y[part])
        theirs.partial_fit(X[part], Y[part])
        model = pickle.loads(pickle.dumps(model))
    assert model.model_.history["learning_rate"] == pytest.approx(rates, rel=1e-13)
    assert not model.stopped_ and len(model.loss_curve_) == 20
    model.set_params(learning_rate_init=0.5).partial_fit(X, Y)
    assert model.model_.history["learning_rate"][-1] == pytest.approx(500 * theirs._optimizer.learning_rate, rel=1e-13)
    with pytest.raises(ValueError, match="learning_rate='constant' in a partial_fit"):
        model.set_params(learning_rate="constant").partial_fit(X, Y)
    model.set_params(learning_rate=kind, max_iter=1).fit(X, Y)
    assert model.model_.history["learning_rate"] == [0.5]


def test_a_warm_start_begins_with_the_first_rate_and_counts_all_samples() -> None:
    """As scikit-learn's, whose optimizer is new and whose t_ is not."""
    given = {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 2, "warm_start": True, "random_state": 0}
    model = nnxp.MLPRegressor(hidden_layer_sizes=(3,), **given).fit(X, Y).fit(X, Y)
    assert model.model_.history["learning_rate"] == pytest.approx([0.001, 0.001 / 5, 0.001, 0.001 / 73**0.5])


@pytest.mark.parametrize("solver", ["adam", "lbfgs", nnxp.SGD(0.1)])
def test_other_solvers_do_not_read_it(solver: Any) -> None:
    models = [
        nnxp.MLPClassifier((4,), solver=solver, max_iter=8, tol=9.0, n_iter_no_change=2, random_state=0, **given)
        for given in ({}, {"learning_rate": "adaptive"}, {"learning_rate": "invscaling", "power_t": 2.0})
    ]
    first, *others = (model.fit(X, Y).predict_proba(X) for model in models)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_the_rate_is_said_where_it_falls(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"tol": 9.0, "n_iter_no_change": 1, "max_iter": 3, "verbose": True}
    nnxp.MLPRegressor(hidden_layer_sizes=(3,), solver="sgd", learning_rate="adaptive", **given).fit(X, Y)
    assert capsys.readouterr().out.splitlines()[-1] == "Learning rate = 0.0002"


def test_a_rate_that_is_no_longer_above_the_smallest_falls_no_more() -> None:
    rate = Rate("adaptive", 0.5, 2e-6, 0)
    assert (rate.falls(), rate.now, rate.falls(), rate.now) == (True, 4e-7, False, 4e-7)
    assert not Rate("invscaling", 0.5, 1.0, 0).falls()


# --- the order of the rows -------------------------------------------------------------------------


def test_without_shuffling_an_epoch_is_the_batches_in_turn() -> None:
    """Each epoch is then that of partial fits of the same batches, which are one step each."""
    given = {"hidden_layer_sizes": (4,), "solver": "sgd", "batch_size": 8, "shuffle": False, "random_state": 0}
    whole, parts = nnxp.MLPClassifier(max_iter=2, **given).fit(X, Y), nnxp.MLPClassifier(**given)
    for start in (0, 8, 16) * 2:
        parts.partial_fit(X[start : start + 8], Y[start : start + 8], classes=[0, 1, 2])
    np.testing.assert_array_equal(whole.predict_proba(X), parts.predict_proba(X))


# --- counts ----------------------------------------------------------------------------------------


def test_without_hidden_layers_it_is_poisson_regression() -> None:
    w = weights(len(X))
    ours = converged(nnxp.MLPRegressor, loss="poisson", alpha=0.5).fit(X, COUNTS, w)
    # Σ w dev/2 / Σw + alpha/2 |W|² / Σw, and of scikit-learn's the penalty is not divided
    theirs = PoissonRegressor(alpha=0.5 / w.sum(), tol=1e-10, max_iter=1000).fit(X, COUNTS, w)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=10 * TOLERANCE)
    assert ours.score(X, COUNTS, w) == pytest.approx(r2_score(COUNTS, ours.predict(X), sample_weight=w))


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_poisson_loss_is_that_of_scikit_learn_s_mlp(outputs: int) -> None:
    """Half the deviance of what is predicted, averaged over the outputs (there: summed)."""
    y = COUNTS if outputs == 1 else np.stack([COUNTS, COUNTS[::-1]], axis=1)
    model = nnxp.MLPRegressor("poisson", (8,), learning_rate_init=1e-300, max_iter=1, alpha=0.0).fit(
        X, y, X_val=X[:9], y_val=y[:9]
    )
    guess = model.predict(X)
    columns = zip(np.reshape(y, (24, -1)).T, np.reshape(guess, (24, -1)).T, strict=True)
    deviance = np.mean([mean_poisson_deviance(truth, rate) for truth, rate in columns])
    assert model.loss_ == pytest.approx(deviance / 2, rel=1e-12) and np.min(guess) > 0
    assert model.out_activation_ == "exp" and model.n_outputs_ == outputs and guess.shape == y.shape
    error, spread = ((guess[:9] - y[:9]) ** 2).sum(), ((y[:9] - y[:9].mean(axis=0)) ** 2).sum()
    assert model.validation_scores_ == pytest.approx([1 - error / spread])
    np.testing.assert_allclose(np.log(guess.reshape(24, -1)), model.model_.predict(X), rtol=1e-12, atol=1e-12)


def test_rates_are_in_the_library_of_x(backend: Target) -> None:
    x = backend.asarray(X.astype(np.float32))
    model = nnxp.MLPRegressor("poisson", (8,), max_iter=2, random_state=0).fit(x, COUNTS)
    host = nnxp.MLPRegressor("poisson", (8,), max_iter=2, random_state=0).fit(X.astype(np.float32), COUNTS)
    backend.assert_close(model.predict(x), host.predict(X.astype(np.float32)), rtol=1e-4)


def test_targets_below_0_and_rates_beyond_the_dtype() -> None:
    with pytest.raises(ValueError, match="targets below 0, expected counts or rates from 0 up"):
        nnxp.MLPRegressor("poisson").fit(X, X[:, 0])
    with pytest.raises(ValueError, match="targets below 0"):
        nnxp.MLPRegressor("poisson").fit(X, COUNTS, X_val=X, y_val=-1 - COUNTS)
    model = nnxp.MLPRegressor("poisson", (), max_iter=1, random_state=0).fit(X, COUNTS)
    model.model_.layers[0].weights = np.full((5, 1), 1.0)
    with np.errstate(all="raise"):
        assert model.predict([[200.0] * 5, [-200.0] * 5]).tolist() == [np.inf, 0.0]


# --- pickles ---------------------------------------------------------------------------------------


def test_a_pickle_of_before_has_the_defaults_of_what_came_later() -> None:
    """As one of before 'learning_rate', 'power_t' and 'shuffle' is: it trains on."""
    model = nnxp.MLPRegressor(hidden_layer_sizes=(3,), solver="sgd", random_state=0).partial_fit(X, Y)
    state = model.__getstate__()
    del state["_rate"]
    for name in ("learning_rate", "power_t", "shuffle"):
        del state[name]
        state["_made"].pop(name, None)
    old = object.__new__(nnxp.MLPRegressor)
    old.__setstate__(state)
    assert old.get_params() == model.get_params()
    old.partial_fit(X, Y)
    with pytest.raises(ValueError, match="learning_rate='adaptive' in a partial_fit, expected 'constant'"):
        old.set_params(learning_rate="adaptive").partial_fit(X, Y)
