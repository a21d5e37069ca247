"""Callbacks: when they are called, what they are told, and the three that come with the package."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import SGD, Sequential
from nnxp.callbacks import Checkpoint, CSVLog, EarlyStopping, State
from tests.helpers.matrix import Target
from tests.helpers.models import classifier, problem, values

X, Y = problem()


class Journal:
    """Writes down what it is told."""

    def __init__(self, *events: str) -> None:
        self.events, self.seen = events, list[tuple[Any, ...]]()

    def __call__(self, state: State) -> None:
        self.seen.append((state.event, state.epoch, state.step, sorted(state.record)))


def test_when_a_callback_is_called() -> None:
    journal, epochs = Journal("begin", "step", "epoch", "end"), list[int]()
    model = classifier("numpy")
    model.fit(X, Y, epochs=2, batch_size=12, callbacks=[journal, lambda state: epochs.append(state.epoch)])
    record = ["accuracy", "learning_rate", "loss", "seconds"]
    assert journal.seen == [
        ("begin", 0, 0, []),
        ("step", 0, 1, []),
        ("step", 0, 2, []),
        ("epoch", 1, 2, record),
        ("step", 1, 3, record),
        ("step", 1, 4, record),
        ("epoch", 2, 4, record),
        ("end", 2, 4, record),
    ]
    assert epochs == [1, 2]


def test_a_record_is_the_epoch_s_entry_in_the_history(backend: Target) -> None:
    records = list[dict[str, float]]()
    model = classifier(backend.spec)
    history = model.fit(
        X, Y, epochs=3, validation_data=(X, Y), callbacks=[lambda state: records.append(dict(state.record))]
    )
    assert {name: [record[name] for record in records] for name in history} == history


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_callback_sees_its_loss(backend: Target, weighted: bool) -> None:
    """What `train_step` gives; from the 17th step on losses are written where those before stood."""
    w = 1.0 + np.arange(24.0) % 3
    seen, batches = list[tuple[str, float]](), [(X[i : i + 1], Y[i : i + 1], w[i : i + 1]) for i in range(24)] * 2

    def look(state: State) -> None:
        assert type(state.loss) is float
        seen.append((state.event, state.loss))

    look.events = ("begin", "step", "epoch", "end")  # type: ignore[attr-defined]
    model, by_hand = (classifier(backend.spec, optimizer=SGD(0.0)) for _ in range(2))
    model.fit(batches if weighted else [batch[:2] for batch in batches], callbacks=[look])
    expected = [float(by_hand.train_step(*batch[:2])) for batch in batches]  # one row: its weight cancels in the mean
    assert [loss for event, loss in seen if event == "step"] == pytest.approx(expected, rel=2.0**-22)
    assert math.isnan(seen[0][1]) and [seen[-2:]] == [[("epoch", seen[-3][1]), ("end", seen[-3][1])]]


def test_the_loss_of_an_iteration_of_lbfgs() -> None:
    losses = list[float]()

    def look(state: State) -> None:
        losses.append(state.loss)

    look.events = ("step",)  # type: ignore[attr-defined]
    history = classifier("numpy", optimizer="lbfgs", dtype="float64").fit(X, Y, 4, callbacks=[look])
    assert losses == pytest.approx(history["loss"], rel=1e-12)


@pytest.mark.parametrize("typo", ["los", "stopped"])
def test_a_typo_on_the_state_is_named(typo: str) -> None:
    def read(state: State) -> Any:
        return getattr(state, typo)

    def write(state: State) -> None:
        setattr(state, typo, True)

    meant = {"los": "loss", "stopped": "stop"}[typo]
    for callback in (read, write):
        with pytest.raises(AttributeError, match=f"got state.{typo}, expected one of model, .*; did you mean {meant}"):
            classifier("numpy").fit(X, Y, callbacks=[callback])
    state = State(classifier("numpy"), 1, False)
    state._note = 1  # one's own
    assert not hasattr(state, "__len__") and state._note == 1
    with pytest.raises(AttributeError, match="no setter"):
        state.epoch = 3  # type: ignore[misc]
    state.record["val_loss"] = 1.0
    with pytest.raises(KeyError, match="expected one of val_loss; did you mean 'val_loss'"):
        state.record["vall_loss"]


@pytest.mark.parametrize(("event", "epochs", "steps"), [("epoch", 1, 3), ("step", 1, 1)])
def test_a_callback_stops_the_training(event: str, epochs: int, steps: int) -> None:
    def stop(state: State) -> None:
        state.stop = True

    stop.events = (event,)  # type: ignore[attr-defined]
    model, ended = classifier("numpy"), Journal("end")
    history = model.fit(X, Y, epochs=9, batch_size=8, callbacks=[stop, ended])
    assert (model.epoch, model.step, len(history["loss"]), len(ended.seen)) == (epochs, steps, epochs, 1)


@pytest.mark.parametrize("event", ["begin", "step", "epoch", "end"])
def test_a_callback_that_raises_leaves_the_model_as_it_is(event: str) -> None:
    """It goes on as one that trained as far without it does."""

    def fail(state: State) -> None:
        if state.event != "step" or state.step == 2:
            raise RuntimeError("no more")

    fail.events = (event,)  # type: ignore[attr-defined]
    model, other = classifier("numpy"), classifier("numpy")
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(X, Y, epochs=1, batch_size=8, callbacks=[fail])
    steps = {"begin": 0, "step": 2}.get(event, 3)
    assert (model.step, model.epoch) == (steps, int(steps == 3))
    if steps == 3:
        other.fit(X, Y, epochs=1, batch_size=8)
        np.testing.assert_array_equal(values(model), values(other))
        model.fit(X, Y, epochs=1, batch_size=8)
        other.fit(X, Y, epochs=1, batch_size=8)
        np.testing.assert_array_equal(values(model), values(other))
    model.train_step(X, Y)
    assert math.isfinite(model.evaluate(X, Y)["loss"])


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (EarlyStopping, r"as a callback, expected a function of the training's state: EarlyStopping\(...\) makes one"),
        ("early_stopping", "got 'early_stopping' as a callback, expected a function"),
        (Journal("batch"), r"got a callback with events=\('batch',\), expected some of \('begin', 'step'"),
    ],
)
def test_what_is_no_callback(callback: Any, message: str) -> None:
    model = classifier("numpy")
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(X, Y, callbacks=[callback])
    assert model.step == 0


# --- early stopping --------------------------------------------------------------------------------------


class Follows:
    """Puts given numbers into the record as "score" and the epoch's number into the weights."""

    def __init__(self, *scores: float) -> None:
        self.scores = scores

    def __call__(self, state: State) -> None:
        state.record["score"] = self.scores[state.epoch - 1]
        state.model.store.values[...] = state.epoch


