"""The tool that runs one CUDA kernel on this machine: what it understands, what it refuses, what it notices."""

from typing import Any

import numpy as np
import pytest

from tests.helpers.hostcuda import compiler
from tests.helpers.hostcuda.kernel import ORDERS, HostKernel, KernelError
from tests.helpers.needs import host_compiler

pytestmark = host_compiler


def run(
    body: str,
    *args: Any,
    parameters: str,
    grid: tuple[int, ...] = (1,),
    block: tuple[int, ...] = (1,),
    shared_mem: int = 0,
    order: str = "forward",
    **options: Any,
) -> None:
    source = f'extern "C" __global__ void k({parameters}) {{ {body} }}'
    HostKernel(source, "k", **options)(grid, block, args, shared_mem=shared_mem, order=order)


def filled(*shape: int, dtype: str = "f4") -> Any:
    return np.full(shape, -1, dtype)


# ---- the language


def test_every_thread_of_every_block_runs_once() -> None:
    y = np.zeros((2, 3, 4, 5, 6, 7), np.int32)
    index = (
        "(((((blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x) * blockDim.z + threadIdx.z)"
        " * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x)"
    )
    for order in ORDERS:
        run(f"y[{index}]++;", y, parameters="int* y", grid=(4, 3, 2), block=(7, 6, 5), order=order)
    assert (y == 3).all()


def test_threads_and_blocks_take_turns_in_the_order_asked_for() -> None:
    body = "int i = blockIdx.x * blockDim.x + threadIdx.x; y[atomicAdd(n, 1)] = i;"
    seen = {}
    for order in ORDERS:
        y, n = filled(12, dtype="i4"), np.zeros(1, np.int32)
        run(body, y, n, parameters="int* y, int* n", grid=(3,), block=(4,), order=order)
        seen[order] = y.tolist()
    assert seen["forward"] == list(range(12)) and seen["reverse"] == list(range(12))[::-1]
    assert sorted(seen["shuffle"]) == list(range(12)) and seen["shuffle"] not in (seen["forward"], seen["reverse"])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("min(3, -2) + max(1u, 7u)", 5.0),
        ("fmaxf(NAN, 2.f) + min(NAN, 1.f)", 3.0),
        ("rsqrtf(4.f) + rsqrt(16.)", 0.75),
        ("erff(100.f) + expm1f(0.f) + log1pf(0.f) + tanhf(100.f)", 2.0),
        ("isnan(NAN) + isfinite(INFINITY) + 2 * isinf(INFINITY)", 3.0),
        ("__expf(0.f) + __fdividef(1.f, 4.f) + __saturatef(7.f)", 2.25),
        ("__popc(7u) + __clz(1) + __ffs(8) + __umulhi(1u << 31, 4u)", 3.0 + 31 + 4 + 2),
        ("__float_as_int(1.f) == 0x3f800000 && __int_as_float(0x40000000) == 2.f", 1.0),
        ("(long long)1 << 40 == 1099511627776 && __mul24(3, 4) == 12", 1.0),
        ("make_float4(1, 2, 3, 4).w + make_int2(5, 6).y", 10.0),
    ],
)
def test_mathematics_and_intrinsics(expression: str, expected: float) -> None:
    y = filled(1, dtype="f8")
    run(f"*y = {expression};", y, parameters="double* y")
    assert y[0] == expected


def test_a_product_and_a_sum_are_not_contracted() -> None:
    """As on a device with --fmad=false: a * b is rounded before c is added."""
    a, c = np.float32(1 + 2**-12), np.float32(-1 - 2**-11)
    y = filled(1)
    run("*y = a * a + c;", y, a, c, parameters="float* y, float a, float c")
    assert y[0] == 0
    assert float(a) * float(a) + float(c) == 2**-24  # what contraction would give


def test_templates_macros_and_options() -> None:
    source = "template <class T, int N> __global__ void k(T* y) { for (int i = 0; i < N; i++) y[i] = T(VALUE) / 2; }"
    for code, value in (("float", 1.5), ("double", 1.5), ("int", 1)):
        y = filled(3, dtype={"float": "f4", "double": "f8", "int": "i4"}[code])
        HostKernel(source, f"k<{code}, 2>", options=("-DVALUE=3", "--fmad=false"))((1,), (1,), (y,))
        assert y.tolist() == [value, value, -1]


