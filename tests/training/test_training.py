"""The loop: epochs, batches, weights of samples, the plan of a step, and numbers that stop being finite."""

import copy
import math
import sys
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnxp
from nnxp import SGD, Adam, Dense, Dropout, NonFiniteLossError, Rescaling, Sequential
from nnxp.activations import ACTIVATIONS
from nnxp.data import split
from nnxp.doors.naming import snake_case
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, Recorder, classifier, problem, values, with_everything

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}


def numbered(n: int) -> tuple[Any, Any]:
    """A problem whose first feature is the row's number."""
    X, y = problem(n)
    X[:, 0] = np.arange(n)
    return X, y


def watched(backend: Any, **options: Any) -> tuple[Sequential, Recorder]:
    """A model that records which rows it sees."""
    recorder, options = Recorder(), {"seed": 1, "optimizer": SGD(0.001)} | options
    layers = [recorder, Dense(5, CLASSES), "softmax"]
    return Sequential(layers, loss="categorical_crossentropy", backend=backend, **options), recorder


# --- epochs and batches --------------------------------------------------------------------------------


def test_each_epoch_sees_every_row_once_in_a_new_order(backend: Target) -> None:
    X, y = numbered(22)
    model, recorder = watched(backend.spec)
    model.fit(X, y, epochs=2, batch_size=8)
    assert [len(batch) for batch in recorder.seen[True]] == [8, 8, 6] * 2  # the last one is shorter
    orders = np.reshape(recorder.rows(), (2, 22)).tolist()
    model.fit(X, y, batch_size=8)
    orders.append(recorder.rows())
    assert all(sorted(order) == list(range(22)) for order in orders)
    assert len({tuple(order) for order in [*orders, range(22)]}) == 4
    assert (model.epoch, model.step) == (3, 9)


def test_the_same_seed_is_the_same_run(backend: Target) -> None:
    X, y = problem()
    runs = [with_everything(backend.spec) for _ in range(2)]
    losses = [run.fit(X, y, epochs=3, batch_size=7)["loss"] for run in runs]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(values(runs[0]), values(runs[1]))
    assert classifier(seed=2).fit(X, y)["loss"] != classifier(seed=1).fit(X, y)["loss"]


def test_fitting_twice_is_fitting_once_for_longer(backend: Target) -> None:
    X, y = problem()
    options: dict[str, Any] = {"batch_size": 7, "validation_split": 0.25}
    once, twice = (with_everything(backend.spec) for _ in range(2))
    once.optimizer.decay = twice.optimizer.decay = 0.1
    once.fit(X, y, epochs=5, **options)
    twice.fit(X, y, epochs=2, **options)
    twice.fit(X, y, epochs=3, **options)
    np.testing.assert_array_equal(values(once), values(twice))
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        assert once.history[name] == twice.history[name]


def test_history_has_one_entry_an_epoch(backend: Target) -> None:
    X, y = problem()
    model = classifier(backend.spec, optimizer=SGD(0.5, decay=0.25))
    first = model.fit(X, y, epochs=2, batch_size=24)
    assert {*first} == {"loss", "accuracy", "learning_rate", "seconds"}
    history = model.fit(X, y, validation_data=(X, y), batch_size=24)
    assert {*history} == {*first, "val_loss", "val_accuracy"}
    assert {len(entries) for entries in history.values()} == {3}
    assert len(first["loss"]) == 2  # what was returned stays as it was
    assert all(type(entry) is float for entries in history.values() for entry in entries)
    assert history["learning_rate"] == [0.5, 0.5 / 1.25, 0.5 / 1.5]
    assert [math.isnan(entry) for entry in history["val_loss"]] == [True, True, False]
    model.fit(X, y)
    assert {len(entries) for entries in model.history.values()} == {4}


