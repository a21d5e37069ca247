"""What this machine has: Python and NumPy, the array libraries, their versions, their devices."""

import importlib
import importlib.util
import os
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import nnxp
from nnxp.backends import blas, cupy_check

LIBRARIES = ("numpy", "numpy+fast", "array_api_strict", "torch", "cupy")
PACKAGES = {"numpy+fast": "numba"}
"""The package that decides whether a library is there, where it is not of the same name."""
INSTALL = {
    "numpy+fast": 'pip install "nnxp[fast]"',
    "array_api_strict": "pip install array-api-strict",
    "torch": 'pip install "nnxp[torch]"',
    "cupy": 'pip install "nnxp[cupy13]" (CUDA 13) or "nnxp[cupy12]" (CUDA 12)',
}
VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "CUPY_ACCELERATORS", "CUPY_TF32", "NNXP_FAST", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    *blas.VARIABLES,
)  # fmt: skip
"""What changes results, speeds or devices."""


@dataclass(frozen=True)
class Place:
    """A library on one device, before it has computed anything."""

    name: str
    versions: dict[str, str]
    device: dict[str, Any] = field(default_factory=dict)


def system() -> dict[str, Any]:
    """The head of the report."""
    built = _known(lambda: np.show_config(mode="dicts")["Build Dependencies"]["blas"], {})
    return {
        "nnxp": nnxp.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "numpy": np.__version__,
        "blas": " ".join(str(built[key]) for key in ("name", "version") if built.get(key)) or "unknown",
        "blas_threads": blas.of_process().words("products of fewer than 2**27 multiply-adds"),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def installed(library: str) -> bool:
    """Whether the library is there; nothing is imported."""
    return importlib.util.find_spec(PACKAGES.get(library, library)) is not None


def places(library: str) -> list[Place]:
    """The library on each of its devices; one place of unknown device where it cannot say."""
    if library == "torch":
        return _torch()
    if library == "cupy":
        return _cupy()
    package = PACKAGES.get(library, library)
    versions = {package: str(getattr(importlib.import_module(package), "__version__", "unknown"))}
    return [Place(library, {"numpy": np.__version__, **versions}, {"name": "CPU", "gpu": False})]


def _torch() -> list[Place]:
    import torch

    versions = {"torch": str(torch.__version__)}
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    extra = {"BLAS": blas and blas[1], "CUDA": torch.version.cuda, "ROCm": torch.version.hip}
    versions |= {name: str(version) for name, version in extra.items() if version}
    found = [Place("torch", versions, {"name": "CPU", "gpu": False})]
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator().type
        found += [
            Place(f"torch:{kind}:{i}", versions, _torch_device(torch, kind, i))
            for i in range(torch.accelerator.device_count())
        ]
    return found


def _torch_device(torch: Any, kind: str, index: int) -> dict[str, Any]:
    properties = _known(lambda: getattr(torch, kind).get_device_properties(index), None)
    device = {"name": getattr(properties, "name", kind), "gpu": True}
    if hasattr(properties, "major"):
        device["compute_capability"] = f"{properties.major}.{properties.minor}"
    if hasattr(properties, "total_memory"):
        device["memory_bytes"] = int(properties.total_memory)
    return device


def _cupy() -> list[Place]:
    import cupy

    runtime = cupy.cuda.runtime
    versions = {"cupy": str(cupy.__version__), "package": ", ".join(cupy_check.installed())}
    for name, ask in (
        ("CUDA runtime", runtime.runtimeGetVersion),
        ("CUDA driver", runtime.driverGetVersion),
        ("NVRTC", lambda: 1000 * (version := cupy.cuda.nvrtc.getVersion())[0] + 10 * version[1]),
    ):
        number = _known(ask, 0)
        versions[name] = cupy_check.version(number) if number else "none"
    count = _known(runtime.getDeviceCount, 0)  # why there is none is said when the backend is asked for
    return [Place("cupy" if i == 0 else f"cupy:{i}", versions, _cupy_device(cupy, i)) for i in range(count)] or [
        Place("cupy", versions)
    ]


def _cupy_device(cupy: Any, index: int) -> dict[str, Any]:
    properties = _known(lambda: cupy.cuda.runtime.getDeviceProperties(index), {})
    free, total = _known(lambda: cupy.cuda.Device(index).mem_info, (None, properties.get("totalGlobalMem")))
    device = {
        "name": properties.get("name", b"unknown").decode(errors="replace"),
        "gpu": True,
        "compute_capability": f"{properties['major']}.{properties['minor']}" if "major" in properties else None,
        "memory_bytes": total,
        "free_bytes": free,
    }
    return {key: value for key, value in device.items() if value is not None}


def _known(ask: Callable[[], Any], otherwise: Any) -> Any:
    """An answer, or what stands for none: a version that cannot be read is no reason to stop."""
    try:
        return ask()
    except Exception:
        return otherwise