def test_a_define_is_the_sources_alone() -> None:
    """`-DT=float` does not reach the tool's own headers, which have templates over a T."""
    y = filled(1)
    run("*y = T(2);", y, parameters="T* y", options=("-DT=float",))
    assert y[0] == 2


def test_an_error_has_its_line_in_the_source() -> None:
    with pytest.raises(compiler.CompileError, match=r"kernel\.cu:3:.*undefined_name"):
        HostKernel('extern "C" __global__ void k(float* y) {\n*y = 1;\n*y = undefined_name;\n}', "k")


def test_the_counter_of_the_last_block_to_finish() -> None:
    """Blocks that add up and a last one that sees all of it, by a fence and a wrapping counter."""
    source = """
    extern "C" __global__ void k(const float* x, float* partial, unsigned* count, float* y) {
        __shared__ bool last;
        partial[blockIdx.x] = 2 * x[blockIdx.x];
        __threadfence();
        if (threadIdx.x == 0) last = atomicInc(count, gridDim.x - 1) == gridDim.x - 1;
        __syncthreads();
        if (last && threadIdx.x == 0) for (int i = 0; i < gridDim.x; i++) *y += __ldg(&partial[i]);
    }"""
    x = np.arange(5, dtype=np.float32)
    for order in ORDERS:
        partial, count, y = filled(5), np.zeros(1, np.uint32), np.zeros(1, np.float32)
        HostKernel(source, "k", sanitize=True)((5,), (1,), (x, partial, count, y), order=order)
        assert y[0] == 20 and count[0] == 0


ROW_SUMS = """
extern "C" __global__ void row_sums(const float* x, float* y, int n) {
    extern __shared__ float parts[];
    float sum = 0;
    for (int j = threadIdx.x; j < n; j += blockDim.x) sum += x[(long long)blockIdx.x * n + j];
    for (int step = 16; step; step /= 2) sum += __shfl_down_sync(0xffffffffu, sum, step);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x >= 32) return;
    sum = threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0;
    for (int step = 16; step; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}"""


@pytest.mark.parametrize("sanitize", [False, True])
def test_shuffles_barriers_and_dynamic_shared_memory(sanitize: bool) -> None:
    x = np.random.default_rng(0).integers(-9, 9, (3, 205)).astype(np.float32)  # whole numbers add up exactly
    for order in ORDERS:
        y = filled(3)
        kernel = HostKernel(ROW_SUMS, "row_sums", sanitize=sanitize)
        kernel((3,), (128,), (x, y, np.int32(205)), shared_mem=16, order=order)
        np.testing.assert_array_equal(y, x.sum(axis=1))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("__shfl_sync(~0u, i, 5)", lambda i: 5),
        ("__shfl_sync(~0u, i, 1, 8)", lambda i: i // 8 * 8 + 1),
        ("__shfl_up_sync(~0u, i, 3)", lambda i: i - 3 if i >= 3 else i),
        ("__shfl_up_sync(~0u, i, 1, 4)", lambda i: i - 1 if i % 4 else i),
        ("__shfl_down_sync(~0u, i, 3)", lambda i: i + 3 if i < 29 else i),
        ("__shfl_down_sync(~0u, i, 1, 4)", lambda i: i + 1 if i % 4 < 3 else i),
        ("__shfl_xor_sync(~0u, i, 6)", lambda i: i ^ 6),
        ("__ballot_sync(~0u, i % 2)", lambda i: -(2**32 - 0xAAAAAAAA)),
        ("__any_sync(~0u, i == 7) + 2 * __all_sync(~0u, i == 7)", lambda i: 1),
    ],
)
def test_what_lanes_tell_each_other(call: str, expected: Any) -> None:
    for order in ORDERS:
        y = filled(32, dtype="i4")
        run(f"int i = threadIdx.x; y[i] = {call};", y, parameters="int* y", block=(32,), order=order)
        assert y.tolist() == [expected(i) for i in range(32)]


def test_half_a_warp_may_shuffle_by_itself() -> None:
    body = "int i = threadIdx.x; if (i < 16) y[i] = __shfl_sync(0xffffu, i, 3);"
    y = filled(32, dtype="i4")
    run(body, y, parameters="int* y", block=(32,))
    assert y.tolist() == [3] * 16 + [-1] * 16


@pytest.mark.parametrize("source", ["__shared__ float s[4];", "extern __shared__ float s[];"])
def test_shared_memory_starts_as_nan_in_each_block(source: str) -> None:
    y = np.zeros(2, np.float32)
    run(f"{source} y[blockIdx.x] = s[2]; s[2] = 1;", y, parameters="float* y", grid=(2,), shared_mem=16)
    assert np.isnan(y).all()