def test_the_reported_loss_is_the_mean_over_samples(backend: Target) -> None:
    """With learning rate 0 and no dropout, an epoch reports what `evaluate` does, short last batch or not."""
    X, y = problem(22, "float64")
    w = np.arange(22) % 3.0
    model = classifier(backend.spec, dtype="float64", optimizer=SGD(0.0))
    history = model.fit(X, y, batch_size=8, sample_weight=w, validation_data=(X, y, w))
    record = model.evaluate(X, y, sample_weight=w)
    assert (history["val_loss"], history["val_accuracy"]) == ([record["loss"]], [record["accuracy"]])
    assert history["loss"] == pytest.approx([record["loss"]], rel=22 * EPSILON["float64"])
    assert history["accuracy"] == pytest.approx([record["accuracy"]], rel=22 * EPSILON["float64"])


def test_validation_split_holds_out_the_same_rows_of_each_class(backend: Target) -> None:
    X, y = numbered(24)
    model, recorder = watched(backend.spec)
    model.fit(X, y, validation_split=0.25, batch_size=5)
    held_out = recorder.rows(training=False)
    assert sorted(recorder.rows() + held_out) == list(range(24))
    assert np.bincount(y[held_out]).tolist() == [2, 2, 2]
    model.fit(X, y, validation_split=0.25, batch_size=5)
    assert recorder.rows(training=False) == held_out

    train, other = split(y, 0.25, seed=1)
    by_hand, _ = watched(backend.spec)
    by_hand.fit(X[train], y[train], validation_data=(X[other], y[other]), batch_size=5)
    assert by_hand.history["val_loss"] == model.history["val_loss"][:1]
    assert by_hand.history["loss"] == model.history["loss"][:1]


@pytest.mark.parametrize("end", ["one-hot", "regression", "weighted"])
def test_validation_split_of_other_labels(backend: Target, end: str) -> None:
    X, y = numbered(24)
    loss = "mean_squared_error" if end == "regression" else "categorical_crossentropy"
    layers = [Dense(5, CLASSES)] if end == "regression" else [Dense(5, CLASSES), "softmax"]
    model = Sequential(layers, loss=loss, backend=backend.spec)
    labels = y if end == "weighted" else np.eye(CLASSES)[y]
    weight = np.ones(24) if end == "weighted" else None
    history = model.fit(X, labels, sample_weight=weight, validation_split=0.5)
    assert all(math.isfinite(entry) for entries in history.values() for entry in entries)


def test_training_learns_with_every_kind_of_label(backend: Target) -> None:
    X, y = problem(60)
    for labels in (y, np.eye(CLASSES)[y], y.astype(np.uint8), y.tolist()):
        history = classifier(backend.spec, optimizer=Adam(0.05)).fit(X, labels, epochs=20, batch_size=20)
        assert history["accuracy"][-1] > 0.9 > history["accuracy"][0]


# --- weights of samples --------------------------------------------------------------------------------


def test_a_weight_of_k_is_k_repetitions(backend: Target) -> None:
    X, y = problem(12, "float64")
    counts = np.arange(12) % 4
    weighted, repeated = (classifier(backend.spec, dtype="float64", optimizer=SGD(0.5)) for _ in range(2))
    tolerance = {"rtol": 0, "atol": 64 * EPSILON["float64"]}  # sums of some 18 terms no larger than 2
    losses = weighted.fit(X, y, epochs=3, batch_size=18, sample_weight=backend.asarray(counts))["loss"]
    many = np.repeat(np.arange(12), counts)
    np.testing.assert_allclose(losses, repeated.fit(X[many], y[many], epochs=3, batch_size=18)["loss"], **tolerance)
    np.testing.assert_allclose(values(weighted), values(repeated), **tolerance)
    loss = float(weighted.train_step(X, y, sample_weight=counts))
    np.testing.assert_allclose(loss, float(repeated.train_step(X[many], y[many])), **tolerance)
    np.testing.assert_allclose(values(weighted), values(repeated), **tolerance)


def test_a_batch_without_weight_changes_nothing(backend: Target) -> None:
    """The one that has some weighs as much as four of the mean weight."""
    X, y = problem(4)
    model = classifier(backend.spec, optimizer=SGD(0.5))
    model.fit(X, y, batch_size=1, sample_weight=[0, 0, 1, 0])
    alone = classifier(backend.spec, optimizer=SGD(4 * 0.5))
    alone.fit(X[2:3], y[2:3])
    np.testing.assert_array_equal(values(model), values(alone))  # times powers of 2
    assert model.history["loss"] == alone.history["loss"]


