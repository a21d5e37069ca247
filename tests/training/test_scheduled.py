"""What changes over a training beside the learning rate: dropout's rate and weight decay."""

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import AdamW, Dense, Dropout, Layer, Lion, Residual, Sequential, random
from nnxp.schedules import Cosine, FlatCosine, ReduceOnPlateau
from tests.helpers import hostcuda
from tests.helpers.matrix import Target, on_host_memory
from tests.helpers.models import classifier, problem, values

X, Y = problem()
EPOCHS, BATCH = 4, 7  # four steps an epoch, the last of three rows
TOTAL = 16


def flat_cosine(step: int) -> float:
    return 1.0 if 2 * step <= TOTAL else 0.5 * (1 + math.cos(math.pi * (2 * step / TOTAL - 1)))


class Watch(Layer):
    """Hands on what it is given, and keeps which of it are 0, of the steps of a training."""

    def __init__(self) -> None:
        super().__init__()
        self.zeros: list[Any] = []
        self.sums: list[float] = []

    def forward(self, inputs: Any, training: bool = False) -> Any:
        if training:
            host = self.backend.to_numpy(inputs)
            self.zeros.append(host == 0)
            self.sums.append(float(np.sum(host, dtype=np.float64)))
        return inputs

    def backward(self, dvalues: Any) -> Any:
        return dvalues


def watched(target: Target, dropout: Dropout, **options: Any) -> Sequential:
    """Ones, dropped."""
    ones = Dense(5, 40, initializer="zeros", trainable=False)
    ones.biases = np.ones((1, 40))
    return Sequential(
        [ones, dropout, Watch(), Dense(40, 3), "softmax"], "categorical_crossentropy", seed=5, backend=target.spec,
        **options,
    )  # fmt: skip


def watch_of(model: Sequential) -> Watch:
    watch = model.layers[2]
    assert isinstance(watch, Watch)
    return watch


