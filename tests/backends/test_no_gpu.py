"""CuPy where it cannot compute: each of its own errors, raised by the real CuPy in a process without a GPU or with half
an installation, becomes a `BackendUnavailableError` that names the cause and the fix; "auto" falls back and says so.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnxp import BackendUnavailableError
from nnxp.backends import cupy_check
from tests.helpers import needs

ROOT = Path(__file__).resolve().parents[2]
HOST = os.environ.get("NNXP_HOSTCUDA")


ASK = """
import nnxp
try:
    print(nnxp.get_backend({spec!r}))
except nnxp.BackendUnavailableError as error:
    print(error)
"""


class Answer(SimpleNamespace):
    """What a process printed."""

    out: str
    err: str


def python(code: str, **env: str) -> Answer:
    """Runs code in a process of its own, with the real CuPy where it is installed."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CUDA_VISIBLE_DEVICES", "PYTHONPATH")}
    env = kept | {"PYTHONPATH": os.pathsep.join(filter(None, (env.pop("PYTHONPATH", ""), str(ROOT))))} | env
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=600)
    assert done.returncode == 0, done.stderr
    return Answer(out=done.stdout, err=done.stderr)


def ask(spec: str = "cupy", before: str = "", **env: str) -> Answer:
    """What `get_backend` says in such a process."""
    return python(before + ASK.format(spec=spec), **env)


def hosted(**options: Any) -> str:
    """The lines that put CuPy over host memory."""
    words = "".join(f", {name}={value!r}" for name, value in options.items())
    return f"from tests.helpers import hostcuda\nhostcuda.install({HOST!r}{words})\n"


@pytest.fixture(scope="module")
def no_driver() -> None:
    """Skips where there is a driver, for what only its absence shows."""
    code = "import cupy; print(cupy.cuda.runtime.driverGetVersion())"
    if int(python(code).out) > 0:
        pytest.skip("this machine has an NVIDIA driver")


# --- a plain process, with CuPy and without a GPU --------------------------------------------------


@needs.cupy
@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize("spec", ["cupy", "cupy:1"])
def test_no_driver(spec: str) -> None:
    answer = ask(spec)
    assert answer.out.startswith('backend "cupy": there is no NVIDIA driver (cudaErrorInsufficientDriver')
    assert "nvidia-smi" in answer.out and 'use backend="numpy"' in answer.out
    assert answer.err == ""


@needs.cupy
@pytest.mark.usefixtures("no_driver")
def test_an_old_driver() -> None:
    """The real error 35, with the version that an old driver gives: the only part of it that is not here."""
    older = "import cupy\ncupy.cuda.runtime.driverGetVersion = lambda: 12040\n"
    answer = ask(before=older + "cupy.cuda.runtime.runtimeGetVersion = lambda: 13020\n")
    assert "the NVIDIA driver is for CUDA 12.4, this CuPy for 13.2 (cudaErrorInsufficientDriver" in answer.out
    assert 'Update the driver or pip install "nnxp[cupy12]"' in answer.out


@needs.cupy
def test_a_cache_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in its place stops everybody, root included."""
    (tmp_path / "file").touch()
    answer = ask(CUPY_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert answer.out.startswith("cupy is installed but does not import: [Errno ")
    assert "Its cache folder has to be writable: set CUPY_CACHE_DIR" in answer.out


def second_wheel(folder: Path) -> str:
    """A folder that says that the other wheel of CuPy is installed too."""
    other = {"cupy-cuda13x": "cupy_cuda12x"}.get(next(n for n in cupy_check.installed() if n != "cupy"), "cupy_cuda13x")
    (folder / f"{other}-14.2.0.dist-info").mkdir()
    text = f"Metadata-Version: 2.1\nName: {other.replace('_', '-')}\nVersion: 14.2.0\n"
    (folder / f"{other}-14.2.0.dist-info" / "METADATA").write_text(text, encoding="utf-8")
    return str(folder)


@needs.cupy
@pytest.mark.usefixtures("no_driver")
def test_two_wheels_are_named_where_nothing_computes(tmp_path: Path) -> None:
    answer = ask(PYTHONPATH=second_wheel(tmp_path))
    assert "multiple CuPy packages are installed" in answer.err  # CuPy's own warning
    assert "CuPy is installed 2 times (cupy-cuda12x, cupy-cuda13x): pip uninstall cupy-cuda12x" in answer.out


@needs.cupy_on_host
def test_two_wheels_are_a_warning_where_one_computes(tmp_path: Path) -> None:
    answer = ask(before=hosted(), PYTHONPATH=second_wheel(tmp_path))
    assert "multiple CuPy packages are installed" in answer.err
    assert answer.out == "<nnxp backend cupy, float32>\n"


@needs.cupy
def test_two_wheels_where_warnings_are_errors(tmp_path: Path) -> None:
    answer = ask(PYTHONPATH=second_wheel(tmp_path), PYTHONWARNINGS="error::UserWarning")
    assert answer.out.startswith("cupy is installed but does not import: CuPy may not function correctly because mult")
    assert "pip uninstall cupy-cuda12x cupy-cuda13x, then install one" in answer.out


@needs.cupy
def test_a_device_is_no_word() -> None:
    answer = ask("cupy:gpu")
    assert answer.out == 'got backend "cupy:gpu", expected a device number as in "cupy:0"\n'


@needs.cupy
@pytest.mark.usefixtures("no_driver")
def test_a_failure_is_found_out_once() -> None:
    code = """
