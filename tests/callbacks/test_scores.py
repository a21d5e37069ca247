"""`Scores`: the metrics that it adds to each epoch, and who follows them."""

import copy
import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Adam, Dense, Sequential, metrics
from nnxp.callbacks import Checkpoint, CSVLog, EarlyStopping, Scores, State
from nnxp.doors.naming import RISING, rises
from nnxp.metrics.scoring import OF_CLASSES, OF_NUMBERS
from nnxp.schedules import ReduceOnPlateau
from nnxp.tabular.findings.measures import BY_NAME, sign_of
from tests.helpers.matrix import Target
from tests.helpers.models import classifier, problem, values

X, Y = problem(60)
XT, YT = X[40:], Y[40:]
X, Y = X[:40], Y[:40]
W = 1.0 + np.arange(20.0) % 4
ALL = list(OF_CLASSES)


def test_the_names_are_those_of_the_metrics() -> None:
    """Each a function of `nnxp.metrics`; which of them rise is told in one place, and the report says the same."""
    for name in (*OF_CLASSES, *OF_NUMBERS):
        assert callable(getattr(metrics, name))
    assert {*BY_NAME} <= {*OF_CLASSES, *OF_NUMBERS} and {*OF_CLASSES, *OF_NUMBERS} >= RISING
    assert all(rises(name) is rises(f"val_{name}") is (sign_of(name) == 1) for name in BY_NAME)
    assert rises("test_roc_auc") and not rises("test_rmse") and not rises("auprecision")
    assert rises("my_accuracy") and not rises("val_loss") and not rises("r2_loss")


def expected(name: str, p: Any, y: Any, w: Any = None) -> float:
    """As a person computes it from predictions."""
    guess = p.argmax(axis=1)
    if name in ("accuracy", "balanced_accuracy", "precision", "recall", "f1"):
        found = getattr(metrics, name)(guess, y, sample_weight=w)
        return float(found) if np.ndim(found) == 0 else metrics.macro(found)
    return float(getattr(metrics, name)(p, y, sample_weight=w))


@pytest.mark.parametrize("weighted", [False, True])
def test_they_are_those_of_the_model_after_each_epoch(backend: Target, weighted: bool) -> None:
    w, seen = W if weighted else None, list[dict[str, float]]()

    def look(state: State[Sequential]) -> None:
        p = backend.to_numpy(state.model.predict(backend.asarray(XT)))
        seen.append({f"val_{name}": expected(name, p, YT, w) for name in ALL})

    model = classifier(backend.spec)
    scores = Scores(backend.asarray(XT), YT, ALL, sample_weight=w)
    history = model.fit(X, Y, epochs=3, batch_size=8, callbacks=[look, scores])
    for name in seen[0]:
        assert history[name] == pytest.approx([record[name] for record in seen], rel=1e-12)
    assert len(history["val_roc_auc"]) == 3 and "val_loss" not in history


def test_they_equal_scikit_learn_s() -> None:
    theirs = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn: the extra `sklearn`")
    model = classifier("numpy", dtype="float64")
    history = model.fit(X, Y, epochs=2, callbacks=[Scores(XT, YT, ["roc_auc", "log_loss", "f1", "balanced_accuracy"])])
    p = np.asarray(model.predict(XT))
    found = {
        "val_roc_auc": theirs.roc_auc_score(YT, p, multi_class="ovr"),
        "val_log_loss": theirs.log_loss(YT, p),
        "val_f1": theirs.f1_score(YT, p.argmax(axis=1), average="macro"),
        "val_balanced_accuracy": theirs.balanced_accuracy_score(YT, p.argmax(axis=1)),
    }
    for name, value in found.items():
        assert history[name][-1] == pytest.approx(value, rel=1e-12)


