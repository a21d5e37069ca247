"""What only CuPy can show: training without waiting for the device, counted where CuPy runs over host memory."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Dropout, Sequential
from tests.helpers import hostcuda
from tests.helpers.matrix import on_host_memory

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.skipif(not on_host_memory(), reason="CuPy is not on host memory here: `nox -s cupy_on_host`"),
]


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
    hostcuda.counters(reset=True)
    loss = model.train_step(X, y)
    seen = hostcuda.counters()
    assert (seen["syncs"], seen["d2h"], seen["h2d"]) == (0, 0, 0)
    assert loss.shape == () and np.isfinite(float(loss))
    assert hostcuda.counters()["d2h"] == 1  # reading it is what waits


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


TWO_DEVICES = """
import copy, os, sys
from tests.helpers import hostcuda
hostcuda.install(os.environ["NNXP_HOSTCUDA"], devices=2)
import cupy, numpy as np, nnxp

def model(backend):
    layers = [nnxp.Dense(6, 5, l2=0.1), "relu", nnxp.Dropout(0.2), nnxp.Dense(5, 3), "softmax"]
    return nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(clip_norm=0.1), backend=backend, seed=0)

rng = np.random.default_rng(0)
X, y = rng.standard_normal((200, 6)).astype("float32"), rng.integers(0, 3, 200)
runs = []
for backend in ("cupy", "cupy:1"):
    own = model(backend)
    own.fit(X, y, epochs=2)
    twin = copy.deepcopy(own)
    own.save(sys.argv[1])
    loaded = nnxp.load(sys.argv[1], backend=backend)
    losses = [m.fit(X, y)["loss"][-1] for m in (own, twin, loaded)]
    layers = [nnxp.Dense(6, 5, seed=1, l2=0.1, backend=backend), nnxp.Dense(5, 3, seed=2, backend=backend)]
    for layer, width in zip(layers, (6, 5)):
        layer.forward(X[:, :width])
        layer.backward(np.ones((200, layer.n_out)))
    nnxp.Adam(clip_norm=0.1).update_params(layers)
    runs.append((losses, float(layers[0].penalty()), own.predict(X).tolist(), own.evaluate(X, y)))
