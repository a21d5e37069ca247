"""CUDA C++ to a shared object of this machine: by g++, kept on disk under a name made of all it depends on.

The source stays as it is, but for three things. Before it comes a header (``include/hostcuda.h``), after it come the
kernels' entry points (``HOSTCUDA_KERNEL``), and ``extern __shared__`` arrays become pointers. The header is compiled
once, and so is what runs a grid (``device/``): both cost more than a kernel, and CuPy has hundreds.
"""

import functools
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent / "include"
DEVICE = Path(__file__).resolve().parent / "device"
PREFIX = '#include "hostcuda.h"\n'

FLAGS = (
    "-std=c++17", "-O1", "-fPIC", "-w",
    "-ffp-contract=off",  # as the project's kernels are compiled for a device, with --fmad=false
    "-fno-math-errno", "-fno-strict-aliasing",
    "-U_FORTIFY_SOURCE",  # its longjmp refuses to change stacks
)  # fmt: skip
LINK_FLAGS = ("-shared", "-nodefaultlibs", "-lm", "-lc")  # not C++'s library: looking for it takes longer than the rest
CHECKED = "-DHOSTCUDA_CHECKED"
CHECKED_FLAGS = (
    CHECKED, "-g1", "-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0", "-fsanitize=bounds",
)  # fmt: skip

_EXTERN_C_KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(')
_DYNAMIC_SHARED = re.compile(
    r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s*)?([\w:<>\s]+?)\s*\b(\w+)\s*\[\s*\]\s*;"
)
_BARRIER = re.compile(r"__syncthreads|_sync\s*\(|__syncwarp")


class CompileError(Exception):
    """What g++ says against a source."""


def cache_folder() -> Path:
    """Where compiled kernels are kept: HOSTCUDA_CACHE, or a folder of this user's."""
    chosen = os.environ.get("HOSTCUDA_CACHE")
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"hostcuda-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def kernel_names(source: str) -> list[str]:
    """The kernels declared `extern "C"`."""
    return _EXTERN_C_KERNEL.findall(source)


def build(
    source: str,
    kernels: Mapping[str, str],
    *,
    options: Sequence[str] = (),
    include: Sequence[str] = (),
    prefix: str = PREFIX,
    checked: bool = False,
) -> Path:
    """The shared object of a source.

    Parameters
    ----------
    source
        CUDA C++.
    kernels
        The name that each kernel is found under, and the kernel: a function or an instance of a template.
    options
        NVRTC's options; only ``-D`` matters here.
    include
        Folders of headers, beside the tool's own.
    prefix
        Includes that come first, precompiled together.
    checked
        Whether each load and store of the kernels is checked (``include/hostcuda/checks.h``).

    Raises
    ------
    CompileError
        With g++'s message; lines are counted in ``source``.
    """
    text = _translate(source, kernels, options)
    flags = (*FLAGS, *(CHECKED_FLAGS if checked else ()))
    target = cache_folder() / f"{_key(text, prefix, *flags, *include)}.so"
    if target.exists():
        return target
    once = _compiled_once(prefix, flags, tuple(include))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="compiling-") as scratch:
        code, made = Path(scratch, "kernel.cu"), Path(scratch, "kernel.so")
        code.write_text(text)
        search = (f"-I{once}", *(f"-I{folder}" for folder in include))
        compile_it = ("g++", *flags, *search, "-x", "c++", str(code), "-x", "none")
        objects = [str(path) for path in once.glob("*.o")]
        if checked:  # in two steps: linked without the flags, so that no sanitizer's library comes in
            _run(*compile_it, "-c", "-o", f"{scratch}/kernel.o")
            _run("g++", f"{scratch}/kernel.o", *objects, *LINK_FLAGS, "-o", str(made))
        else:
            _run(*compile_it, *objects, *LINK_FLAGS, "-o", str(made))
        os.replace(made, target)  # whole or not at all, whoever else compiles it now
    return target


def _translate(source: str, kernels: Mapping[str, str], options: Sequence[str]) -> str:
    # -D becomes #define, after the header: a macro named T would change it.
    defines = [option.removeprefix("-D").partition("=") for option in options if option.startswith("-D")]
    source = _DYNAMIC_SHARED.sub(r"\1*& \2 = reinterpret_cast<\1*&>(hostcuda::dynamic_shared);", source)
    fibers = "true" if _BARRIER.search(source) else "hostcuda::checked"
    return "\n".join(
        [
            '#include "prefix.h"',
            *(f"#define {name} {value if equals else 1}" for name, equals, value in defines),
            '#line 1 "kernel.cu"',
            source,
            *(f"HOSTCUDA_KERNEL({alias}, {fibers}, {kernel})" for alias, kernel in kernels.items()),
            "",
        ]
    )


def _compiled_once(prefix: str, flags: tuple[str, ...], include: tuple[str, ...]) -> Path:
    """A folder with prefix.h and prefix.h.gch, and the objects that every kernel is linked to."""
    folder = cache_folder() / f"once-{_key(prefix, *flags, *include)}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="compiling-") as scratch:
            made = Path(scratch, "made")
            made.mkdir()
            (made / "prefix.h").write_text(prefix)
            search = [f"-I{path}" for path in (INCLUDE, *include)]
            _run("g++", *flags, *search, "-x", "c++-header", str(made / "prefix.h"), "-o", str(made / "prefix.h.gch"))
            checked = [CHECKED] if CHECKED in flags else []
            for name in ("grid", "checks") if checked else ("grid",):
                _run("g++", *FLAGS, *checked, *search, "-c", str(DEVICE / f"{name}.cpp"), "-o", str(made / f"{name}.o"))
            try:
                made.rename(folder)
            except OSError:  # another process was faster
                if not folder.exists():
                    raise
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CompileError(done.stderr)


@functools.cache
def _tools() -> str:
    """The compiler's version and the contents of what is ours."""
    version = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout
    headers = sorted(path for folder in (INCLUDE, DEVICE) for path in folder.rglob("*") if path.is_file())
    return version + "".join(path.read_text() for path in (Path(__file__), *headers))


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join([_tools(), *parts]).encode()).hexdigest()[:32]
