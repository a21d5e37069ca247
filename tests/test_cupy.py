"""What only CuPy can show: training without waiting for the device, counted where CuPy runs over host memory."""

from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Dropout, Sequential

counts = pytest.importorskip(
    "fakegpu", reason="CuPy does not run over host memory here: `nox -s cupy_on_host` does that"
)
pytestmark = pytest.mark.matrix


def make(backend: str, optimizer: str = "adamw") -> Sequential:
    options: dict[str, Any] = {"clip_norm": 0.5, "clip_value": 0.1}
    rule = nnxp.SGD(momentum=0.9, **options) if optimizer == "sgd" else nnxp.AdamW(learning_rate=0.01, **options)
    layers = [Dense(8, 32, l1=1e-4, l2=1e-3), "gelu", Dropout(0.2), Dense(32, 3), "softmax"]
    return Sequential(layers, "categorical_crossentropy", rule, backend=backend, seed=1)


def problem() -> tuple[Any, Any]:
    X = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 1)


def test_a_training_equals_numpys() -> None:
    X, y = problem()
    losses = [make(backend).fit(X, y, epochs=3, batch_size=64)["loss"] for backend in ("numpy", "cupy")]
    np.testing.assert_allclose(losses[1], losses[0], rtol=3e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_step_waits_for_nothing_and_copies_nothing_to_the_host(optimizer: str) -> None:
    model = make("cupy", optimizer)
    X, y = (model.backend.asarray(a, dtype=d) for a, d in zip(problem(), ("float32", "int64"), strict=True))
    model.train_step(X, y)
    counts.counters(reset=True)
    loss = model.train_step(X, y)
    seen = counts.counters()
    assert (seen["syncs"], seen["d2h"], seen["h2d"]) == (0, 0, 0)
    assert loss.shape == () and np.isfinite(float(loss))
    assert counts.counters()["d2h"] == 1  # reading it is what waits


def test_a_door_enters_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """One device is all there is here: that each door enters it is what can be seen."""
    import cupy

    entered: list[int] = []
    enter = cupy.cuda.Device.__enter__

    class Device(cupy.cuda.Device):
        def __enter__(self) -> Any:
            entered.append(self.id)
            return enter(self)

    X, y = problem()
    model, layer, loss = make("cupy"), Dense(8, 2, backend="cupy"), nnxp.MeanSquaredError(backend="cupy")
    monkeypatch.setattr(cupy.cuda, "Device", Device)
    for door in (
        lambda: model.fit(X, y),
        lambda: model.predict(X),
        lambda: model.evaluate(X, y),
        lambda: model.train_step(X, y),
        lambda: layer.forward(X),
        lambda: layer.backward(X[:, :2]),
        lambda: loss.calculate(X, X),
        lambda: loss.backward(X, X),
        lambda: nnxp.SGD().update_params(layer),
    ):
        entered.clear()
        door()
        assert set(entered) == {0}
