"""Whether CuPy computes on this machine, found out once, and what is said where it does not."""

import functools
import os
from types import ModuleType

import numpy as np

from nnxp.errors import BackendUnavailableError

WHEELS = ("cupy", "cupy-cuda12x", "cupy-cuda13x")
NO_DRIVER, NO_DEVICE = 35, 100
"""`cudaErrorInsufficientDriver`, which also stands for no driver at all, and `cudaErrorNoDevice`."""
OR_NOT = 'or use backend="numpy" or "auto"'


def device_index(cupy: ModuleType, device: str) -> int:
    """The number of the device that is asked for ("" for the current one).

    Raises
    ------
    BackendUnavailableError
        CUDA does not start, there is no GPU, or none of this number.
    """
    count = _device_count(cupy)
    if isinstance(count, str):
        raise BackendUnavailableError(count)
    index = int(device) if device else int(cupy.cuda.runtime.getDevice())
    if index >= count:
        raise BackendUnavailableError(
            f'backend "cupy:{index}": this machine has {count} CUDA device{"s" if count > 1 else ""}, numbered from 0. '
            'Use backend="cupy" for the first'
        )
    return index


def prove(cupy: ModuleType, index: int) -> None:
    """Raises BackendUnavailableError where a device does not compute: what is missing shows only when it is used."""
    if complaint := _complaint(cupy, index):
        raise BackendUnavailableError(complaint)


# Both are remembered, a failure too: on a broken machine a driver can take 10 s to say that it is broken.


@functools.cache
def _device_count(cupy: ModuleType) -> int | str:
    """How many devices there are, or why there is none."""
    runtime = cupy.cuda.runtime
    try:
        return int(runtime.getDeviceCount())
    except Exception as error:
        cause, fix = _cause(runtime, getattr(error, "status", None))
        return f'backend "cupy": {cause} ({first_line(error)}). {_twice() or fix}, {OR_NOT}'


def _cause(runtime: ModuleType, status: int | None) -> tuple[str, str]:
    """Why there is no device, and what to do."""
    fix = "Install or update the NVIDIA driver and see that `nvidia-smi` lists a GPU"
    if status == NO_DRIVER:
        driver, needed = int(runtime.driverGetVersion()), int(runtime.runtimeGetVersion())
        if not driver:
            return "there is no NVIDIA driver", fix
        older = ' or pip install "nnxp[cupy12]"' if driver // 1000 == 12 < needed // 1000 else ""
        return f"the NVIDIA driver is for CUDA {version(driver)}, this CuPy for {version(needed)}", (
            "Update the driver" + older
        )
    if status == NO_DEVICE:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        if hidden is None:
            return "the driver sees no GPU", fix
        return f'the driver sees no GPU with CUDA_VISIBLE_DEVICES="{hidden}"', "Unset that variable"
    return "CUDA does not start", fix


def version(number: int) -> str:
    """13020 is 13.2."""
    return f"{number // 1000}.{number % 1000 // 10}"


@functools.cache
def _complaint(cupy: ModuleType, index: int) -> str:
    """One kernel and one product on a device: "" where they give what they should."""
    name = f"cupy:{index}" if index else "cupy"
    try:
        with cupy.cuda.Device(index):
            ones = cupy.ones((2, 2), dtype=cupy.float32)  # a kernel that NVRTC compiles
            product = cupy.asnumpy(cupy.matmul(ones, ones))
    except MemoryError as error:  # this may pass, so it is not remembered
        raise BackendUnavailableError(
            f"{name} has no memory left: {first_line(error)}. `nvidia-smi` says who uses it; end that, {OR_NOT}"
        ) from error
    except Exception as error:
        return f"{name} does not compute: {first_line(error)}. {_twice() or _libraries()}, {OR_NOT}"
    if not np.array_equal(product, np.full((2, 2), 2, dtype=np.float32)):
        return (
            f"{name} does not compute: a product of ones is {product.tolist()}, not 2. {_twice() or _libraries()}, "
            f"{OR_NOT}"
        )
    return ""


def import_fix(error: Exception) -> str:
    """What to do where CuPy is installed and its import fails."""
    if isinstance(error, OSError):
        return "Its cache folder has to be writable: set CUPY_CACHE_DIR to a folder that is"
    return _twice() or 'Reinstall it: pip install --force-reinstall "nnxp[cupy13]" (CUDA 13) or "nnxp[cupy12]" (12)'


def first_line(error: Exception) -> str:
    """The line of an error's text that says what happened; CuPy draws frames around some of its own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" =-")]
    lines = [line for line in lines if not line.startswith(("In file included from", "from "))] or lines
    if "Original error:" in lines[:-1]:
        lines = lines[lines.index("Original error:") + 1 :]
    return lines[0].rstrip(" .:") if lines else type(error).__name__


def installed() -> list[str]:
    """The packages of CuPy that are installed: they share their files, so only one may be."""
    from importlib import metadata  # slow, and wanted only where something is wrong

    return sorted({name for name in WHEELS if any(metadata.distributions(name=name))})


def _twice() -> str:
    """What to do where several packages of CuPy lie over each other; "" where one does."""
    names = installed()
    if len(names) < 2:
        return ""
    return (
        f"CuPy is installed {len(names)} times ({', '.join(names)}): pip uninstall {' '.join(names)}, then install one"
    )


def _libraries() -> str:
    """How the CUDA libraries come to the package that is installed."""
    wheel = next((name for name in installed() if name != "cupy"), "cupy-cuda13x")
    return f'The CUDA libraries that CuPy needs come with pip install "{wheel}[ctk]"'
