"""One script on every backend: the same initial weights, order and dropout masks bit for bit, and losses that
stay together with NumPy's."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nnxp import SGD, Adam, Dense, Dropout, Sequential
from tests.helpers.matrix import Target
from tests.helpers.models import Recorder, problem

STEPS = 100
TOLERANCE = {"float32": 3e-6, "float64": 1e-12}
OPTIMIZERS = {"sgd": lambda: SGD(0.05, momentum=0.9), "adam": lambda: Adam(1e-3)}


def build(spec: str, dtype: str, optimizer: str = "sgd") -> Sequential:
    layers = [Recorder(), Dense(5, 16, l2=1e-4), "relu", Dropout(0.25), Dense(16, 3), "softmax"]
    rule = OPTIMIZERS[optimizer]()
    return Sequential(layers, "categorical_crossentropy", rule, backend=spec, dtype=dtype, seed=3)


@cache
def script(spec: str, dtype: str, optimizer: str) -> tuple[npt.NDArray[Any], ...]:
    """100 steps on batches of 16: the losses, and which elements dropout let pass."""
    X, y = problem(64, dtype)
    model = build(spec, dtype, optimizer)
    to_numpy = model.backend.to_numpy
    initial, losses, masks = np.array(to_numpy(model.store.values)), [], []
    for step in range(STEPS):
        rows = slice(step % 4 * 16, step % 4 * 16 + 16)
        losses.append(float(model.train_step(X[rows], y[rows])))
        passed = np.array(to_numpy(model.layers[3].output)) != 0
        masks.append(passed | (np.array(to_numpy(model.layers[3].inputs)) == 0))
    return initial, np.asarray(losses), np.asarray(masks)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_steps_in_lockstep_with_numpy(backend: Target, dtype: str, optimizer: str) -> None:
    initial, losses, masks = script(backend.spec, dtype, optimizer)
    expected_initial, expected, expected_masks = script("numpy", dtype, optimizer)
    np.testing.assert_array_equal(initial, expected_initial)
    np.testing.assert_allclose(losses, expected, rtol=TOLERANCE[dtype])
    assert expected[-1] < expected[0]
    if dtype == "float64":  # where an output of ReLU is 0 may differ in float32's last bit
        np.testing.assert_array_equal(masks, expected_masks)


def test_the_order_of_each_epoch_is_numpy_s(backend: Target) -> None:
    X, y = problem(22)
    X[:, 0] = np.arange(22)
    orders = []
    for spec in (backend.spec, "numpy"):
        model = build(spec, "float32")
        model.fit(X / 32, y, epochs=2, batch_size=8)
        seen: Any = model.layers[0]
        orders.append(np.concatenate(seen.seen[True]).tolist())
    assert orders[0] == orders[1] and len(set(orders[0])) == 22


def test_dropout_drops_the_same_elements(backend: Target) -> None:
    ones = np.ones((16, 5), dtype=np.float32)
    masks = []
    for spec in (backend.spec, "numpy"):
        model = Sequential([Dropout(0.5), Dense(5, 1)], "mean_squared_error", backend=spec, seed=3)
        kept = []
        for _ in range(4):
            model.train_step(ones, ones[:, 0])
            kept.append(np.array(model.backend.to_numpy(model.layers[0].output)))
        masks.append(np.asarray(kept))
    np.testing.assert_array_equal(masks[0], masks[1])
    assert set(np.unique(masks[0])) == {0, 2} and (masks[0][0] != masks[0][1]).any()
