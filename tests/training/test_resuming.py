"""A fit that is resumed: the same tensors, bit for bit, as one that nothing interrupted, or a refusal that says why."""

import contextlib
import csv
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import SGD, AdamW, BatchNorm, Dense, Dropout, ModelFileError, Sequential
from nnxp.callbacks import Checkpoint, CSVLog, EarlyStopping, State
from nnxp.files import modelfile, tensorfile
from nnxp.schedules import ReduceOnPlateau
from tests.files.test_checkpoint import opened
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, classifier, problem, values

X, Y = problem(29)
W = np.linspace(0.0, 2.0, 29, dtype=np.float32)
Run = tuple[Sequential, tuple[Any, ...], dict[str, Any]]
"""A model, the data, and the keywords of its fit."""


def everything(spec: str, dtype: str = "float32") -> Run:
    """What a training can remember: running means, slots, an average, a schedule, masks, the best weights."""
    layers = [Dense(5, 8), BatchNorm(8), "relu", Dropout(0.25), Dense(8, CLASSES), "softmax"]
    optimizer = AdamW(0.05, schedule="cosine", ema=0.5, clip_norm=1.0)
    model = Sequential(layers, "categorical_crossentropy", optimizer, backend=spec, dtype=dtype, seed=3)
    stopping = EarlyStopping(patience=2)
    keywords = {"epochs": 5, "batch_size": 5, "validation_split": 0.25, "sample_weight": W, "callbacks": [stopping]}
    return model, (X[:28], Y[:28]), keywords | {"sample_weight": W[:28]}  # 21 rows to train on: the last batch has one


def plateau(spec: str) -> Run:
    """A schedule that follows the epochs, and parts of batches with masks of their own."""
    optimizer = SGD(0.3, momentum=0.9, nesterov=True, schedule=ReduceOnPlateau(patience=0, min_delta=0.05))
    model = classifier(spec, inserted=(Dropout(0.5),), optimizer=optimizer)
    return model, (X, Y), {"epochs": 4, "batch_size": 8, "micro_batch_size": 3, "validation_data": (X, Y)}


def stream(spec: str) -> Run:
    """An iterable whose length nobody knows, so that losses wait to be read, and which follows the epoch's number."""
    model = classifier(spec, inserted=(BatchNorm(8),), optimizer="lion")

    def batches() -> Iterator[Any]:
        order = np.random.default_rng(model.epoch).permutation(29)
        for start in range(0, 29, 4):
            rows = order[start : start + 4]
            yield X[rows], Y[rows], W[rows]

    return model, (batches,), {"epochs": 3, "validation_data": [(X, Y)]}


def regression(spec: str) -> Run:
    """Numbers, in float64; the losses of 16 batches are read at once, and then those of 5."""
    model = Sequential([Dense(5, 4), "tanh", Dense(4, 1)], "huber", "rmsprop", backend=spec, dtype="float64", seed=9)
    return model, (X[:21], Y[:21]), {"epochs": 1, "batch_size": 1}


def in_order(spec: str) -> Run:
    """Rows as they stand, some held out."""
    return classifier(spec), (X, Y), {"epochs": 3, "batch_size": 4, "shuffle": False, "validation_split": 0.25}


CASES: list[Callable[[str], Run]] = [everything, plateau, stream, regression, in_order]


def outcome(model: Sequential, callbacks: Any = ()) -> dict[str, Any]:
    """All that a training leaves, but the time it took."""
    history = {name: entries for name, entries in model.history.items() if name != "seconds"}
    slots = model.optimizer.saved_state(model.store)
    to_numpy = model.backend.to_numpy
    best = [(c.best, c.best_epoch, c.stopped) for c in callbacks if isinstance(c, EarlyStopping)]
    counters = model.epoch, model.step, model.optimizer.progress()
    arrays = {name: to_numpy(slot).tolist() for name, slot in slots.items()} | {"values": values(model).tolist()}
    return {"arrays": arrays, "history": history, "counters": counters, "best": best}