# --- one step ------------------------------------------------------------------------------------------


def test_a_step_is_the_loss_before_it_and_one_update(backend: Target) -> None:
    X, y = problem()
    model = classifier(backend.spec, optimizer=SGD(0.5))
    expected, before = model.evaluate(X, y)["loss"], values(model)
    loss = model.train_step(backend.asarray(X), backend.asarray(y))
    backend.assert_close(loss, np.asarray(expected, dtype=np.float32), rtol=32 * EPSILON["float32"])
    gradients = backend.to_numpy(model.store.gradients)
    np.testing.assert_allclose(values(model), before - np.float32(0.5) * gradients, rtol=2 * EPSILON["float32"])
    kept = backend.to_numpy(loss)
    model.train_step(X, y)
    assert backend.to_numpy(loss) == kept and (model.step, model.epoch) == (2, 0)


def test_a_penalty_leaves_the_loss_an_array(backend: Target) -> None:
    X, y = problem()
    model = with_everything(backend.spec)
    backend.assert_close(loss := model.train_step(X, y), backend.to_numpy(loss))
    assert not isinstance(loss, np.generic)


def test_clip_norm_is_over_all_parameters(backend: Target) -> None:
    X, y = problem(dtype="float64")
    model = classifier(backend.spec, dtype="float64", optimizer=SGD(1.0, clip_norm=1e-3))
    before = values(model)
    model.train_step(X, y)
    moved = np.linalg.norm(values(model) - before)  # each difference is rounded to the weights' last bits
    assert moved == pytest.approx(1e-3, rel=0, abs=before.size * EPSILON["float64"])


def test_an_optimizer_that_knew_a_layer_alone_says_so(backend: Target) -> None:
    X, y = problem()
    layer, optimizer = Dense(5, CLASSES, backend=backend.spec), SGD(0.1, momentum=0.9)
    layer.forward(X)
    layer.backward(np.ones((24, CLASSES)))
    optimizer.update_params(layer)
    model = Sequential([layer, "softmax"], loss="categorical_crossentropy", optimizer=optimizer)
    with pytest.raises(RuntimeError, match=r"optimizer\.reset\(\)"):
        model.fit(backend.asarray(X), y)
    optimizer.reset()
    model.fit(backend.asarray(X), y)


# --- the plan ------------------------------------------------------------------------------------------


def _gradient_error(model: Sequential, n: int) -> float:
    """How far two ways of computing a model's gradients may be apart: a bound on what the roundings of the
    loss's gradient, at most 1/n an element, become on their way down through the layers."""
    to_numpy = model.store.backend.to_numpy
    error, worst, terms = 1.0 / n, 0.0, n
    for layer in reversed(model.layers):
        worst = max(worst, error * n * max(1.0, abs(to_numpy(layer.inputs)).max()))
        if isinstance(layer, Dense):
            error *= max(1.0, abs(to_numpy(layer.weights)).sum(axis=1).max())
            terms += layer.n_in + layer.n_out
        else:
            error *= 2.0  # no activation here is steeper than 1.76, dropout divides by at least 1/2
    return 8 * terms * len(model.layers) * worst * EPSILON["float64"]


ENDS = {
    "categorical_crossentropy": ["softmax"],
    "binary_crossentropy": ["sigmoid"],
    "softmax_crossentropy": [],
    "sigmoid_crossentropy": [],
    "mean_squared_error": ["tanh"],
    "mean_absolute_error": [],
    "huber": ["relu"],
}


@st.composite
def architectures(draw: st.DrawFn) -> tuple[list[Any], str]:
    """Layers with 4 inputs and 3 outputs, and a loss that fits them."""
    layers: list[Any] = draw(st.sampled_from([[], [Rescaling(0.5, 0.25)], [Dropout(0.25)]]))
    width = 4
    for _ in range(draw(st.integers(0, 3))):
        n_out = draw(st.integers(1, 5))
        layers = [*layers, Dense(width, n_out, l2=draw(st.sampled_from([0.0, 0.01]))), draw(names)]
        if draw(st.booleans()):
            layers.append(Dropout(draw(st.sampled_from([0.0, 0.5]))))
        width = n_out
    loss = draw(st.sampled_from(sorted(ENDS)))
    return [*copy.deepcopy(layers), Dense(width, 3, bias_l1=0.01), *ENDS[loss]], loss