@pytest.mark.parametrize(
    ("scores", "options", "best_epoch", "epochs"),
    [
        ((3, 2, 1, 1, 1, 1), {}, 3, 5),
        ((3, 2, 1, 1, 0, 1), {}, 5, 6),
        ((3, 2, 1, 0.5, 0, 0), {"min_delta": 1.5}, 3, 5),
        ((3, 4, 5, 5, 4, 9), {"mode": "max"}, 3, 5),
        ((math.nan, math.nan, 2, 3), {}, 0, 2),
        ((math.nan, 1, math.nan, math.nan), {}, 2, 4),
        ((1, 2, 0, 1), {"patience": 1}, 1, 2),
        ((3, 2, 1, 0.5), {}, 4, 4),
    ],
)
def test_early_stopping(
    backend: Target, scores: tuple[float, ...], options: dict[str, Any], best_epoch: int, epochs: int
) -> None:
    model = classifier(backend.spec, optimizer=SGD(0.0))
    stopping = EarlyStopping("score", **{"patience": 2} | options)
    model.fit(X, Y, epochs=len(scores), callbacks=[Follows(*scores), stopping])
    assert (stopping.best_epoch, model.epoch) == (best_epoch, epochs)
    assert stopping.stopped == (epochs - best_epoch >= stopping.patience)
    np.testing.assert_array_equal(values(model), best_epoch or epochs)  # the best weights are back


