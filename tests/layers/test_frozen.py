"""`trainable=False`: what is frozen keeps its values and its place, and the others train as if it were part of X."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import SGD, Adam, AdamW, BatchNorm, Dense, Dropout, Lion, ParametricActivation, Residual, Sequential
from nnxp.activations import ACTIVATIONS
from nnxp.layers import LAYERS, Layer
from nnxp.layers.parts import with_parts
from nnxp.network.residual import Residual as Block
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, classifier, problem, values

OPTIMIZERS = [
    SGD(0.1, momentum=0.9, clip_norm=0.05),
    Adam(0.01, clip_value=0.01),
    AdamW(0.01, weight_decay=0.5, ema=0.9),
    AdamW(0.01, weight_decay=0.5, decay_biases=False, clip_norm=0.05),
    Lion(0.001, weight_decay=0.5),
]


def whole(optimizer: Any, **options: Any) -> Sequential:
    """A frozen dense layer and ReLU, with penalties that would move them, before two layers that train."""
    layers = [Dense(5, 8, l2=0.1, l1=0.1), "relu", Dense(8, 6, l2=0.01), "tanh", Dense(6, CLASSES), "softmax"]
    model = Sequential(layers, "categorical_crossentropy", copy.deepcopy(optimizer), seed=1, dtype="float64", **options)
    model.layers[0].trainable = False
    return model


def head_of(model: Sequential, optimizer: Any) -> Sequential:
    """What trains of it, by itself, with the same weights."""
    layers = [Dense(8, 6, l2=0.01), "tanh", Dense(6, CLASSES), "softmax"]
    head = Sequential(layers, "categorical_crossentropy", copy.deepcopy(optimizer), seed=1, dtype="float64")
    for i in (0, 2):
        head.layers[i].weights = model.backend.to_numpy(model.layers[i + 2].weights)
    return head


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adam", "adamw", "adamw-weights", "lion"])
def test_the_others_train_as_if_the_frozen_were_part_of_x(optimizer: Any, backend: Target) -> None:
    """No update, no decay, outside the norm that clips, penalties and the moving average."""
    X, y = problem(48, "float64")
    model = whole(optimizer, backend=backend.spec)
    x = backend.asarray(X)
    W, b = (backend.to_numpy(a).copy() for a in (model.layers[0].weights, model.layers[0].biases))
    head = head_of(model, optimizer)
    model.fit(x, y, epochs=3, batch_size=8, validation_data=(x, y))
    H = np.maximum(X @ W + b, 0)
    head.fit(H, y, epochs=3, batch_size=8, validation_data=(H, y))
    np.testing.assert_array_equal(backend.to_numpy(model.layers[0].weights), W)
    np.testing.assert_array_equal(backend.to_numpy(model.layers[0].biases), b)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(model.history[name], head.history[name], rtol=1e-9)
    for i in (0, 2):
        got = backend.to_numpy(model.layers[i + 2].weights)
        np.testing.assert_allclose(got, head.layers[i].weights, rtol=1e-7, atol=1e-10)
    if optimizer.ema is not None:
        assert np.array_equal(backend.to_numpy(model.averaged().layers[0].weights), W)
    model.store.computed.clear()
    model.train_step(x[:8, ...], y[:8])
    with pytest.raises(nnxp.errors.NotComputedError):
        _ = model.layers[0].dweights  # of a frozen prefix none are computed


def test_lbfgs_leaves_the_frozen_out_of_its_vector() -> None:
    X, y = problem(48, "float64")
    model, norm = whole(nnxp.LBFGS()), BatchNorm(8, trainable=False)
    W, b = np.array(model.layers[0].weights), np.array(model.layers[0].biases)
    head = head_of(model, nnxp.LBFGS())
    model.fit(X, y, epochs=5)
    head.fit(np.maximum(X @ W + b, 0), y, epochs=5)
    np.testing.assert_array_equal(model.layers[0].weights, W)
    np.testing.assert_allclose(model.history["loss"], head.history["loss"], rtol=1e-6)
    with_norm = Sequential([Dense(5, 8), norm, Dense(8, CLASSES), "softmax"], model.loss, nnxp.LBFGS(), seed=0)
    with_norm.fit(X, y, epochs=2)  # one that is not frozen is refused
    assert np.all(norm.running_mean == 0)


def test_a_frozen_layer_in_the_middle_hands_gradients_on(backend: Target) -> None:
    """One step of plain SGD moves the layers around it as it would if it moved too."""
    X, y = problem()
    x = backend.asarray(X)
    models = []
    for trainable in (True, False):
        layers = [Dense(5, 8), "tanh", Dense(8, 8, trainable=trainable), "relu", Dense(8, CLASSES), "softmax"]
        models.append(Sequential(layers, "categorical_crossentropy", SGD(0.5), seed=0, backend=backend.spec))
        models[-1].train_step(x, y)
    moving, still = models
    for i in (0, 4):
        one, other = (backend.to_numpy(model.layers[i].weights) for model in models)
        np.testing.assert_array_equal(one, other)
    start = Sequential([Dense(5, 8), "tanh", Dense(8, 8), "relu", Dense(8, CLASSES), "softmax"], seed=0)
    np.testing.assert_array_equal(backend.to_numpy(still.layers[2].weights), start.layers[2].weights)
    assert not np.array_equal(backend.to_numpy(moving.layers[2].weights), start.layers[2].weights)


def parts() -> dict[str, Any]:
    """Layers of 5 inputs, the first of which is a code of 3."""
    return {
        "scaling": nnxp.Scaling(5),
        "parametric": ParametricActivation(5, "mish"),
        "norm": nnxp.LayerNorm(5),
        "embedding": nnxp.Embedding(5, [3], 2, [0]),
        "periodic": nnxp.PeriodicEmbedding(5, 2, 3),
        "plr": nnxp.PeriodicEmbedding(5, 3, 3, activation="relu", columns=[3, 1]),
        "piecewise": nnxp.PiecewiseLinearEmbedding(5, [[-1.0, 0.0, 1.0]] * 2, 2, [1, 4]),
        "dense": Residual([Dense(5, 5, l2=0.1, parametrization="ntk")]),
    }


def coded() -> tuple[np.ndarray, np.ndarray]:
    X, y = problem()
    X[:, 0] = np.arange(len(X)) % 3
    return X, y


@pytest.mark.parametrize("name", parts())
def test_what_is_frozen_computes_no_gradients_of_its_own_in_a_step(backend: Target, name: str) -> None:
    """What it hands down is as it was; by hand there are all."""
    X, y = coded()
    x, models = backend.asarray(X), []
    for trainable in (False, True):
        part = parts()[name]
        part.trainable = trainable
        layers = [nnxp.Scaling(5), part, Dense(part.output_width(5), CLASSES), "softmax"]
        model = Sequential(layers, "categorical_crossentropy", "sgd", backend=backend.spec, seed=0)
        model.store.gradients[...] = 7.0
        model.train_step(x, y)
        models.append(model)
    (first, part, last, _), (first_, _, last_, _) = (model.layers for model in models)
    own = [(layer, parameter) for _, layer in with_parts([part]) for parameter in layer.parameters]
    assert own and all(np.all(backend.to_numpy(layer.gradient(parameter)) == 7) for layer, parameter in own)
    for got, expected in ((first.dscale, first_.dscale), (last.dweights, last_.dweights)):
        np.testing.assert_array_equal(*map(backend.to_numpy, (got, expected)))
    for layer, parameter in own:
        with pytest.raises(nnxp.errors.NotComputedError):
            getattr(layer, "d" + parameter)
    part.backward(part.forward(x))
    assert not any(np.any(backend.to_numpy(getattr(layer, "d" + parameter)) == 7) for layer, parameter in own)


@pytest.mark.parametrize("name", parts())
def test_before_the_first_that_is_trained_nothing_is_computed(
    name: str, backend: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a model, and in a block that it begins with, whose shortcut may be frozen too."""
    X, y = coded()
    for blocked in (False, True):
        still = parts()[name]
        still.trainable = False
        layers = [still, Dense(still.output_width(5), CLASSES)]
        if blocked:
            block: Any = Residual(layers)
            block.shortcut.trainable = False
            layers = [block]
        model = Sequential([*layers, "softmax"], "categorical_crossentropy", backend=backend.spec, seed=0)
        ran, run = list[Any](), Layer.run_backward
        with monkeypatch.context() as patched:
            patched.setattr(Layer, "run_backward", lambda self, dy, ran=ran, run=run: ran.append(self) or run(self, dy))
            model.train_step(backend.asarray(X), y)
        assert ran == []


