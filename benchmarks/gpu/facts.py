"""The machine as it was found: the GPU, its driver and clocks, the processor, the versions."""

import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import machine, measurements
from benchmarks.gpu import contenders
from benchmarks.gpu.part import Row, Setting, attempt

PACKAGES = ("numpy", "cupy", "cupy-cuda12x", "cupy-cuda13x", "array-api-compat", "torch", "triton", "jax", "jaxlib")
ALWAYS = ("name", "driver_version", "pstate", "clocks.sm", "clocks.mem", "temperature.gpu", "utilization.gpu")
ASKED = (
    *ALWAYS,
    *("clocks.max.sm", "clocks.max.mem", "power.draw", "power.limit", "memory.total", "memory.used"),
    *("ecc.mode.current", "mig.mode.current"),
)
"""Of nvidia-smi; an old one refuses all where it does not know one, and is asked for the first few. Nothing that tells
this GPU from another of its kind."""
SAID = 20
"""Seconds that nvidia-smi may take."""


def rows(setting: Setting) -> Iterator[Row]:
    """What the host is, then what CuPy's runtime says, then nvidia-smi; each by itself, for each may fail."""
    yield attempt({"case": "host"}, host)
    yield attempt({"case": "runtime"}, runtime)
    yield attempt({"case": "nvidia-smi"}, smi)


def host() -> Row:
    import nnxp

    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": machine.versions(*PACKAGES) | {"nnxp": nnxp.__version__},
        "commit": commit(),
        "datetime": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M"),
    }


def runtime() -> Row:
    import cupy

    calls = cupy.cuda.runtime
    properties = calls.getDeviceProperties(0)
    names = ("major", "minor", "multiProcessorCount", "totalGlobalMem", "l2CacheSize", "memoryBusWidth")
    found: dict[str, Any] = {"gpu": properties["name"].decode()} | {name: properties.get(name) for name in names}
    optional: dict[str, Callable[[], Any]] = {
        "clock_rate_khz": lambda: properties["clockRate"],  # CUDA 13 has it no more
        "driver": calls.driverGetVersion,
        "runtime": calls.runtimeGetVersion,
        "cublas": lambda: cupy.cuda.cublas.getVersion(cupy.cuda.Device().cublas_handle),
        "free_bytes": lambda: cupy.cuda.Device().mem_info[0],
    }
    for name, ask in optional.items():
        with suppress(Exception):
            found[name] = ask()
    return found


def smi() -> Row:
    """What nvidia-smi says of the GPU that CuPy computes on."""
    program = shutil.which("nvidia-smi")
    if program is None:
        raise contenders.Unavailable("nvidia-smi is not on the path")
    import cupy

    which: list[str] = []
    with suppress(cupy.cuda.runtime.CUDARuntimeError):  # no such name: then the first one listed
        which = ["-i", cupy.cuda.runtime.deviceGetPCIBusId(0)]
    return {"smi": queried(program, which)}


def queried(program: str, which: list[str]) -> dict[str, str]:
    """nvidia-smi's answers."""
    for names in (ASKED, ALWAYS):
        command = [program, f"--query-gpu={','.join(names)}", "--format=csv,noheader,nounits", *which]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SAID)
        if answer.returncode == 0:
            values = answer.stdout.strip().splitlines()[0].split(", ")
            return dict(zip(names, values, strict=True))
    said = (answer.stdout + answer.stderr).strip().splitlines()
    raise contenders.Unavailable(f"nvidia-smi: {said[-1] if said else f'code {answer.returncode}'}")


def processor() -> str:
    """The processor's name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> Row:
    """The checkout's commit, and whether its files differ from it; None for each where git does not say."""
    answers: list[str | None] = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        try:
            done = subprocess.run(
                ["git", *command], cwd=measurements.ROOT, capture_output=True, text=True, timeout=SAID, check=True
            )
            answers.append(done.stdout.strip())
        except (OSError, subprocess.SubprocessError):
            answers.append(None)
    return {"id": answers[0], "dirty": None if answers[1] is None else bool(answers[1])}