def tensors(path: Path) -> dict[str, Any]:
    """The tensors of a file, as its header has them."""
    with modelfile.opened(path) as saved:
        return {**saved.reader.tensors}


class Snapshots:
    """Saves the model at every step and epoch, each to a file of its own."""

    events = ("step", "epoch")

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, list[Path]()

    def __call__(self, state: State) -> None:
        self.paths.append(self.folder / f"{state.step}-{state.event}.safetensors")
        state.model.save(self.paths[-1])


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_from_every_step_and_epoch_to_the_same_end(case: Callable[[str], Run], backend: Target, tmp_path: Path) -> None:
    """From every fifth where steps are slow."""
    model, data, keywords = case(backend.spec)
    snapshots, own = Snapshots(tmp_path), [*keywords.pop("callbacks", [])]
    model.fit(*data, callbacks=[*own, snapshots], **keywords)
    expected = outcome(model, own)
    assert len(snapshots.paths) > 12
    slow = backend.module == "array_api_strict"
    for path in snapshots.paths[:: 5 if slow else 1]:
        model, data, keywords = case(backend.spec)
        own = [*keywords.pop("callbacks", [])]
        model.fit(*data, callbacks=own, resume=path, **keywords)
        assert outcome(model, own) == expected, path.name


def test_a_wait_before_the_losses_are_read_is_in_the_file(tmp_path: Path) -> None:
    """Else the case above would not have tried it."""
    model, data, keywords = stream("numpy")
    snapshots = Snapshots(tmp_path)
    model.fit(*data, callbacks=[snapshots], **keywords)
    assert tensors(snapshots.paths[4])["training.means"].shape == (5, 2)
    model, data, keywords = regression("numpy")
    model.fit(*data, callbacks=[snapshots], **keywords)
    assert tensors(snapshots.paths[-2])["training.means"].shape == (5, 2)


def test_the_order_is_part_of_what_is_compared(tmp_path: Path) -> None:
    """And said in the file only where it is not the usual one: files of before resume."""
    for shuffle in (False, True):
        path = tmp_path / f"{shuffle}.safetensors"
        kept = [Checkpoint(path, every_steps=1), crash_at(2)]
        with pytest.raises(RuntimeError, match="crash"):
            classifier("numpy").fit(X, Y, batch_size=8, shuffle=shuffle, callbacks=kept)
        with modelfile.opened(path) as saved:
            assert saved.state["training"]["asked"].get("shuffle", "unsaid") == ("unsaid" if shuffle else False)
        with pytest.raises(ModelFileError, match=f"got shuffle {not shuffle}, expected {shuffle} as when it was saved"):
            classifier("numpy").fit(X, Y, batch_size=8, shuffle=not shuffle, resume=path)


def crash_at(step: int, event: str = "step") -> Any:
    def crash(state: State) -> None:
        if state.step == step:
            raise RuntimeError("crash")

    crash.events = (event,)  # type: ignore[attr-defined]
    return crash


@pytest.mark.parametrize("every", [{"every_steps": 3}, {}], ids=["steps", "epochs"])
@pytest.mark.parametrize("crashes", [(1, 2), (4, 11), (5, 6, 7, 20)])
def test_through_checkpoints_crash_by_crash(every: dict[str, int], crashes: tuple[int, ...], tmp_path: Path) -> None:
    """The same call each time, in any order of callbacks; the log of the epochs has each of them once."""
    path, log = tmp_path / "m.safetensors", tmp_path / "log.csv"

    def run(crash: Any, resume: Any, log: Path) -> dict[str, Any]:
        model, data, keywords = everything("numpy")
        own = keywords.pop("callbacks")
        callbacks = [Checkpoint(path, **every), CSVLog(log), *own, crash]
        model.fit(*data, callbacks=callbacks, resume=resume, **keywords)
        return outcome(model, own)

    expected = run(crash_at(0), None, tmp_path / "uninterrupted.csv")
    path.unlink()
    for step in crashes:
        with pytest.raises(RuntimeError, match="crash"):
            run(crash_at(step), path, log)
    assert run(crash_at(0), path, log) == expected
    rows = [list(csv.reader(file.read_text().splitlines())) for file in (log, tmp_path / "uninterrupted.csv")]
    assert [row[:-1] for row in rows[0]] == [row[:-1] for row in rows[1]]  # but for the seconds
    assert run(crash_at(0), path, log) == expected  # once more: it has finished, and nothing is trained


