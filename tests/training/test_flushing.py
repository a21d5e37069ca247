"""No gradient that a product takes is one that a processor is slow with."""

from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Sequential, Softmax
from nnxp.kernels import formulas
from nnxp.training.flushing import flushes
from nnxp.training.stages import DenseStage


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_left(dtype: str) -> None:
    """0, or 2^24 times the smallest normal number and more; what moves, by twice that or by a rounding."""
    told, backend = np.finfo(dtype), nnxp.get_backend("numpy", dtype=dtype)
    tiny, epsilon = float(told.tiny), float(told.eps)
    x = (tiny * 2.0 ** np.arange(-20, 140, 0.25)).astype(dtype)
    found = -backend.fuse(formulas.without_tiny, **flushes(backend, dtype))(-x)
    assert np.all((found == 0) | (found >= tiny * 2**24)) and not np.all(found)
    assert np.all(np.abs(found - x) <= np.maximum(tiny * 2**25, epsilon * x))
    assert found[-1] == x[-1] > tiny * 2**24 * 16 / epsilon**2


def test_products_of_rows_that_are_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits so far apart that a softmax's share is below the smallest normal number, or above by little."""
    backend = nnxp.get_backend("numpy")
    layers = [Dense(3, 16), "selu", Dense(16, 16), "mish", Dense(16, 2), Softmax()]
    model = Sequential(layers, loss="categorical_crossentropy", backend=backend, seed=0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 3)).astype("float32")
    factor = np.float32(60 / np.abs(np.diff(model.forward(X[:1]))).max())
    seen: list[Any] = []
    gradients = DenseStage.gradients
    monkeypatch.setattr(DenseStage, "gradients", lambda self, dz: seen.append(dz.copy()) or gradients(self, dz))
    for times in 1, 1.2, 1.4, 1.6:
        model.layers[4].weights *= factor * times
        model.train_step(X, np.argmax(model.predict(X), axis=1))
        model.layers[4].weights /= factor * times
    sizes = np.abs(np.concatenate([dz.ravel() for dz in seen]))
    assert len(seen) == 12 and np.all((sizes == 0) | (sizes >= np.finfo("float32").tiny))


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", nnxp.SGD(0.01, momentum=0.9)])
def test_running_means_of_units_that_are_dead(optimizer: Any) -> None:
    """Their gradients are 0 from then on: a mean of what they were is 0 too, before long, and what lives goes on."""
    layers = [Dense(2, 4), "relu", Dense(4, 2), Softmax()]
    model = Sequential(layers, "categorical_crossentropy", optimizer, backend="numpy", seed=0)
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, size=(16, 2)).astype("float32")
    y = (X[:, 0] > X[:, 1]).astype(int)
    for _ in range(5):
        model.train_step(X, y)
    weights, slots = model.layers[0].weights, model.optimizer.state(model.store)
    weights[:, :2] = -10  # the inputs are positive, and the outputs of two units 0 from now on
    slow = []
    for _ in range(1000):
        model.train_step(X, y)
        slow.append(sum(np.count_nonzero((slot != 0) & (np.abs(slot) < np.finfo("float32").tiny)) for slot in slots))
    assert sum(slow) == 0
    first = slots[0][:8].reshape(2, 4)
    assert np.all(first[:, :2] == 0) and np.all(first[:, 2:])


@pytest.mark.parametrize(
    "optimizer", [nnxp.Adam(0.003, beta_2=0.9, epsilon=1e-3), nnxp.SGD(1.0), nnxp.AdamW(0.1, weight_decay=0.5)]
)
def test_weights_of_units_that_are_dead(optimizer: Any) -> None:
    """Penalty and decay leave less and less of them, and in the end nothing; what is frozen stays."""
    tiny = np.finfo("float32").tiny
    layers = [Dense(2, 4, l2=0.05), "relu", Dense(4, 2), Softmax()]
    model = Sequential(layers, "categorical_crossentropy", optimizer, backend="numpy", seed=0)
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, size=(16, 2)).astype("float32")
    y = (X[:, 0] > X[:, 1]).astype(int)
    model.train_step(X, y)
    model.layers[2].trainable = False
    model.layers[2].biases[...] = tiny / 4
    model.layers[0].biases[:, :2] = -100  # the outputs of two units are 0 from now on
    slow = []
    for _ in range(2000):
        model.train_step(X, y)
        weights = np.abs(model.layers[0].weights)
        slow.append(np.count_nonzero((weights != 0) & (weights < tiny)))
    assert sum(slow) < 64 * 4 and np.all(weights[:, :2] == 0) and np.all(weights[:, 3])
    assert np.all(model.layers[2].biases == tiny / 4)