@pytest.mark.parametrize(
    ("scores", "options", "best_epoch"),
    [
        ((3, 2, 2, 5, 2, 4), {"ties": "last"}, 5),
        ((3, 2, 2, 5, 2, 4), {"ties": "first"}, 2),
        ((3, 2, 2, 5, 2, 4), {}, 2),
        ((1, 1, 1, 1, 1, 1), {"ties": "last"}, 6),
        ((0.5, 0.9, 0.2, 0.9, 0.1, 0.1), {"ties": "last", "mode": "max"}, 4),
        ((4, 3, 2.5, 2, 1.5, 1.5), {"ties": "last", "min_delta": 1.0}, 4),
        ((4, 3, 2.5, 2, 1.5, 1.5), {"ties": "first", "min_delta": 1.0}, 3),
        ((math.nan, 2, math.nan, 2, 3, 3), {"ties": "last"}, 4),
        ((math.nan,) * 6, {"ties": "last"}, 0),
    ],
)
def test_without_patience_a_training_runs_out_and_ends_with_its_best(
    backend: Target, scores: tuple[float, ...], options: dict[str, Any], best_epoch: int
) -> None:
    """The last epoch at least as good as all before, where ties go to the last."""
    model = classifier(backend.spec, optimizer=SGD(0.0))
    stopping = EarlyStopping("score", patience=None, **options)
    model.fit(X, Y, epochs=6, callbacks=[Follows(*scores), stopping])
    assert (stopping.best_epoch, model.epoch, stopping.stopped) == (best_epoch, 6, False)
    np.testing.assert_array_equal(values(model), best_epoch or 6)


def test_ties_that_go_to_the_last_are_news_to_patience() -> None:
    model, stopping = classifier("numpy", optimizer=SGD(0.0)), EarlyStopping("score", patience=2, ties="last")
    model.fit(X, Y, epochs=9, callbacks=[Follows(1, 1, 1, 2, 2, 1, 1, 1, 1), stopping])
    assert (stopping.best_epoch, model.epoch, stopping.stopped) == (3, 5, True)


def test_a_file_says_of_ties_only_where_they_go_to_the_last() -> None:
    """A training that was saved before there was a choice is resumed."""
    assert "ties" not in EarlyStopping().options and "ties" in EarlyStopping(ties="last").options
    assert repr(EarlyStopping(ties="last", patience=None)) == "EarlyStopping(patience=None, ties='last')"
    with pytest.raises(ValueError, match='got ties=\'both\', expected "first" or "last"'):
        EarlyStopping(ties="both")  # type: ignore[arg-type]


def test_the_last_weights_stay_where_that_is_wanted() -> None:
    model, stopping = classifier("numpy", optimizer=SGD(0.0)), EarlyStopping("score", patience=1, restore_best=False)
    model.fit(X, Y, epochs=9, callbacks=[Follows(1, 2), stopping])
    assert stopping.stopped
    np.testing.assert_array_equal(values(model), 2)


def test_each_fit_starts_anew() -> None:
    model, stopping = classifier("numpy", optimizer=SGD(0.0)), EarlyStopping("score", patience=2)
    for _ in range(2):
        model.fit(X, Y, epochs=9, callbacks=[Follows(1, 2, 2, 5, 5, 5), stopping])
    assert (model.epoch, stopping.best, stopping.best_epoch) == (6, 5, 4)


def test_what_early_stopping_cannot_follow() -> None:
    model = classifier("numpy")
    with pytest.raises(
        ValueError, match="got no validation to take 'val_loss' from: give fit validation_data=.*X_val and y_val"
    ):
        model.fit(X, Y, callbacks=[EarlyStopping()])
    assert model.step == 0
    with pytest.raises(ValueError, match="got monitor='rmse', expected one of loss, accuracy, learning_rate"):
        model.fit(X, Y, callbacks=[EarlyStopping("rmse")])
    with pytest.raises(ValueError, match="got monitor='val_los', expected .*; did you mean 'val_loss'"):
        model.fit(X, Y, validation_data=(X, Y), callbacks=[EarlyStopping("val_los")])
    with pytest.raises(ValueError, match='got mode=\'up\', expected "min", "max" or None'):
        EarlyStopping(mode="up")  # type: ignore[arg-type]
    assert EarlyStopping("val_accuracy").sign == 1 and EarlyStopping("val_loss").sign == -1


