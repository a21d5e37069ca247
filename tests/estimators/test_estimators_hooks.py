"""scikit-learn's own callbacks, where this scikit-learn has them: what they are told of a fit, and what they may do."""

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")

from sklearn import callback
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nnxp
from tests.helpers.models import problem

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = problem(dtype="float64")
W = np.linspace(0.5, 2.0, len(Y))


class Told:
    """A callback that writes down what it is told, and ends a training after some epochs."""

    def __init__(self, last: int = 99, raises: bool = False) -> None:
        self.last, self.raises, self.tasks, self.given = last, raises, list[str](), list[Any]()

    def setup(self, estimator: Any, context: Any) -> None:
        self.tasks.append("setup")

    def teardown(self, estimator: Any, context: Any) -> None:
        self.tasks.append("teardown")

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any) -> None:
        self.tasks.append(
            f"begin {context.task_name} {context.task_id} of {context.parent and context.parent.max_subtasks}"
        )
        self.given.append((X, y, metadata))

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        self.tasks.append(f"end {context.task_name} {context.task_id}")
        if self.raises:
            raise RuntimeError("told enough")
        self.given.append(fitted_estimator)
        return bool(context.task_name == "epoch" and context.task_id + 1 == self.last)


def model(**options: Any) -> Any:
    return nnxp.MLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0} | options)


@quiet
def test_a_fit_is_a_task_and_each_epoch_one_in_it() -> None:
    told = Told()
    fitted = model(max_iter=2).set_callbacks(told).fit(X, Y, W)
    epochs = [f"{event} epoch {i}{of}" for i in (0, 1) for event, of in (("begin", " of 2"), ("end", ""))]
    assert told.tasks == ["setup", "begin fit 0 of None", *epochs, "end fit 0", "teardown"]
    begun = [given for given in told.given if isinstance(given, tuple)]
    assert len(begun) == 3 and all(x is X and y is Y and metadata == {"sample_weight": W} for x, y, metadata in begun)
    *_, last, whole = (given for given in told.given if not isinstance(given, tuple))
    np.testing.assert_array_equal(last.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(whole.predict_proba(X), fitted.predict_proba(X))


@quiet
@pytest.mark.parametrize("solver", ["adam", "lbfgs", nnxp.Adam(ema=0.5)], ids=["adam", "lbfgs", "ema"])
def test_each_epoch_is_scored_as_a_fit_that_ends_there(solver: Any) -> None:
    """What scikit-learn's monitor gets is a copy, which later epochs do not change; weights are handed on."""
    told, monitor = Told(), callback.ScoringMonitor(scoring="neg_log_loss")
    model(solver=solver, max_iter=4).set_callbacks(told, monitor).fit(X, Y, W)
    copies = [given for given in told.given if not isinstance(given, tuple)][:4]
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    for epochs, (one, score) in enumerate(zip(copies, scores, strict=True), start=1):
        alone = model(solver=solver, max_iter=epochs).fit(X, Y, W)
        np.testing.assert_array_equal(one.predict_proba(X), alone.predict_proba(X))
        logs = np.log(alone.predict_proba(X)[np.arange(len(Y)), Y])
        assert score == pytest.approx(np.average(logs, weights=W), rel=1e-12)


def test_a_hook_may_end_the_training() -> None:
    told = Told(last=2)
    fitted = model(max_iter=9).set_callbacks(told).fit(X, Y)
    assert (
        fitted.n_iter_ == 2 and "begin epoch 2 of 9" not in told.tasks and told.tasks[-2:] == ["end fit 0", "teardown"]
    )


def test_what_lbfgs_does_not_come_to_is_begun_and_ended() -> None:
    told = Told()
    fitted = model(solver="lbfgs", max_iter=2000, tol=0.1).set_callbacks(told).fit(X, Y)
    begun, ended = ([task.split()[2] for task in told.tasks if task.startswith(f"{e} epoch")] for e in ("begin", "end"))
    assert begun == ended and len(begun) == fitted.n_iter_ + 1


def test_a_hook_that_raises_leaves_the_estimator_and_is_torn_down() -> None:
    told = Told(raises=True)
    estimator = model().set_callbacks(told)
    with pytest.raises(RuntimeError, match="told enough"):
        estimator.fit(X, Y)
    assert told.tasks[-1] == "teardown" and not hasattr(estimator, "_callback_fit_ctx")


@quiet
def test_partial_fits_have_no_tasks_and_a_pickle_keeps_what_was_set() -> None:
    told = Told()
    estimator = model().set_callbacks(told).partial_fit(X, Y, classes=[0, 1, 2])
    assert told.tasks == []
    for one in (pickle.loads(pickle.dumps(estimator)), clone(estimator)):
        assert len(one._skl_callbacks) == 1


@quiet
def test_in_a_search_its_tasks_are_those_of_the_search() -> None:
    monitor = callback.ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(StandardScaler(), model(max_iter=2).set_callbacks(monitor))
    GridSearchCV(pipeline, {"mlpclassifier__alpha": [0.0, 1.0]}, cv=2).fit(X, Y)
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == 2 * (2 * 2 + 1) and {row["estimator_name"] for row in epochs} == {"MLPClassifier"}
    assert min(len(row["task_id_path"]) for row in epochs) > 2


@quiet
def test_a_bar_of_scikit_learn_s(capsys: pytest.CaptureFixture[str]) -> None:
    """Handed down by a search to the networks."""
    search = GridSearchCV(model(), {"alpha": [0.0, 1.0]}, cv=2)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, Y)
    assert "MLPClassifier - fit" in capsys.readouterr().out
