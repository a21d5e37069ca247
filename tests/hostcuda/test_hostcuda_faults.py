"""The nets hold: one planted fault of each class, and the check that catches it.

Level B is NVIDIA's compiler, C a kernel by itself on this machine, D the real CuPy on host memory. Each fault is one
edit of something that is right, and the check passes what is right.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.helpers import hostcuda, needs
from tests.helpers.hostcuda import nvrtc
from tests.helpers.hostcuda.kernel import ORDERS, HostKernel, KernelError

# y = x minus its row's mean, by one block a row.
CENTRE = """
extern "C" __global__ void nnxp_centre(const float* x, float* y, int n) {
    __shared__ float sums[64];
    const int t = threadIdx.x;
    x += (long long)blockIdx.x * n;
    y += (long long)blockIdx.x * n;
    float sum = 0;
    for (int j = t; j < n; j += blockDim.x) sum += x[j];
    sums[t] = sum;
    __syncthreads();
    for (int s = blockDim.x / 2; s > 0; s /= 2) {
        if (t < s) sums[t] += sums[t + s];
        __syncthreads();
    }
    for (int j = t; j < n; j += blockDim.x) y[j] = x[j] - sums[0] / n;
}"""
ROWS, COLUMNS = 3, 70
X = np.random.default_rng(0).integers(-9, 10, (ROWS, COLUMNS)).astype(np.float32)  # sums are exact
EXPECTED = X - X.sum(axis=1, keepdims=True) / np.float32(COLUMNS)

FAULTS = {
    "wrong sign": ("y[j] = x[j] - sums", "y[j] = x[j] + sums"),
    "wrong stride": ("x += (long long)blockIdx.x * n", "x += (long long)blockIdx.x * (n + 1)"),
    "missing barrier": ("sums[t] = sum;\n    __syncthreads();", "sums[t] = sum;"),
    "barrier in a branch": (
        "if (t < s) sums[t] += sums[t + s];\n        __syncthreads();",
        "if (t < s) {\n sums[t] += sums[t + s];\n __syncthreads(); }",
    ),
    "out-of-bounds shared access": ("sums[t + s]", "sums[t + s + 1]"),
    "out-of-bounds global access": ("j < n; j += blockDim.x) sum", "j <= n; j += blockDim.x) sum"),
}


def planted(fault: str, source: str = CENTRE) -> str:
    right, wrong = FAULTS[fault]
    assert source.count(right) == 1
    return source.replace(right, wrong)


def results(source: str, sanitize: bool = False) -> list[Any]:
    """One a thread order."""
    kernel, found = HostKernel(source, "nnxp_centre", sanitize=sanitize), []
    for order in ORDERS:
        y = np.full_like(X, np.nan)
        kernel((ROWS,), (64,), (X, y, np.int32(COLUMNS)), order=order)
        found.append(y)
    return found


# ---- level C


@needs.host_compiler
def test_the_kernel_without_a_fault() -> None:
    for sanitize in (False, True):
        for y in results(CENTRE, sanitize):
            np.testing.assert_array_equal(y, EXPECTED)


@needs.host_compiler
@pytest.mark.parametrize("fault", ["wrong sign", "wrong stride"])
def test_wrong_values_differ_from_the_reference(fault: str) -> None:
    try:
        assert all(not np.array_equal(y, EXPECTED) for y in results(planted(fault)))
    except KernelError as error:  # what was read past the end may be anything
        raise AssertionError(error) from None


@needs.host_compiler
def test_a_missing_barrier_gives_other_bits_in_another_order() -> None:
    forward, *others = results(planted("missing barrier"))
    assert any(not np.array_equal(forward, other, equal_nan=True) for other in others)


@needs.host_compiler
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong stride", "reads 4 bytes at byte 840 of argument 0, which has 840 bytes, .* at line 8"),
        ("missing barrier", "race: .* of shared memory, which thread|which no thread of this block has written"),
        ("out-of-bounds shared access", "index 64 is outside its array at line 12|race"),
        ("out-of-bounds global access", "reads 4 bytes at byte 840 of argument 0, which has 840 bytes, .* at line 8"),
    ],
)
def test_the_sanitizer_names_the_line(fault: str, message: str) -> None:
    with pytest.raises(KernelError, match=f"^nnxp_centre: .*({message})"):
        results(planted(fault), sanitize=True)


@needs.host_compiler
def test_a_barrier_in_a_branch() -> None:
    message = "barrier divergence|threads left the kernel before"
    with pytest.raises(KernelError, match=message):
        results(planted("barrier in a branch"))


# ---- level B


@needs.device_compiler
@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("sum += x[j]", "sum += x", "expression must have arithmetic|error"),
        ("sums[64]", "sums[16384]", "too much shared data"),
    ],
)
def test_what_no_device_takes(right: str, wrong: str, message: str) -> None:
    for arch in nvrtc.ARCHITECTURES:
        assert nvrtc.cubin(CENTRE, arch)["nnxp_centre"].spill_bytes == 0
        with pytest.raises(nvrtc.NVRTCError, match=message):
            nvrtc.cubin(CENTRE.replace(right, wrong), arch)


# ---- level D


def centre(cp: Any, source: str = CENTRE) -> Callable[[Any], Any]:
    kernel = cp.RawKernel(source, "nnxp_centre")

    def step(x: Any) -> Any:
        y = cp.empty_like(x)
        kernel((ROWS,), (64,), (x, y, np.int32(COLUMNS)))
        return y

    return step


@pytest.fixture
def cp() -> Any:
    return pytest.importorskip("cupy")


@needs.cupy_on_host
def test_the_step_without_a_fault(cp: Any) -> None:
    step, x = centre(cp), cp.asarray(X)
    np.testing.assert_array_equal(step(x).get(), EXPECTED)
    hostcuda.counters(reset=True)
    step(x)
    counts = hostcuda.counters()
    assert (counts["launches"], counts["syncs"], counts["d2h"], counts["h2d"]) == (1, 0, 0, 0)


@needs.cupy_on_host
@pytest.mark.parametrize("fault", ["wrong sign", "wrong stride"])
def test_wrong_values_differ_from_numpys(cp: Any, fault: str) -> None:
    assert not np.array_equal(centre(cp, planted(fault))(cp.asarray(X)).get(), EXPECTED)


@needs.cupy_on_host
def test_a_missing_barrier_gives_other_bits_through_cupy(cp: Any) -> None:
    step, found = centre(cp, planted("missing barrier")), []
    try:
        for order in ORDERS:
            hostcuda.order(order)
            found.append(step(cp.asarray(X)).get())
    finally:
        hostcuda.order("forward")
    assert any(not np.array_equal(found[0], other, equal_nan=True) for other in found[1:])


@needs.cupy_on_host
def test_a_barrier_in_a_branch_through_cupy(cp: Any) -> None:
    step = centre(cp, planted("barrier in a branch").replace("if (t < s) {", "if (t >= s) __syncthreads(); else {"))
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="nnxp_centre: barrier divergence"):
        step(cp.asarray(X))


@needs.cupy_on_host
def test_a_host_array_mixed_in(cp: Any) -> None:
    x = cp.asarray(X)
    with pytest.raises(TypeError, match="Unsupported type <class 'numpy.ndarray'>"):
        x + X
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        np.asarray(x)
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="argument 0 points to memory that no device has"):
        cp.RawKernel(CENTRE, "nnxp_centre")((ROWS,), (64,), (np.uint64(X.ctypes.data), x, np.int32(COLUMNS)))


@needs.cupy_on_host
def test_a_hidden_float_is_a_wait_that_is_counted(cp: Any) -> None:
    step, x = centre(cp), cp.asarray(X)

    def hidden(x: Any) -> Any:
        y = step(x)
        return y if float(y[0, 0]) < 0 else -y

    hidden(x)
    hostcuda.counters(reset=True)
    hidden(x)
    assert hostcuda.counters()["syncs"] == hostcuda.counters()["d2h"] == 1
