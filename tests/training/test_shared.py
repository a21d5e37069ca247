"""Members that share weights: one network, of which each member is a model of its own that predicts the same."""

import copy
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Dropout, LayerNorm, PiecewiseLinearEmbedding, Residual, Scaling, Sequential, Shared, SharedDense
from nnxp.training.shared_stage import SharedStage
from tests.helpers.matrix import Target
from tests.helpers.watch import watched
from tests.training.test_members import close, weights

N, M, K, CLASSES = 24, 6, 3, 4
RNG = np.random.default_rng(12)
X = RNG.standard_normal((N, M))
LABELS = RNG.integers(0, CLASSES, N)
TARGETS = RNG.standard_normal((N, 2))
WEIGHTS = RNG.uniform(0.0, 2.0, N)

BODIES: dict[str, Any] = {
    "tabm": lambda: [Dense(M, 5), "relu", Dropout(0.2), Dense(5, 7), "relu", Dropout(0.2), Dense(7, 6), "gelu"],
    "behind bins": lambda: [
        PiecewiseLinearEmbedding.of(X, 3, columns=[0, 1]), Dense(M + 6, 5), "selu", Dense(5, 6), "tanh",
    ],
    "scaled": lambda: [Scaling(M), Dense(M, 5), "linear", SharedDense(5, 6), Residual([Dense(6, 6), "tanh"])],
    "mini": lambda: [
        Scaling(M, initializer="random_signs"), Shared([Dense(M, 5), LayerNorm(5), "relu"]), "tanh",
        Shared([Dense(5, 5), Dense(5, 6)]),
    ],
    "frozen": lambda: [SharedDense(M, 5, trainable=False), "relu", SharedDense(5, 6), "silu"],
}  # fmt: skip
HEADS: dict[str, Any] = {
    "classes": (lambda: [Dense(6, CLASSES), "softmax"], "categorical_crossentropy", LABELS),
    "numbers": (lambda: [Dense(6, 2)], "mean_squared_error", TARGETS),
}


def sharing(body: str, head: str, target: Target, optimizer: Any = None) -> Sequential:
    """A model of K members that share weights."""
    layers, loss, _ = HEADS[head]
    optimizer = nnxp.AdamW(weight_decay=0.01, clip_norm=1.0) if optimizer is None else optimizer
    return Sequential(
        [*BODIES[body](), *layers()], loss, optimizer, seed=5, members=K, shared=body != "mini", backend=target.spec,
        dtype="float64",
    )  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("body", BODIES)
def test_a_step_is_that_of_the_mean_of_the_members_losses(body: str, head: str, backend: Target) -> None:
    """Its gradients are the means of those that each member has by itself; of its own parameters a K-th."""
    model, y = sharing(body, head, backend, nnxp.SGD(0.0)), HEADS[head][2]
    x, xp = backend.asarray(X), backend.to_numpy
    alone = [model.member(k) for k in range(K)]
    for layer in [layer for one in (model, *alone) for layer in one.layers if isinstance(layer, Dropout)]:
        layer.rate = 0.0
    losses = xp(model.train_step(x, y, sample_weight=WEIGHTS))
    np.testing.assert_allclose(losses, [xp(one.train_step(x, y, sample_weight=WEIGHTS)) for one in alone], rtol=1e-12)
    trained = [layer for layer in model._all_layers() if layer.trainable]
    for layer in trained:
        for name in layer.parameters:
            got = xp(model.store.gradient(layer.position, name))
            own = np.stack([xp(one.store.gradient(layer.position, name)) for one in alone]) / K
            expected = own.sum(0) if (layer.position, name) in model.store.common else own
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-13, err_msg=f"{layer.position}.{name}")