def test_the_rate_of_each_step_follows_the_schedule(backend: Target) -> None:
    """The mask is that of the layer's key at rate · factor, what stays is divided by 1 - rate · factor; the factor is
    that of the steps before this one."""
    model = watched(backend, Dropout(0.5, schedule="flat_cosine"))
    model.fit(X, Y, epochs=EPOCHS, batch_size=BATCH)
    watch, host = watch_of(model), nnxp.get_backend("numpy")
    assert len(watch.zeros) == TOTAL
    for step, (zeros, total) in enumerate(zip(watch.zeros, watch.sums, strict=True)):
        rate = 0.5 * flat_cosine(step)
        kept = random.kept(host, random.key(5, "dropout", 1, step // EPOCHS, step), zeros.shape, rate)
        np.testing.assert_array_equal(zeros, ~kept)
        assert total == pytest.approx(kept.sum() / (1 - rate), rel=1e-5)


def test_a_second_fit_makes_the_training_longer() -> None:
    """As it does for the learning rate: the curve is that of the whole."""
    backend = Target("numpy", "numpy", "numpy")
    model = watched(backend, Dropout(0.9, schedule=Cosine()))
    for _ in range(2):
        model.fit(X, Y, epochs=2, batch_size=BATCH)
    share = [float(zeros.mean()) for zeros in watch_of(model).zeros]
    for step, total in [(0, 8), (4, 8), (7, 8), (8, 16), (12, 16), (15, 16)]:
        expected = 0.9 * (1 + math.cos(math.pi * step / total)) / 2
        n = watch_of(model).zeros[step].size
        assert share[step] == pytest.approx(expected, abs=5 * math.sqrt(0.25 / n))


def scheduled(spec: Any, **options: Any) -> Sequential:
    inner = Residual([Dense(8, 8), "relu", Dropout(0.3, schedule="flat_cosine")])
    layers: list[Any] = [Dense(5, 8), "tanh", Dropout(0.4, schedule=Cosine(floor=0.2)), inner, Dense(8, 3), "softmax"]
    rule = AdamW(0.02, weight_decay=0.5, weight_decay_schedule="flat_cosine", schedule="coslog")
    return Sequential(layers, "categorical_crossentropy", rule, backend=spec, seed=2, **options)


def test_the_plan_equals_the_layers_one_by_one(backend: Target) -> None:
    """Also of a part in another layer, whose schedule the model's optimizer steps too."""
    own, twin = (scheduled(backend.spec, dtype="float64") for _ in range(2))
    for model in (own, twin):
        model.optimizer.total = 6
    for _ in range(6):
        own.train_step(X, Y)
        twin.forward(X, training=True)
        twin.backward(Y)
        twin.optimizer.pre_update_params()
        twin.optimizer.update_params(twin)
        twin.optimizer.post_update_params()
        twin.step += 1
    np.testing.assert_allclose(values(own), values(twin), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("rule", [AdamW, Lion])
def test_weight_decay_follows_its_schedule(backend: Target, rule: Any) -> None:
    """Without gradients decay is all that moves: each step by 1 - lr · λ · factor."""
    optimizer = rule(0.5, weight_decay=0.25, weight_decay_schedule="flat_cosine", decay_factors={"biases": 2})
    layer = Dense(1, 1, backend=backend.spec, dtype="float64")
    layer.weights, layer.biases = [[1.0]], [[1.0]]
    optimizer.total, expected = TOTAL, np.ones(2)
    for step in range(TOTAL):
        layer.dweights, layer.dbiases = [[0.0]], [[0.0]]
        optimizer.pre_update_params()
        optimizer.update_params(layer)
        optimizer.post_update_params()
        expected *= 1 - 0.5 * 0.25 * flat_cosine(step) * np.asarray([1.0, 2.0])
    assert float(layer.weights[0, 0]) == pytest.approx(expected[0], rel=1e-14)
    assert float(layer.biases[0, 0]) == pytest.approx(expected[1], rel=1e-14)


def test_weight_decay_equals_pytorch_s() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's AdamW")
    layer = Dense(3, 2, backend="numpy", dtype="float64", seed=0)
    leaf = torch.from_numpy(np.array(layer.weights)).requires_grad_()
    theirs = torch.optim.AdamW([leaf], lr=0.05, weight_decay=0.3)
    ours = AdamW(0.05, epsilon=1e-8, weight_decay=0.3, weight_decay_schedule=FlatCosine(), schedule="cosine")
    ours.total = TOTAL
    for step in range(TOTAL):
        g = np.random.default_rng(step).standard_normal((3, 2))
        leaf.grad = torch.from_numpy(g)
        theirs.param_groups[0].update(
            lr=0.05 * (1 + math.cos(math.pi * step / TOTAL)) / 2, weight_decay=0.3 * flat_cosine(step)
        )
        theirs.step()
        layer.dweights, layer.dbiases = g, np.zeros((1, 2))
        ours.pre_update_params()
        ours.update_params(layer)
        ours.post_update_params()
    np.testing.assert_allclose(layer.weights, leaf.detach().numpy(), rtol=1e-12)


# --- going on ----------------------------------------------------------------------------------------------


class Stopped(Exception):
    """Ends a fit."""


def test_a_fit_is_resumed(backend: Target, tmp_path: Path) -> None:
    def stop(state: Any) -> None:
        if state.step == 10:
            raise Stopped

    stop.events, stop.last = ("step",), True  # type: ignore[attr-defined]
    path = tmp_path / "m.safetensors"
    callbacks: list[Any] = [nnxp.callbacks.Checkpoint(path, every_steps=1), stop]
    with pytest.raises(Stopped):
        scheduled(backend.spec).fit(X, Y, epochs=EPOCHS, batch_size=BATCH, callbacks=callbacks)
    resumed, whole = scheduled(backend.spec), scheduled(backend.spec)
    callbacks = [nnxp.callbacks.Checkpoint(path, every_steps=1)]
    resumed.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, callbacks=callbacks, resume=path)
    whole.fit(X, Y, epochs=EPOCHS, batch_size=BATCH)
    np.testing.assert_array_equal(values(resumed), values(whole))


def test_a_copy_goes_on_alike(tmp_path: Path) -> None:
    model = scheduled("numpy")
    model.fit(X, Y, epochs=2, batch_size=BATCH)
    model.save(tmp_path / "m.safetensors")
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), nnxp.load(tmp_path / "m.safetensors")]
    for own in (model, *twins):
        own.fit(X, Y, epochs=2, batch_size=BATCH)
    for twin in twins:
        assert repr(twin.layers) == repr(model.layers)
        np.testing.assert_array_equal(values(twin), values(model))