def test_a_frozen_last_layer_keeps_its_bias() -> None:
    X, y = problem()
    model = Sequential(
        [Dense(5, 8), "tanh", Dense(8, CLASSES, trainable=False), "softmax"], nnxp.losses.LOSSES[0](), seed=0
    )
    before = np.array(model.layers[2].weights), np.array(model.layers[0].weights)
    model.fit(X, y, epochs=2)
    assert np.array_equal(before[0], model.layers[2].weights) and np.all(model.layers[2].biases == 0)
    assert not np.array_equal(before[1], model.layers[0].weights)


def test_a_frozen_batch_norm_uses_its_running_means(backend: Target) -> None:
    X, y = problem()
    x = backend.asarray(X)
    layers = [Dense(5, 8), BatchNorm(8), "relu", Dense(8, CLASSES), "softmax"]
    model = Sequential(layers, "categorical_crossentropy", seed=0, backend=backend.spec)
    model.fit(x, y, epochs=2, batch_size=8)
    norm: Any = model.layers[1]
    norm.trainable = False
    kept = [backend.to_numpy(a).copy() for a in (norm.running_mean, norm.running_variance, norm.gains, norm.biases)]
    expected = model.evaluate(x, y)["loss"]
    assert abs(float(model.train_step(x, y)) - expected) < 1e-5  # the loss before the update, by the running means
    model.fit(x, y, epochs=2, batch_size=1)  # and one row will do
    now = [backend.to_numpy(a) for a in (norm.running_mean, norm.running_variance, norm.gains, norm.biases)]
    for one, other in zip(kept, now, strict=True):
        np.testing.assert_array_equal(one, other)


