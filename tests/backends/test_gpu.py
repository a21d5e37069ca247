"""What only a GPU can show: the order of work on streams, several devices, and time. `nox -s gpu` runs it there."""

import itertools
import statistics
import threading
import time
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import data, get_backend
from nnxp.cli import main
from nnxp.doctor import counts, proofs

pytestmark = pytest.mark.gpu

ROUNDS = 20
LAYERS = ((784, 128, 64, 10), (784, 512, 512, 10), (1024, 2048, 2048, 1000))


@pytest.fixture
def cupy() -> Any:
    """CuPy, with what a test leaves in flight waited for."""
    module = pytest.importorskip("cupy", reason="needs CuPy")
    yield module
    module.cuda.Device().synchronize()


def agree(got: proofs.Run, dtype: str = "float32") -> None:
    """With NumPy's run."""
    check = proofs.compare(got, proofs.run(get_backend("numpy"), dtype), dtype)
    assert check.passed, check.text


# --- streams and threads ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_stream_of_its_own(cupy: Any, dtype: str) -> None:
    """That does not wait for the default stream: work that went there instead would come too early or too late."""
    with cupy.cuda.Stream(non_blocking=True):
        for _ in range(5):
            agree(proofs.run(get_backend("cupy"), dtype), dtype)


def test_threads_with_a_stream_each(cupy: Any) -> None:
    """Two trainings at once share kernels, and no memory."""
    runs: list[proofs.Run] = []

    def train() -> None:
        with cupy.cuda.Stream(non_blocking=True):
            runs.extend(proofs.run(get_backend("cupy"), "float32") for _ in range(5))

    threads = [threading.Thread(target=train) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 10
    for run in runs:
        agree(run)


def test_steps_in_a_row_are_the_steps_one_by_one(cupy: Any) -> None:
    """A hundred launched ahead of the device give the bits of a hundred waited for."""

    def train(wait: bool) -> Any:
        model = proofs.network(proofs.SIZES, get_backend("cupy"))
        losses = []
        for _ in range(5):
            for X, y in proofs.batches("float32"):
                losses.append(model.train_step(cupy.asarray(X), cupy.asarray(y)))
                if wait:
                    model.backend.synchronize()
        return [float(loss) for loss in losses], cupy.asnumpy(model.store.values)

    (ahead, weights), (one_by_one, expected) = train(False), train(True)
    assert ahead == one_by_one
    np.testing.assert_array_equal(weights, expected)


def test_a_step_allocates_its_loss_alone_and_does_not_wait(cupy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = counts.counts(get_backend("cupy"))
    with capsys.disabled():
        print(f"\n{found}")
    assert found["allocations"] == 1
    if found["synchronisations"] is None:
        pytest.skip(f"synchronisations: {found['how']}")
    assert found["synchronisations"] == 0


# --- several devices -------------------------------------------------------------------------------


def test_every_device(cupy: Any) -> None:
    """Each trains as NumPy does, its arrays are its own, and the current device stays as it was."""
    count = cupy.cuda.runtime.getDeviceCount()
    current = cupy.cuda.runtime.getDevice()
    for index in range(count):
        backend = get_backend(f"cupy:{index}")
        agree(proofs.run(backend, "float32"))
        model = proofs.network(proofs.SIZES, backend)
        X, y = proofs.problem(16, proofs.SIZES[0], proofs.SIZES[-1])
        assert model.train_step(X, y).device.id == index
        assert model.store.values.device.id == index and model.store.gradients.device.id == index
        assert cupy.cuda.runtime.getDevice() == current


def test_an_array_of_another_device_is_refused(cupy: Any) -> None:
    if cupy.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("needs two GPUs")
    X, _ = proofs.problem(16, proofs.SIZES[0], proofs.SIZES[-1])
    with cupy.cuda.Device(1):
        there = cupy.asarray(X)
    with pytest.raises(nnxp.BackendMismatchError, match="convert it first"):
        proofs.network(proofs.SIZES, get_backend("cupy:0")).predict(there)


# --- whole trainings -------------------------------------------------------------------------------


def test_the_digits(cupy: Any) -> None:
    """Losses of each epoch as NumPy's: float32, and what rounding becomes in 450 steps of Adam."""
    digits = data.digits()
    train, test = data.split(digits.y, fraction=0.2, seed=0)
    found = []
    for backend in ("numpy", "cupy"):
        layers = [
            nnxp.Rescaling(1 / 16),
            nnxp.Dense(64, 128),
            "relu",
            nnxp.Dropout(0.2),
            nnxp.Dense(128, 10),
            "softmax",
        ]
        model = nnxp.Sequential(layers, "categorical_crossentropy", "adam", backend=backend, seed=0)
        model.fit(digits.X[train], digits.y[train], epochs=10, validation_data=(digits.X[test], digits.y[test]))
        found.append(model)
    numpy, gpu = found
    np.testing.assert_allclose(gpu.history["loss"], numpy.history["loss"], rtol=1e-4)
    assert gpu.history["val_accuracy"][-1] == pytest.approx(numpy.history["val_accuracy"][-1], abs=0.01)


def test_the_doctor(cupy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--backend", "numpy", "--backend", "cupy"])
    with capsys.disabled():
        print("\n" + capsys.readouterr().out)
    assert code == 0


# --- time, printed and not judged --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", LAYERS, ids=lambda sizes: "-".join(map(str, sizes)))
def test_time(cupy: Any, sizes: tuple[int, ...], dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A step's time on the device, by events, and the host's until it returns; the products' alone beside them."""
    backend = get_backend("cupy")
    lines = []
    for rows in (32, 256, 2048):
        model = proofs.network(sizes, backend, dtype)  # type: ignore[arg-type]
        X, labels = proofs.problem(rows, sizes[0], sizes[-1])
        x, y = backend.asarray(X, dtype=dtype), backend.asarray(labels, dtype="int64")
        device, host = measure(cupy, lambda model=model, x=x, y=y: model.train_step(x, y))
        products, _ = measure(cupy, floor(cupy, sizes, rows, dtype))
        lines.append(
            f"{'-'.join(map(str, sizes))}, {dtype}, {rows:>4} rows: {1e3 * device:8.3f} ms on the device, "
            f"{1e3 * host:8.3f} ms until the host returns; its products {1e3 * products:8.3f} ms"
        )
        assert np.isfinite(float(model.train_step(x, y)))
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def measure(cupy: Any, step: Any) -> tuple[float, float]:
    """The medians of the seconds between two events around a step, and until it returns."""
    device, host = [], []
    for _ in range(ROUNDS):
        begun, done = cupy.cuda.Event(), cupy.cuda.Event()
        begun.record()
        start = time.perf_counter()
        step()
        host.append(time.perf_counter() - start)
        done.record()
        done.synchronize()
        device.append(cupy.cuda.get_elapsed_time(begun, done) / 1e3)
    return statistics.median(device[3:]), statistics.median(host[3:])


def floor(cupy: Any, sizes: tuple[int, ...], rows: int, dtype: str) -> Any:
    """The matrix products of a step, which nobody can avoid: three for each layer, two for the first."""
    made = [
        (cupy.ones((rows, a), dtype), cupy.ones((a, b), dtype), cupy.ones((rows, b), dtype))
        for a, b in itertools.pairwise(sizes)
    ]

    def products() -> None:
        for i, (x, w, dy) in enumerate(made):
            cupy.matmul(x, w)
            cupy.matmul(x.T, dy)
            if i:
                cupy.matmul(dy, w.T)

    return products
