"""The machine, the versions and the threads of this process, in words."""

import importlib.metadata
import os
import platform
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def threads() -> dict[str, Any]:
    """What the environment asks for, and what every BLAS and OpenMP that is loaded reports."""
    from threadpoolctl import threadpool_info

    asked = " ".join(f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ)
    reported = {f"{pool['internal_api']} ({pool['prefix']})": pool["num_threads"] for pool in threadpool_info()}
    return {"asked": asked or f"default of {os.cpu_count()} CPUs", "reported": reported}


def versions(*packages: str) -> dict[str, str]:
    """Python's and the packages' versions; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The processor, memory, system, versions and BLAS: what a reader needs to judge a figure. No host's name."""
    import numpy  # noqa: F401  its BLAS is one of those listed
    from cpuinfo import get_cpu_info
    from threadpoolctl import threadpool_info

    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    cpu = get_cpu_info()
    return {
        "cpu": cpu.get("brand_raw", platform.processor()),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions("nnxp", "numpy", "numba", "torch"),
        "blas": sorted({f"{p['internal_api']} {p['version']} for {p.get('architecture', '?')}" for p in blas}),
        "threads": threads(),
    }
