"""Several networks side by side: each is the training that its seed gives alone."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import (
    BatchNorm,
    Dense,
    Dropout,
    LayerNorm,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    Rescaling,
    Residual,
    Scaling,
    Sequential,
)
from tests.helpers.matrix import Target
from tests.helpers.models import Scale

N, M, K, CLASSES = 24, 6, 3, 4
RNG = np.random.default_rng(11)
X = RNG.standard_normal((N, M))
LABELS = RNG.integers(0, CLASSES, N)
BITS = RNG.integers(0, 2, (N, 2)).astype(float)
TARGETS = RNG.standard_normal((N, 2))
ROWS = RNG.dirichlet(np.ones(CLASSES), N)
WEIGHTS = RNG.uniform(0.0, 2.0, N)

BODIES: dict[str, Any] = {
    "dense": lambda: [Dense(M, 5), "relu", Dense(5, 7), "tanh"],
    "penalised": lambda: [Dense(M, 5, l2=0.1, bias_l2=0.2), "relu", Dense(5, 7, l1=0.1), "tanh"],
    "neural-tangent": lambda: [
        Scaling(M),
        Dense(M, 5, parametrization="ntk"),
        ParametricActivation(5, "mish"),
        Dense(5, 7, parametrization="ntk"),
        "selu",
    ],
    "dropout": lambda: [Dropout(0.2), Dense(M, 5), "relu", Dropout(0.3), Dense(5, 7), "gelu", Dropout(0.1)],
    "rescaled": lambda: [Rescaling([0.5] * M, 0.1), Dense(M, 7), "tanh", Rescaling([2.0] * 7, [0.3] * 7)],
    "normalised": lambda: [BatchNorm(M), Dense(M, 5), BatchNorm(5), "relu", Dense(5, 7), LayerNorm(7), "tanh"],
    "residual": lambda: [
        Residual([Dense(M, 5), "tanh", Dropout(0.2), Dense(5, 7)]),
        "relu",
        Residual([Dense(7, 7), "tanh"]),
        Residual([Dense(7, 7), Scaling(7)], projected=True),
    ],
    "residual in a residual": lambda: [
        Residual([Residual([Dense(M, 4), "tanh"]), Residual([Residual([Dense(4, 4), "relu"]), Dense(4, 7)])]),
    ],
    "residual of the inputs": lambda: [Residual([Dense(M, 4), "relu", Dense(4, M)]), Dense(M, 7), "relu"],
    "embedded": lambda: [
        PiecewiseLinearEmbedding.of(X, 3, 2, [0, 1]),
        PeriodicEmbedding(8, columns=[0]),
        Dense(PeriodicEmbedding(8, columns=[0]).output_width(8), 7),
        "relu",
    ],
    "a shortcut of binned inputs": lambda: [
        Residual([PiecewiseLinearEmbedding.of(X, 4), Dense(M + 24, 5), "relu", Dense(5, 7)]),
        "tanh",
    ],
    "frozen": lambda: [Dense(M, 5, trainable=False), "relu", Dense(5, 7), "tanh"],
    "of one's own": lambda: [Scale(M), Dense(M, 7), Scale(7), "relu"],
}
HEADS: dict[str, Any] = {
    "classes": (lambda: [Dense(7, CLASSES), "softmax"], "categorical_crossentropy", LABELS),
    "shares": (lambda: [Dense(7, CLASSES), "softmax"], "categorical_crossentropy", ROWS),
    "logits": (lambda: [Residual([Dense(7, CLASSES)])], nnxp.SoftmaxCrossentropy(label_smoothing=0.1), LABELS),
    "bits": (lambda: [Dense(7, 2), "sigmoid"], "binary_crossentropy", BITS),
    "numbers": (lambda: [Dense(7, 2)], "mean_squared_error", TARGETS),
}


def several(body: str, head: str, target: Target, optimizer: Any = "adam", seed: int | None = 5) -> Sequential:
    """A model of K members, and data."""
    layers, loss, _ = HEADS[head]
    return Sequential(
        [*BODIES[body](), *layers()],
        loss=copy.copy(loss),
        optimizer=copy.copy(optimizer),
        seed=seed,
        members=K,
        backend=target.spec,
        dtype="float64",
    )


def test_bins_without_weights_are_made_once_for_all() -> None:
    """So the first products are one, of inputs that all members share; bins with weights are each one's own."""
    found = []
    for bins in (PiecewiseLinearEmbedding.of(X, 4), PiecewiseLinearEmbedding.of(X, 4, 6)):
        layers = [bins, Dense(6 * M if bins.width else M + 24, 5), "relu", Dense(5, 1)]
        model = Sequential(layers, "mean_squared_error", seed=0, members=K, backend="numpy")
        found.append([type(layer).__name__ for layer in model.running(model.layers)])
    assert found[0] == ["PiecewiseLinearEmbedding", "Dense", "ReLU", "BlockDense"]
    assert found[1] == ["OneByOne", "BlockDense", "ReLU", "BlockDense"]