import cupy, nnxp
calls, ask = [], cupy.cuda.runtime.getDeviceCount
def counting():
    calls.append(1)
    return ask()
cupy.cuda.runtime.getDeviceCount = counting
for spec in ("cupy", "cupy:1", "auto", "auto", "cupy"):
    try:
        nnxp.get_backend(spec)
    except nnxp.BackendUnavailableError as error:
        print(error)
print(len(calls))
"""
    *errors, calls = python(code).out.splitlines()
    assert len(errors) == 3 and len(set(errors)) == 1 and calls == "1"


# --- half an installation --------------------------------------------------------------------------


@needs.cupy_on_host
def test_a_driver_that_sees_no_gpu() -> None:
    answer = ask(before=hosted(devices=0))
    assert answer.out.startswith('backend "cupy": the driver sees no GPU (cudaErrorNoDevice')
    assert "nvidia-smi" in answer.out
    answer = ask(before=hosted(devices=0), CUDA_VISIBLE_DEVICES="7")
    assert 'sees no GPU with CUDA_VISIBLE_DEVICES="7" (cudaErrorNoDevice' in answer.out
    assert "Unset that variable" in answer.out


@needs.cupy_on_host
@pytest.mark.parametrize("library", ["cublas", "nvrtc"])
def test_a_missing_library_of_cuda(library: str) -> None:
    """cuBLAS is missed by the first product, NVRTC by the first kernel: never by an import."""
    answer = ask(before=hosted(missing=(library,)))
    assert answer.out.startswith("cupy does not compute: ") and library in answer.out
    assert 'The CUDA libraries that CuPy needs come with pip install "cupy-cuda1' in answer.out
    assert '[ctk]", or use backend="numpy"' in answer.out


@needs.cupy_on_host
def test_a_device_that_is_not_there() -> None:
    answer = ask("cupy:1", before=hosted())
    expected = 'backend "cupy:1": this machine has 1 CUDA device, numbered from 0. Use backend="cupy" for the first\n'
    assert answer.out == expected


@needs.cupy_on_host
def test_a_device_that_computes_nonsense() -> None:
    answer = ask(before=hosted() + "import cupy\ncupy.matmul = lambda a, b: 0 * a\n")
    assert answer.out.startswith("cupy does not compute: a product of ones is [[0.0, 0.0], [0.0, 0.0]], not 2.")


@needs.cupy_on_host
def test_a_full_device_may_be_asked_again() -> None:
    code = hosted() + "import cupy\nones = cupy.ones\n"
    code += "def full(*args, **options): raise cupy.cuda.memory.OutOfMemoryError(16, 0)\n"
    code += "cupy.ones = full\n" + ASK.format(spec="cupy") + "cupy.ones = ones\n" + ASK.format(spec="cupy")
    first, second = python(code).out.splitlines()
    assert first.startswith("cupy has no memory left: Out of memory allocating 16 bytes") and "nvidia-smi" in first
    assert second == "<nnxp backend cupy, float32>"


# --- "auto" ----------------------------------------------------------------------------------------

AUTO = """
import nnxp
for _ in range(3):
    backend = nnxp.get_backend("auto")
    print(backend.library, "|", backend.reason)
