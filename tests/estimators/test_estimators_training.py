"""The course of an estimator's training: when it ends, what it keeps, and how it goes on."""

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, roc_auc_score

import nnxp
from nnxp.estimators.convergence import Convergence
from tests.estimators.test_estimators import regression
from tests.helpers.models import classifier, problem

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def scikit_learns_rule(scores: list[float], tol: float, patience: int) -> tuple[int, float]:
    """After how many epochs `_update_no_improvement_count` of scikit-learn's MLP ends, and the best score then."""
    best, count = -np.inf, 0
    for epoch, score in enumerate(scores, start=1):
        count = count + 1 if score < best + tol else 0
        best = max(best, score)
        if count > patience:
            return epoch, best
    return len(scores), best


@pytest.mark.parametrize("seed", range(5))
def test_the_rule_is_scikit_learns(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = (np.sqrt(np.arange(60)) / 20 + 0.02 * generator.standard_normal(60)).tolist()
    rule, model = Convergence(0.01, 4, False, False), classifier("numpy")
    epochs = 0
    while not rule.stopped and epochs < 60:
        rule.update(scores[epochs], model)
        epochs += 1
    assert (epochs, rule.best) == scikit_learns_rule(scores, 0.01, 4)


def test_nan_is_no_improvement() -> None:
    rule, model = Convergence(0.0, 2, False, False), classifier("numpy")
    for value in (1.0, math.nan, math.nan, math.nan):
        rule.update(value, model)
    assert rule.stopped and rule.best == 1.0


def test_of_epochs_with_one_score_the_lowest_loss_is_kept() -> None:
    rule, model = Convergence(0.0, 10, True, False), classifier("numpy")
    kept = model.layers[0].weights
    for epoch, (score, loss) in enumerate([(0.8, 3.0), (0.9, 2.0), (0.9, 1.0), (0.9, 1.5), (0.8, 0.1)]):
        kept[...] = epoch
        rule.update(score, model, loss)
    rule.end(model)
    assert rule.best == 0.9 and (kept == 2).all()


@quiet
def test_early_stopping_on_imbalanced_data_goes_on_learning() -> None:
    """Accuracy soon is the share of the frequent class, and stays there; the loss says what is learned after that."""
    generator = np.random.default_rng(1)
    y = (np.arange(10_000) % 50 == 0).astype(int)
    X = (generator.standard_normal((10_000, 5)) + 0.7 * y[:, None]).astype("float32")
    stopped = nnxp.MLPClassifier((16,), early_stopping=True, random_state=0, learning_rate_init=0.003).fit(X, y)
    scores = stopped.validation_scores_
    first = scores.index(0.98) + 1
    assert scores.count(0.98) > 10 and max(scores) == 0.98
    early = nnxp.MLPClassifier(
        (16,), early_stopping=True, random_state=0, learning_rate_init=0.003, max_iter=first
    ).fit(X, y)
    ours, theirs = (roc_auc_score(y, model.predict_proba(X)[:, 1]) for model in (stopped, early))
    assert ours > theirs + 0.05


@quiet
@pytest.mark.parametrize("kind", [nnxp.MLPClassifier, nnxp.MLPRegressor])
def test_the_loss_that_is_monitored_is_the_validations(kind: Any) -> None:
    """It ends the training by scikit-learn's rule, and its lowest has the weights that are put back."""
    X, y = problem(90, "float64")
    y = np.where(np.arange(90) % 5 == 0, (y + 1) % 3, y)  # wrong labels, which it may learn by heart
    A, B, a, b = X[:60], X[60:], y[:60], y[60:]
    given = {"n_iter_no_change": 4, "early_stopping": True, "random_state": 0, "alpha": 0.0}
    own: dict[str, Any] = {"learning_rate_init": 0.01}
    if kind is nnxp.MLPRegressor:
        own = {"learning_rate_init": 0.05, "loss": "absolute_error"}
    model = kind(hidden_layer_sizes=(64,), monitor="loss", **given, **own).fit(A, a, X_val=B, y_val=b)
    losses = model.validation_loss_curve_
    assert model.stopped_ and model.n_iter_ < 100 and losses[-1] > min(losses)
    assert model.n_iter_ > scikit_learns_rule(model.validation_scores_, 1e-4, 4)[0]
    assert (model.n_iter_, -min(losses)) == scikit_learns_rule([-loss for loss in losses], 1e-4, 4)
    if kind is nnxp.MLPClassifier:
        found = log_loss(b, model.predict_proba(B))
    else:
        found = np.abs(b - model.predict(B)).mean() / a.std()
    assert found == pytest.approx(min(losses), rel=1e-9)


def test_what_can_be_monitored() -> None:
    X, y = problem(30, "float64")
    for kind, score in ((nnxp.MLPClassifier, "accuracy"), (nnxp.MLPRegressor, "r2")):
        with pytest.raises(ValueError, match=f'got monitor=\'val_loss\', expected "{score}" or "loss"'):
            kind(monitor="val_loss").fit(X, y)


def test_another_monitor_between_partial_fits_begins_anew() -> None:
    X, y = problem(90, "float64")
    model = nnxp.MLPClassifier((8,), learning_rate_init=1e-300, n_iter_no_change=2, early_stopping=True, random_state=0)
    for monitor in ("accuracy", "loss"):
        model.set_params(monitor=monitor)
        for _ in range(3):
            assert not model.stopped_ if hasattr(model, "stopped_") else True
            model.partial_fit(X, y, classes=[0, 1, 2], X_val=X, y_val=y)


def test_training_ends_when_the_loss_stands_still() -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((8,), learning_rate_init=0.05, random_state=0).fit(X, y)
    assert model.stopped_ and 11 < model.n_iter_ < 200
    assert len(model.loss_curve_) == model.n_iter_ and model.t_ == 24 * model.n_iter_
    assert model.loss_ == model.loss_curve_[-1] and model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is model.validation_loss_curve_ is model.best_validation_score_ is None
    negative = [-loss for loss in model.loss_curve_]
    assert scikit_learns_rule(negative, 1e-4, 10)[0] == model.n_iter_


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_warning_says_that_it_did_not_converge(solver: str) -> None:
    model = nnxp.MLPClassifier((8,), solver=solver, max_iter=3)
    with pytest.warns(ConvergenceWarning, match="max_iter=3") as caught:
        model.fit(*problem(dtype="float64"))
    assert not model.stopped_ and caught[0].filename == __file__


def test_lbfgs_says_why_it_ended() -> None:
    with pytest.warns(ConvergenceWarning, match="max_fun=3 evaluations.*raise max_fun"):
        nnxp.MLPClassifier((8,), solver="lbfgs", max_fun=3).fit(*problem(dtype="float64"))


def test_lbfgs_says_when_its_line_search_gave_up() -> None:
    """Inputs of order 1e8: float32's loss moves in steps larger than what the search can gain."""
    X = (np.random.default_rng(0).standard_normal((200, 5)) * 1e8).astype("float32")
    model = nnxp.MLPRegressor(activation="identity", solver="lbfgs", random_state=0, max_iter=3000)
    with pytest.warns(ConvergenceWarning, match="of 3000 epochs, where its line search .*scale the inputs"):
        model.fit(X, X[:, 0] * X[:, 1] / 1e8)


def test_lbfgs_ends_by_itself() -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    assert model.model_.optimizer.result.converged and model.n_iter_ < 200 and model.score(X, y) == 1
    assert not hasattr(model, "partial_fit")


@quiet
def test_early_stopping_holds_rows_out_and_puts_the_best_weights_back() -> None:
    X, y = problem(90, "float64")
    y = np.where(np.arange(90) % 5 == 0, (y + 1) % 3, y)  # wrong labels, which it may learn by heart
    model = nnxp.MLPClassifier((64,), early_stopping=True, learning_rate_init=0.05, random_state=2).fit(X, y)
    assert model.stopped_ and len(model.validation_scores_) == model.n_iter_ == len(model.validation_loss_curve_)
    assert model.t_ == 81 * model.n_iter_ and model.best_loss_ is None
    held_out = nnxp.data.split(y, 0.1, model._seed())[1]
    assert model.score(X[held_out], y[held_out]) == model.best_validation_score_ == max(model.validation_scores_)
    assert model.validation_scores_[-1] < model.best_validation_score_


@quiet
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_the_users_own_to_validate_with(weighted: bool) -> None:
    X, y = regression(90)
    A, B, a, b = X[:60], X[60:], y[:60], y[60:]
    w = np.arange(30.0) if weighted else None
    given = {"hidden_layer_sizes": (64,), "learning_rate_init": 0.1, "random_state": 0, "max_iter": 100}
    model = nnxp.MLPRegressor(early_stopping=True, **given).fit(A, a, X_val=B, y_val=b, sample_weight_val=w)
    assert model.score(B, b, w) == pytest.approx(model.best_validation_score_, rel=1e-9)
    assert model.t_ == 60 * model.n_iter_ and model.validation_scores_[-1] < model.best_validation_score_
    followed = nnxp.MLPRegressor(**given).fit(A, a, X_val=B, y_val=b, sample_weight_val=w)  # and nothing else
    assert followed.score(B, b, w) == pytest.approx(followed.validation_scores_[-1], rel=1e-9)
    np.testing.assert_array_equal(followed.predict(B), nnxp.MLPRegressor(**given).fit(A, a).predict(B))


def test_r2_of_several_outputs_is_over_all_of_them() -> None:
    X, y = regression(90, outputs=2)
    y = y * [1, 50]
    model = nnxp.MLPRegressor(hidden_layer_sizes=(8,), learning_rate_init=0.01, max_iter=1, tol=0.0, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y, X_val=X, y_val=y)
    error, spread = ((model.predict(X) - y) ** 2).sum(), ((y - y.mean(axis=0)) ** 2).sum()
    assert model.validation_scores_ == pytest.approx([1 - error / spread])


@quiet
@pytest.mark.parametrize("estimator", [nnxp.MLPClassifier, nnxp.MLPRegressor])
def test_partial_fits_are_the_epochs_of_a_fit(estimator: Any) -> None:
    X, y = problem(dtype="float64")
    given = {"hidden_layer_sizes": (8,), "batch_size": 10, "random_state": 0, "dropout": 0.2}
    whole, parts = estimator(max_iter=4, **given).fit(X, y), estimator(**given)
    for _ in range(4):
        parts.partial_fit(X, y, **({"classes": [0, 1, 2]} if estimator is nnxp.MLPClassifier else {}))
    np.testing.assert_array_equal(parts.predict(X), whole.predict(X))
    assert parts.loss_curve_ == whole.loss_curve_ and parts.n_iter_ == 1 and parts.t_ == whole.t_


def test_the_training_loss_ends_no_partial_fits() -> None:
    model = nnxp.MLPRegressor(hidden_layer_sizes=4, learning_rate_init=1e-300)
    for _ in range(15):
        model.partial_fit(*regression())
    assert not model.stopped_ and len(model.loss_curve_) == 15


def test_partial_fit_of_classes_that_come_later() -> None:
    X, y = problem(60, "float64")
    model = nnxp.MLPClassifier((16,), learning_rate_init=0.05, random_state=0)
    with pytest.raises(ValueError, match="classes=np.unique"):
        model.partial_fit(X[y == 0], y[y == 0])
    for k in (0, 1, 2) * 20:
        model.partial_fit(X[y == k], y[y == k], classes=None if hasattr(model, "classes_") else [2, 1, 0])
    assert model.score(X, y) > 0.8
    with pytest.raises(ValueError, match="those of the first call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"\[3\], expected some of \[0, 1, 2\]"):
        model.partial_fit(X[:1], [3])


def test_early_stopping_over_partial_fits() -> None:
    X, y = problem(90, "float64")
    y = np.where(np.arange(90) % 5 == 0, (y + 1) % 3, y)  # wrong labels, which no one could know
    A, B, a, b = X[:60], X[60:], y[:60], y[60:]
    model = nnxp.MLPClassifier((32,), early_stopping=True, learning_rate_init=0.1, n_iter_no_change=3, random_state=2)
    with pytest.raises(ValueError, match="partial_fit without X_val"):
        model.partial_fit(A, a, classes=[0, 1, 2])
    calls = 0
    while calls == 0 or not model.stopped_:
        start = calls % 2 * 30
        model.partial_fit(A[start : start + 30], a[start : start + 30], classes=[0, 1, 2], X_val=B, y_val=b)
        calls += 1
    assert calls == scikit_learns_rule(model.validation_scores_, 1e-4, 3)[0] < 200
    assert model.validation_scores_[-1] < model.best_validation_score_ == model.score(B, b)  # the best weights are back
    before = model.predict_proba(B)
    model.partial_fit(A, a, X_val=B, y_val=b)  # and stay
    np.testing.assert_array_equal(model.predict_proba(B), before)
    assert len(model.validation_scores_) == calls


def test_early_stopping_may_be_switched_between_partial_fits() -> None:
    X, y = problem(90, "float64")
    A, B, a, b = X[:60], X[60:], y[:60], y[60:]
    model = nnxp.MLPClassifier((8,), learning_rate_init=1e-300, n_iter_no_change=2, random_state=0)
    for _ in range(5):
        model.partial_fit(A, a, classes=[0, 1, 2], X_val=B, y_val=b)
    assert not model.stopped_
    model.set_params(early_stopping=True)
    for _ in range(4):  # the first sets the mark, then more than two without an improvement
        assert not model.stopped_
        model.partial_fit(A, a, X_val=B, y_val=b)
    assert model.stopped_
    model.set_params(early_stopping=False, learning_rate_init=0.1).partial_fit(A, a).partial_fit(A, a)
    assert not model.stopped_ and model.t_ == 11 * 60
    assert model.loss_curve_[-1] < model.loss_curve_[0] - 0.01  # the new rate counts
    model.set_params(early_stopping=True, n_iter_no_change=5)
    for _ in range(3):
        model.partial_fit(A, a, X_val=B, y_val=b)
    model.set_params(n_iter_no_change=50)
    assert model.partial_fit(A, a, X_val=B, y_val=b)._rule.patience == 50


@pytest.mark.parametrize(
    "changed", [{"hidden_layer_sizes": (9,)}, {"solver": "sgd"}, {"dropout": 0.1}, {"label_smoothing": 0.1}], ids=str
)
def test_a_partial_fit_with_another_network_is_refused(changed: dict[str, Any]) -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((8,)).partial_fit(X, y, classes=[0, 1, 2])
    name = next(iter(changed))
    with pytest.raises(ValueError, match=rf"got {name}=.*expected .*as in the first"):
        model.set_params(**changed).partial_fit(X, y)
    assert len(model.loss_curve_) == 1


def test_a_first_partial_fit_that_raises_can_be_mended() -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((8,), schedule="cosine")
    with pytest.raises(ValueError, match="steps="):
        model.partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(schedule=nnxp.schedules.Cosine(steps=100)).partial_fit(X, y, classes=[0, 1, 2])
    assert model.n_iter_ == 1


def test_an_interrupt_puts_the_best_weights_back() -> None:
    X, y = problem(90, "float64")
    A, B, a, b = X[:60], X[60:], (y[:60] + (np.arange(60) % 4 == 0)) % 3, y[60:]

    def interrupt(state: Any) -> None:
        if state.epoch == 60:
            raise KeyboardInterrupt

    given = {"learning_rate_init": 0.1, "early_stopping": True, "n_iter_no_change": 1000, "callbacks": [interrupt]}
    model = nnxp.MLPClassifier((64,), random_state=0, **given)
    with pytest.raises(KeyboardInterrupt):
        model.fit(A, a, X_val=B, y_val=b)
    assert model.n_iter_ == 60 and model.validation_scores_[-1] < model.best_validation_score_ == model.score(B, b)


def test_partial_fit_after_a_fit_that_ended() -> None:
    X, y = problem(90, "float64")
    model = nnxp.MLPClassifier((8,), learning_rate_init=0.05, early_stopping=True, random_state=0).fit(X, y)
    assert model.stopped_
    before = model.predict_proba(X)
    model.partial_fit(X, y, X_val=X, y_val=y)
    assert abs(model.predict_proba(X) - before).max() > 0 and not model.stopped_


@quiet
def test_warm_start_goes_on_from_the_weights() -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((8,), max_iter=5, warm_start=True, random_state=0).fit(X, y)
    first = model.loss_curve_.copy()
    model.set_params(learning_rate_init=1e-300, alpha=0.0, solver="sgd", batch_size=24).fit(X, y)
    assert model.loss_curve_[:5] == first and len(model.loss_curve_) == 10 and model.n_iter_ == 5
    expected = -np.log(model.predict_proba(X)[np.arange(24), y]).mean()
    assert model.loss_ == pytest.approx(expected, rel=1e-12) and model.loss_ < first[-1]
    with pytest.raises(ValueError, match="warm_start=True with other layers"):
        model.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    cold = model.set_params(hidden_layer_sizes=(8,), warm_start=False).fit(X, y)
    assert len(cold.loss_curve_) == 5


@quiet
def test_verbose_prints_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = problem(dtype="float64")
    model = nnxp.MLPClassifier((8,), max_iter=2, verbose=True).fit(X, y, X_val=X, y_val=y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[2] == f"Iteration 2, loss = {model.loss_:.8f}"
    assert lines[3] == f"Validation score: {model.validation_scores_[-1]:f}"


def test_a_callback_that_raises_leaves_an_estimator_that_predicts() -> None:
    X, y = problem(dtype="float64")

    def fails(state: Any) -> None:
        if state.epoch == 2:
            raise KeyError("mine")

    model = nnxp.MLPClassifier((8,), callbacks=[fails])
    with pytest.raises(KeyError, match="mine"):
        model.fit(X, y)
    assert model.n_iter_ == 2 and np.isfinite(model.predict_proba(X)).all()
