"""The backends that are measured, and the measurement itself: an action, and the matrix products it cannot avoid."""

import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnxp
from tests.matrix import has_gpu

BACKENDS = [
    "numpy",
    *(["torch"] if importlib.util.find_spec("torch") else []),
    *(["cupy"] if has_gpu() else []),
]
WARM_UP = 5
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> nnxp.Backend:
    """One backend of those that run here."""
    return nnxp.get_backend(request.param)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """The dtype that is computed in."""
    return str(request.param)


class Products:
    """Matrix products of given shapes (n, k) by (k, m), into memory of their own."""

    def __init__(self, backend: nnxp.Backend, dtype: str, shapes: list[tuple[int, int, int]]) -> None:
        xp, self.xp = backend.xp, backend.xp

        def array(*shape: int) -> Any:
            values = np.random.default_rng(0).standard_normal(shape)
            return backend.asarray(values, dtype=dtype)

        self.operands = [
            (array(n, k), array(k, m), xp.zeros((n, m), dtype=getattr(xp, dtype), device=backend.device))
            for n, k, m in shapes
        ]

    def __call__(self) -> None:
        for a, b, out in self.operands:
            self.xp.matmul(a, b, out=out)


def dense_products(n: int, n_in: int, n_out: int, dinputs: bool = True) -> list[tuple[int, int, int]]:
    """The products of a dense layer: forward, weights' gradient, and (not for a model's first layer) inputs'."""
    return [(n, n_in, n_out), (n_in, n, n_out), *([(n, n_out, n_in)] if dinputs else [])]


@pytest.fixture
def measure(benchmark: Any, backend: nnxp.Backend, dtype: str) -> Callable[..., Any]:
    """`measure(action, products, rounds)`: rounds of the products alone and of the action, in turn; the device
    has finished before a clock is read. `extra_info` gets the products' median time, "floor", and the ratio."""

    def run(action: Callable[[], Any], products: Callable[[], None], rounds: int) -> Any:
        floors: list[float] = []

        def floor() -> None:
            start = time.perf_counter()
            products()
            backend.synchronize()
            floors.append(time.perf_counter() - start)

        def timed() -> Any:
            result = action()
            backend.synchronize()
            return result

        result = benchmark.pedantic(timed, setup=floor, rounds=rounds, warmup_rounds=WARM_UP)
        benchmark.extra_info |= {"backend": backend.name, "dtype": dtype, "threads": _threads()}
        benchmark.extra_info["versions"] = {
            "python": platform.python_version(),
            "nnxp": nnxp.__version__,
            "numpy": np.__version__,
            backend.library: importlib.import_module(backend.library).__version__,
        }
        if benchmark.stats:  # none with --benchmark-disable
            lowest = statistics.median(floors[-rounds:])
            benchmark.extra_info |= {"floor": lowest, "ratio": benchmark.stats.stats.median / lowest}
        return result

    return run


def _threads() -> str:
    """What the environment asks of BLAS, or the machine's default."""
    asked = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    return " ".join(asked) or f"default of {os.cpu_count()} CPUs"