def test_a_callback_in_front_of_the_checkpoint_need_not_be() -> None:
    """Its state is saved after every other callback has seen the epoch."""
    seen = []

    class Look(Checkpoint):
        def __call__(self, state: State) -> None:
            seen.append(("checkpoint", state.event))

    other = lambda state: seen.append(("other", state.event))  # noqa: E731
    classifier("numpy").fit(X, Y, callbacks=[Look("m"), other], batch_size=29)
    assert seen == [("checkpoint", e) if e != "epoch" else ("other", e) for e in ("begin", "step", "epoch")] + [
        ("checkpoint", "epoch"),
        ("checkpoint", "end"),
    ]


def test_without_a_file_it_begins_afresh_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, model = tmp_path / "none.safetensors", classifier("numpy")
    with caplog.at_level(logging.INFO, "nnxp"):
        model.fit(X, Y, epochs=2, callbacks=[Checkpoint(path)], resume=path)
    assert caplog.messages == [f"there is no checkpoint {path} yet: the training begins afresh"]
    assert model.epoch == 2
    caplog.clear()
    with caplog.at_level(logging.INFO, "nnxp"):
        classifier("numpy").fit(X, Y, epochs=2, callbacks=[Checkpoint(path)], resume=path)
    assert caplog.messages == [f"{path} is of a fit that has finished: nothing is left to train"]


def test_it_says_where_it_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    snapshots = Snapshots(tmp_path)
    classifier("numpy").fit(X, Y, epochs=2, batch_size=10, callbacks=[snapshots])
    with caplog.at_level(logging.INFO, "nnxp"):
        classifier("array_api_strict").fit(X, Y, epochs=2, batch_size=10, resume=snapshots.paths[4])
    assert caplog.messages == [f"going on from {snapshots.paths[4]}, saved on numpy: 1 epochs and 4 steps are done"]


def test_on_another_backend_it_goes_on_up_to_rounding(backend: Target, tmp_path: Path) -> None:
    """From NumPy to each and back: what it was asked for is the same wherever the data lie."""
    model, data, keywords = everything("numpy", "float64")
    there, back = Snapshots(tmp_path), Snapshots(tmp_path)
    expected = model.fit(*data, **keywords | {"callbacks": [*keywords["callbacks"], there]})["loss"]
    model, data, keywords = everything(backend.spec, "float64")
    keywords["callbacks"].append(back)
    model.fit(*[backend.asarray(a) for a in data], resume=there.paths[1], **keywords)
    # 25 steps round some thousand times by 2⁻⁵³ ≈ 1e-16; Adam divides by gradients' sizes, down to 1e-4 of the largest
    np.testing.assert_allclose(model.history["loss"], expected, rtol=1e-9)
    model, data, keywords = everything("numpy", "float64")
    model.fit(*data, resume=back.paths[2], **keywords)
    np.testing.assert_allclose(model.history["loss"], expected, rtol=1e-9)