def weights(model: Sequential, member: int | None = None) -> dict[str, np.ndarray[Any, Any]]:
    """All parameters by name, of one member."""
    found = {}
    for layer in model._all_layers():
        for name in layer.stored():
            value = model.backend.to_numpy(getattr(layer, name))
            found[f"{layer.position}.{name}"] = value if member is None else value[member]
    return found


def close(got: dict[str, Any], expected: dict[str, Any]) -> None:
    """Products of another shape may round otherwise: 60 updates of a float64 model leave that below 1e-10."""
    assert got.keys() == expected.keys()
    for name, value in got.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-10, atol=1e-10, err_msg=name)


PAIRS = [*((body, "classes") for body in BODIES), *(("dense", head) for head in [*HEADS][1:])]


@pytest.mark.long
@pytest.mark.parametrize(("body", "head"), PAIRS, ids=map("-".join, PAIRS))
def test_a_member_ends_where_its_seed_ends_alone(body: str, head: str, backend: Target) -> None:
    many, y = several(body, head, backend), HEADS[head][2]
    alone = [many.member(k) for k in range(K)]
    W = weights(many)
    assert any(len({w[k].tobytes() for k in range(K)}) == K for w in W.values())
    x = backend.asarray(X)
    arguments: dict[str, Any] = {"epochs": 4, "batch_size": 7, "shuffle": False}
    history = many.fit(x, y, sample_weight=WEIGHTS, validation_data=(x, y), **arguments)
    for k, model in enumerate(alone):
        own = model.fit(x, y, sample_weight=WEIGHTS, **arguments)
        close(weights(many, k), weights(model))
        np.testing.assert_allclose([losses[k] for losses in history["member_loss"]], own["loss"], rtol=1e-10)
    outputs = np.stack([backend.to_numpy(model.predict(x)) for model in alone])
    # Weights within 1e-10 of each other move an output of up to ten inputs of some size by up to 1e-9.
    np.testing.assert_allclose(backend.to_numpy(many.predict(x, members=True)), outputs, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(backend.to_numpy(many.predict(x)), outputs.mean(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(history["loss"], np.mean(history["member_loss"], axis=1), rtol=1e-12)
    assert history["val_loss"][-1] == many.evaluate(x, y)["loss"]


@pytest.mark.parametrize("body", ["dense", "dropout", "residual", "normalised"])
def test_by_layer_is_what_a_step_computes(body: str, backend: Target) -> None:
    many = several(body, "classes", backend, nnxp.SGD(0.0))
    x = backend.asarray(X)
    many.train_step(x, LABELS)
    planned = {name: backend.to_numpy(many.store.gradient(*_place(name))) for name in _trained(many)}
    many.epoch = many.step = 0
    many.forward(x, training=True)
    many.backward(LABELS)
    for name, gradient in planned.items():
        np.testing.assert_allclose(
            backend.to_numpy(many.store.gradient(*_place(name))), gradient, rtol=1e-9, atol=1e-12, err_msg=name
        )
    assert len(backend.to_numpy(many.layers[0].output)) == N


def _place(name: str) -> tuple[Any, str]:
    owner, _, parameter = name.rpartition(".")
    return int(owner) if owner.isdigit() else owner, parameter


def _trained(model: Sequential) -> list[str]:
    return [f"{layer.position}.{name}" for layer in model._all_layers() for name in layer.parameters]


@pytest.mark.parametrize("body", ["dense", "normalised", "residual", "embedded", "of one's own"])
def test_a_file_holds_them_all(body: str, backend: Target, tmp_path: Path) -> None:
    many = several(body, "classes", backend)
    many.fit(backend.asarray(X), LABELS, epochs=2)
    many.save(tmp_path / "m.safetensors")
    own = {"Scale": Scale}
    for loaded in (
        nnxp.load(tmp_path / "m.safetensors", layers=own),
        nnxp.load(tmp_path / "m.safetensors", backend=backend.spec, layers=own),
    ):
        assert loaded.members == K and loaded.history == many.history
        got, expected = weights(loaded), weights(many)
        assert got.keys() == expected.keys()
        for name, value in got.items():
            assert np.array_equal(value, expected[name]), name
    again = loaded.fit(backend.asarray(X), LABELS, epochs=2)
    assert again == many.fit(backend.asarray(X), LABELS, epochs=2) | {"seconds": again["seconds"]}


def test_what_a_file_says(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    many = Sequential([Dense(M, 5), "relu", Dense(5, CLASSES), "softmax"], loss="categorical_crossentropy", members=K)
    many.save(tmp_path / "m.safetensors")
    shapes = {name: a.shape for name, a in load_file(tmp_path / "m.safetensors").items()}
    assert shapes == {
        "0.weights": (K, M, 5), "0.biases": (K, 1, 5), "2.weights": (K, 5, CLASSES), "2.biases": (K, 1, CLASSES)
    }  # fmt: skip


def test_a_member_taken_later_goes_on_where_it_was(backend: Target) -> None:
    many = several("dropout", "numbers", backend)
    x = backend.asarray(X)
    many.fit(x, TARGETS, epochs=3, shuffle=False)
    alone = [many.member(k) for k in range(K)]
    assert alone[1].history["loss"] == [losses[1] for losses in many.history["member_loss"]]
    many.fit(x, TARGETS, epochs=3, shuffle=False)
    for k, model in enumerate(alone):
        model.fit(x, TARGETS, epochs=3, shuffle=False)
        close(weights(many, k), weights(model))


def test_a_member_of_a_model_that_was_not_always_validated() -> None:
    many = several("dense", "numbers", Target("numpy", "numpy", "numpy"))
    many.fit(X, TARGETS)
    many.fit(X, TARGETS, validation_data=(X, TARGETS))
    before, found = many.member(1).history["val_loss"]
    assert math.isnan(before) and found == many.history["val_member_loss"][1][1]


@pytest.mark.parametrize("seeded", [True, False], ids=["", "unseeded"])
def test_a_fit_goes_on_from_a_file(seeded: bool, backend: Target, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    whole, broken = [several("residual", "classes", backend) for _ in range(2)]
    x, every = backend.asarray(X), nnxp.callbacks.Checkpoint(path, every_steps=3)

    def stop(state: Any) -> None:
        if state.step == 11:
            raise KeyboardInterrupt

    stop.events = ("step",)  # type: ignore[attr-defined]
    whole.fit(x, LABELS, epochs=4, batch_size=5)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(x, LABELS, epochs=4, batch_size=5, callbacks=[every, stop])
    resumed = several("residual", "classes", backend, seed=5 if seeded else None)
    resumed.fit(x, LABELS, epochs=4, batch_size=5, callbacks=[every], resume=path)
    for name, value in weights(whole).items():
        assert np.array_equal(weights(resumed)[name], value), name
    assert resumed.history["member_loss"] == whole.history["member_loss"]


def test_micro_batches_and_copies(backend: Target) -> None:
    one, parts = several("dense", "classes", backend), several("dense", "classes", backend)
    twin = copy.deepcopy(one)
    x = backend.asarray(X)
    for model, size in ((one, None), (parts, 5), (twin, None)):
        model.fit(x, LABELS, epochs=2, batch_size=12, micro_batch_size=size)
    close(weights(parts), weights(one))
    close(weights(twin), weights(one))


def test_layers_that_were_copied_keep_what_every_member_learned(backend: Target) -> None:
    """As where a model is made of another's first layers."""
    many, x = several("residual", "classes", backend), backend.asarray(X)
    many.fit(x, LABELS, epochs=2)
    again = Sequential(copy.deepcopy(many.layers), loss=many.loss, backend=backend.spec, dtype="float64", members=K)
    assert np.array_equal(backend.to_numpy(again.predict(x)), backend.to_numpy(many.predict(x)))
    with pytest.raises(ValueError, match=f"got a layer of {K} members in a model of 2, expected as many"):
        Sequential(copy.deepcopy(many.layers), loss=many.loss, backend=backend.spec, dtype="float64", members=2)


def test_what_members_cannot_take() -> None:
    layers = [Dense(M, 5), "relu", Dense(5, CLASSES), "softmax"]
    with pytest.raises(ValueError, match="got members=0, expected"):
        Sequential(layers, loss="categorical_crossentropy", members=0)
    for optimizer, name in ((nnxp.Adam(clip_norm=1.0), "clip_norm"), (nnxp.LBFGS(), "LBFGS")):
        with pytest.raises(ValueError, match=f"got {name} for a model of {K} members"):
            Sequential(copy.deepcopy(layers), loss="categorical_crossentropy", optimizer=optimizer, members=K)
    model = Sequential(copy.deepcopy(layers), loss="categorical_crossentropy", members=K, seed=0)
    with pytest.raises(IndexError, match="got member 3, expected one from 0 to 2"):
        model.member(3)


def test_one_member_is_the_model(backend: Target) -> None:
    layers, loss, y = HEADS["classes"]
    one, plain = (
        Sequential([*BODIES["dense"](), *layers()], loss=loss, seed=3, backend=backend.spec, **given)
        for given in ({"members": 1}, {})
    )
    x = backend.asarray(X)
    assert one.fit(x, y, epochs=2)["loss"] == plain.fit(x, y, epochs=2)["loss"]
    assert one.member(0).predict(x).shape == one.predict(x).shape
    assert not math.isnan(one.history["loss"][-1])


@pytest.mark.parametrize("head", ["classes", "numbers"])
def test_rows_weigh_for_each_member_by_themselves(head: str, backend: Target) -> None:
    many, y, x = several("dense", head, backend), HEADS[head][2], backend.asarray(X)
    folds = np.stack([(np.arange(N) % K != k) * RNG.uniform(0.5, 2.0, N) for k in range(K)], axis=1)
    alone = [many.member(k) for k in range(K)]
    arguments: dict[str, Any] = {"epochs": 4, "batch_size": 7, "shuffle": False}
    history = many.fit(x, y, sample_weight=folds, validation_data=(x, y, 1.0 * (folds == 0)), **arguments)
    metric = "rmse" if head == "numbers" else "accuracy"
    for k, model in enumerate(alone):
        held_out = 1.0 * (folds[:, k] == 0)
        own = model.fit(x, y, sample_weight=folds[:, k], validation_data=(x, y, held_out), **arguments)
        close(weights(many, k), weights(model))
        np.testing.assert_allclose([losses[k] for losses in history["member_loss"]], own["loss"], rtol=1e-10)
        np.testing.assert_allclose([losses[k] for losses in history["val_member_loss"]], own["val_loss"], rtol=1e-9)
    for name in (metric, "val_loss", f"val_{metric}"):
        np.testing.assert_allclose(history[name], np.mean([m.history[name] for m in alone], axis=0), rtol=1e-9)
    many.train_step(x, y, sample_weight=folds)


def test_weights_that_fit_no_member() -> None:
    many = several("dense", "classes", Target("numpy", "numpy", "numpy"))
    with pytest.raises(ValueError, match=r"got sample_weight of shape \(24, 2\), expected \(24,\).*or \(24, 3\), one"):
        many.fit(X, LABELS, sample_weight=np.ones((N, 2)))
    nothing = np.ones((N, K))
    nothing[:, 1] = 0
    with pytest.raises(ValueError, match="0 for every sample, of a member"):
        many.fit(X, LABELS, sample_weight=nothing)
    with pytest.raises(ValueError, match=r"got sample_weight of shape \(24, 3\), expected \(24,\)"):
        many.member(0).fit(X, LABELS, sample_weight=np.ones((N, K)))


def test_what_members_may_differ_in(backend: Target) -> None:
    def layers() -> list[Any]:
        return [
            Rescaling(RNG.uniform(0.5, 2.0, (K, M))), Dropout([0.0, 0.1, 0.4]),
            Dense(M, 5, l2=[0.0, 0.1, 0.3], bias_l1=[0.2, 0.0, 0.1]), "relu",
            Dropout([0.5, 0.0, 0.2]), Dense(5, 7, l1=[0.1, 0.2, 0.0]),
            Residual([Dense(7, 7, l2=[0.3, 0.2, 0.1]), "tanh"]),
            Rescaling([[1.0] * 7, [2.0] * 7, [0.5] * 7], 0.1), Dense(7, CLASSES, l2=0.05),
            Rescaling(0.5, RNG.standard_normal((K, CLASSES))), "softmax",
        ]  # fmt: skip

    optimizer = nnxp.AdamW(
        0.01, factors={"members": [1.0, 0.1, 3.0], "biases": 0.5}, weight_decay=0.1,
        decay_factors={"members": [0.0, 1.0, 2.0]},
    )  # fmt: skip
    many = Sequential(
        layers(), loss="categorical_crossentropy", optimizer=optimizer, members=K, seed=1, backend=backend.spec,
        dtype="float64",
    )  # fmt: skip
    x = backend.asarray(X)
    alone = [many.member(k) for k in range(K)]
    assert [model.optimizer.learning_rate for model in alone] == [0.01, 0.001, 0.03]
    assert [model.layers[2].l2 for model in alone] == [0.0, 0.1, 0.3]
    history = many.fit(x, LABELS, epochs=4, batch_size=7, shuffle=False, validation_data=(x, LABELS))
    for k, model in enumerate(alone):
        own = model.fit(x, LABELS, epochs=4, batch_size=7, shuffle=False, validation_data=(x, LABELS))
        close(weights(many, k), weights(model))
        np.testing.assert_allclose([losses[k] for losses in history["member_loss"]], own["loss"], rtol=1e-9)
        np.testing.assert_allclose([losses[k] for losses in history["val_member_loss"]], own["val_loss"], rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Sequential([Dense(M, 2, l2=[0.1, 0.2])], members=3), "got l2 of 2 members, layer 0, for a model of 3"),
        (lambda: Sequential([Dense(M, 2, l2=[0.1, 0.2])]), "got l2 of 2 members, layer 0, for a model of 1"),
        (lambda: Dropout([0.1, 0.2]).forward(X, training=True), "got a rate for each of 2 members by itself"),
        (
            lambda: Sequential([Dense(M, 2)], optimizer=nnxp.SGD(factors={"members": [1, 2]})),
            "got factors of 2 members for a model of 1",
        ),
        (lambda: Rescaling([[1.0], [2.0]]).forward(X[:, :1]), "got numbers for each of 2 members by itself"),
        (
            lambda: Sequential([Rescaling([[1.0], [2.0]])], members=3),
            "got scale of 2 members, layer 0, for a model of 3",
        ),
        (lambda: nnxp.SGD(factors={"members": 2.0}), r"got factors\['members'\]=2.0, expected a list"),
        (lambda: nnxp.SGD(factors={"members": [1.0, -2.0]}), r"got factors\['members'\]=-2.0, expected a number"),
    ],
)
def test_numbers_of_other_members(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_what_people_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = Sequential(
        [Dense(M, 5), "relu", Dense(5, CLASSES), "softmax"], loss="categorical_crossentropy", members=K, seed=0
    )  # fmt: skip
    many.summary()
    log = nnxp.callbacks.CSVLog(tmp_path / "log.csv")
    many.fit(X, LABELS, epochs=2, verbose=True, progress=False, callbacks=[log], validation_data=(X, LABELS))
    many.summary()
    many.plan()
    shown = capsys.readouterr().out
    assert shown.count(f"{K} members: {K * (M * 5 + 5 + 5 * CLASSES + CLASSES)} parameters") == 2
    assert f"{K} members side by side" in shown and "member_loss" not in shown and "members=3" in repr(many)
    header, *rows = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert "member_loss 2,member_accuracy 0," in header and header.count(",") == rows[1].count(",")
    early = nnxp.callbacks.EarlyStopping("val_member_loss")
    with pytest.raises(ValueError, match="'val_member_loss', which is one number for each member.*'val_loss'"):
        many.fit(X, LABELS, callbacks=[early], validation_data=(X, LABELS))


def test_weights_that_are_assigned() -> None:
    given = RNG.standard_normal((K, M, CLASSES)).astype(np.float32)
    for bound in (False, True):
        many = Sequential([Dense(M, CLASSES), "softmax"], loss="categorical_crossentropy", members=K, seed=0)
        if bound:
            _ = many.store
        many.layers[0].weights = given
        np.testing.assert_array_equal(many.layers[0].weights, given)
    with pytest.raises(ValueError, match=r"got weights of shape \(2, 2\), expected"):
        many.layers[0].weights = np.zeros((2, 2))
    same = Sequential([Dense(M, CLASSES)], members=K)
    same.layers[0].weights = given[0]
    assert all(np.array_equal(W, given[0]) for W in same.layers[0].weights)
    assert nnxp.check_gradients(many, X, LABELS).passed


def test_options_that_are_set_later() -> None:
    many = several("dropout", "classes", Target("numpy", "numpy", "numpy"))
    many.fit(X, LABELS, epochs=1)
    many.predict(X)
    many.layers[1].l2, many.layers[3].rate = 0.3, 0.5
    alone = [many.member(k) for k in range(K)]
    many.fit(X, LABELS, epochs=2, shuffle=False)
    for k, model in enumerate(alone):
        assert model.layers[1].l2 == 0.3
        model.fit(X, LABELS, epochs=2, shuffle=False)
        close(weights(many, k), weights(model))


def test_a_fit_goes_on_before_a_last_batch_of_one_row(tmp_path: Path) -> None:
    """`BatchNorm` knows that its epoch has had batches of several rows."""

    def model() -> Sequential:
        layers = [Dense(M, 5), BatchNorm(5), "relu", Dense(5, CLASSES), "softmax"]
        return Sequential(layers, loss="categorical_crossentropy", seed=2, members=K)

    def stop(state: Any) -> None:
        if state.step == 8:  # the file is of the step before
            raise KeyboardInterrupt

    stop.events = ("step",)  # type: ignore[attr-defined]
    every = nnxp.callbacks.Checkpoint(tmp_path / "m.safetensors", every_steps=1)
    whole, broken, resumed = model(), model(), model()
    arguments: dict[str, Any] = {"epochs": 2, "batch_size": 7}  # of 22 rows: 7, 7, 7 and 1
    whole.fit(X[:22], LABELS[:22], **arguments)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(X[:22], LABELS[:22], callbacks=[stop, every], **arguments)
    resumed.fit(X[:22], LABELS[:22], callbacks=[every], resume=every.path, **arguments)
    for name, value in weights(whole).items():
        assert np.array_equal(weights(resumed)[name], value), name


def test_micro_batches_of_rows_that_weigh_for_each() -> None:
    many = several("dense", "classes", Target("numpy", "numpy", "numpy"))
    before = weights(many)
    with pytest.raises(ValueError, match=r"got micro_batch_size=5 with sample_weight of \(24, 3\), expected \(24,\)"):
        many.fit(X, LABELS, batch_size=12, micro_batch_size=5, sample_weight=np.ones((N, K)))
    close(weights(many), before)