@pytest.mark.matrix
@pytest.mark.skipif(not on_host_memory(), reason="CuPy is not on host memory here: `nox -s cupy_on_host`")
def test_the_counts_of_a_step_on_cupy() -> None:
    """No launch, copy or wait more, and nothing is compiled anew, where rates move."""
    import cupy

    given, seen = (cupy.asarray(X), cupy.asarray(Y)), []
    for schedules in ({}, {"schedule": "inverse_time_decay"}):
        model = classifier("cupy", inserted=(Dropout(0.5, **schedules),))
        for _ in range(2):
            model.train_step(*given)
        hostcuda.counters(reset=True)
        model.train_step(*given)
        counts = hostcuda.counters()
        seen.append({name: counts[name] for name in ("launches", "syncs", "d2h", "h2d", "d2d", "mallocs")})
    assert seen[0] == seen[1]


# --- by hand, and what is said -------------------------------------------------------------------------------


def test_a_layer_on_its_own_counts_its_calls(backend: Target) -> None:
    layer = Dropout(0.8, schedule=FlatCosine(0.5, steps=4), seed=0)
    ones, shares = backend.asarray(np.ones((50, 40), np.float32)), []
    for _ in range(5):
        layer.forward(ones)  # no call of a training
        out = backend.to_numpy(layer.forward(ones, training=True))
        gradient = backend.to_numpy(layer.backward(ones))
        np.testing.assert_array_equal(gradient, out)
        shares.append(float((out == 0).mean()))
    expected = [0.8, 0.8, 0.8, 0.4, 0.0]
    assert shares == pytest.approx(expected, abs=5 * math.sqrt(0.25 / 2000)) and shares[-1] == 0.0


def test_a_layer_on_its_own_knows_no_total() -> None:
    layer = Dropout(0.5, schedule="flat_cosine")
    with pytest.raises(ValueError, match=r"training whose length is not known: .*FlatCosine\(steps=1000\)"):
        layer.forward([[1.0]], training=True)
    assert layer.forward([[1.0]]).tolist() == [[1.0]]


def test_what_a_schedule_says_is_a_share() -> None:
    layer = Dropout(0.5, schedule=lambda step, total: 2.0)
    with pytest.raises(ValueError, match="got rate times its schedule=1.0, expected a number from 0 up to but not"):
        layer.forward([[1.0]], training=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dropout(0.5, schedule=ReduceOnPlateau()),
        lambda: AdamW(weight_decay_schedule="reduce_on_plateau"),
        lambda: Lion(weight_decay_schedule="reduce_on_plateau"),
    ],
    ids=["dropout", "adamw", "lion"],
)
def test_a_plateau_is_no_curve(make: Any) -> None:
    with pytest.raises(ValueError, match=r"got ReduceOnPlateau\(\), which looks at how the training goes, expected a"):
        make()


def test_a_file_names_schedules_only_where_there_are_any() -> None:
    assert Dropout(0.5).config() == {"class": "Dropout", "rate": 0.5}
    config = Dropout(0.5, schedule="flat_cosine").config()
    assert config == {"class": "Dropout", "rate": 0.5, "schedule": FlatCosine().config()}
    assert repr(Dropout(0.5, schedule="flat_cosine")) == "Dropout(0.5, schedule=FlatCosine())"
    assert AdamW(weight_decay_schedule="cosine").config()["weight_decay_schedule"] == Cosine().config()


@pytest.mark.parametrize("place", ["dropout", "part", "decay"])
def test_an_option_of_a_schedule_that_is_wrong_later_is_found_before_a_step(place: str) -> None:
    model: Any = scheduled("numpy")
    before = values(model)
    if place == "dropout":
        model.layers[2].schedule.floor = 2.0
    else:
        part = model.layers[3].layers[2] if place == "part" else model.optimizer
        (part.schedule if place == "part" else part.weight_decay_schedule).flat = 2.0
    with pytest.raises(ValueError, match=r"the schedule, (Cosine: got floor|FlatCosine: got flat)=2\.0"):
        model.fit(X, Y)
    np.testing.assert_array_equal(values(model), before)