names = st.sampled_from([snake_case(cls.__name__) for cls in ACTIVATIONS])


@given(architecture=architectures(), n=st.integers(1, 7), weighted=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_the_plan_is_the_layers_one_by_one(
    backend: Target, architecture: tuple[list[Any], str], n: int, weighted: bool, seed: int
) -> None:
    layers, loss = architecture
    generator = np.random.default_rng(seed)
    X, w = generator.standard_normal((n, 4)), generator.uniform(0.1, 1, n) if weighted else None
    y: Any = generator.integers(0, 2, (n, 3)).astype(float)
    y = generator.integers(0, 3, n) if loss in ("categorical_crossentropy", "softmax_crossentropy") else y
    model = Sequential(layers, loss, SGD(0.0), backend=backend.spec, dtype="float64", seed=seed)
    one_by_one = copy.deepcopy(model)
    got = float(model.train_step(X, y, w))
    gradients = backend.to_numpy(model.store.gradients)

    out = one_by_one.forward(X, training=True)
    assert one_by_one.loss is not None
    expected = float(one_by_one.loss.calculate(out, y, w)) + sum(float(p) for p in one_by_one.penalties())
    one_by_one.backward(y, w)
    tolerance = _gradient_error(one_by_one, n)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * n)
    np.testing.assert_allclose(gradients, backend.to_numpy(one_by_one.store.gradients), rtol=0, atol=tolerance)


# --- not finite ----------------------------------------------------------------------------------------


def exploding(backend: Any, rate: float) -> Sequential:
    """A regression that diverges at a high rate."""
    layers, rule = [Dense(5, 8), "relu", Dense(8, 1)], SGD(rate, momentum=0.5)
    return Sequential(layers, loss="mean_squared_error", optimizer=rule, backend=backend, seed=0)


@pytest.mark.parametrize("batch_size", [24, 4], ids=["one step an epoch", "six steps an epoch"])
@pytest.mark.parametrize("rate", [1e4, 1e37], ids=["slowly", "at once"])
def test_divergence_stops_training_and_gives_finite_weights_back(backend: Target, batch_size: int, rate: float) -> None:
    X, _ = problem()
    y = X[:, 0]
    model = exploding(backend.spec, rate)
    with pytest.raises(NonFiniteLossError, match=r"the loss of step \d+ \(epoch \d+\).*lower the learning rate") as e:
        model.fit(X, y, epochs=30, batch_size=batch_size)
    assert "layer " in str(e.value) or "the loss itself" in str(e.value)
    assert np.isfinite(values(model)).all() and math.isfinite(model.evaluate(X, y)["loss"])
    assert len(model.history.get("loss", [])) == model.epoch
    model.optimizer.learning_rate = 1e-30
    assert math.isfinite(model.fit(X, y, epochs=2, batch_size=batch_size)["loss"][-1])


def test_the_first_epoch_s_divergence_restores_what_was_given(backend: Target) -> None:
    X, _ = problem()
    model = exploding(backend.spec, 1e37)
    before = values(model)
    with pytest.raises(NonFiniteLossError, match=r"\(epoch 1\)"):
        model.fit(X, X[:, 0], batch_size=4)
    np.testing.assert_array_equal(values(model), before)
    assert model.history == {} and model.epoch == 0
    model.optimizer.learning_rate = 0.01
    losses = model.fit(X, X[:, 0], epochs=5, batch_size=4)["loss"]
    assert losses[-1] < losses[0]


def test_a_last_step_that_breaks_the_weights_does_not_go_unseen(backend: Target) -> None:
    X, _ = problem()
    model = exploding(backend.spec, 3e38)
    with pytest.raises(NonFiniteLossError):
        model.fit(X * 100, X[:, 0] * 100, batch_size=24)  # one finite loss, then weights that are not
    assert np.isfinite(values(model)).all()