assert runs[0] == runs[1], runs
assert len(set(runs[0][0])) == 1
print("the same on both")
"""


def test_a_second_device_is_entered_wherever_the_library_is(tmp_path: Path) -> None:
    """The first is current all the time."""
    command = [sys.executable, "-c", TWO_DEVICES, str(tmp_path / "model.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the same on both\n"


# --- the launcher ----------------------------------------------------------------------------------


@pytest.fixture
def launch() -> Any:
    """A kernel that writes `scale` times x, and its arguments."""
    import cupy

    from nnxp.kernels.cuda.launch import Launcher

    text = """extern "C" __global__ void nnxp_times(const float* x, float* out, const int n, const float scale)
    {
        const int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) out[i] = x ? x[i] * scale : scale;
    }"""
    x = cupy.arange(6, dtype=cupy.float32)
    return Launcher(text, "nnxp_times"), x, cupy.zeros(6, cupy.float32)


def test_a_launch_casts_numbers(launch: Any) -> None:
    """A RawKernel would take the bits of a Python float, a double, for those of a float."""
    times, x, out = launch
    times((1,), (32,), x, out, 6, 0.5)
    np.testing.assert_array_equal(out.get(), np.arange(6, dtype=np.float32) / 2)
    times((1,), (32,), None, out, np.int64(6), np.float64(3))
    np.testing.assert_array_equal(out.get(), np.full(6, 3, np.float32))


def test_a_launch_refuses_what_the_kernel_does_not_declare(launch: Any) -> None:
    import cupy

    times, x, out = launch
    wrong: list[tuple[type[Exception], str, Any]] = [
        (TypeError, "argument x: got numpy.ndarray, expected an array of CuPy", x.get()),
        (TypeError, "argument x: got float64, expected float32: cast it first", x.astype("float64")),
        (TypeError, "argument x: got int32, expected float32", x.astype("int32")),
        (ValueError, "argument x: got an array that is not C-contiguous", cupy.zeros(12, "float32")[::2]),
        (TypeError, "argument x: got builtins.float", 1.0),
    ]
    for _ in range(2):  # also what was refused before
        for kind, message, value in wrong:
            with pytest.raises(kind, match=f"nnxp_times, {message}"):
                times((1,), (32,), value, out, 6, 1.0)
    with pytest.raises(TypeError, match="nnxp_times: got 3 arguments, expected 4"):
        times((1,), (32,), x, out, 6)
    with pytest.raises(OverflowError):
        times((1,), (32,), x, out, 2**31, 1.0)
    for grid in ((0,), (2**31,), (1, 65536)):
        with pytest.raises(ValueError, match="nnxp_times: got a grid of"):
            times(grid, (32,), x, out, 6, 1.0)
    assert not out.any()


def test_a_launch_refuses_an_array_of_another_device(launch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    times, x, out = launch
    times((1,), (32,), x, out, 6, 1.0)  # known from here on
    monkeypatch.setattr(times, "_device", lambda: 1)
    with pytest.raises(ValueError, match="argument x: got an array on device 0, expected one on device 1, the current"):
        times((1,), (32,), x, out, 6, 1.0)


def test_two_streams_do_not_share_what_blocks_leave_for_the_last() -> None:
    import cupy

    from nnxp.kernels.cuda.launch import workspace

    here = workspace.take("float32", 10, 3)
    again = workspace.take("float32", 5, 2)
    with cupy.cuda.Stream():
        there = workspace.take("float32", 10, 3)
    assert here[0] is again[0] and here[1] is again[1]
    assert there[0] is not here[0] and there[1] is not here[1]
    assert not here[1].any() and not there[1].any()


def test_kernels_that_take_turns_do_not_make_each_other_s_memory_anew() -> None:
    """One that needs more totals, and one that needs more counters."""
    from nnxp.kernels.cuda.launch import workspace

    both = [workspace.take("float64", *sizes) for sizes in ((900, 3), (500, 7), (900, 3), (500, 7))]
    assert both[1] is both[2] is both[3]


def test_a_condition_of_bytes() -> None:
    """No array has the type that is computed in."""
    import cupy

    from nnxp.kernels import vocabulary as xp
    from nnxp.typing import Array

    def large(x: Array, scale: float) -> Array:
        return xp.sqrt(x * scale) > 1.5

    x = cupy.arange(6, dtype="uint8")
    assert nnxp.get_backend("cupy").fuse(large)(x, 1.0).tolist() == [False, False, False, True, True, True]


def test_show_knows_cupy_by_its_record_and_its_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    import cupy

    texts = []
    for backend in ("cupy", "cupy:0", cupy, nnxp.get_backend("cupy"), cupy.zeros(2)):
        nnxp.kernels.show("relu", backend)
        texts.append(capsys.readouterr().out)
    assert "an ElementwiseKernel" in texts[0] and set(texts) == {texts[0]}


def test_kernels_take_what_their_fast_path_does_not() -> None:
    """Transposed, of halves or of integers: the reference does it."""
    import cupy

    kernels = nnxp.get_backend("cupy").kernels
    x = cupy.asarray(np.random.default_rng(0).standard_normal((5, 4)))
    for array in (x.T, x.astype("float16"), (10 * x).astype("int32")):
        np.testing.assert_allclose(kernels["column_sums"](array).get(), array.get().sum(axis=0)[None], rtol=1e-2)
    e = np.exp(x.get().T - x.get().T.max(axis=1, keepdims=True))
    np.testing.assert_allclose(kernels["softmax"](x.T).get(), e / e.sum(axis=1, keepdims=True), rtol=1e-14)


def test_kernels_refuse_shapes_that_do_not_fit() -> None:
    """A kernel would read and write beyond the arrays."""
    import cupy

    kernels, zeros = nnxp.get_backend("cupy").kernels, cupy.zeros
    for call in (
        lambda: kernels["softmax_crossentropy"](zeros((4, 5)), zeros(3, "int64")),
        lambda: kernels["softmax_crossentropy"](zeros((4, 5)), zeros((4, 4))),
        lambda: kernels["weighted_sum"](zeros((2, 5)), zeros(3)),
        lambda: kernels["softmax_grad"](zeros((4, 5)), zeros((2, 5))),
        lambda: kernels["column_sums"](zeros((4, 5)), out=zeros((1, 3))),
        lambda: kernels["softmax"](zeros((4, 5)), out=zeros((2, 5))),
        lambda: kernels["shares"](zeros(4), out=zeros(3)),
    ):
        with pytest.raises((ValueError, IndexError)):
            call()
