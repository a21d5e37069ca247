"""The real CuPy, run on this machine's memory and processor.

What `install` changes, before CuPy is imported: the one module of CuPy that has CUDA's runtime inside is loaded from
the build; ``libcuda`` and ``libcublas`` are the build's; and a kernel that CuPy compiles goes to g++, the project's
own also to NVRTC. All else is the wheel as it was released.
"""

import ctypes
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.helpers.hostcuda import compiler, layout, nvrtc
from tests.helpers.hostcuda.kernel import ORDERS

# Where the project's kernels are also compiled for: the architecture that the stand-ins say they are.
CHECKED_ARCHITECTURE = "90"
OWN_PREFIX = "nnxp_"

# What CuPy puts before each of its generated kernels, precompiled together.
CUPY_PREFIX = f"""{compiler.PREFIX}// of CuPy {layout.pinned("cupy-cuda13x")}
#include <cupy/complex.cuh>
#include <cupy/carray.cuh>
#include <cupy/atomics.cuh>
#include <cupy/math_constants.h>
"""


class _Counters(ctypes.Structure):  # stand_ins/state.h
    _fields_ = [(n, ctypes.c_long) for n in ("launches", "products", "syncs", "d2h", "h2d", "d2d", "mallocs")]


_driver: Any = None  # libcuda's stand-in, once it is installed


def install(folder: str | os.PathLike[str], *, devices: int = 1, missing: Collection[str] = ()) -> None:
    """Put CuPy on host memory, in this process, once, before anything imports CuPy.

    Parameters
    ----------
    folder
        That of ``python -m tests.helpers.hostcuda.build FOLDER``.
    devices
        How many there are; 0 is a machine with a driver and no visible GPU.
    missing
        Libraries that cannot be found: ``"cublas"``, ``"nvrtc"``.

    Raises
    ------
    RuntimeError
        CuPy is imported already, or the folder holds no build of these sources.
    """
    global _driver
    folder = Path(folder).resolve()
    if "cupy" in sys.modules:
        raise RuntimeError("tests.helpers.hostcuda.install must come before the first import of cupy")
    if not layout.is_built(folder):
        raise RuntimeError(
            f"{folder} is not built, or from other sources: python -m tests.helpers.hostcuda.build {folder}"
        )
    os.environ.setdefault("HOSTCUDA_CACHE", str(folder / "kernels"))
    os.environ["CUPY_ACCELERATORS"] = ""  # CUB and cuTENSOR come as code for devices
    _driver = ctypes.CDLL(str(folder / "libcuda.so.1"), ctypes.RTLD_GLOBAL)
    _driver.hostcuda_read_kernels.restype = ctypes.c_size_t
    _driver.hostcuda_set_devices(devices)
    sys.meta_path.insert(0, _Runtime(folder / f"runtime{layout.EXTENSION}"))
    _replace_libraries(folder, missing)
    _replace_compiler()
    _refuse_random()


def counters(reset: bool = False) -> dict[str, int]:
    """What was asked of the device since the last reset.

    ``launches`` (kernels, products and fills), ``products`` (of matrices, by cuBLAS), ``syncs`` (the host waited),
    ``d2h``, ``h2d``, ``d2d`` (copies) and ``mallocs`` (cudaMalloc itself, not CuPy's pool).
    """
    values = _Counters()
    _driver.hostcuda_read_counters(ctypes.byref(values), reset)
    return {name: getattr(values, name) for name, *_ in _Counters._fields_}


def kernels() -> dict[str, int]:
    """How often each kernel was launched since the last reset of `counters`."""
    buffer = ctypes.create_string_buffer(_driver.hostcuda_read_kernels(None, ctypes.c_size_t(0)))
    _driver.hostcuda_read_kernels(buffer, ctypes.c_size_t(len(buffer)))
    lines = (line.rsplit(" ", 1) for line in buffer.value.decode().splitlines())
    return {name: int(count) for name, count in lines}


def order(name: str) -> None:
    """Let blocks and threads take their turns ``"forward"``, in ``"reverse"`` or in a ``"shuffle"``."""
    _driver.hostcuda_set_order(ORDERS.index(name))


def null_launches(on: bool) -> None:
    """Let launches and products return at once, with nothing done: what is left is the host's time."""
    _driver.hostcuda_set_null_launches(int(on))


def memory(total: int) -> None:
    """Set how many bytes each device has (8 GiB at first). What is allocated stays."""
    _driver.hostcuda_set_memory(ctypes.c_size_t(total))