def test_a_model_without_a_seed_takes_the_file_s(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    model = classifier("numpy", inserted=(Dropout(0.5),), seed=None)
    model.fit(X, Y, epochs=3, batch_size=10, callbacks=[snapshots])
    other = classifier("numpy", inserted=(Dropout(0.5),), seed=None)
    assert other.seed != model.seed
    other.fit(X, Y, epochs=3, batch_size=10, resume=snapshots.paths[1])
    assert outcome(other) == outcome(model) and other.seed == model.seed


def test_a_second_fit_is_resumed_as_the_second(tmp_path: Path) -> None:
    """Epochs count from its own begin, not from the model's."""

    def twice(resume: Any = None, *callbacks: Any) -> Sequential:
        model, data, keywords = plateau("numpy")
        model.fit(*data, **keywords)
        model.fit(*data, resume=resume, callbacks=callbacks, **keywords | {"epochs": 2})
        return model

    snapshots = Snapshots(tmp_path)
    expected = outcome(twice(None, snapshots))
    for path in snapshots.paths:
        model = twice(path)
        assert outcome(model) == expected and model.epoch == 6


def test_a_loss_that_breaks_after_resuming_goes_back_to_where_it_would_have(tmp_path: Path) -> None:
    """To the weights that the epoch began with, before the file was saved in its middle."""

    def spoil(state: State) -> None:
        if state.step == 5:
            state.model.store.values[0] = np.nan

    spoil.events = ("step",)  # type: ignore[attr-defined]
    snapshots, ends = Snapshots(tmp_path), list[Any]()
    for resume in (None, tmp_path / "4-step.safetensors"):
        model = classifier("numpy")
        with pytest.raises(nnxp.NonFiniteLossError):
            model.fit(X, Y, epochs=3, batch_size=10, callbacks=[spoil, snapshots], resume=resume)
        ends.append(values(model))
    np.testing.assert_array_equal(*ends)
    with modelfile.opened(tmp_path / "4-step.safetensors") as saved:
        assert not np.array_equal(values(saved.model(nnxp.Sequential)), ends[0])


def test_a_fit_that_has_finished_gives_the_history_in_its_order(tmp_path: Path) -> None:
    """A file's is in order of name."""
    path, histories = tmp_path / "m.safetensors", []
    for _ in range(2):
        model = classifier("numpy")
        histories.append(model.fit(X, Y, validation_data=(X, Y), callbacks=[Checkpoint(path)], resume=path))
    assert [*histories[0].items()] == [*histories[1].items()] and next(iter(histories[0])) == "loss"


def test_lbfgs_goes_on_from_its_weights(tmp_path: Path) -> None:
    """With a new memory of curvature: not bit for bit, but no iteration is counted twice, nor forgotten."""
    pytest.importorskip("scipy")

    def run(resume: Any = None, *callbacks: Any) -> Sequential:
        model = classifier("numpy", optimizer="lbfgs", dtype="float64")
        model.fit(X, Y, epochs=12, callbacks=callbacks, resume=resume)
        return model

    snapshots = Snapshots(tmp_path)
    whole = run(None, snapshots)
    for path in snapshots.paths[5:9]:
        model = run(path)
        assert model.epoch == model.step == model.optimizer.iterations == len(model.history["loss"]) == 12
        done = nnxp.load(path).epoch
        assert model.history["loss"][:done] == whole.history["loss"][:done]
        assert model.history["loss"][-1] < whole.history["loss"][done - 1]


# --- callbacks that remember ----------------------------------------------------------------------------


class Counting:
    """One of a user's own, with a number and an array."""

    events = ("step",)
    options = ("by",)

    def __init__(self, by: int = 1) -> None:
        self.by, self.count, self.total = by, 0, np.zeros(3)

    def __call__(self, state: State) -> None:
        self.count += self.by
        self.total += np.asarray([self.count, 0.5, state.epoch])

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "total": self.total}

    def restore(self, state: dict[str, Any]) -> None:
        self.count, self.total = state["count"], np.array(state["total"])


def test_a_callback_of_the_user_s_own(tmp_path: Path) -> None:
    snapshots, counting = Snapshots(tmp_path), Counting(2)
    classifier("numpy").fit(X, Y, epochs=3, batch_size=10, callbacks=[counting, snapshots])
    for path in snapshots.paths:
        other = Counting(2)
        classifier("numpy").fit(X, Y, epochs=3, batch_size=10, callbacks=[other], resume=path)
        assert (other.count, other.total.tolist()) == (counting.count, counting.total.tolist())