BINARY = (YT > 0).astype(np.int64)
KINDS: dict[str, Callable[[], tuple[list[Any], Any, Any]]] = {
    "sigmoid": lambda: ([Dense(5, 1), "sigmoid"], "binary_crossentropy", BINARY),
    "sigmoid, a column": lambda: ([Dense(5, 1), "sigmoid"], "binary_crossentropy", BINARY[:, None].astype(float)),
    "logits": lambda: ([Dense(5, 1)], nnxp.SigmoidCrossentropy(), BINARY),
    "softmax of logits": lambda: ([Dense(5, 2)], nnxp.SoftmaxCrossentropy(), BINARY),
    "one-hot": lambda: ([Dense(5, 2), "softmax"], "categorical_crossentropy", np.eye(2)[BINARY]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_two_classes_however_they_are_told(kind: str) -> None:
    """Logits become probabilities; one output is the second class's."""
    layers, loss, y = KINDS[kind]()
    model = Sequential(layers, loss, backend="numpy", dtype="float64", seed=0)
    one_hot = np.eye(2)[(Y > 0).astype(int)]
    model.fit(X, one_hot if kind == "one-hot" else (Y > 0).astype(int), callbacks=[Scores(XT, y, ALL)])
    p = np.asarray(model.predict(XT), np.float64)
    if kind == "logits":
        p = 1 / (1 + np.exp(-p))
    elif kind == "softmax of logits":
        p = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    p = np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p
    for name in ALL:
        assert model.history[f"val_{name}"] == pytest.approx([expected(name, p, BINARY)], rel=1e-10)


@pytest.mark.parametrize("loss", ["mean_squared_error", "poisson"])
def test_numbers(loss: str) -> None:
    """In their units: the outputs of a Poisson loss are logarithms."""
    y = np.stack([np.abs(XT[:, 0]), np.abs(XT[:, 1])], axis=1)
    model = Sequential([Dense(5, 2)], loss, backend="numpy", dtype="float64", seed=0)
    history = model.fit(X, np.abs(X[:, :2]), callbacks=[Scores(XT, y, list(OF_NUMBERS))])
    p = np.asarray(model.predict(XT))
    p = np.exp(p) if loss == "poisson" else p
    for name in OF_NUMBERS:
        assert history[f"val_{name}"] == pytest.approx([getattr(metrics, name)(p, y)], rel=1e-12)


def test_a_label_that_is_ignored_does_not_count() -> None:
    y = np.where(np.arange(20) < 5, -1, YT)
    model = classifier("numpy", loss=nnxp.CategoricalCrossentropy(ignore_label=-1))
    model.fit(X, Y, callbacks=[Scores(XT, y, ["accuracy"])])
    p = np.asarray(model.predict(XT))[5:]
    assert model.history["val_accuracy"] == pytest.approx([metrics.accuracy(p, YT[5:])], rel=1e-12)


def test_the_average_of_the_weights_is_what_is_measured(backend: Target) -> None:
    model = classifier(backend.spec, optimizer=Adam(0.1, ema=0.9))
    history = model.fit(X, Y, epochs=2, batch_size=8, callbacks=[Scores(XT, YT, ["log_loss"])])
    averaged = backend.to_numpy(model.averaged().predict(backend.asarray(XT)))
    assert history["val_log_loss"][-1] == pytest.approx(metrics.log_loss(averaged, YT), rel=1e-6)
    own = backend.to_numpy(model.predict(backend.asarray(XT)))
    assert history["val_log_loss"][-1] != pytest.approx(metrics.log_loss(own, YT), rel=1e-3)


def test_it_changes_nothing_of_the_training(backend: Target) -> None:
    model, other = (classifier(backend.spec, optimizer="adam") for _ in range(2))
    model.fit(X, Y, epochs=2, batch_size=8, callbacks=[Scores(XT, YT, ["roc_auc"])])
    other.fit(X, Y, epochs=2, batch_size=8)
    np.testing.assert_array_equal(values(model), values(other))


# --- who follows them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_early_stopping_a_log_a_schedule_and_lines_see_them(
    order: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the order of the callbacks."""
    stopping, log = EarlyStopping("val_roc_auc", patience=None), CSVLog(tmp_path / "log.csv")
    schedule = ReduceOnPlateau("val_roc_auc", patience=0, factor=0.5, min_delta=0.0)
    model = classifier("numpy", optimizer=Adam(0.2, schedule=schedule))
    callbacks = [stopping, log, Scores(XT, YT, ["roc_auc"])][::order]
    history = model.fit(X, Y, epochs=8, batch_size=8, callbacks=callbacks, verbose=True)
    followed = history["val_roc_auc"]
    assert stopping.sign == 1 and stopping.best == max(followed)
    assert stopping.best_epoch == 1 + followed.index(max(followed)) and not stopping.stopped
    best = metrics.roc_auc(np.asarray(model.predict(XT)), YT)
    assert best == max(followed)
    worse = sum(value <= max(followed[:i]) for i, value in enumerate(followed) if i)
    assert model.optimizer.schedule is not None and model.optimizer.schedule(0) == 0.5**worse < 1
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_roc_auc"]) for row in rows] == followed
    assert capsys.readouterr().out.count("val_roc_auc 0.") == 8


def test_beside_a_validation(backend: Target) -> None:
    """Its metric is this one's where both have it; an earlier fit's epochs have none."""
    model = classifier(backend.spec)
    model.fit(X, Y)
    history = model.fit(X, Y, 2, validation_data=(X, Y), callbacks=[Scores(XT, YT, ["accuracy", "f1"])])
    assert [*history] == ["loss", "accuracy", "val_loss", "val_accuracy", "val_f1", "learning_rate", "seconds"]
    assert math.isnan(history["val_f1"][0]) and all(map(math.isfinite, history["val_f1"][1:]))
    p = backend.to_numpy(model.predict(backend.asarray(XT)))
    assert history["val_accuracy"][-1] == metrics.accuracy(p, YT)


def test_with_lbfgs() -> None:
    model = classifier("numpy", optimizer="lbfgs", dtype="float64")
    history = model.fit(X, Y, epochs=3, callbacks=[Scores(XT, YT, ["log_loss"])])
    assert len(history["val_log_loss"]) == 3


def test_a_callback_of_ones_own_has_entries() -> None:
    class Norm:
        events = ()

        def __call__(self, state: State) -> None:
            raise AssertionError

        def entries(self, model: Sequential) -> dict[str, float]:
            return {"norm": float(np.linalg.norm(model.store.values))}

    model = classifier("numpy")
    history = model.fit(X, Y, epochs=2, callbacks=[Norm()])
    assert history["norm"][-1] == pytest.approx(float(np.linalg.norm(model.store.values)), rel=1e-6)


def test_a_fit_is_resumed(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(state: State) -> None:
        if state.step == 13:
            raise Stopped

    stop.events, stop.last = ("step",), True  # type: ignore[attr-defined]
    path = tmp_path / "m.safetensors"

    def fitted(*more: Any, **options: Any) -> tuple[Sequential, EarlyStopping]:
        stopping = EarlyStopping("val_log_loss", patience=None, ties="last")
        callbacks = [stopping, Scores(XT, YT, ["log_loss"]), *more]
        model = classifier("numpy", optimizer=Adam(0.3))
        model.fit(X, Y, epochs=5, batch_size=8, callbacks=callbacks, **options)
        return model, stopping

    with pytest.raises(Stopped):
        fitted(Checkpoint(path, every_steps=1), stop)
    resumed, one = fitted(Checkpoint(path, every_steps=1), resume=path)
    whole, other = fitted()
    np.testing.assert_array_equal(values(resumed), values(whole))
    assert resumed.history["val_log_loss"] == whole.history["val_log_loss"]
    assert (one.best, one.best_epoch) == (other.best, other.best_epoch)


# --- what is refused -------------------------------------------------------------------------------------


def several() -> Sequential:
    return Sequential([Dense(5, 3), "sigmoid"], "binary_crossentropy", backend="numpy", seed=0)


@pytest.mark.parametrize(
    ("make", "y", "names", "message"),
    [
        (classifier, YT, ["rocauc"], "got the metric 'rocauc', expected one of accuracy, .*; did you mean 'roc_auc'"),
        (classifier, YT, "roc_auc", r"got metrics='roc_auc', expected a list of names: metrics=\[\"roc_auc\"\]"),
        (classifier, YT, [], r"got metrics=\[\], expected a list of names"),
        (classifier, YT, ["roc_auc", "r2"], "got the metric 'r2' for classes, expected one of accuracy, balanced"),
        (classifier, YT + 1, ["roc_auc"], "got class labels from 1 to 3, expected 0 to 2"),
        (classifier, YT[:-1], ["roc_auc"], r"predictions of shape \(20,\) and truth of shape \(19,\)"),
        (classifier, 0 * YT, ["roc_auc"], "got samples of one class only"),
        (several, np.eye(3)[YT], ["accuracy"], "got Scores for several yes-or-no outputs, expected one output"),
    ],
    ids=["typo", "text", "none", "numbers", "labels", "length", "one class", "several"],
)
def test_what_does_not_fit_is_refused_before_a_step(make: Any, y: Any, names: Any, message: str) -> None:
    model = make()
    with pytest.raises(ValueError, match=message):
        model.fit(X, np.eye(3)[Y] if make is several else Y, callbacks=[Scores(XT, y, names)])
    assert model.step == 0


def test_what_is_followed_and_nobody_measures() -> None:
    model = classifier("numpy")
    with pytest.raises(ValueError, match="or a callback Scores, or follow the training itself"):
        model.fit(X, Y, callbacks=[EarlyStopping("val_roc_auc")])
    with pytest.raises(ValueError, match="got monitor='val_loss', expected one of loss, accuracy, val_roc_auc"):
        model.fit(X, Y, callbacks=[EarlyStopping(), Scores(XT, YT, ["roc_auc"])])


@pytest.mark.parametrize("measuring", [list, lambda scores: [EarlyStopping("val_f1"), *scores]], ids=["alone", "more"])
def test_two_that_add_the_same_are_refused_before_a_step(measuring: Callable[[list[Any]], list[Any]]) -> None:
    model, one = classifier("numpy"), Scores(XT, YT, ["roc_auc", "f1"])
    with pytest.raises(ValueError, match="two callbacks that add 'val_f1' to the history.*leave one out.*name="):
        model.fit(X, Y, callbacks=measuring([one, Scores(X, Y, ["log_loss", "f1"])]))
    assert model.step == 0
    history = model.fit(X, Y, callbacks=measuring([one, Scores(X, Y, ["log_loss", "f1"], name="test")]))
    both = expected("f1", model.predict(XT), YT), expected("f1", model.predict(X), Y)
    assert (history["val_f1"][-1], history["test_f1"][-1]) == pytest.approx(both, rel=1e-12)
    assert "test_roc_auc" not in history and "val_log_loss" not in history


def test_beside_the_score_that_a_table_s_monitor_follows() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(120, 2)), rng.integers(0, 2, size=120)
    model = nnxp.TabularClassifier(monitor="roc_auc", epochs=2, random_state=0)
    given = model.set_params(drop=["x1"]).fit(features, labels).encoder_.transform({"x0": features[:, 0]})
    with pytest.raises(ValueError, match="that add 'val_roc_auc'"):
        model.set_params(callbacks=[Scores(given, labels, ["roc_auc"])]).fit(features, labels)
    model.set_params(callbacks=[Scores(given, labels, ["roc_auc"], name="all")]).fit(features, labels)
    assert len(model.model_.history["val_roc_auc"]) == len(model.model_.history["all_roc_auc"]) == 2


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_is_text(name: Any) -> None:
    with pytest.raises(ValueError, match="expected what the rows are called, as text"):
        Scores(XT, YT, ["f1"], name=name)


def test_what_it_prints_as() -> None:
    scores = Scores(XT.tolist(), YT, metrics=["roc_auc"], sample_weight=W)
    assert repr(copy.deepcopy(scores)).endswith(", ['roc_auc'], sample_weight=[1.0, 2.0, ..., 4.0])")
