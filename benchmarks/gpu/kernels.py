"""The kernels of nnxp's step and the gaps between them, by PyTorch's profiler or by nsys, whichever is there.

A profiler slows the host, so the gaps are upper bounds; a kernel's own time is what it was.
"""

import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import measurements
from benchmarks.gpu import contenders, parts
from benchmarks.gpu.part import Row, Setting, attempt
from benchmarks.problems import STEPS, Problem

STEPS_SEEN = 20
SHOWN = 12
"""Kernels in a row of the file, those that take longest."""
CASES = (parts.SMALLEST, STEPS[1], STEPS[3])
PATIENCE = 60
"""Seconds for nsys."""

Span = tuple[str, float, float]
"""What the device did, from when to when, in microseconds."""


def rows(setting: Setting) -> Iterator[Row]:
    """A row for some sizes; without a profiler one that says so."""
    profiler = tool()  # PyTorch before CuPy: each is content with the CUDA libraries that PyTorch brings
    contenders.prepare("cupy", setting.precision)
    for number, case in enumerate(CASES[:1] if setting.small else CASES):
        about = {"case": case.name, "profiler": profiler.__doc__}
        yield attempt(about, lambda n=number: summed(profiler(n), STEPS_SEEN))


def tool() -> Callable[[int], list[Span]]:
    """The profiler that there is."""
    if contenders.on_host_memory():
        raise contenders.Unavailable("there is no device to look at")
    if importlib.util.find_spec("torch"):
        import torch

        if torch.cuda.is_available():
            return by_torch
    if shutil.which("nsys"):
        return by_nsys
    raise contenders.Unavailable("neither PyTorch with CUDA nor nsys is here")


def stepping(number: int) -> Callable[[], None]:
    """Some steps of a case, after those that compile; waits for the device."""
    running = contenders.nnxp(Problem(CASES[number]), "float32")

    def run() -> None:
        for _ in range(STEPS_SEEN):
            loss = running.step()
        running.clock.wait(loss)

    run()
    return run


def by_torch(number: int) -> list[Span]:
    """PyTorch's profiler"""
    import torch
    from torch.profiler import ProfilerActivity, profile

    run = stepping(number)
    torch.zeros(1, device="cuda")
    for _ in range(2):  # the first one sets the profiler up, in the midst of the steps
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            run()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(trace))
        return in_trace(json.loads(trace.read_text()))


def in_trace(trace: dict[str, Any]) -> list[Span]:
    """What the device did, of a trace in Chrome's format."""
    kinds = {"kernel", "gpu_memcpy", "gpu_memset"}
    events = [event for event in trace["traceEvents"] if event.get("cat") in kinds]
    return [(event["name"], float(event["ts"]), float(event["ts"]) + float(event["dur"])) for event in events]


def by_nsys(number: int) -> list[Span]:
    """nsys"""
    with tempfile.TemporaryDirectory() as folder:
        command = ["nsys", "profile", "--trace=cuda", "--sample=none", "--cpuctxsw=none", "--export=sqlite"]
        command += ["--capture-range=cudaProfilerApi", "--capture-range-end=stop", f"--output={folder}/seen"]
        command += [sys.executable, "-m", "benchmarks.gpu.kernels", str(number)]
        done = subprocess.run(command, cwd=measurements.ROOT, capture_output=True, text=True, timeout=PATIENCE)
        database = Path(folder, "seen.sqlite")
        if not database.is_file():
            raise contenders.Unavailable(f"nsys: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
        return in_database(database)


def in_database(path: Path) -> list[Span]:
    """What the device did, of nsys's export."""
    spans: list[Span] = []
    with sqlite3.connect(path) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "CUPTI_ACTIVITY_KIND_KERNEL" in tables:
            asked = "SELECT value, start, end FROM CUPTI_ACTIVITY_KIND_KERNEL JOIN StringIds ON id = shortName"
            spans += database.execute(asked).fetchall()
        for kind in ("MEMCPY", "MEMSET"):
            if f"CUPTI_ACTIVITY_KIND_{kind}" in tables:
                spans += database.execute(f"SELECT '{kind}', start, end FROM CUPTI_ACTIVITY_KIND_{kind}").fetchall()
    return [(name, start / 1e3, end / 1e3) for name, start, end in spans]


def summed(spans: Sequence[Span], steps: int) -> Row:
    """For a step: what was launched, how long the device was busy, from the first to the last, and idle in between."""
    if not spans:
        raise contenders.Unavailable("the profiler saw no kernels")
    ordered = sorted(spans, key=lambda span: span[1])
    busy, until = 0.0, ordered[0][1]
    times: dict[str, list[float]] = defaultdict(list)
    for name, start, end in ordered:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
        times[name].append(end - start)
    whole = until - ordered[0][1]
    longest = sorted(times.items(), key=lambda item: -sum(item[1]))[:SHOWN]
    return {
        "launches": len(spans) / steps,
        "busy": busy / steps / 1e6,
        "gaps": (whole - busy) / steps / 1e6,
        "kernels": [
            {"name": name[:100], "launches": len(each) / steps, "seconds": sum(each) / steps / 1e6}
            for name, each in longest
        ],
    }


if __name__ == "__main__":  # what nsys looks at
    import cupy

    steps = stepping(int(sys.argv[1]))
    cupy.cuda.profiler.start()
    steps()
    cupy.cuda.profiler.stop()
