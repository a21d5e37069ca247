"""NVIDIA's compiler without a GPU: what a kernel needs of a device, and what is no CUDA."""

import pytest

from tests.helpers.hostcuda import nvrtc
from tests.helpers.needs import device_compiler

pytestmark = device_compiler

TWO = """
extern "C" __global__ void double_it(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
extern "C" __global__ void reversed(float* x) {
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = s[63 - threadIdx.x];
}"""


@pytest.mark.parametrize("arch", nvrtc.ARCHITECTURES)
def test_what_each_kernel_needs(arch: str) -> None:
    found = nvrtc.cubin(TWO, arch, ["--fmad=false"])
    assert set(found) == {"double_it", "reversed"}
    for name, kernel in found.items():
        assert (kernel.name, kernel.arch) == (name, arch)
        assert kernel.size > 0 and 0 < kernel.registers < 64
        assert kernel.spill_bytes == kernel.stack_bytes == 0
    assert found["double_it"].shared_bytes == 0
    # From 100 on, a kernel that uses shared memory has 1 KiB of the system's in it.
    assert found["reversed"].shared_bytes % 1024 == 256


def test_registers_that_do_not_fit_are_seen() -> None:
    terms = "".join(f"float a{i} = x[{i} * threadIdx.x];" for i in range(64))
    total = "".join(f"y[{i}] = a{i} * a{63 - i};" for i in range(64))
    source = f'extern "C" __global__ void k(const float* x, float* y) {{ {terms} __syncthreads(); {total} }}'
    (enough,) = nvrtc.cubin(source, "90").values()
    (few,) = nvrtc.cubin(source, "90", ["--maxrregcount=24"]).values()
    assert enough.spill_bytes == 0 and enough.registers > 24
    assert few.spill_bytes > 0 and few.registers <= 24


def test_local_arrays_are_seen() -> None:
    source = """extern "C" __global__ void k(const int* x, int* y) {
        int a[32];
        for (int i = 0; i < 32; i++) a[x[i] & 31] = i;
        y[0] = a[x[32] & 31];
    }"""
    (kernel,) = nvrtc.cubin(source, "80").values()
    assert kernel.stack_bytes == 128


def test_templates_by_name() -> None:
    source = "template <class T> __global__ void k(T* y) { *y = T(VALUE); }"
    names = ("k<float>", "k<double>")
    assert set(nvrtc.cubin(source, "75", ["-DVALUE=3"], names)) == set(names)
    assert nvrtc.cubin(source, "75", ["-DVALUE=3"]) == {}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('extern "C" __global__ void k(float* y) {\n *y = x;\n}', r'kernel\.cu\(2\): error: identifier "x" is unde'),
        ('extern "C" __global__ void k(float* y) { y = 1.f; }', "cannot be assigned"),
        ('extern "C" __global__ void k(float* y) { __shared__ float s[20480]; s[threadIdx.x] = 1; __syncthreads();'
         " y[0] = s[63 - threadIdx.x]; }", "uses too much shared data"),
    ],
)  # fmt: skip
def test_errors_have_the_compilers_lines(source: str, message: str) -> None:
    with pytest.raises(nvrtc.NVRTCError, match=message):
        nvrtc.cubin(source, "90")


def test_an_unknown_architecture_or_option() -> None:
    with pytest.raises(nvrtc.NVRTCError, match="sm_12345|invalid value"):
        nvrtc.cubin(TWO, "12345")
    with pytest.raises(nvrtc.NVRTCError, match="nonsense"):
        nvrtc.cubin(TWO, "90", ["--nonsense"])