class Broken(nnxp.Layer):
    """Divides by zero for the row whose first feature is 5."""

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.inputs = inputs
        self.output = inputs / self.backend.xp.where(inputs[:, :1] == 5, 0.0, inputs[:, :1] + 1)
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = dvalues
        return dvalues


def test_the_error_names_step_and_layer(backend: Target) -> None:
    X, y = numbered(8)
    layers = [nnxp.Linear(), Broken(), Dense(5, CLASSES), "softmax"]
    model = Sequential(layers, loss="categorical_crossentropy", backend=backend.spec, seed=0)
    order = nnxp.random.permutation(nnxp.random.key(0, "order", 0), 8).tolist()
    step = order.index(5) // 2
    with pytest.raises(NonFiniteLossError, match=rf"step {step} \(epoch 1\).*the output of layer 1, Broken"):
        model.fit(X, y, batch_size=2)


# --- the bar -------------------------------------------------------------------------------------------


def test_the_progress_bar_is_quiet_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = problem()
    model = classifier()
    model.fit(X, y, epochs=2)
    assert capsys.readouterr() == ("", "")
    model.fit(X, y, epochs=2, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "epoch 2/2" in err and "loss" in err and "100 %" in err
    model.fit(X, y, progress=False)
    assert capsys.readouterr() == ("", "")


def test_the_progress_bar_shows_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    X, y = problem()
    classifier().fit(X, y)
    assert "epoch 1/1" in capsys.readouterr().err


def test_a_line_an_epoch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """And no bar, unless that is asked for, too."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    X, y = problem()
    model = classifier()
    model.fit(X, y, epochs=2, verbose=True, validation_data=(X, y))
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == "" and [line[:9] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    for i, line in enumerate(lines):
        words = line.split()
        found = dict(zip(words[2:-2:2], map(float, words[3:-2:2]), strict=True))
        assert [*found] == ["loss", "accuracy", "val_loss", "val_accuracy"] and words[-1] == "s"
        expected = [model.history[name][i] for name in found]
        assert [*found.values()] == pytest.approx(expected, rel=5e-4)  # four digits
    model.fit(X, y, epochs=2, verbose=True, progress=True)
    out, err = capsys.readouterr()
    assert out.count("epoch") == 2 and "100 %" in err
    classifier(optimizer="lbfgs").fit(X, y, epochs=2, verbose=True)
    assert [line[:13] for line in capsys.readouterr().out.splitlines()] == ["iteration 1/2", "iteration 2/2"]


@pytest.mark.parametrize(("options", "lines"), [({}, 1), ({"verbose": False}, 0), ({"progress": False}, 0)])
def test_lines_are_what_a_notebook_shows(
    options: dict[str, Any], lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook's IPython has a kernel; that in a terminal has none."""
    X, y = problem()
    for kernel in (object(), None):
        shell = types.SimpleNamespace(kernel=kernel)
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda shell=shell: shell))
        classifier().fit(X, y, **options)
        out, err = capsys.readouterr()
        assert out.count("epoch 1/1") == (lines if kernel else 0) and err == ""


def test_an_epoch_s_accuracy_is_a_count(backend: Target) -> None:
    """Of 49 rows a batch: 1/49 in float32 is not that, and 49 times it not 1."""
    X = np.ones((98, 2), np.float32)
    y = np.arange(98) % 2  # the rows are the same: the model says one class for all of a batch
    model = Sequential(
        [Dense(2, 2), "softmax"], "categorical_crossentropy", nnxp.SGD(0.0), backend=backend.spec, seed=0
    )
    assert model.fit(backend.asarray(X), backend.asarray(y), batch_size=49)["accuracy"] == [0.5]
    model.layers[0].biases = [[9.0, 0.0]]
    assert model.fit(backend.asarray(X), backend.asarray(0 * y), batch_size=49)["accuracy"][-1] == 1.0