def test_a_training_that_a_callback_has_stopped_is_not_trained_further(tmp_path: Path) -> None:
    class Stop:
        events = ("step",)

        def __call__(self, state: State) -> None:
            state.stop = state.step == 4

    snapshots = Snapshots(tmp_path)
    model = classifier("numpy")
    model.fit(X, Y, epochs=3, batch_size=10, callbacks=[Stop(), snapshots])
    for path in snapshots.paths[-2:]:  # in the epoch's middle, and at its end
        other = classifier("numpy")
        other.fit(X, Y, epochs=3, batch_size=10, resume=path)
        assert outcome(other) == outcome(model) and other.step == 4


def test_another_log_is_not_cut(tmp_path: Path) -> None:
    snapshots, log = Snapshots(tmp_path), tmp_path / "log.csv"
    classifier("numpy").fit(X, Y, epochs=2, callbacks=[CSVLog(log), snapshots])
    log.write_text("a,b\n" + "1,2\n" * 100)
    with pytest.raises(ValueError, match=r"has the columns \['a', 'b'\], expected"):
        classifier("numpy").fit(X, Y, epochs=2, callbacks=[CSVLog(log)], resume=snapshots.paths[0])
    assert log.read_text().count("\n") == 101


# --- refusals -------------------------------------------------------------------------------------------


def changed(name: str) -> Run:
    """The training of `refused` with one thing changed."""
    layers: list[Any] = [Dense(5, 9 if name == "width" else 8, l2=0.5 if name == "l2" else 0.0), "tanh"]
    layers += [Dropout(0.5)] if name == "layer" else []
    layers += [Dense(9 if name == "width" else 8, CLASSES), "softmax"]
    optimizer = {"optimizer": SGD(0.01), "rate": nnxp.Adam(0.02), "schedule": nnxp.Adam(0.01, schedule="cosine")}
    loss = nnxp.CategoricalCrossentropy(label_smoothing=0.1 if name == "loss" else 0.0)
    dtype, seed = "float64" if name == "dtype" else "float32", 2 if name == "seed" else 1
    members = 2 if name == "members" else 1
    given: dict[str, Any] = {"backend": "numpy", "dtype": dtype, "seed": seed, "members": members}
    model = Sequential(layers, loss, optimizer.get(name, nnxp.Adam(0.01)), **given)
    x, y, w = X.copy(), Y.copy(), W.copy()
    x[7, 3] += 1 if name == "X" else 0
    y[5] = (y[5] + 1) % CLASSES if name == "y" else y[5]
    w[3] += 1 if name == "weights" else 0
    if name == "rows":
        x, y, w = x[:28], y[:28], w[:28]
    keywords: dict[str, Any] = {"epochs": 2, "batch_size": 8, "sample_weight": w, "validation_data": (X, Y)}
    keywords |= {"callbacks": [EarlyStopping(patience=3 if name == "patience" else 2)]}
    keywords |= {
        "epochs": {"epochs": 3}, "batch size": {"batch_size": 9}, "micro": {"micro_batch_size": 2},
        "validation": {"validation_data": (X[:9], Y[:9])}, "callback": {"callbacks": []},
        "split": {"validation_data": None, "validation_split": 0.5}, "no weights": {"sample_weight": None},
    }.get(name, {})  # fmt: skip
    return model, (x, y), keywords


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("width", r"got layers\[0\].n_out 9, expected 8 as when it was saved"),
        ("l2", r"got layers\[0\].l2 0.5, expected 0.0"),
        ("layer", r"got layers \[Dense, Tanh, Dropout, Dense, Softmax\], expected \[Dense, Tanh, Dense, Softmax\]"),
        ("loss", "got loss.label_smoothing 0.1, expected 0.0"),
        ("optimizer", "got optimizer SGD, expected Adam"),
        ("rate", "got optimizer.learning_rate 0.02, expected 0.01"),
        ("schedule", "got optimizer.schedule Cosine, expected None"),
        ("dtype", "got dtype 'float64', expected 'float32'"),
        ("seed", "got seed 2, expected 1"),
        ("members", r"got members 2, expected 1 .* Train 1 again, members=1 \(nnxp train: --members 1\), or"),
        ("epochs", "got epochs 3, expected 2.*to train longer, finish this fit"),
        ("batch size", "got batch_size 9, expected 8"),
        ("micro", "got micro_batch_size 2, expected None"),
        ("split", "got validation_split 0.5, expected None"),
        ("validation", r"got validation_data.X '\(9, 5\) [0-9a-f]{16}', expected '\(29, 5\) [0-9a-f]{16}'"),
        ("X", r"got data.X '\(29, 5\) [0-9a-f]{16}', expected '\(29, 5\) [0-9a-f]{16}'"),
        ("y", r"got data.y '\(29,\) [0-9a-f]{16}', expected '\(29,\) [0-9a-f]{16}'"),
        ("weights", "got data.sample_weight '"),
        ("no weights", "got data.sample_weight None, expected '"),
        ("rows", r"got data.X '\(28, 5\) "),
        ("callback", r"got callbacks \[\], expected \[EarlyStopping\]"),
        ("patience", r"got callbacks\[0\].patience 3, expected 2"),
    ],
)
def test_another_training_is_refused_by_name(name: str, message: str, tmp_path: Path) -> None:
    model, data, keywords = changed("nothing")
    snapshots = Snapshots(tmp_path)
    model.fit(*data, **keywords | {"callbacks": [*keywords["callbacks"], snapshots]})
    path = snapshots.paths[1]
    before = path.read_bytes()
    model, data, keywords = changed(name)
    initial = values(model)
    with pytest.raises(ModelFileError, match=message) as error:
        model.fit(*data, resume=path, **keywords)
    assert str(error.value).startswith(f"{path}: it is of another training") and "begin afresh" in str(error.value)
    np.testing.assert_array_equal(values(model), initial)  # nothing has been taken over
    assert (model.epoch, model.step, model.history) == (0, 0, {}) and path.read_bytes() == before
    model, data, keywords = changed("nothing")
    model.fit(*data, resume=path, **keywords)  # and the right one is not


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    model, path = classifier("numpy"), tmp_path / "m.safetensors"
    model.fit(X, Y)
    model.save(path)
    with pytest.raises(ModelFileError, match="it holds a model, and not where a fit stood: nnxp.load"):
        classifier("numpy").fit(X, Y, resume=path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ModelFileError, match="damaged"):
        classifier("numpy").fit(X, Y, resume=path)


