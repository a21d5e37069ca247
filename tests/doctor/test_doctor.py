"""`nnxp doctor`: every backend proved, every fault named, and nothing that a broken library does reaches the user."""

import dataclasses
import importlib.util
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import doctor, get_backend
from nnxp.backends import finding
from nnxp.cli import main
from nnxp.cli.doctor import print_report
from nnxp.doctor import child, computer, counts, proofs, timing
from nnxp.doctor.verdict import Check, Row
from tests.helpers import needs
from tests.helpers.hostcuda import nvrtc
from tests.helpers.matrix import Target, has_gpu, on_host_memory

torch_only = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
strict_only = pytest.mark.skipif(importlib.util.find_spec("array_api_strict") is None, reason="needs array-api-strict")
NUMPY = get_backend("numpy", fast=False)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings of small models: what is timed does not matter here."""
    monkeypatch.setattr(timing, "SIZES", (8, 8, 8, 4))
    monkeypatch.setattr(timing, "BATCHES", (4, 8))
    monkeypatch.setattr(timing, "ROUNDS", 2)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    """The libraries are examined in this process, where a test can break them."""
    monkeypatch.setattr(doctor, "isolated", lambda name: child.examine_library(name, lambda rows: None))


# --- the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> tuple[int, str, str]:
    """The exit code and the output of the command, as a user runs it."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["doctor", "--json", "--backend", "numpy"])
    return code, out.getvalue(), err.getvalue()


KEYS: dict[str, Any] = {
    "format": int, "nnxp": str, "python": str, "platform": str, "cores": int, "numpy": str, "blas": str,
    "blas_threads": str, "environment": dict, "seconds": float, "passed": bool, "backends": list,
}  # fmt: skip
ROW_KEYS: dict[str, Any] = {
    "name": str, "status": str, "error": type(None), "precision": str, "stage": str, "versions": dict, "device": dict,
    "gradients": dict, "training": dict, "counts": dict, "timing": dict, "notes": list,
}  # fmt: skip


def test_the_document(real: tuple[int, str, str]) -> None:
    """One line of JSON, its keys and their types as documented."""
    code, out, err = real
    assert (code, err, out.count("\n")) == (0, "", 1)
    report = json.loads(out)
    assert {key: type(value) for key, value in report.items()} == KEYS
    assert (report["format"], report["passed"]) == (1, True)
    assert report["nnxp"] == nnxp.__version__ and report["numpy"] == np.__version__
    (row,) = report["backends"]
    assert {key: type(value) for key, value in row.items()} == ROW_KEYS
    assert (row["name"], row["status"]) == ("numpy", "passed")
    for check in (row["gradients"], *row["training"].values()):
        assert list(check) == ["passed", "error", "tolerance", "text"]
        assert check["passed"] and 0 <= check["error"] <= check["tolerance"]
    assert list(row["training"]) == ["float32", "float64"]
    assert set(row["counts"]) == {
        "allocations", "launches", "operations", "synchronisations", "peak_bytes", "how"
    }  # fmt: skip
    assert set(row["timing"]) == {"layers", "batch_size", "step_seconds", "numpy_seconds", "numpy"}
    assert row["timing"]["step_seconds"] > 0


def test_docs_name_every_key(real: tuple[int, str, str]) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "gpu.md").read_text(encoding="utf-8")
    report = json.loads(real[1])
    (row,) = report["backends"]
    for key in (*report, *row, *row["gradients"], *row["counts"], *row["timing"], "pays_from", "pays_up_to"):
        assert f"`{key}`" in text, key


