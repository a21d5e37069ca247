"""The real CuPy on host memory: what is counted, what is refused, and that its values are NumPy's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import hostcuda
from tests.helpers.hostcuda import layout
from tests.helpers.needs import cupy_on_host

pytestmark = cupy_on_host
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cp() -> Iterator[Any]:
    import cupy

    yield cupy
    hostcuda.order("forward")
    hostcuda.null_launches(False)
    hostcuda.memory(8 << 30)


def counted(call: Any) -> dict[str, int]:
    """What a call asks of the device once its kernels are compiled; zeros are left out."""
    call()
    hostcuda.counters(reset=True)
    call()
    return {name: n for name, n in hostcuda.counters().items() if n}


def run_python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: CuPy is put on host memory once in each."""
    script = f"import os\nfrom tests.helpers import hostcuda\nFOLDER = os.environ['NNXP_HOSTCUDA']\n{script}"
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True)


# ---- counts


def test_what_is_counted(cp: Any) -> None:
    x, y = cp.ones((4, 4), "f4"), cp.empty((4, 4), "f4")
    host = np.ones((4, 4), np.float32)
    assert counted(lambda: cp.add(x, x, y)) == {"launches": 1}
    assert counted(lambda: cp.matmul(x, x, out=y)) == {"launches": 1, "products": 1}
    assert counted(lambda: x[...].fill(0)) == {"launches": 1}
    assert counted(lambda: x.get()) == {"d2h": 1, "syncs": 1}
    assert counted(lambda: float(x[0, 0])) == {"d2h": 1, "syncs": 1}
    assert counted(lambda: x.set(host)) == {"h2d": 1}
    assert counted(lambda: x.data.copy_from_device(y.data, 64)) == {"d2d": 1}
    assert counted(lambda: cp.cuda.Device().synchronize()) == {"syncs": 1}
    assert counted(lambda: cp.empty((4, 4))) == {}  # the pool has it
    assert counted(lambda: cp.cuda.Memory(64)) == {"mallocs": 1}


def test_kernels_by_name(cp: Any) -> None:
    x = cp.ones(3, "f4")
    kernel = cp.ElementwiseKernel("T x", "T y", "y = 2 * x", "nnxp_double_it")
    kernel(x)
    hostcuda.counters(reset=True)
    assert hostcuda.kernels() == {}
    kernel(x), kernel(x), x @ x
    assert hostcuda.kernels()["nnxp_double_it"] == 2


def test_launches_that_do_nothing(cp: Any) -> None:
    x = cp.ones((2, 2), "f4")
    x += 1
    hostcuda.null_launches(True)
    assert counted(lambda: cp.add(x, 1, x)) == {"launches": 1}
    cp.matmul(x, x, out=x)
    hostcuda.null_launches(False)
    assert (x.get() == 2).all()


def test_threads_take_their_turns_in_the_order_asked_for(cp: Any) -> None:
    source = 'extern "C" __global__ void turns(int* n, int* y) { y[atomicAdd(n, 1)] = threadIdx.x; }'
    kernel = cp.RawKernel(source, "turns")
    seen = {}
    for order in ("forward", "reverse", "shuffle"):
        hostcuda.order(order)
        n, y = cp.zeros(1, "i4"), cp.zeros(5, "i4")
        kernel((1,), (5,), (n, y))
        seen[order] = y.get().tolist()
    assert seen["forward"] == [0, 1, 2, 3, 4] and seen["reverse"] == [4, 3, 2, 1, 0]
    assert seen["shuffle"] not in (seen["forward"], seen["reverse"])


@pytest.mark.parametrize("order", ["forward", "reverse", "shuffle"])
def test_cupys_own_reductions_need_no_order(cp: Any, order: str) -> None:
    x = np.random.default_rng(0).integers(-9, 9, (37, 53)).astype(np.float32)
    hostcuda.order(order)
    for axis in (None, 0, 1):
        np.testing.assert_array_equal(cp.asarray(x).sum(axis=axis).get(), x.sum(axis=axis))


# ---- memory