@pytest.mark.parametrize("body", [body for body in BODIES if body != "frozen"])
def test_by_layer_is_what_a_step_computes(body: str, backend: Target) -> None:
    model, x = sharing(body, "classes", backend, nnxp.SGD(0.0)), backend.asarray(X)
    model.train_step(x, LABELS)
    planned = backend.to_numpy(model.store.gradients).copy()
    model.epoch = model.step = 0
    model.forward(x, training=True)
    model.backward(LABELS)
    np.testing.assert_allclose(backend.to_numpy(model.store.gradients), planned, rtol=1e-9, atol=1e-13)


ROWS, WIDE = 64, 96


def wide(backend: str) -> tuple[Sequential, Any, Any]:
    """One whose activations are far larger than what a call costs."""
    layers = [
        Dense(WIDE, WIDE),
        "relu",
        Dropout(0.1),
        Dense(WIDE, WIDE),
        "relu",
        Dropout(0.1),
        Dense(WIDE, WIDE),
        "silu",
    ]
    optimizer = nnxp.AdamW(2e-3, weight_decay=3e-4, clip_norm=1.0)
    model = Sequential(
        [*layers, Dense(WIDE, CLASSES), "softmax"], "categorical_crossentropy", optimizer, seed=0, members=16,
        shared=True, backend=backend,
    )  # fmt: skip
    x = np.random.default_rng(0).standard_normal((ROWS, WIDE)).astype("float32")
    return model, x, np.arange(ROWS) % CLASSES


def test_a_step_allocates_nothing() -> None:
    model, x, y = wide("numpy")
    for _ in range(2):
        model.train_step(x, y)
    tracemalloc.start()
    try:
        model.train_step(x, y)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        model.train_step(x, y)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 100_000  # the activations of a layer take 393,216 bytes
    stages = [type(stage) for stage in model.training.plan.stages]
    assert stages.count(SharedStage) == 3
    assert {a.dtype.name for a in model.training.plan.buffers._whole.values()} <= {"float32", "bool", "int64"}


def test_a_prediction_takes_little_memory() -> None:
    """Of 4,096 rows: those of all at once would be 16 · 96 · 4 bytes each, of every layer."""
    model, x, _ = wide("numpy")
    X = np.tile(x, (64, 1))
    model.predict(X)
    tracemalloc.start()
    try:
        model.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2048 * 16 * WIDE * 4


def test_a_step_on_torch_allocates_and_waits_for_nothing() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nox -s full has it")
    model, x, y = wide("torch")
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(3):
        model.train_step(x, y)
    with watched(16 * ROWS * CLASSES) as watch:
        loss = model.train_step(x, y)
    assert watch.made == [] and watch.waits == []
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("body", BODIES)
def test_files_members_and_copies(body: str, backend: Target, tmp_path: Path) -> None:
    model, x = sharing(body, "classes", backend), backend.asarray(X)
    first = model.fit(x, LABELS, epochs=3, batch_size=7)["loss"]
    assert first[-1] < first[0]
    model.save(tmp_path / "m.safetensors")
    predicted = backend.to_numpy(model.predict(x, members=True))
    for k in range(K):
        one = model.member(k)
        np.testing.assert_allclose(backend.to_numpy(one.predict(x)), predicted[k], rtol=1e-9)
        assert one.members == 1 and [type(layer) for layer in one.layers] == [type(layer) for layer in model.layers]
    twin = copy.deepcopy(model)
    loaded = [nnxp.load(tmp_path / "m.safetensors"), nnxp.load(tmp_path / "m.safetensors", backend=backend.spec)]
    for other in (twin, *loaded):
        assert repr(other.layers) == repr(model.layers) and other.members == K
        other.predict(x)
        for name, value in weights(other).items():
            assert np.array_equal(value, weights(model)[name]), name
    model.fit(x, LABELS, epochs=2, batch_size=12)
    for other in (twin, *loaded):
        other.fit(x, LABELS, epochs=2, batch_size=12, micro_batch_size=5 if other is twin and body != "tabm" else None)
        close(weights(other), weights(model))