def test_freezing_takes_effect_at_the_next_step_and_thawing_too() -> None:
    X, y = problem()
    model = Sequential(
        [Dense(5, 8), "tanh", Dense(8, CLASSES), "softmax"], "categorical_crossentropy", Adam(0.1), seed=0
    )
    model.train_step(X, y)
    first: Any = model.layers[0]
    first.trainable = False
    still = np.array(first.weights)
    model.train_step(X, y)
    assert np.array_equal(first.weights, still)
    first.trainable = True
    model.train_step(X, y)
    assert not np.array_equal(first.weights, still)


def test_all_that_is_frozen_trains_nothing() -> None:
    X, y = problem()
    model = Sequential([Dense(5, CLASSES, trainable=False), "softmax"], "categorical_crossentropy", seed=0)
    before = values(model)
    model.fit(X, y, epochs=2)
    assert np.array_equal(values(model), before)


@pytest.mark.parametrize("event", ["begin", "step", "epoch"])
def test_a_running_fit_refuses_it(event: str) -> None:
    X, y = problem()
    model = Sequential([Dense(5, 8), "tanh", Dense(8, CLASSES), "softmax"], "categorical_crossentropy", seed=0)

    def freeze(state: Any) -> None:
        state.model.layers[0].trainable = False

    freeze.events = (event,)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match=r"got trainable= .* expected it set before"):
        model.fit(X, y, epochs=2, callbacks=[freeze])
    model.fit(X, y)


def test_a_block_is_frozen_with_its_parts() -> None:
    block = Block([Dense(4, 4), BatchNorm(4), Residual([Dense(4, 4)])], trainable=False)
    assert not any(layer.trainable for layer in (*block.layers, block.layers[2].layers[0]))  # type: ignore[attr-defined]
    block.layers[0].trainable = True
    assert not block.trainable
    block.trainable = True
    assert block.layers[1].trainable
    with pytest.raises(TypeError, match="got trainable='no', expected True or False"):
        Dense(2, 2, trainable="no")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", [*LAYERS, *ACTIVATIONS, ParametricActivation, Residual, nnxp.Shared], ids=lambda kind: kind.__name__
)
def test_every_layer_takes_it(kind: Any) -> None:
    given: dict[Any, tuple[Any, ...]] = {
        Dense: (3, 3),
        Dropout: (0.5,),
        nnxp.Rescaling: (2.0,),
        nnxp.Scaling: (3,),
        ParametricActivation: (3, "mish"),
        nnxp.Embedding: (2, [3, 4]),
        nnxp.PeriodicEmbedding: (2,),
        nnxp.PiecewiseLinearEmbedding: (
            1,
            [[0.0, 1.0]],
        ),
        nnxp.SharedDense: (3, 3),
        Residual: ([Dense(3, 3)],),
        nnxp.Shared: ([Dense(3, 3)],),
    }
    arguments = given.get(kind, (3,) if issubclass(kind, nnxp.layers.normalization.Normalization) else ())
    usual, layer = kind(*copy.deepcopy(arguments)), kind(*arguments, trainable=False)
    assert layer.trainable is False and "trainable=False" in repr(layer)
    assert usual.trainable is True and "trainable" not in repr(usual)