def test_free_memory_is_what_is_left(cp: Any) -> None:
    free, total = cp.cuda.runtime.memGetInfo()
    assert total == 8 << 30
    block = cp.cuda.Memory(1 << 20)
    assert cp.cuda.runtime.memGetInfo() == (free - (1 << 20), total)
    del block
    assert cp.cuda.runtime.memGetInfo() == (free, total)
    hostcuda.memory(total - free + (1 << 20))
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorMemoryAllocation: out of memory"):
        cp.cuda.Memory((1 << 20) + 1)


def test_fresh_memory_reads_as_nan(cp: Any) -> None:
    memory = cp.cuda.MemoryPointer(cp.cuda.Memory(64), 0)
    assert np.isnan(cp.ndarray(16, "f4", memory).get()).all()


def test_memory_of_the_host_is_not_the_devices(cp: Any) -> None:
    x, host = cp.zeros(4, "f4"), np.zeros(4, np.float32)
    kernel = cp.RawKernel('extern "C" __global__ void nnxp_write(float* x) { x[0] = 1; }', "nnxp_write")
    kernel((1,), (1,), (x,))
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="nnxp_write: argument 0 points to memory that no device"):
        kernel((1,), (1,), (np.uint64(host.ctypes.data),))
    kind = cp.cuda.runtime.memcpyHostToDevice
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorIllegalAddress"):
        cp.cuda.runtime.memcpy(host.ctypes.data, x.data.ptr, 16, kind)
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorIllegalAddress"):
        cp.cuda.runtime.memcpy(x.data.ptr, host.ctypes.data, 1 << 30, kind)


# ---- products


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 5), (5, 4)), ((5, 3), (5, 4)), ((1, 300), (300, 7)), ((2, 3, 5), (2, 5, 4)), ((4, 0), (0, 3)), ((3,), (3,))],
)
def test_products_are_numpys(cp: Any, dtype: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-4, 5, shape).astype(dtype) for shape in (left, right))  # whole numbers: exact sums
    if left == (5, 3):
        a = a.T
    np.testing.assert_array_equal((cp.asarray(a) @ cp.asarray(b)).get(), a @ b)
    if a.ndim == 2:
        out = cp.empty((a.shape[0], b.shape[1]), dtype)  # of NaN
        assert cp.matmul(cp.asarray(a), cp.asarray(b), out=out) is out
        np.testing.assert_array_equal(out.get(), a @ b)
        np.testing.assert_array_equal((cp.asarray(b).T @ cp.asarray(a).T).get(), b.T @ a.T)


def test_what_cublas_does_not_do_here(cp: Any) -> None:
    x = cp.ones((2, 2), "f2")
    with pytest.raises(cp.cuda.cublas.CUBLASError, match="NOT_SUPPORTED"):
        x @ x


# ---- the nets


def test_our_kernels_are_compiled_for_a_device_too(cp: Any) -> None:
    """What g++ takes and NVRTC does not; others' kernels go to g++ alone."""
    body = "(float* y) { _Float16 x = 1; y[0] = __builtin_parity((int)x); }"
    other = cp.RawKernel(f'extern "C" __global__ void other{body}', "other")
    other((1,), (1,), (cp.zeros(1, "f4"),))
    ours = cp.RawKernel(f'extern "C" __global__ void nnxp_ours{body}', "nnxp_ours")
    with pytest.raises(cp.cuda.compiler.CompileException, match=r"kernel\.cu\(1\): error"):
        ours((1,), (1,), (cp.zeros(1, "f4"),))


def test_barriers_are_watched(cp: Any) -> None:
    source = """extern "C" __global__ void nnxp_diverges() {
        if (threadIdx.x) __syncthreads();
        else __syncthreads();
    }"""
    with pytest.raises(
        cp.cuda.driver.CUDADriverError, match="nnxp_diverges: barrier divergence: .* line [23] and of line [23]"
    ):
        cp.RawKernel(source, "nnxp_diverges")((1,), (2,), ())


def test_threads_of_python_launch_together(cp: Any) -> None:
    x = cp.asarray(np.random.default_rng(0).integers(0, 9, (64, 64)).astype("f4"))
    expected = (x @ x + x).sum(axis=0).get()

    def work(_: int) -> bool:
        return bool(np.array_equal((x @ x + x).sum(axis=0).get(), expected))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40)))