def test_the_report_for_people(real: tuple[int, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(real[1])
    print_report(report)
    out = capsys.readouterr().out
    first, second, *_ = out.splitlines()
    assert first.startswith(f"nnxp {nnxp.__version__}, Python ") and f"NumPy {np.__version__} with " in first
    assert second.startswith(report["platform"])
    assert "1.1e-04 in float32 and 2.1e-13 in float64 allowed" in out
    assert out.splitlines()[-1].startswith("1 passed; ")
    assert max(map(len, out.splitlines()[:8])) <= 120


@pytest.mark.usefixtures("here")
def test_every_backend_that_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor"])
    out, err = capsys.readouterr()
    usable = [name for name in doctor.LIBRARIES if computer.installed(name)]
    if "cupy" in usable and not (has_gpu() or on_host_memory()):
        assert code == 1 and "cupy FAILED: " in out
        usable.remove("cupy")
    else:
        assert code == 0 and "FAILED" not in out
    assert err == "" and f"{len(usable)} passed" in out
    for name in doctor.LIBRARIES:
        assert name in out


@pytest.mark.usefixtures("here")
def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No fault, unless it was asked for by name."""
    monkeypatch.setattr(doctor, "installed", lambda library: library == "numpy")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert 'cupy is not installed: pip install "nnxp[cupy13]"' in out and "1 passed; " in out
    assert main(["doctor", "--backend", "numpy", "--backend", "cupy:1"]) == 1
    assert "cupy is not installed" in capsys.readouterr().out
    assert main(["doctor", "--backend", "cupy", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["backends"]
    assert row["status"] == "not installed" and row["error"].startswith("cupy is not installed: pip install")


@pytest.mark.parametrize("words", [["--backend", "nunpy"], ["--backend", ""], ["numpy"], ["--json=1"]])
def test_a_wrong_word(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("nnxp: error: ") and err.count("\n") == 1


# --- proofs ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("short")
def test_each_backend_passes(backend: Target) -> None:
    """And says what it did. A GPU's batch size is searched."""
    saved = []
    (place,) = child._select("cupy" if backend.module == "cupy" else backend.spec)[:1]
    row = Row(backend.spec, device=place.device, versions=place.versions)
    child.examine_place(row, lambda: saved.append(row.stage))
    assert (row.status, row.error) == ("passed", None)
    assert [row.gradients is not None and row.gradients.passed, *(c.passed for c in row.training.values())] == [
        True
    ] * 3
    stages = ["first product", "gradients", "20 steps in float32", "20 steps in float64", "counts", "timing", "timing"]
    assert saved == stages
    assert place.versions[backend.module] == backend.xp.__version__
    assert ("pays_from" in row.timing) == (backend.module == "cupy")
    assert Row.of(json.loads(json.dumps(row.document(), allow_nan=False))) == row


def test_no_unit_is_near_the_kink() -> None:
    """Where ReLU bends, rounding would decide about a whole gradient; the proofs' bounds hold away from there."""
    model = proofs.network(proofs.SIZES, NUMPY, "float64")
    rounding = max(*proofs.SIZES, *proofs.BATCHES) * np.finfo(np.float32).eps
    for X, y in proofs.batches("float64"):
        model.forward(X, training=True)
        for layer in (model.layers[1], model.layers[3]):
            inputs: Any = layer.inputs
            assert np.abs(inputs).min() > 10 * rounding
        model.train_step(X, y)
    model = proofs.network((4, 6, 5, 3), NUMPY, "float64")
    model.forward(proofs.problem(8, 4, 3)[0])
    for layer in (model.layers[1], model.layers[3]):
        inputs = layer.inputs
        assert np.abs(inputs).min() > 2.0**-10  # the quotient's step is 2⁻¹⁷, its weights and inputs a few units


def a_run(losses: Any = None, gradients: Any = None) -> proofs.Run:
    losses = np.linspace(2, 0.5, 20) if losses is None else losses
    return proofs.Run(losses, np.array([1.0, -2.0, 1e-9]) if gradients is None else gradients)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tolerance(dtype: str) -> None:
    allowed = proofs.tolerance(dtype)
    assert allowed == 20 * 48 * np.finfo(dtype).eps
    for factor, passes in ((0.9, True), (1.1, False)):
        losses, gradients = a_run().losses, a_run().gradients
        losses[7] *= 1 + factor * allowed
        check = proofs.compare(a_run(losses), a_run(), dtype)
        assert check.passed == passes and check.text.startswith("" if passes else "the loss of step 8 is ")
        gradients[2] += 2 * factor * allowed  # of the largest, which is 2
        check = proofs.compare(a_run(gradients=gradients), a_run(), dtype)
        assert check.passed == passes and check.text.startswith("" if passes else "the gradients of step 1 are off by")


def test_what_is_no_number_or_does_not_fall() -> None:
    nans = np.full(20, np.nan)
    check = proofs.compare(a_run(nans), a_run(), "float32")
    assert not check.passed and check.error is None and "the loss of step 1 is nan" in check.text
    check = proofs.compare(a_run(gradients=nans[:3]), a_run(), "float32")
    assert not check.passed and check.error is None and "the gradients of step 1" in check.text
    flat = a_run(np.full(20, 2.0))
    check = proofs.compare(flat, flat, "float32")
    assert not check.passed and check.text == "the loss went from 2 to 2, not below its half"


def too_large(right: Callable[..., Any]) -> Callable[..., Any]:
    """Sums that are a hundredth too large: Adam, which divides by the gradient's size, hardly sees it."""
    return lambda x, out=None: 1.01 * right(x)


def label_ignored(right: Callable[..., Any]) -> Callable[..., Any]:
    """A cross-entropy for which every label is the first."""
    return lambda z, b, labels, *rest, **options: right(z, b, 0 * labels, *rest, **options)


@strict_only
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("name", "kernel", "found"),
    [
        ("column_sums", too_large, [r"gradients: \d.dbiases at \[", "20 steps in float64: the gradients of step 1"]),
        ("bias_softmax_crossentropy", label_ignored, ["20 steps in float32: the gradients of step 1 are off by 2"]),
    ],
)
def test_a_wrong_kernel_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, kernel: Any, found: list[str]
) -> None:
    """Planted in one library alone; NumPy passes beside it."""
    right = finding.kernels_of

    def kernels_of(library: str, *rest: Any) -> Any:
        kernels = right(library, *rest)
        return kernels | {name: kernel(kernels[name])} if library == "array_api_strict" else kernels

    monkeypatch.setattr(finding, "kernels_of", kernels_of)
    words = ["doctor", "--backend", "numpy", "--backend", "array_api_strict"]
    assert main(words) == 1
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if "FAILED: " in line]
    assert line.startswith("array_api_strict FAILED: ")
    for text in found:
        assert re.search(text, line)
    assert out.splitlines()[-1].startswith("1 passed, 1 FAILED (array_api_strict); ")
    assert main([*words, "--json"]) == 1
    numpy, strict = json.loads(capsys.readouterr().out)["backends"]
    assert (numpy["status"], strict["status"]) == ("passed", "failed")
    assert not strict["training"]["float32"]["passed"]