def test_a_file_says_what_is_frozen(tmp_path: Path) -> None:
    X, y = problem()
    layers = [Dense(5, 8, trainable=False), Residual([Dense(8, 8), "relu"]), Dense(8, CLASSES), "softmax"]
    model: Any = Sequential(layers, "categorical_crossentropy", seed=0)
    model.layers[1].layers[0].trainable = False
    model.fit(X, y, epochs=1)
    path = tmp_path / "m.safetensors"
    model.save(path)
    config = json.loads(_text(path, "config"))
    assert [layer.get("frozen") for layer in config["layers"]] == [[""], [".layers.0"], None, None]
    others: list[Any] = [nnxp.load(path), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    model.fit(X, y)
    for other in others:
        assert not other.layers[0].trainable and not other.layers[1].layers[0].trainable and other.layers[1].trainable
        other.fit(X, y)
        np.testing.assert_array_equal(values(other), values(model))
    model.layers[0].trainable = model.layers[1].trainable = True
    model.save(path)
    assert "frozen" not in _text(path, "config")


def _text(path: Path, name: str) -> str:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        text: str = file.metadata()[name]
    return text


def test_the_summary_and_the_plan_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential(
        [Dense(5, 8), Dense(8, 8, trainable=False), Dense(8, CLASSES), "softmax"], "categorical_crossentropy"
    )
    model.summary()
    assert "147 parameters (75 trained, 72 frozen)" in capsys.readouterr().out
    model.plan()
    assert "Dense.backward, frozen: gradients of its inputs only" in capsys.readouterr().out


def test_an_optimizer_by_hand_leaves_the_frozen_alone() -> None:
    X, _ = problem()
    first, second = Dense(5, 8, trainable=False), Dense(8, 2)
    second.forward(first.forward(X))
    first.backward(second.backward(np.ones((len(X), 2))))
    kept, optimizer = np.array(first.weights), SGD(0.1)
    optimizer.pre_update_params()
    before = np.array(second.weights)
    optimizer.update_params([first, second])
    assert np.array_equal(first.weights, kept) and np.any(first.dweights) and not np.array_equal(second.weights, before)


def test_a_thawed_part_of_a_frozen_block_stays_thawed(tmp_path: Path) -> None:
    """Bound or not, in a copy, a pickle and a file."""
    X, y = problem()
    block: Any = Residual([Dense(5, 5), "relu", Dense(5, 5)], trainable=False)
    block.layers[2].trainable = True
    model: Any = Sequential([block, Dense(5, CLASSES), "softmax"], "categorical_crossentropy", seed=0)
    model.fit(X, y)
    model.save(tmp_path / "m.safetensors")
    others: list[Any] = [nnxp.load(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    for one in (model, *others):
        first, _, last = one.layers[0].layers
        assert not one.layers[0].trainable and not first.trainable and last.trainable
        before = np.array(first.weights), np.array(last.weights)
        one.fit(X, y)
        assert np.array_equal(first.weights, before[0]) and not np.array_equal(last.weights, before[1])
    for other in others:
        np.testing.assert_array_equal(values(other), values(model))


def test_a_file_that_freezes_what_is_not_there(tmp_path: Path) -> None:
    from nnxp.files.configuration import build, config_of

    model = Sequential([Residual([Dense(5, 5)])], seed=0)
    config = config_of(model)
    config["layers"][0]["frozen"] = [".layers.0", ".layers.7"]
    with pytest.raises(nnxp.ModelFileError, match=r"it has a frozen Residual\.layers\.7, but Residual holds no such"):
        build(Sequential, config, {})


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_fit_of_what_is_all_frozen_says_so_and_has_a_history(
    optimizer: str, caplog: pytest.LogCaptureFixture
) -> None:
    X, y = problem()
    options = {"optimizer": nnxp.LBFGS() if optimizer == "lbfgs" else optimizer}
    model = classifier("numpy", **options)
    model.fit(X, y)
    assert not caplog.records
    for layer in model.layers:
        layer.trainable = False
    before, steps = model.store.values.copy(), model.epoch
    expected = model.evaluate(X, y)
    history = model.fit(X, y, epochs=1)
    assert [record.message for record in caplog.records] == [
        "got a model whose layers are all frozen: nothing is trained"
    ]
    np.testing.assert_array_equal(model.store.values, before)
    assert len(history["loss"]) == steps + 1 == model.epoch
    assert history["loss"][-1] == pytest.approx(expected["loss"], rel=1e-5)  # means of batches, in float32