def test_instances_of_templates(cp: Any) -> None:
    source = "template <class T> __global__ void nnxp_add(T* x, T y) { x[threadIdx.x] += y; }"
    module = cp.RawModule(code=source, name_expressions=["nnxp_add<float>", "nnxp_add<int>"])
    for dtype, name in ((np.float32, "float"), (np.int32, "int")):
        x = cp.arange(4, dtype=dtype)
        module.get_function(f"nnxp_add<{name}>")((1,), (4,), (x, dtype(3)))
        assert x.get().tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda cp: cp.random.rand(3), NotImplementedError, "cupy.random.rand does not run on host memory"),
        (lambda cp: cp.sort(cp.ones(3)), RuntimeError, "cudaErrorInvalidDevice"),  # Thrust, for devices only
    ],
)
def test_what_cannot_run_here_says_so(cp: Any, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(cp)


# ---- other machines


def test_a_machine_without_a_visible_gpu() -> None:
    script = """
hostcuda.install(FOLDER, devices=0)
import cupy
for call in (cupy.cuda.runtime.getDeviceCount, lambda: cupy.zeros(3), lambda: cupy.cuda.Device(0).use()):
    try:
        call()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        print(error.status, error)
"""
    done = run_python(script)
    line = "100 cudaErrorNoDevice: no CUDA-capable device is detected"
    assert done.stdout.splitlines() == [line] * 3, done.stderr


@pytest.mark.parametrize(
    ("library", "call", "expected"),
    [
        ("cublas", "cupy.zeros((2, 2)) @ cupy.zeros((2, 2))", "ImportError"),
        ("nvrtc", "cupy.zeros(3) + 1", "DynamicLibNotFoundError"),
    ],
)
def test_a_library_that_is_missing(library: str, call: str, expected: str) -> None:
    done = run_python(f"hostcuda.install(FOLDER, missing=['{library}'])\nimport cupy\n{call}")
    assert done.returncode == 1
    assert f"{expected}: " in done.stderr.splitlines()[-1] and f"lib{library}.so" in done.stderr.splitlines()[-1]


def test_arrays_of_two_devices() -> None:
    script = """
hostcuda.install(FOLDER, devices=2)
import cupy
with cupy.cuda.Device(1):
    x = cupy.ones(2, 'f4')
print(cupy.cuda.runtime.getDeviceCount(), x.device.id, cupy.ones(2).device.id)
try:
    cupy.add(x, 1)
except ValueError as error:
    print(error)
try:
    cupy.cuda.Device(2).use()
except cupy.cuda.runtime.CUDARuntimeError as error:
    print(error)
"""
    done = run_python(script)
    numbers, mixed, absent = done.stdout.splitlines()
    assert numbers == "2 1 0" and "device" in mixed and absent == "cudaErrorInvalidDevice: invalid device ordinal"


def test_installing_comes_first_and_of_these_sources(tmp_path: Path) -> None:
    late = run_python("import cupy\nhostcuda.install(FOLDER)")
    assert "must come before the first import of cupy" in late.stderr
    unbuilt = run_python(f"hostcuda.install({str(tmp_path)!r})")
    assert f"python -m tests.helpers.hostcuda.build {tmp_path}" in unbuilt.stderr
    (tmp_path / layout.STAMP).write_text("another key")  # of other sources, or other pins
    assert "is not built, or from other sources" in run_python(f"hostcuda.install({str(tmp_path)!r})").stderr


def test_a_build_that_broke_off_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.helpers.hostcuda import build

    def broken(*_: object) -> list[Path]:
        raise KeyboardInterrupt

    (tmp_path / layout.STAMP).write_text("an older build")
    monkeypatch.setattr(build, "_build", broken)
    with pytest.raises(KeyboardInterrupt):
        build.build(tmp_path)
    assert not layout.is_built(tmp_path) and list(tmp_path.iterdir()) == []
    monkeypatch.setattr(build, "_build", lambda scratch, version: [])
    build.build(tmp_path)
    assert layout.is_built(tmp_path)


def test_the_pin_is_what_is_installed(cp: Any) -> None:
    assert cp.__version__ == layout.pinned("cupy-cuda13x")


def test_reductions_whose_kernels_name_complex_numbers(cp: Any) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(cp.asarray(x).var(axis=1).get(), x.var(axis=1))