class Counter:
    """A callback of the user's own, whose next version remembers under another name."""

    def __init__(self, name: str = "count") -> None:
        self.name, self.count = name, 0

    def __call__(self, state: State) -> None:
        self.count += 1

    def state(self) -> dict[str, Any]:
        return {self.name: self.count}

    def restore(self, state: Any) -> None:
        self.count = state[self.name]


def edited(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[Path], None]:
    """What changes a file's state and tensors, and seals it again."""

    def edit(path: Path) -> None:
        texts, held = opened(path.read_bytes())
        state, held = json.loads(texts["state"]), {name: tensor.copy() for name, tensor in held.items()}
        change(state, held)
        texts = {name: texts[name] for name in ("format", "nnxp_version", "config")} | {"state": json.dumps(state)}
        host = nnxp.get_backend("numpy")
        with path.open("wb") as file:
            places = {name: tensorfile.Place(host, a.reshape(-1), a.shape) for name, a in held.items()}
            tensorfile.write(file, texts, places)

    return edit


LIES: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], Any], str]] = {
    "schedule": (lambda s, t: s.update(schedule=[1]), "its schedule is"),
    "schedule's rate": (lambda s, t: s["schedule"].update(current=None), "TypeError"),
    "history": (lambda s, t: s["history"].update(loss=[10**400]), "its history has"),
    "step": (lambda s, t: s.update(step=2**62), "its step is"),
    "callbacks": (lambda s, t: s["training"].update(callbacks=[1, 2, 3]), "not the state of each callback"),
    "stopping": (lambda s, t: s["training"]["callbacks"].__setitem__(0, {}), "of EarlyStopping.*KeyError"),
    "best weights": (
        lambda s, t: t.update({"training.callbacks.0.weights.0": np.zeros(7, np.float32)}),
        "of EarlyStopping is not what that takes over",
    ),
    "log": (lambda s, t: s["training"]["callbacks"][1].update(end=-5), "of CSVLog.*got end=-5"),
    "own": (lambda s, t: s["training"]["callbacks"].__setitem__(2, {"n": 3}), "of Counter.*KeyError: 'count'"),
    "newer": (lambda s, t: s["training"].update(unknown=1), "'unknown', which is not known here: update nnxp"),
    "asked": (lambda s, t: s["training"]["asked"].update(order="own"), "got order None, expected .own."),
    "first": (lambda s, t: s["training"].update(first=99), "counts that cannot be"),
    "batches": (lambda s, t: s["training"].update(batches=9999), "counts that cannot be"),
    "epoch": (lambda s, t: s.update(epoch=100), "counts that cannot be"),
    "a flag": (lambda s, t: s["training"].update(first=True), "its training has True as first"),
    "event": (lambda s, t: s["training"].update(event="foo"), "the event 'foo'"),
    "sums": (lambda s, t: t["training.sums"].__setitem__(0, np.nan), "sums of losses that are not finite"),
    "seen": (lambda s, t: t.update({"training.seen": np.array([-1.0, np.nan])}), "seen rows or weights that"),
    "kept": (lambda s, t: t.update({"training.kept": t["training.kept"].astype("f8")}), "its training has tensors"),
    "one too many": (lambda s, t: t.update({"training.callbacks.9.a": np.zeros(1)}), "of a callback that this fit has"),
}