"""


@needs.cupy
@pytest.mark.usefixtures("no_driver")
def test_auto_says_once_why_cupy_does_not_run() -> None:
    """On the log "nnxp": Python prints its warnings where the program does not say otherwise."""
    answer = python("import sys; sys.modules['torch'] = None" + AUTO)
    for line in answer.out.splitlines():
        assert line.startswith('numpy | no GPU backend runs here (backend "cupy": there is no NVIDIA driver')
    assert len(answer.out.splitlines()) == 3
    (line,) = answer.err.splitlines()
    assert line.startswith('backend "auto" computes on NumPy: backend "cupy": there is no NVIDIA driver')
    assert line.endswith("see that `nvidia-smi` lists a GPU")
    quiet = python("import logging; logging.getLogger('nnxp').setLevel(logging.ERROR)" + AUTO)
    assert quiet.err == "" and len(quiet.out.splitlines()) == 3


@needs.cupy
@pytest.mark.usefixtures("no_driver")
def test_a_training_with_auto_says_once_why(tmp_path: Path) -> None:
    words = ["train", "moons", "--epochs", "1", "--backend", "auto", "--out", str(tmp_path / "run")]
    for quiet, times in (([], 1), (["--quiet", "--overwrite"], 0)):
        answer = python(f"from nnxp.cli import main; assert main({[*words, *quiet]}) == 0")
        assert (answer.out.count("no NVIDIA driver"), answer.err) == (times, "")


@needs.cupy_on_host
def test_auto_takes_a_gpu_that_runs() -> None:
    assert python(hosted() + AUTO).out.splitlines() == ["cupy | cupy runs here"] * 3


def test_auto_is_silent_where_there_is_no_cupy() -> None:
    """And tells those who ask for what is merely informative, once."""
    missing = "import sys; sys.modules['cupy'] = sys.modules['torch'] = None\n"
    answer = python(missing + AUTO)
    assert answer.err == "" and answer.out.count("which is missing; ") == 3 and answer.out.startswith("numpy | no GPU")
    answer = python(missing + "import logging; logging.basicConfig(level=logging.INFO)\n" + AUTO)
    assert len(answer.err.splitlines()) == 1 and 'INFO:nnxp:backend "auto" computes on NumPy: ' in answer.err


# --- the same decisions where CuPy is not installed: a stand-in that fails as is asked ----------------


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"cudaError{status}")
        self.status = status


def stand_in(status: int = 0, driver: int = 0, product: Callable[..., Any] = np.matmul, devices: int = 2) -> Any:
    """Something in the shape of CuPy."""

    def get_device_count() -> int:
        if status:
            raise CUDARuntimeError(status)
        return devices

    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError, getDeviceCount=get_device_count, getDevice=lambda: 0,
        driverGetVersion=lambda: driver, runtimeGetVersion=lambda: 13020,
    )  # fmt: skip
    device = contextlib.nullcontext
    whole = {"ones": np.ones, "float32": np.float32, "matmul": product, "asnumpy": np.asarray}

    class Cupy(SimpleNamespace):
        """Hashable, as a module is."""

        __hash__ = object.__hash__

    return Cupy(cuda=SimpleNamespace(runtime=runtime, Device=device), **whole)


@pytest.mark.parametrize(
    ("status", "driver", "cause"),
    [
        (35, 0, "there is no NVIDIA driver .*nvidia-smi"),
        (35, 12040, r'driver is for CUDA 12.4, this CuPy for 13.2 .*Update the driver or pip install "nnxp\[cupy12\]"'),
        (35, 13000, "driver is for CUDA 13.0, this CuPy for 13.2 .*Update the driver, or use"),
        (100, 13020, "the driver sees no GPU "),
        (999, 13020, "CUDA does not start .*cudaError999"),
    ],
)
def test_why_there_is_no_device(monkeypatch: pytest.MonkeyPatch, status: int, driver: int, cause: str) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(BackendUnavailableError, match=f'backend "cupy": .*{cause}'):
        cupy_check.device_index(stand_in(status, driver), "")


def test_a_hidden_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(BackendUnavailableError, match='no GPU with CUDA_VISIBLE_DEVICES="" .*Unset that variable'):
        cupy_check.device_index(stand_in(100), "")


def test_a_device_by_number() -> None:
    cupy = stand_in()
    assert [cupy_check.device_index(cupy, text) for text in ("", "0", "1")] == [0, 0, 1]
    with pytest.raises(BackendUnavailableError, match='"cupy:2": this machine has 2 CUDA devices, numbered from 0'):
        cupy_check.device_index(cupy, "2")


def test_a_device_has_to_compute() -> None:
    cupy_check.prove(stand_in(), 1)
    with pytest.raises(BackendUnavailableError, match=r"cupy:1 does not compute: a product of ones is \[\[1.0, 1.0\]"):
        cupy_check.prove(stand_in(product=np.multiply), 1)
    calls = []

    def failing(a: Any, b: Any) -> Any:
        calls.append(1)
        raise ImportError("libcublas.so.13: cannot open shared object file: .\nmore")

    broken = stand_in(product=failing)
    for _ in range(2):
        with pytest.raises(
            BackendUnavailableError, match=r"cupy does not compute: libcublas.so.13: .* object file\. T"
        ):
            cupy_check.prove(broken, 0)
    assert len(calls) == 1

    def full(a: Any, b: Any) -> Any:
        calls.append(1)
        raise MemoryError("16 bytes")

    for _ in range(2):
        with pytest.raises(BackendUnavailableError, match="cupy has no memory left: 16 bytes. `nvidia-smi` says"):
            cupy_check.prove(stand_in(product=full), 0)
    assert len(calls) == 3


def test_what_an_error_of_cupy_says() -> None:
    """CuPy frames the error of its own parts."""
    frame = "=" * 64
    text = f"\n{frame}\nFailed to import CuPy.\n\nOriginal error:\n  ImportError: libcuda.so.1: no such file\n{frame}\n"
    assert cupy_check.first_line(ImportError(text)) == "ImportError: libcuda.so.1: no such file"
    assert cupy_check.first_line(ImportError("")) == "ImportError"