@pytest.mark.parametrize("shape", ["vector", "column"])
def test_an_own_score_may_be_of_booleans(backend: Target, shape: str) -> None:
    class Own(nnxp.CategoricalCrossentropy):
        def score(self, p: Any, y: Any) -> Any:
            right = self.backend.kernels["argmax"](p) == y
            return right if shape == "vector" else right[:, None]

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)).astype(np.float32), rng.integers(0, 2, 20)
    accuracies = []
    for loss in (Own(), "categorical_crossentropy"):
        model = Sequential([Dense(3, 2), "softmax"], loss, "sgd", backend=backend.spec, seed=0)
        accuracies.append(model.fit(backend.asarray(X), backend.asarray(y), batch_size=8, epochs=2)["accuracy"])
        accuracies[-1].append(model.evaluate(backend.asarray(X), backend.asarray(y))["accuracy"])
    assert accuracies[0] == accuracies[1]


def test_label_smoothing_may_be_changed(backend: Target) -> None:
    """Also where a fused pair stands for the loss."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)).astype(np.float32), rng.integers(0, 2, 20)
    X, y = backend.asarray(X), backend.asarray(y)
    losses = []
    for smoothing in (0.0, 0.4):
        loss = nnxp.CategoricalCrossentropy(label_smoothing=smoothing)
        model = Sequential([Dense(3, 2), "softmax"], loss, nnxp.SGD(0.0), backend=backend.spec, seed=0)
        model.fit(X, y)
        model.loss.label_smoothing = 0.4
        by_hand = float(model.loss.calculate(model.predict(X), y))
        losses.append((model.evaluate(X, y)["loss"], float(model.train_step(X, y)), by_hand))
    assert losses[0] == losses[1]
    assert losses[0][:2] == pytest.approx([losses[0][2]] * 2, rel=1e-5)


def test_a_pair_need_not_have_its_loss_s_options(backend: Target) -> None:
    """One of the user's own may name any loss of logits as its pair."""

    class Own(nnxp.Loss):
        classifies = True
        prepare = nnxp.CategoricalCrossentropy.prepare

        def from_logits_kind(self) -> nnxp.Loss:
            return nnxp.SoftmaxCrossentropy(label_smoothing=0.1)

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)).astype(np.float32), rng.integers(0, 2, 20)
    losses = []
    for loss in (Own(), nnxp.CategoricalCrossentropy(label_smoothing=0.1)):
        model = Sequential([Dense(3, 2), "softmax"], loss, "sgd", backend=backend.spec, seed=0)
        losses.append(model.fit(backend.asarray(X), backend.asarray(y))["loss"])
    assert losses[0] == losses[1]


# --- micro-batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 12])
def test_micro_batches_are_the_batch(backend: Target, rows: int, weighted: bool) -> None:
    """Accumulated gradients are those of the whole, penalties counted once: as many steps, the same weights."""
    X, y = problem(dtype="float64")
    w = np.linspace(0.0, 1.0, 24) if weighted else None
    models = [
        Sequential([Dense(5, 8, l2=0.01), "tanh", Dense(8, 3, l1=0.01), "softmax"],
                   "categorical_crossentropy", SGD(0.1), backend=backend.spec, dtype="float64", seed=0)
        for _ in range(2)
    ]  # fmt: skip
    for model, micro_batch_size in zip(models, (None, rows), strict=True):
        model.fit(X, y, epochs=3, batch_size=16, sample_weight=w, micro_batch_size=micro_batch_size)
    assert models[0].step == models[1].step == 6
    np.testing.assert_allclose(values(models[0]), values(models[1]), rtol=0, atol=1e-13)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(models[0].history[name], models[1].history[name], rtol=1e-13)


def test_micro_batches_have_masks_of_their_own() -> None:
    """Dropout draws anew for each part of a step."""
    seen = []

    class Look(Recorder):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            seen.append(np.array(inputs))
            return super().forward(inputs, training)

    model = Sequential([Dropout(0.5), Look(), Dense(64, 1)], "mean_squared_error", SGD(0.0), seed=0)
    model.fit(np.ones((8, 64)), np.zeros(8), batch_size=8, micro_batch_size=4)
    assert [len(part) for part in seen] == [4, 4]
    assert not np.array_equal(*seen)


def test_micro_batches_of_a_bad_size() -> None:
    with pytest.raises(ValueError, match="got micro_batch_size=0, expected a whole number from 1 up"):
        classifier("numpy").fit(*problem(), micro_batch_size=0)