@strict_only
@pytest.mark.usefixtures("here")
def test_what_raises_costs_its_own_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def failing(backend: Any) -> Check:
        if backend.library == "numpy":
            raise KeyError("some\nthing")
        return proofs.gradients(backend)

    monkeypatch.setattr(child, "gradients", failing)
    assert main(["doctor", "--backend", "numpy", "--backend", "array_api_strict"]) == 1
    out, err = capsys.readouterr()
    assert "numpy FAILED: gradients: KeyError: 'some\\nthing'" in out and "1 passed, 1 FAILED (numpy)" in out
    assert err == ""


@torch_only
def test_a_device_without_float64(short: None) -> None:
    row, backend = Row("torch:mps"), dataclasses.replace(get_backend("torch"), name="torch:mps:0")
    assert child._in_float64(row, backend, lambda: pytest.fail("it was run")) is None
    assert row.notes == ['device "mps" has no float64: use dtype="float32", or backend="torch" for the CPU']


# --- a library that misbehaves ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import os; print('oh'); os._exit(3)", "import: its process died (exit code 3)"),
        ("import os; os.write(2, b'last words\\n'); os.kill(os.getpid(), 9)", "import: its process died (signal 9); i"),
        ("import time; time.sleep(60)", "import: it did not answer within 3 seconds"),
        ("raise ImportError('half of it is missing')", "array_api_strict is installed but does not import: half of it"),
        ("raise ValueError('of all things')", "array_api_strict is installed but does not import: of all things"),
        ("raise SystemExit", "import: nothing was found out"),
        ("x = 1", 'got backend "array_api_strict", which is no array library'),
    ],
)
def test_a_library_that_misbehaves(source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of array-api-strict: it dies, hangs or raises, and a row says so."""
    (tmp_path / "array_api_strict.py").write_text(source, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    start = time.monotonic()
    (row,) = child.isolated("array_api_strict", timeout=3 if "sleep" in source else 60)
    assert (row.name, row.status) == ("array_api_strict", "failed")
    assert row.error is not None and row.error.startswith(message)
    assert ("its last words: last words" in row.error) == ("words" in source)
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(("frozen", "executable"), [(True, sys.executable), (False, ""), (False, None)])
def test_a_frozen_program_is_not_started_again(
    frozen: bool, executable: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sys.executable` is the program itself there, or nothing: it is no Python to start."""
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr("subprocess.Popen", lambda *args, **rest: pytest.fail("it was started"))
    assert main(["doctor", "--backend", "numpy"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"nnxp: error: got {executable or 'no sys.executable'}, a frozen program, expected Python")
    assert "run `python -m nnxp doctor` in an environment with the same packages" in err


def test_what_was_known_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies on the way leaves what it had proved."""
    text = "import nnxp.doctor.child as child, os\nchild.training = lambda backend, dtype: os._exit(1)\n"
    (tmp_path / "sitecustomize.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (row,) = child.isolated("numpy")
    assert row.gradients is not None and row.gradients.passed
    assert row.status == "failed" and row.error is not None and row.error.startswith("20 steps in float32: its process")


@strict_only
def test_a_crash_at_the_very_end_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import atexit, os\natexit.register(os._exit, 9)\n"
    (tmp_path / "sitecustomize.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (row,) = child.isolated("array_api_strict")
    assert (row.status, row.notes) == ("passed", ["its process died (exit code 9), after all was done"])


@needs.cupy
def test_cupy_without_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    """The real command in a plain process: CuPy is not put over host memory there."""
    if has_gpu():
        pytest.skip("this machine has a GPU")
    assert main(["doctor", "--backend", "cupy", "--json"]) == 1
    out, err = capsys.readouterr()
    (row,) = json.loads(out)["backends"]
    assert (row["name"], row["status"], row["device"]) == ("cupy", "failed", {})
    assert row["error"].startswith('backend "cupy": ') and "nvidia-smi" in row["error"]
    assert row["versions"]["cupy"] and "Traceback" not in out + err


@needs.cupy_on_host
def test_two_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The real command, CuPy on host memory in its process, with two devices: a row for each, all proofs passed."""
    text = f"""
import sys
if "nnxp.doctor" in sys.orig_argv:
    from tests.helpers import hostcuda
    hostcuda.install({os.environ.get("NNXP_HOSTCUDA")!r}, devices=2)
    from nnxp.doctor import timing
    timing.SIZES, timing.BATCHES, timing.ROUNDS = (8, 8, 8, 4), (4, 8), 2
"""
    (tmp_path / "sitecustomize.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["doctor", "--backend", "cupy", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["backends"]
    assert (first["name"], second["name"]) == ("cupy", "cupy:1")
    for row in (first, second):
        assert row["status"] == "passed" and row["notes"] == []
        assert row["device"]["gpu"] and row["device"]["compute_capability"] == "9.0"
        assert row["device"]["memory_bytes"] >= row["device"]["free_bytes"] > 0
        assert set(row["versions"]) == {"cupy", "package", "CUDA runtime", "CUDA driver", "NVRTC"}
        assert row["counts"]["allocations"] >= 1 and row["timing"]["pays_up_to"] in (4, 8)
    assert main(["doctor", "--backend", "cupy:1", "--backend", "cupy:2", "--json"]) == 1
    second, third = json.loads(capsys.readouterr().out)["backends"]
    assert (second["name"], second["status"]) == ("cupy:1", "passed")
    assert third["error"].startswith('backend "cupy:2": this machine has 2 CUDA devices, numbered from 0')


# --- counts ----------------------------------------------------------------------------------------


def test_counts(backend: Target) -> None:
    found = counts.counts(get_backend(backend.spec, fast=False if backend.module == "numpy" else None))
    assert found["how"]
    if backend.module == "numpy":
        assert 0 < found["peak_bytes"] < 20_000  # a mixed-dtype ufunc's buffers; a hidden layer's outputs take 12,288
    elif backend.module == "torch":
        assert (found["allocations"], found["synchronisations"]) == (1, 0) and found["operations"] > 10
    elif backend.module == "cupy":
        assert found["allocations"] == 1  # the loss that is returned
    else:
        assert {found[k] for k in ("allocations", "launches", "operations", "synchronisations")} == {None}


@torch_only
def test_what_pytorch_does_is_counted() -> None:
    import torch

    x, out = torch.ones(3), torch.empty(3)

    def step() -> float:
        torch.add(x, x, out=out)
        return float((x * 2)[0])

    found = counts._torch(step)
    assert (found["allocations"], found["synchronisations"]) == (1, 1)  # the product; the number that is read
    assert found["operations"] >= 4


@pytest.mark.parametrize(
    ("done", "waits", "how"),
    [
        ([False, False], 0, "the step returned while the work before it was still running"),
        ([False, True], 1, "at least 1"),
        ([True, True], None, "not counted: this device works in step with the host"),
    ],
)
def test_whether_a_step_waits(done: list[bool], waits: int | None, how: str) -> None:
    """The decision, with events that are done or not; that a GPU's are is seen there (tests/backends/test_gpu.py)."""
    answers = iter(done)

    class Event:
        done = property(lambda self: next(answers))

        def record(self) -> None:
            pass

        def synchronize(self) -> None:
            pass

    stream = SimpleNamespace(synchronize=lambda: None)
    cuda = SimpleNamespace(Event=Event, get_current_stream=lambda: stream)
    cupy = SimpleNamespace(RawKernel=lambda source, name: lambda *launch: None, cuda=cuda)
    found, text = counts._waits(cupy, lambda: None)
    assert found == waits and text.startswith(how)


@needs.cupy_on_host
def test_a_device_in_step_with_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but the clock, which host memory has not: the launches and the events are CuPy's own."""
    import cupy

    monkeypatch.setattr(counts, "BUSY", 'extern "C" __global__ void nnxp_busy(const int cycles) { }')
    assert counts._waits(cupy, lambda: None) == (None, "not counted: this device works in step with the host")


@needs.device_compiler
@pytest.mark.parametrize("arch", nvrtc.ARCHITECTURES)
def test_the_kernel_that_keeps_a_device_busy_compiles(arch: str) -> None:
    (compiled,) = nvrtc.cubin(counts.BUSY, arch).values()
    assert compiled.spill_bytes == 0


def test_a_count_that_fails_is_none() -> None:
    assert counts._waits(SimpleNamespace(), lambda: None) == (None, "not counted (AttributeError)")


# --- timing ----------------------------------------------------------------------------------------


def test_where_a_device_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that takes 5 ms for anything, and a NumPy of 100 µs a row."""
    monkeypatch.setattr(timing, "steps", lambda backend, rows: (backend, rows))

    def in_turn(ours: Any, theirs: Any, rounds: int, seconds: float) -> tuple[float, float]:
        return ours[0], theirs[0] * theirs[1]

    monkeypatch.setattr(timing, "in_turn", in_turn)
    pays: Any = timing.pays
    assert pays(5e-3, 1e-4, 5.0) == {"pays_from": 64, "pays_up_to": 64}
    assert pays(5e3, 1e-4, 5.0) == {"pays_from": None, "pays_up_to": 8192}
    assert pays(5e-3, 1e-4, -1.0) == {"pays_from": None, "pays_up_to": 0}


def test_medians_in_turn() -> None:
    calls = []
    ours, theirs = timing.in_turn(lambda: calls.append("a"), lambda: calls.append("b"), 3, 10.0)
    assert "".join(calls) == "ab" * 4 and ours > 0 and theirs > 0
    calls.clear()
    timing.in_turn(lambda: calls.append("a"), lambda: calls.append("b"), 3, 0.0)
    assert "".join(calls) == "ab" * 2


# --- the machine -----------------------------------------------------------------------------------


@torch_only
def test_pytorchs_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the answers of a machine that has two GPUs."""
    import torch

    properties = SimpleNamespace(name="NVIDIA Test", major=9, minor=0, total_memory=1 << 34)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    names = ["torch", "torch:cuda:0", "torch:cuda:1"]
    assert [place.name for place in computer.places("torch")] == names
    assert [place.name for place in child._select("torch:cuda")] == names[1:]
    assert [place.name for place in child._select("torch:cuda:1")] == names[2:]
    device = computer.places("torch")[2].device
    assert device == {"name": "NVIDIA Test", "gpu": True, "compute_capability": "9.0", "memory_bytes": 1 << 34}


def test_what_is_not_there_is_asked_for() -> None:
    """So that the error says what is wrong."""
    (row,) = child.examine_library("numpy:gpu", lambda rows: None)
    assert (row.name, row.status) == ("numpy:gpu", "failed")
    assert row.error == "NumPy has no device 'gpu': use backend=\"numpy\""


def test_an_unknown_blas_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "show_config", lambda mode: {})
    assert computer.system()["blas"] == "unknown"


def test_a_warning_of_a_library_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "array_api_strict.py").write_text("import warnings; warnings.warn('two of me')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (row,) = child.isolated("array_api_strict")
    assert row.notes == ["two of me"]


def test_a_warning_belongs_to_the_device_that_raised_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_select", lambda name: [computer.Place(f"device {i}", {}) for i in range(2)])
    monkeypatch.setattr(
        child, "examine_place", lambda row, save: row.name[-1] == "0" and warnings.warn("hot", stacklevel=1)
    )
    assert [row.notes for row in child.examine_library("numpy", lambda rows: None)] == [["hot"], []]


def test_tf32_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUPY_TF32", "1")
    monkeypatch.setitem(sys.modules, "cupy", None)
    (row,) = child.examine_library("cupy", lambda rows: None)
    assert row.status == "failed" and row.error is not None and "which is missing" in row.error
    assert row.notes == ["CUPY_TF32=1 rounds the factors of float32 products to 10 bits: float32 will differ"]
