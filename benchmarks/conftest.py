"""The backends that are measured, and the measurement itself: an action and its floor, in turn."""

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnxp
from benchmarks import machine, measurements, problems
from benchmarks.problems import Case
from tests.helpers.matrix import has_gpu


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


collect_ignore = ["peers", "gpu", "onnx_errors.py"]  # with processes or packages of their own; nothing there is a test
BACKENDS = [
    "numpy",
    *(["fast"] if _installed("numba") else []),
    *(["torch"] if _installed("torch") else []),
    *(["cupy"] if has_gpu() else []),
]
"""NumPy alone, NumPy with numba (the extra `fast`), PyTorch and, on a GPU, CuPy."""
FEWEST_ROUNDS, MOST_ROUNDS = 7, 1000
BLOCK = 5e-3
"""Seconds at least of the case, and then of its floor, in a round: its caches are as warm as in a training."""
PATIENCE = 3.0
"""Seconds of a round from which on two rounds fewer have to do."""


def open_backend(label: str) -> nnxp.Backend:
    """The backend that a label of BACKENDS names."""
    if label in ("numpy", "fast"):
        return nnxp.get_backend("numpy", fast=label == "fast")
    return nnxp.get_backend(label)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="fewer rounds, and without the largest cases")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "large: left out by --quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick") and not config.getoption("benchmark_disable"):
        large = [item for item in items if item.get_closest_marker("large")]
        config.hook.pytest_deselected(items=large)
        items[:] = [item for item in items if item not in large]


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["description"] = machine.machine()


@pytest.fixture(params=BACKENDS)
def label(request: pytest.FixtureRequest) -> str:
    """One of BACKENDS."""
    return str(request.param)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """The dtype that is computed in."""
    return str(request.param)


@pytest.fixture
def small(pytestconfig: pytest.Config) -> bool:
    """Whether nothing is timed: each case then runs once, on small shapes."""
    return bool(pytestconfig.getoption("benchmark_disable"))


@pytest.fixture
def shown(small: bool) -> Callable[[Case], Case]:
    """A case as it is to be run."""
    return lambda case: case.smaller(8) if small else case


class Measure:
    """Rounds of an action and of its floor, in turn, each several times where it is short; the device has finished
    before a clock is read."""

    def __init__(self, benchmark: Any, label: str, quick: bool) -> None:
        self.benchmark, self.label = benchmark, label
        self.backend = open_backend(label)
        self.quick = quick

    def timed(self, action: Callable[[], Any]) -> float:
        start = time.perf_counter()
        action()
        self.backend.synchronize()
        return time.perf_counter() - start

    def least(self, action: Callable[[], Any]) -> float:
        """The least of some measurements, for some milliseconds."""
        seconds = [self.timed(action)]
        while sum(seconds) < 4 * BLOCK:
            seconds.append(self.timed(action))
        return min(seconds)

    def __call__(
        self,
        action: Callable[[], Any],
        floor: Callable[[], Any],
        *,
        floor_is: str = "the matrix products",
        seconds: float = 0.7,
        **info: Any,
    ) -> Any:
        """The action's result, after about `seconds` of rounds of both. `extra_info` gets `info`, the floor, the
        ratio, and what it was measured with."""

        def finished() -> Any:
            result = action()
            self.backend.synchronize()
            return result

        floors: list[float] = []
        rounds = warm_up = block = 1
        if self.benchmark.disabled:
            floor()
        else:
            self.timed(action)  # the first builds kernels and buffers
            self.timed(floor)
            own = self.least(action)
            once = own + self.least(floor)
            block = max(1, round(BLOCK / own))
            fewest = FEWEST_ROUNDS if once < PATIENCE else FEWEST_ROUNDS - 2
            if self.quick:
                seconds, fewest = 0.2, 3
            rounds = int(min(MOST_ROUNDS, max(fewest, seconds / (once * block))))
            warm_up = min(rounds // 7, 5)

        processor: list[float] = []

        def floor_in_turn() -> None:
            before = time.process_time()
            floors.append(self.timed(lambda: [floor() for _ in range(block)]) / block)
            processor.append((time.process_time() - before) / block)

        result = self.benchmark.pedantic(
            finished, teardown=floor_in_turn, rounds=rounds, warmup_rounds=warm_up, iterations=block
        )
        self.describe(floor_is=floor_is, block=block, **info)
        if self.benchmark.stats:  # none with --benchmark-disable
            data = self.benchmark.stats.stats.data
            cores = sum(processor) / sum(floors)
            self.benchmark.extra_info |= measurements.compared(data, floors[warm_up : warm_up + len(data)], cores)
        return result

    def describe(self, **info: Any) -> None:
        """What every case says of itself."""
        self.benchmark.extra_info |= {
            "backend": self.label,
            "threads": machine.threads(),
            "versions": machine.versions("nnxp", "numpy", {"fast": "numba"}.get(self.label, self.label)),
            **info,
        }
        names = [str(info[name]) for name in ("kind", "case", "dtype") if name in info]
        self.benchmark.group = ": ".join(names)

    def products(self, case: Case, dtype: str, backward: bool = True) -> Callable[[], None]:
        """The matrix products of a case on this backend, into memory of their own."""

        def convert(values: Any) -> Any:
            return self.backend.asarray(values, dtype=dtype)

        operands = problems.products(case, dtype, convert, backward)
        matmul = self.backend.xp.matmul

        def run() -> None:
            for a, b, out in operands:
                matmul(a, b, out=out)

        return run

    def passing(self, dtype: str, numbers: int) -> Callable[[], None]:
        """One pass over memory that reads and writes as many numbers, and changes their signs. No copy: where source
        and target lie alike in their pages, some processors copy at a sixth of their speed."""
        source, target = (self.backend.asarray(np.ones(numbers // 2), dtype=dtype) for _ in range(2))
        negative = self.backend.xp.negative

        def run() -> None:
            negative(source, out=target)

        return run


@pytest.fixture
def measure(benchmark: Any, label: str, pytestconfig: pytest.Config) -> Measure:
    """`measure(action, floor, kind=..., case=..., ...)`."""
    return Measure(benchmark, label, pytestconfig.getoption("--quick"))


def build(problem: problems.Problem, backend: Any) -> nnxp.Sequential:
    """The model of a problem, with the problem's initial weights."""
    case = problem.case
    layers: list[Any] = []
    for n_in, n_out in zip(case.widths, case.widths[1:], strict=False):
        layers += [nnxp.Dense(n_in, n_out), "relu"]
    optimizer = nnxp.Adam(learning_rate=case.learning_rate, epsilon=problem.epsilon)
    model = nnxp.Sequential(
        [*layers[:-1], "softmax"],
        "categorical_crossentropy",
        optimizer,
        backend=backend,
        dtype=problem.dtype.name,
        seed=0,
    )
    dense = [layer for layer in model.layers if isinstance(layer, nnxp.Dense)]
    for layer, weights, biases in zip(dense, problem.weights, problem.biases, strict=True):
        layer.weights, layer.biases = weights, biases[None, :]
    return model