# ---- what is refused


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "takes 3 arguments, got 0"),
        ((filled(1, dtype="f8"), np.int32(1), np.float32(1)), r"argument 0 of k points to f4, got an array of f8"),
        ((np.float32(1), np.int32(1), np.float32(1)), r"argument 0 of k is a pointer \(f4\*\)"),
        ((filled(1), np.int64(1), np.float32(1)), r"argument 1 of k is i4, got i8"),
        ((filled(1), 1, np.float32(1)), r"argument 1 of k is i4: give a NumPy scalar of that type, got int"),
        ((filled(1), np.float32(1), np.float32(1)), r"argument 1 of k is i4, got f4"),
        ((filled(1), np.int32(1), 1.0), r"argument 2 of k is f4: give a NumPy scalar"),
    ],
)
def test_arguments_that_are_not_exactly_the_parameters(args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        run("*y = n + a;", *args, parameters="float* y, int n, float a")


def test_only_a_constant_pointer_takes_a_readonly_array() -> None:
    x, y = np.ones(1, np.float32), filled(1)
    x.flags.writeable = False
    run("*y = *x;", x, y, parameters="const float* x, float* y")
    with pytest.raises(TypeError, match=r"argument 0 of k is written to \(f4\*\), got a read-only array"):
        run("*y = *x;", x, y, parameters="float* x, float* y")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": (1025,)}, r"block of \(1025, 1, 1\) threads"),
        ({"block": (1, 1, 65)}, r"block of \(1, 1, 65\) threads"),
        ({"block": (64, 32)}, r"block of \(64, 32, 1\) threads"),
        ({"block": (0,)}, r"block of \(0, 1, 1\) threads"),
        ({"grid": (0,)}, r"grid of \(0, 1, 1\) blocks"),
        ({"grid": (1, 65536)}, r"grid of \(1, 65536, 1\) blocks"),
        ({"shared_mem": 49153}, "49153 bytes of shared memory"),
    ],
)
def test_launches_that_a_device_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(KernelError, match=message):
        run("*y = 1;", filled(1), parameters="float* y", **options)


# ---- what is noticed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("if (threadIdx.x < 3) __syncthreads(); y[threadIdx.x] = 1;", "1 of 4 threads left the kernel before"),
        ("if (threadIdx.x == 3) return; __syncthreads(); y[0] = 1;", "1 of 4 threads left the kernel before"),
        ("if (threadIdx.x < 3) __syncthreads();\nelse __syncthreads();", "barrier divergence: .* line 1 and of line 2"),
        ("if (threadIdx.x < 3) __syncwarp(15); else __syncthreads();", "deadlock"),
        ("if (threadIdx.x < 2) __syncwarp(15);\nelse __syncwarp(15);", "warp divergence: .* line 1 and at line 2"),
        ("y[0] = __shfl_sync(1u, 1.f, 0);", "lane 1 calls the shuffle of line 1, but its mask 00000001"),
    ],
)
def test_barriers_that_not_all_reach(body: str, message: str) -> None:
    with pytest.raises(KernelError, match=f"^k: .*{message}"):
        run(body, filled(4), parameters="float* y", block=(4,))


def test_a_kernel_runs_after_one_that_failed() -> None:
    with pytest.raises(KernelError):
        run("if (threadIdx.x < 3) __syncthreads();", filled(4), parameters="float* y", block=(4,))
    y = filled(4)
    run("__syncthreads(); y[threadIdx.x] = 1;", y, parameters="float* y", block=(4,))
    assert (y == 1).all()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y[7] = 1;", r"writes 4 bytes at byte 28 of argument 1, which has 16 bytes, by thread \(0, 0, 0\)"),
        ("y[0] = x[-1];", "reads 4 bytes at byte -4 of argument 0, which has 16 bytes"),
        ("y[0] =\nx[4000];", "reads 4 bytes at byte 16000 of argument 0, .*at line 2$"),
        ("atomicAdd(y + 4, 1.f);", "updates 4 bytes at byte 16 of argument 1"),
        ("((float*)x)[0] = 1;", "writes to argument 0, which is read-only"),
        ("*(float*)nullptr = 1;", "writes 4 bytes at an address that belongs to no argument"),
        ("__shared__ float s[4]; s[0] = 1; y[0] = s[threadIdx.x + 4];", "index 4 is outside its array at line 1"),
        ("extern __shared__ float s[]; s[4] = 1;", "writes 4 bytes at byte 16 of 16 of shared memory"),
        ("__shared__ float s[4]; s[1] = 1; y[0] = s[2];", "reads byte 8 of shared memory, which no thread"),
    ],
)
def test_accesses_that_a_device_might_let_pass(body: str, message: str) -> None:
    x, y = np.ones(4, np.float32), filled(4)
    with pytest.raises(KernelError, match=f"^k: .*{message}"):
        run(body, x, y, parameters="const float* x, float* y", shared_mem=16, sanitize=True)


