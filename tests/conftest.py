"""What must happen before the first test, and the `backend` fixture that runs a test once per backend."""

import inspect
import os
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.helpers import hostcuda, matrix, pages

# array-api-strict at its strictest: the newest edition (its default), and nothing optional. It reads these
# when it is imported, and so do the examples and commands that the tests start.
os.environ["ARRAY_API_STRICT_BOOLEAN_INDEXING"] = "false"
os.environ["ARRAY_API_STRICT_DATA_DEPENDENT_SHAPES"] = "false"
os.environ["ARRAY_API_STRICT_ENABLED_EXTENSIONS"] = ""
# SciPy reads this when it is imported; scikit-learn's checks of other libraries' arrays need it.
os.environ["SCIPY_ARRAY_API"] = "1"

# A shell starts what runs in its background with Ctrl-C ignored, which processes inherit: tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test fails for being slow on a busy machine.
settings.register_profile("nnxp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nnxp")

# CuPy on host memory (`nox -s cupy_on_host`) has to be in place before anything imports CuPy.
if matrix.on_host_memory():
    hostcuda.install(os.environ["NNXP_HOSTCUDA"])

collect_ignore = ["campaigns/fuzz_header.py"]  # needs atheris: `nox -s hostile`
collect_ignore_glob = ["nnfs/scripts/*.py"]  # to look for examples in them is to run them

ABOUT_CUDA = ("test_cuda", "test_cupy", "test_doctor", "test_gpu", "test_hostcuda", "test_no_gpu")
ABOUT_NO_LIBRARY = (
    "test_benchmarks",
    "test_chapters",
    "test_faults",
    "test_hostile",
    "test_house",
    "test_in_a_browser",
    "test_kills",
    "test_pyodide",
    "test_tensorfile",
)


def _parameters() -> list[object]:
    try:
        targets = matrix.selected()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    on_device = () if matrix.on_host_memory() else (pytest.mark.gpu,)
    return [pytest.param(t, id=t.name, marks=on_device if t.module == "cupy" else ()) for t in targets]


# Not function-scoped: hypothesis draws many inputs for one call of a test, and a target does not change.
@pytest.fixture(scope="module", params=_parameters())
def backend(request: pytest.FixtureRequest) -> matrix.Target:
    """One target of the backend matrix."""
    target: matrix.Target = request.param
    return target


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """An estimator without `random_state` draws its seed from NumPy's global generator: the same one in every run."""
    np.random.seed(0)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    gpu = matrix.has_gpu() if any(item.get_closest_marker("gpu") for item in items) else False
    for item in items:
        if "backend" in getattr(item, "fixturenames", ()):
            item.add_marker("matrix")
        if item.path.name.startswith(ABOUT_CUDA):
            item.add_marker("cuda")
        if item.path.stem in ABOUT_NO_LIBRARY:
            item.add_marker("once")
        if _compares_with_torch(item):
            item.add_marker("beside_torch")
        if item.get_closest_marker("gpu") and not gpu:
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU and CuPy; there: nox -s gpu"))


def _compares_with_torch(item: pytest.Item) -> bool:
    """Whether a test, its parameters, what it is skipped without, or its module speak of PyTorch."""
    if not isinstance(item, pytest.Function):
        return False
    code = inspect.unwrap(item.function).__code__
    reasons = [str(mark.kwargs.get("reason")) for mark in item.iter_markers("skipif")]
    said = [item.name, *code.co_names, *code.co_varnames, *map(str, code.co_consts), *reasons]
    return hasattr(item.module, "torch") or any("torch" in word.lower() for word in said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if pages.executed:
        terminalreporter.write_line(pages.account())
