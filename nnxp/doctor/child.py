"""One library examined, in a process of its own: `python -m nnxp.doctor NAME FILE` writes its rows to the file."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import nnxp
from nnxp.backends import Backend, get_backend
from nnxp.doctor import computer
from nnxp.doctor.computer import Place
from nnxp.doctor.counts import counts
from nnxp.doctor.proofs import gradients, training
from nnxp.doctor.timing import timing
from nnxp.doctor.verdict import FAILED, RUNNING, Check, Row, one_line
from nnxp.errors import BackendUnavailableError

TIMEOUT = 180.0
"""Seconds that a library may take: the first use of CuPy compiles every kernel."""
REAPING = 5.0
"""Seconds for a killed process to end. One that waits for a broken driver may never do so."""

Save = Callable[[], None]


def isolated(name: str, timeout: float = TIMEOUT) -> list[Row]:
    """The rows of a backend, from another process; a row that says so where that one died or did not answer.

    Raises
    ------
    OSError
        There is no Python to start: the program is frozen (`sys.frozen`, as PyInstaller and its kin set it), or has
        Python inside. Starting it would run the program itself once more. Or no process can be started.
    """
    if getattr(sys, "frozen", False) or not sys.executable:
        raise OSError(
            f"got {sys.executable or 'no sys.executable'}, a frozen program, expected Python, since each library is "
            "examined in a process of its own: run `python -m nnxp doctor` in an environment with the same packages"
        )
    with tempfile.TemporaryDirectory(prefix="nnxp-doctor-", ignore_cleanup_errors=True) as folder:
        results, log = Path(folder, "rows.json"), Path(folder, "output.txt")
        home = str(Path(nnxp.__file__).parent.parent)  # also where nnxp was found through sys.path alone
        paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-P", "-m", "nnxp.doctor", name, str(results)]
        with log.open("wb") as output:
            env = {**os.environ, "PYTHONPATH": paths}
            try:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)
            except OSError as error:
                raise OSError(
                    f"got no process ({error.strerror}), expected one for each library that is examined: run `nnxp "
                    "doctor` where processes can be started, which they cannot in WebAssembly"
                ) from error
            trouble = _wait(process, timeout)
        rows = [Row.of(document) for document in json.loads(results.read_text("utf-8"))] if results.exists() else []
        rows = rows or [Row(name)]
        last = rows[-1]
        if last.status == RUNNING:
            said = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
            last.status, last.error = FAILED, f"{last.stage}: {trouble or 'nothing was found out'}"
            last.error += f"; its last words: {said[-1]}" if said else ""
        elif trouble:
            last.notes.append(f"{trouble}, after all was done")
        return rows


def _wait(process: "subprocess.Popen[bytes]", timeout: float) -> str:
    """What went wrong, when the process has ended or was ended; nothing where it ended well."""
    try:
        code = process.wait(timeout)
    except BaseException as error:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(REAPING)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return f"it did not answer within {timeout:g} seconds"
    return "" if code == 0 else f"its process died ({f'signal {-code}' if code < 0 else f'exit code {code}'})"


def examine_library(name: str, write: Callable[[Sequence[Row]], None]) -> list[Row]:
    """The rows of a library, or of the device that is named, in this process; `write` is called after each stage."""
    rows: list[Row] = []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        try:
            places = _select(name)
        except Exception:  # the import: asking for the backend says why, and how to mend it
            places = [Place(name, {})]
        for place in places:
            row = Row(place.name, versions=place.versions, device=place.device)
            if name.startswith("cupy") and os.environ.get("CUPY_TF32") == "1":
                row.notes.append("CUPY_TF32=1 rounds the factors of float32 products to 10 bits: float32 will differ")
            rows.append(row)
            examine_place(row, lambda: write(rows))
            row.notes += dict.fromkeys(" ".join(str(w.message).split()) for w in seen)
            seen.clear()
            write(rows)
    return rows


def _select(name: str) -> list[Place]:
    """The places that a name means; one that is not there is asked for all the same, for the error's sake."""
    library = name.partition(":")[0]
    name = "cupy" if name == "cupy:0" else name
    found = computer.places(library)
    if name == library:
        return found
    return [place for place in found if place.name == name or place.name.startswith(f"{name}:")] or [
        Place(name, found[0].versions)
    ]


def examine_place(row: Row, save: Save) -> None:
    """Fills a row, stage by stage; what is raised becomes its error."""

    def stage(name: str) -> None:
        row.stage = name
        save()

    try:
        stage("first product")
        backend = _backend(row.name)
        row.precision = backend.precision
        stage("gradients")
        row.gradients = _in_float64(row, backend, lambda: gradients(backend))
        stage("20 steps in float32")
        row.training["float32"] = training(backend, "float32")
        stage("20 steps in float64")
        if double := _in_float64(row, backend, lambda: training(backend, "float64")):
            row.training["float64"] = double
        stage("counts")
        row.counts = counts(backend)
        stage("timing")
        row.timing = timing(backend, bool(row.device.get("gpu")))
        row.judge()
    except BackendUnavailableError as error:
        row.status, row.error = FAILED, one_line(error)
    except Exception as error:
        row.status, row.error = FAILED, f"{row.stage}: {one_line(error)}"
    save()


def _backend(name: str) -> Backend:
    if name in ("numpy", "numpy+fast"):
        if name == "numpy+fast":
            import numba  # noqa: F401  where this fails, NumPy would compute in its place
        return get_backend("numpy", fast=name == "numpy+fast")
    return get_backend(name)


def _in_float64(row: Row, backend: Backend, prove: Callable[[], Check]) -> Check | None:
    """A proof that needs float64; None, and a note, where the device has none."""
    try:
        backend.with_dtype("float64")
    except ValueError as error:
        row.notes += [] if str(error) in row.notes else [str(error)]
        return None
    return prove()