# --- checkpoint ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "steps"),
    [({}, [3, 6, 6]), ({"every_steps": 2}, [2, 4, 6, 6]), ({"every_minutes": 0}, [1, 2, 3, 4, 5, 6, 6])],
)
def test_a_checkpoint_is_saved_when_it_is_due(
    options: dict[str, Any], steps: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, save = list[int](), Sequential.save
    monkeypatch.setattr(Sequential, "save", lambda model, path: (saved.append(model.step), save(model, path)))
    model = classifier("numpy")
    model.fit(X, Y, epochs=2, batch_size=8, callbacks=[Checkpoint(tmp_path / "model.safetensors", **options)])
    assert saved == steps
    np.testing.assert_array_equal(values(nnxp.load(tmp_path / "model.safetensors")), values(model))


def test_minutes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, now = list[int](), iter(range(0, 10**6, 25))  # seconds, at each look at the clock
    monkeypatch.setattr("nnxp.callbacks.checkpoint.time.monotonic", lambda: next(now))
    monkeypatch.setattr(Sequential, "save", lambda model, path: saved.append(model.step))
    classifier("numpy").fit(X, Y, epochs=3, batch_size=8, callbacks=[Checkpoint(tmp_path / "m", every_minutes=1)])
    assert saved == [3, 6, 9, 9]  # a look each step, and one after saving: 75 s pass the minute


def test_broken_weights_do_not_replace_a_checkpoint(tmp_path: Path) -> None:
    model, path = classifier("numpy"), tmp_path / "model.safetensors"

    def spoil(state: State) -> None:
        if state.step > 1:
            model.store.values[0] = np.nan

    spoil.events = ("step",)  # type: ignore[attr-defined]
    with pytest.raises(nnxp.NonFiniteLossError):
        model.fit(X, Y, epochs=2, batch_size=8, callbacks=[spoil, Checkpoint(path, every_steps=1)])
    assert nnxp.load(path).step == 1


def test_a_checkpoint_without_a_folder(tmp_path: Path) -> None:
    model = classifier("numpy")
    with pytest.raises(FileNotFoundError, match="there is no folder .*create it first"):
        model.fit(X, Y, callbacks=[Checkpoint(tmp_path / "none" / "model.safetensors")])
    assert model.step == 0


# --- the log ---------------------------------------------------------------------------------------------


def test_the_log_is_the_history(tmp_path: Path) -> None:
    path, model = tmp_path / "log.csv", classifier("numpy")
    for epochs in (2, 1):
        history = model.fit(X, Y, epochs=epochs, validation_data=(X, Y), callbacks=[CSVLog(path)])
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["epoch", *history]
    assert [int(row[0]) for row in rows] == [1, 2, 3]
    for name, column in zip(header[1:], list(zip(*rows, strict=True))[1:], strict=True):
        assert [float(cell) for cell in column] == history[name]


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("species,petals\nrose,5\n")
    with pytest.raises(ValueError, match=r"has the columns \['species', 'petals'\], expected \['epoch', 'loss'"):
        classifier("numpy").fit(X, Y, callbacks=[CSVLog(path)])
    assert path.read_text() == "species,petals\nrose,5\n"
    model = classifier("numpy")
    with pytest.raises(IsADirectoryError):
        model.fit(X, Y, callbacks=[CSVLog(tmp_path)])
    assert model.step == 0


def test_a_checkpoint_is_saved_by_the_models_own_save(tmp_path: Path) -> None:
    class Noted(Sequential):
        def save(self, path: Any) -> None:
            self.preprocessing = {"saved at": self.step}
            super().save(path)

    model = Noted([nnxp.Dense(X.shape[1], 3), "softmax"], "categorical_crossentropy", backend="numpy", seed=0)
    model.fit(X, Y, batch_size=8, callbacks=[Checkpoint(tmp_path / "model.safetensors")])
    assert nnxp.load(tmp_path / "model.safetensors").preprocessing == {"saved at": model.step}
