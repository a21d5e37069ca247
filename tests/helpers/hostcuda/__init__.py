"""CUDA without a GPU: the real CuPy on host memory, and CUDA kernels compiled and run by themselves (README.md)."""

from tests.helpers.hostcuda.cupy_on_host import counters, install, kernels, memory, null_launches, order

__all__ = ["counters", "install", "kernels", "memory", "null_launches", "order"]