RACES = {
    "write after write": ("y[0] = threadIdx.x;", "race: writes byte 0 of argument 0, which thread [0-9]+ "),
    "read after write": ("y[threadIdx.x] = 1; z[threadIdx.x] = y[(threadIdx.x + 1) % 64];", "race: "),
    "shared memory": (
        "__shared__ float s[64]; s[threadIdx.x] = 1; y[threadIdx.x] = s[63 - threadIdx.x];",
        "race: |no thread",
    ),
    "between blocks": ("if (threadIdx.x == 0) y[0] = blockIdx.x;", "which another block wrote"),
    "after a shuffle": (
        "__shared__ float s[64]; int i = threadIdx.x; s[i] = 1; __syncthreads();"
        "y[i] = s[i ^ 32]; __syncwarp(); s[i] = 2;",
        "race: .* of shared memory",
    ),
}


@pytest.mark.parametrize("name", RACES)
def test_races(name: str) -> None:
    body, message = RACES[name]
    for order in ORDERS:
        y, z = filled(64), filled(64)
        with pytest.raises(KernelError, match=message):
            run(body, y, z, parameters="float* y, float* z", grid=(2,), block=(64,), order=order, sanitize=True)


@pytest.mark.parametrize(
    "body",
    [
        "s[i] = 1; __syncthreads(); y[i] = s[63 - i]; __syncthreads(); s[63 - i] = 2;",
        "s[i] = 1; __syncwarp(); y[i] = s[i ^ 1]; __syncwarp(); s[i] = 2;",
        "if (i == 0) s[0] = 1; __syncthreads(); y[i] = s[0];",
        "atomicAdd(y, 1.f);",
        "y[i] = 1; y[i] = y[i] + 1;",
    ],
)
def test_what_is_no_race(body: str) -> None:
    for order in ORDERS:
        run(
            f"__shared__ float s[64]; int i = threadIdx.x; {body}",
            filled(64), parameters="float* y", block=(64,), order=order, sanitize=True,
        )  # fmt: skip


def test_checked_kernels_write_to_the_callers_arrays() -> None:
    """Copies stand in for them, but not where two share memory, and not for a view with gaps."""
    memory = np.arange(8, dtype=np.float32)
    run("for (int i = 0; i < 4; i++) y[i] = 2 * x[i];", memory[:4], memory[:4], parameters="const float* x, float* y",
        sanitize=True)  # fmt: skip
    np.testing.assert_array_equal(memory, [0, 2, 4, 6, 4, 5, 6, 7])
    run("y[2] = 9;", memory[::2], parameters="float* y", sanitize=True)
    assert memory[2] == 9


def test_threads_of_python_take_turns() -> None:
    from concurrent.futures import ThreadPoolExecutor

    x = np.ones((3, 64), np.float32)
    kernel = HostKernel(ROW_SUMS, "row_sums")

    def sums(_: int) -> Any:
        y = filled(3)
        kernel((3,), (64,), (x, y, np.int32(64)), shared_mem=8)
        return y.tolist()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(sums, range(50))) == [[64.0] * 3] * 50


def test_a_compiled_kernel_is_found_again(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTCUDA_CACHE", str(tmp_path))
    source = 'extern "C" __global__ void k(float* y) { *y = 1; }'
    first = compiler.build(source, {"k": "k"})
    written = first.stat().st_mtime_ns
    assert compiler.build(source, {"k": "k"}) == first and first.stat().st_mtime_ns == written
    assert compiler.build(source + " ", {"k": "k"}) != first
    assert compiler.build(source, {"k": "k"}, checked=True) != first
    with pytest.raises(compiler.CompileError):
        compiler.build("nonsense", {"k": "k"})
    left = {path.name.split("-")[0] for path in tmp_path.iterdir() if path.suffix != ".so"}
    assert left == {"once"}  # nothing half done stays