def test_what_a_file_says(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    model = Sequential([Dense(M, 5), "relu", Dense(5, 2)], "mean_squared_error", members=K, shared=True)
    model.save(tmp_path / "m.safetensors")
    assert {name: a.shape for name, a in load_file(tmp_path / "m.safetensors").items()} == {
        "0.weights": (M, 5), "0.input_factors": (K, 1, M), "0.output_factors": (K, 1, 5), "0.biases": (K, 1, 5),
        "2.weights": (K, 5, 2), "2.biases": (K, 1, 2),
    }  # fmt: skip


def test_how_they_begin(backend: Target) -> None:
    """W and b are one draw within ±1/√n_in; r is signs in the first layer, behind an embedding a number a feature."""
    model = sharing("tabm", "classes", backend)
    first, second = (layer for layer in model.layers[:4] if isinstance(layer, SharedDense))
    r, s, W, b = (backend.to_numpy(getattr(first, n)) for n in ("input_factors", "output_factors", "weights", "biases"))
    assert W.shape == (M, 5) and np.abs(W).max() <= 1 / np.sqrt(M) and W.std() > 0.2 / np.sqrt(M)
    assert np.array_equal(b, np.broadcast_to(b[:1], (K, 1, 5))) and 0 < np.abs(b).max() <= 1 / np.sqrt(M)
    assert np.array_equal(np.unique(r), [-1, 1]) and len({row.tobytes() for row in r}) == K and (s == 1).all()
    assert (backend.to_numpy(second.input_factors) == 1).all()
    binned = sharing("behind bins", "classes", backend)
    r = backend.to_numpy(binned.layers[1].input_factors)[:, 0]  # type: ignore[attr-defined]
    assert isinstance(binned.layers[0], Shared)
    (embedding,) = binned.layers[0].layers
    assert isinstance(embedding, PiecewiseLinearEmbedding) and embedding.sources[:4] == (2, 3, 4, 5)
    assert [len({*map(float, row)}) for row in r] == [M] * K
    for feature in range(M):
        own = r[:, np.array(embedding.sources) == feature]
        assert (own == own[:, :1]).all() and len({*own[:, 0]}) == K
    heads = backend.to_numpy(binned.layers[5].weights)  # type: ignore[attr-defined]
    assert len({head.tobytes() for head in heads}) == K


def test_errors() -> None:
    def make(layers: list[Any], **options: Any) -> Sequential:
        return Sequential(layers, "mean_squared_error", members=K, **{"shared": True, **options})

    with pytest.raises(ValueError, match="got shared=True for 1 dense layer among the model's own, expected two"):
        make([Dense(M, 2)])
    with pytest.raises(ValueError, match=r"got Dense\(6, 5, l2=0.1\) for shared=True, expected Dense\(6, 5\) without"):
        make([Dense(M, 5, l2=0.1), "relu", Dense(5, 2)])
    with pytest.raises(ValueError, match="got penalties of layer 2 in a model whose members share weights"):
        make([Dense(M, 5), "relu", Dense(5, 2, l2=0.1)]).train_step(X, TARGETS)
    with pytest.raises(ValueError, match="got LBFGS for a model of 3 members"):
        make([Dense(M, 5), "relu", Dense(5, 2)], optimizer=nnxp.LBFGS())
    with pytest.raises(ValueError, match="got factors by member for members that share weights"):
        make([Dense(M, 5), "relu", Dense(5, 2)], optimizer=nnxp.Adam(factors={"members": [1.0, 2.0, 3.0]}))
    with pytest.raises(ValueError, match=r"got features=\[0, 3\], expected 2 whole numbers from 0 to 1"):
        SharedDense(2, 2, features=[0, 3])
    with pytest.raises(ValueError, match="layer 1 does not fit the one before it: got 4 features a sample"):
        Sequential([Dense(2, 4), SharedDense(3, 1)])

    class Own(SharedDense):
        pass

    with pytest.raises(TypeError, match="got Own, a layer of your own with parameters that 3 members share"):
        make([Dense(M, M), Own(M, 5), "relu", Dense(5, 2)]).predict(X)
