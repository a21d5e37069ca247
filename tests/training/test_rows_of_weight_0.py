"""A row of weight 0 contributes nothing, whatever number stands for its missing target: 1e20, say, which `filled()` of
`numpy.ma` writes, and whose squared error float32 does not hold. Everything is as with a target of 0.5, to the bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp import Dense, Sequential, losses
from tests.helpers.matrix import Target

Host = npt.NDArray[Any]
N, M, K = 24, 3, 2
RNG = np.random.default_rng(0)
X, T, W = RNG.standard_normal((N, M)), RNG.standard_normal((N, K)), RNG.uniform(0.5, 2, N)
MISSING = np.arange(N) % 5 == 2
W[MISSING] = 0
FILLS = (1e20, -3e38)


class Quartic(nnxp.losses.Loss):
    """One of the user's own."""

    def losses(self, p: Any, y: Any) -> Any:
        return self.backend.xp.sum((p - y) ** 4, axis=1)

    def gradients(self, p: Any, y: Any) -> Any:
        return 4 * (p - y) ** 3


LOSSES: dict[str, Callable[[], losses.Loss]] = {
    "squared": nnxp.MeanSquaredError,
    "absolute": nnxp.MeanAbsoluteError,
    "huber": nnxp.Huber,
    "standardised": lambda: losses.StandardisedLoss("mean_squared_error", [1e-3, 1e-3]),
    "own": Quartic,
}
every_loss = pytest.mark.parametrize("name", LOSSES)
every_fill = pytest.mark.parametrize("fill", FILLS)


def filled(value: float) -> Host:
    return np.where(MISSING[:, None], value, T).astype("float32")


@every_fill
@every_loss
def test_by_hand(backend: Target, name: str, fill: float) -> None:
    p, w = (backend.asarray(a, "float32") for a in (RNG.standard_normal((N, K)), W))
    seen = []
    for value in (fill, 0.5):
        loss, y = LOSSES[name](), backend.asarray(filled(value))
        if name == "standardised":
            loss._on(nnxp.get_backend(backend.spec), "float32")
        mean, gradient = loss.calculate(p, y, w), loss.backward(p, y, w)
        seen.append((backend.to_numpy(mean), backend.to_numpy(gradient)))
    np.testing.assert_array_equal(*(mean for mean, _ in seen))
    np.testing.assert_array_equal(*(gradient for _, gradient in seen))
    assert np.isfinite(seen[0][0]) and not seen[0][1][MISSING].any() and seen[0][1][~MISSING].all()


def arrays(model: Sequential, x: Any, y: Any, w: Any) -> Any:
    return model.fit(x, y, sample_weight=w, epochs=2, batch_size=5, validation_data=(x, y, w))


def micro_batches(model: Sequential, x: Any, y: Any, w: Any) -> Any:
    return model.fit(x, y, sample_weight=w, epochs=2, batch_size=10, micro_batch_size=2)


def a_stream(model: Sequential, x: Any, y: Any, w: Any) -> Any:
    batches = [(x[i : i + 6, :], y[i : i + 6, :], w[i : i + 6]) for i in range(0, N, 6)]
    return model.fit(batches, epochs=2, validation_data=batches)


def steps(model: Sequential, x: Any, y: Any, w: Any) -> Any:
    return {"losses": [float(model.train_step(x, y, w)) for _ in range(2)]} | model.evaluate(x, y, sample_weight=w)


def on_disk(model: Sequential, x: Any, y: Any, w: Any) -> Any:
    """The labels are prepared a batch at a time."""
    return model.fit(x, y, sample_weight=w, epochs=2, batch_size=5)


def trained(backend: Target, name: str, way: Any, value: float, folder: Path) -> tuple[Host, dict[str, Any]]:
    layers = [Dense(M, 4), "tanh", Dense(4, K)]
    optimizer = nnxp.LBFGS() if way is lbfgs else nnxp.SGD(1e-9)
    model = Sequential(layers, LOSSES[name](), optimizer, backend=backend.spec, seed=0)
    x, y, w = (backend.asarray(a, "float32") for a in (X, filled(value), W))
    if way is on_disk:
        np.save(folder / "y.npy", filled(value))
        y = np.load(folder / "y.npy", mmap_mode="r")
    told = way(model, x, y, w)
    told.pop("seconds", None)  # what is told otherwise
    return backend.to_numpy(model.store.values), told


def lbfgs(model: Sequential, x: Any, y: Any, w: Any) -> Any:
    return model.fit(x, y, sample_weight=w, epochs=2)


@pytest.mark.long
@pytest.mark.parametrize("way", [arrays, micro_batches, a_stream, steps, on_disk])
@every_loss
def test_of_a_model(backend: Target, name: str, way: Any, tmp_path: Path) -> None:
    values, told = trained(backend, name, way, FILLS[0], tmp_path)
    expected_values, expected = trained(backend, name, way, 0.5, tmp_path)
    np.testing.assert_array_equal(values, expected_values)
    assert told == expected and np.isfinite(values).all()


def test_of_lbfgs(backend: Target, tmp_path: Path) -> None:
    (values, told), (expected_values, expected) = (
        trained(backend, "squared", lbfgs, value, tmp_path) for value in (FILLS[0], 0.5)
    )
    np.testing.assert_array_equal(values, expected_values)
    assert told == expected


@pytest.mark.parametrize("weighted", [False, True])
def test_a_target_of_any_other_row_counts(weighted: bool) -> None:
    """Nothing is hidden where the weight is small."""
    w = np.where(MISSING, 1e-30, W) if weighted else None
    with np.errstate(over="ignore"):
        assert np.isinf(nnxp.MeanSquaredError().calculate(np.zeros((N, K), "float32"), filled(1e20), w))