class _Runtime(importlib.abc.MetaPathFinder):
    """Finds the rebuilt module in place of the wheel's."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != layout.RUNTIME:
            return None
        loader = importlib.machinery.ExtensionFileLoader(fullname, self.path)
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


def _replace_libraries(folder: Path, missing: Collection[str]) -> None:
    from cuda import pathfinder

    stand_ins = {
        name: ctypes.CDLL(str(next(folder.glob(f"lib{name}.so.*"))), ctypes.RTLD_GLOBAL)
        for name in ("cublas", "cublasLt")
        if name not in missing
    }
    find = pathfinder.load_nvidia_dynamic_lib

    def load_nvidia_dynamic_lib(name: str) -> Any:
        if name in missing:
            raise pathfinder.DynamicLibNotFoundError(f'Failure finding "lib{name}.so"')
        if name in stand_ins:
            return pathfinder.LoadedDL(stand_ins[name]._name, True, stand_ins[name]._handle, "hostcuda")
        return find(name)

    pathfinder.load_nvidia_dynamic_lib = load_nvidia_dynamic_lib


def _replace_compiler() -> None:
    from cupy.cuda import compiler as cupy_compiler
    from cupy.cuda import function
    from cupy_backends.cuda.libs import nvrtc as cupy_nvrtc

    def compile_with_cache(
        source: str,
        options: tuple[str, ...],
        arch: str | None,
        extra_source: str | None = None,
        backend: str = "nvrtc",
        enable_cooperative_groups: bool = False,
        name_expressions: Sequence[str] | None = None,
        log_stream: Any = None,
        cache_in_memory: bool = False,
        jitify: bool = False,
        to_ltoir: bool = False,
    ) -> Any:
        cupy_nvrtc.getVersion()  # raises CuPy's own error where NVRTC is missing
        expressions = {f"expression_{i}": name for i, name in enumerate(name_expressions or ())}
        found = {name: name for name in compiler.kernel_names(source)} | expressions
        if _is_ours(found):
            _check_with_nvrtc(source, options, tuple(expressions.values()))
        try:
            path = _compile(source, found, options)
        except compiler.CompileError as error:
            raise cupy_compiler.CompileException(str(error), source, "kernel.cu", options, "nvrtc") from None
        module = function.Module()
        module.load(f"HOSTCUDA:{path}".encode() + b"\0")
        if name_expressions:
            module._set_mapping({name: alias for alias, name in expressions.items()})
        return module

    cupy_compiler._compile_with_cache_cuda = compile_with_cache


def _compile(source: str, found: dict[str, str], options: Sequence[str]) -> Path:
    import cupy

    headers = str(Path(cupy.__file__).parent / "_core" / "include")
    prefix = CUPY_PREFIX if "#include" in source else compiler.PREFIX
    include = (str(compiler.INCLUDE), headers) if "#include" in source else ()
    return compiler.build(source, found, options=options, include=include, prefix=prefix)


def _is_ours(found: dict[str, str]) -> bool:
    return os.environ.get("HOSTCUDA_CHECK") == "all" or any(name.startswith(OWN_PREFIX) for name in found.values())


def _check_with_nvrtc(source: str, options: Sequence[str], names: Sequence[str]) -> None:
    """Compile for a real device too, as CuPy would; a source that passed is not tried again."""
    from cupy.cuda.compiler import CompileException

    given = (*options, "-ftz=true", "--device-as-default-execution-space")
    key = hashlib.sha256("\0".join((source, *given, *names, CHECKED_ARCHITECTURE)).encode()).hexdigest()
    passed = compiler.cache_folder() / f"{key[:32]}.nvrtc"
    if passed.exists():
        return
    try:
        nvrtc.cubin(source, CHECKED_ARCHITECTURE, given, names)
    except nvrtc.NVRTCError as error:
        raise CompileException(str(error), source, "kernel.cu", given, "nvrtc") from None
    passed.touch()


def _refuse_random() -> None:
    """Let cupy.random raise: it launches code compiled for devices, which would do nothing here."""
    import cupy

    def refusal(name: str) -> Any:
        def refuse(*arguments: object, **options: object) -> None:
            raise NotImplementedError(f"cupy.random.{name} does not run on host memory (tests/helpers/hostcuda)")

        return refuse

    for name, member in vars(cupy.random).items():
        if callable(member) and not name.startswith("_"):
            setattr(cupy.random, name, refusal(name))
