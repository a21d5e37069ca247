"""NVIDIA's own compiler on a machine without a GPU: does a CUDA source compile for a device, and does it fit?

NVRTC comes from the pip package ``nvidia-cuda-nvrtc``; it needs no driver, no device and no CuPy.
"""

import ctypes
import functools
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHITECTURES = ("75", "80", "90", "100")  # Turing, Ampere, Hopper, Blackwell

# What ptxas says of each kernel in turn; only the numbers that are not 0 are all there.
_ENTRY = re.compile(r"Compiling entry function '(\w+)'")
_NUMBERS = {
    "registers": re.compile(r"Used (\d+) registers"),
    "stack_bytes": re.compile(r"(\d+) bytes stack frame"),
    "spill_bytes": re.compile(r"(\d+) bytes spill (?:stores|loads)"),
    "shared_bytes": re.compile(r"(\d+) bytes smem"),
}


class NVRTCError(Exception):
    """What NVRTC says against a source."""


@dataclass(frozen=True)
class Cubin:
    """One kernel as the machine code of one architecture."""

    name: str
    arch: str
    size: int  # bytes of the whole image, with the source's other kernels
    registers: int  # a thread
    stack_bytes: int  # a thread's local arrays, and what was spilled
    spill_bytes: int  # stores and loads of registers that did not fit
    shared_bytes: int  # a block's arrays whose size is in the source


def is_installed() -> bool:
    """Whether the pip package with NVRTC is there."""
    return _library_path() is not None


def cubin(source: str, arch: str, options: Sequence[str] = (), names: Sequence[str] = ()) -> dict[str, Cubin]:
    """Compile a source for one architecture.

    Parameters
    ----------
    source
        CUDA C++.
    arch
        The compute capability without its dot: ``"75"``, ``"90"``, ``"100"``.
    options
        NVRTC's: ``--fmad=false``, ``-DN=4``, ``-I...``.
    names
        The instances of templates to compile (``"softmax<float>"``); kernels that are ``extern "C"`` always are.

    Returns
    -------
    dict
        By the kernel's name: that of ``names``, or the function's.

    Raises
    ------
    NVRTCError
        With the compiler's lines.
    FileNotFoundError
        NVRTC is not installed.
    """
    nvrtc = _nvrtc()
    program = ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None))
    try:
        for name in names:
            _check(nvrtc.nvrtcAddNameExpression(program, name.encode()))
        given = [option.encode() for option in (f"-arch=sm_{arch}", "--ptxas-options=-v", *options)]
        status = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
        log = _read(program, "ProgramLog").rstrip(b"\0").decode()
        if status:
            raise NVRTCError(log.strip() or f"nvrtcCompileProgram: error {status}")
        lowered = {_lowered_name(program, name): name for name in names}
        size = len(_read(program, "CUBIN"))
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    _, *entries = _ENTRY.split(log)
    found = {}
    for symbol, text in zip(entries[::2], entries[1::2], strict=True):
        numbers = {key: sum(map(int, pattern.findall(text))) for key, pattern in _NUMBERS.items()}
        name = lowered.get(symbol, symbol)
        found[name] = Cubin(name, arch, size, **numbers)
    return found


def _lowered_name(program: ctypes.c_void_p, name: str) -> str:
    lowered = ctypes.c_char_p()
    _check(_nvrtc().nvrtcGetLoweredName(program, name.encode(), ctypes.byref(lowered)))
    assert lowered.value is not None
    return lowered.value.decode()


def _read(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(_nvrtc(), f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(getattr(_nvrtc(), f"nvrtcGet{what}")(program, buffer))
    return buffer.raw


def _check(status: int) -> None:
    if status:
        raise NVRTCError(_nvrtc().nvrtcGetErrorString(status).decode())


@functools.cache
def _nvrtc() -> Any:
    path = _library_path()
    if path is None:
        raise FileNotFoundError('no NVRTC here: pip install "nvidia-cuda-nvrtc==13.2.*"')
    library = ctypes.CDLL(str(path))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def _library_path() -> Path | None:
    packages = importlib.util.find_spec("nvidia")
    folders = packages.submodule_search_locations if packages else None
    found = [path for folder in folders or () for path in Path(folder).glob("*/lib/libnvrtc.so.*")]
    return next((path for path in found if "alt" not in path.name), None)