@pytest.mark.parametrize(("change", "message"), LIES.values(), ids=LIES)
def test_a_file_that_says_what_cannot_be_changes_nothing(change: Any, message: str, tmp_path: Path) -> None:
    def fit(model: Sequential, callbacks: list[Any], **options: Any) -> Any:
        log = CSVLog(tmp_path / "log.csv")
        callbacks = [EarlyStopping(patience=9), log, Counter(), *callbacks]
        return model.fit(X, Y, epochs=3, batch_size=8, validation_split=0.25, callbacks=callbacks, **options)

    def fresh() -> Sequential:
        return classifier("numpy", optimizer=SGD(0.1, momentum=0.5, schedule=ReduceOnPlateau("loss")))

    snapshots = Snapshots(tmp_path)
    fit(fresh(), [snapshots])
    path = snapshots.paths[5]  # in the second epoch
    edited(change)(path)
    log, model = (tmp_path / "log.csv").read_bytes(), fresh()
    model.fit(X[:9], Y[:9], epochs=1)  # a state to come back to
    before = outcome(model)
    with pytest.raises(ModelFileError, match=message) as error:
        fit(model, [], resume=path)
    assert str(error.value).startswith(str(path))
    assert outcome(model) == before and (tmp_path / "log.csv").read_bytes() == log
    model.fit(X, Y)  # and goes on


def test_a_log_that_is_to_be_cut_is_so_after_the_next_crash_too(tmp_path: Path) -> None:
    path, log = tmp_path / "m.safetensors", tmp_path / "log.csv"

    def run(every: int, crash: int | None) -> None:
        callbacks = [CSVLog(log), Checkpoint(path, every_steps=every), *([] if crash is None else [crash_at(crash)])]
        model = classifier("numpy")
        with contextlib.suppress(RuntimeError):
            model.fit(X, Y, epochs=6, batch_size=8, callbacks=callbacks, resume=path)  # 4 steps an epoch

    run(5, 18)  # the log has epochs that the file of step 15 has not
    run(1, 16)  # and the file of step 16 is saved before the first new row
    run(1, None)
    assert [row.split(",")[0] for row in log.read_text().splitlines()] == ["epoch", *"123456"]


def test_only_the_fits_own_thread_saves_what_can_be_resumed(tmp_path: Path) -> None:
    path, model = tmp_path / "m.safetensors", classifier("numpy")

    def save(state: State) -> None:
        thread = threading.Thread(target=model.save, args=(path,))
        thread.start()
        thread.join()

    model.fit(X, Y, callbacks=[save])
    assert nnxp.load(path).epoch == 1
    with pytest.raises(ModelFileError, match="not where a fit stood"):
        classifier("numpy").fit(X, Y, resume=path)


def test_a_fit_inside_a_fit_is_refused() -> None:
    def nested(state: State) -> None:
        state.model.fit(X, Y)

    with pytest.raises(RuntimeError, match="another fit is training"):
        classifier("numpy").fit(X, Y, callbacks=[nested])


def test_a_fit_outlives_one_inside_it_that_is_refused() -> None:
    def nested(state: State) -> None:
        with pytest.raises(RuntimeError, match="another fit is training"):
            state.model.fit(X, Y, micro_batch_size=1)

    model, expected = classifier("numpy"), classifier("numpy")
    assert model.fit(X, Y, epochs=2, callbacks=[nested])["loss"] == expected.fit(X, Y, epochs=2)["loss"]


def test_what_cannot_be_saved_is_known_before_the_first_step(tmp_path: Path) -> None:
    model = classifier("numpy", optimizer=SGD(0.1, schedule=lambda step, total: 1.0))
    with pytest.raises(ValueError, match="cannot save the schedule .*, which is a function"):
        model.fit(X, Y, callbacks=[Checkpoint(tmp_path / "m.safetensors")])
    assert model.step == 0


def test_an_array_that_a_file_cannot_hold(tmp_path: Path) -> None:
    class Counts(Counting):
        def state(self) -> dict[str, Any]:
            return {"count": np.arange(3)}

    with pytest.raises(TypeError, match=r"of dtype int64 in its state \(callbacks.0.count\), expected float32 or"):
        classifier("numpy").fit(X, Y, callbacks=[Counts(), Checkpoint(tmp_path / "m.safetensors")])


def test_an_iterable_that_has_become_shorter(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    batches = [(X, Y)] * 5
    classifier("numpy").fit(iter_of(batches), epochs=2, callbacks=[snapshots])
    model = classifier("numpy")
    with pytest.raises(ValueError, match="got 2 batches in the epoch, expected at least the 4 that were trained on"):
        model.fit(iter_of(batches[:2]), epochs=2, resume=snapshots.paths[3])


def iter_of(batches: list[Any]) -> Callable[[], Iterator[Any]]:
    return lambda: iter(batches)


def test_a_checkpoint_is_a_model_like_any_other(backend: Target, tmp_path: Path) -> None:
    """It loads, predicts and trains further, from the begin of the epoch in which it was saved."""
    model, data, keywords = everything(backend.spec)
    snapshots = Snapshots(tmp_path)
    model.fit(*data, **keywords | {"callbacks": [*keywords["callbacks"], snapshots]})
    loaded = nnxp.load(snapshots.paths[2], backend=backend.spec)
    assert (loaded.epoch, loaded.step) == (0, 3)
    assert np.isfinite(backend.to_numpy(loaded.predict(backend.asarray(X)))).all()
    loaded.fit(X, Y)
    assert (loaded.epoch, len(loaded.history["loss"])) == (1, 1)


def test_a_file_saved_between_fits_says_nothing_of_one(tmp_path: Path) -> None:
    model = classifier("numpy")
    model.fit(X, Y, callbacks=[Checkpoint(tmp_path / "in.safetensors")])
    model.save(tmp_path / "after.safetensors")
    names = [set(tensors(tmp_path / f"{name}.safetensors")) for name in ("in", "after")]
    assert {name for name in names[0] - names[1] if not name.startswith("training.")} == set()
    assert "training.kept" in names[0] and names[1] <= names[0]
