"""Build the stand-ins for CUDA's libraries: ``python -m tests.helpers.hostcuda.build FOLDER``.

It needs g++ and an environment with ``requirements.txt`` installed; from the package index it takes CuPy's sources,
of which one Cython module is rebuilt. A folder that is up to date is left as it is.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.helpers.hostcuda import compiler
from tests.helpers.hostcuda.layout import EXTENSION, REQUIREMENTS, RUNTIME, STAMP, STAND_INS, is_built, key, pinned


def build(folder: Path) -> None:
    """Build into a folder, which is marked as finished at the end and not before.

    Raises
    ------
    RuntimeError
        The pinned CuPy is not installed here.
    subprocess.CalledProcessError
        A command failed; its output was shown.
    """
    if is_built(folder):
        return
    version = pinned("cupy-cuda13x")
    try:
        installed = importlib.metadata.version("cupy-cuda13x")
    except importlib.metadata.PackageNotFoundError:
        installed = "none"
    if installed != version:
        raise RuntimeError(
            f"expected cupy-cuda13x {version}, got {installed}: {sys.executable} -m pip install -r {REQUIREMENTS}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as scratch:
        made = _build(Path(scratch), version)
        for path in made:
            os.replace(path, folder / path.name)
    (folder / STAMP).write_text(key())


def _build(scratch: Path, version: str) -> list[Path]:
    import cupy  # without a GPU this works, and says where its files are and for which CUDA
    from cuda.pathfinder import find_nvidia_header_directory

    cuda_version: int = cupy.cuda.driver.get_build_version()
    installed = Path(cupy.__file__).parent.parent
    headers = find_nvidia_header_directory("cudart")
    # CuPy's sources include these two, one of which needs headers that the pip packages spread elsewhere.
    (scratch / "cuda_runtime.h").write_text("#include <cuda_runtime_api.h>\n#include <driver_functions.h>\n")
    (scratch / "cuda_profiler_api.h").write_text(
        'extern "C" cudaError_t cudaProfilerStart();\nextern "C" cudaError_t cudaProfilerStop();\n'
    )
    include = [f"-I{folder}" for folder in (STAND_INS, compiler.INCLUDE, scratch, headers)]

    driver = scratch / "libcuda.so.1"
    _link(driver, [STAND_INS / "driver.cpp"], include, soname=True)

    blas = scratch / f"libcublas.so.{cuda_version // 1000}"
    wanted = _undefined(installed / f"cupy_backends/cuda/libs/cublas{EXTENSION}", "cublas")
    versions = scratch / "blas.map"  # CuPy asks for the symbols by the library's version
    versions.write_text(f"{blas.name} {{ global: cublas*; local: *; }};\n")
    objects = [_object(STAND_INS / "blas.cpp", include, "-O3")]
    objects.append(_object(_refusals(scratch / "blas_refusals.cpp", wanted - _defined(objects[0]), 15), include))
    _link(blas, [*objects, driver], [f"-Wl,--version-script={versions}"], soname=True)
    blas_lt = scratch / f"libcublasLt.so.{cuda_version // 1000}"  # loaded beside it, and never called
    (scratch / "empty.cpp").touch()
    _link(blas_lt, [scratch / "empty.cpp"], [], soname=True)

    sources = _sources(scratch, version)
    generated = _cythonize(sources, cuda_version)
    include += [f"-I{sysconfig.get_path('include')}", f"-I{sources / 'cupy_backends/cuda/api'}"]
    include += [f"-I{sources / 'cupy_backends'}"]
    objects = [_object(generated, include, "-O1"), _object(STAND_INS / "runtime.cpp", include, "-O2")]
    missing = _undefined(objects[0], "cuda") - _defined(objects[1])
    objects.append(_object(_refusals(scratch / "runtime_refusals.cpp", missing, 801), include))
    runtime = scratch / f"runtime{EXTENSION}"
    _link(runtime, [*objects, driver], ["-Wl,-rpath,$ORIGIN"])
    return [driver, blas, blas_lt, runtime]


def _sources(scratch: Path, version: str) -> Path:
    """CuPy's sdist, as far as it is needed."""
    requirement = f"cupy=={version}"
    download = ("-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation", "--no-binary", ":all:")
    # The name and version are asked for by running setup.py, which must not look for CUDA.
    _run(sys.executable, *download, "--dest", str(scratch), requirement, env={"CUPY_INSTALL_USE_STUB": "1"})
    (archive,) = scratch.glob("cupy-*.tar.gz")
    with tarfile.open(archive) as tar:
        needed = [member for member in tar if "/cupy_backends/" in member.name]
        tar.extractall(scratch, needed, filter="data")
    return scratch / f"cupy-{version}"


def _cythonize(sources: Path, cuda_version: int) -> Path:
    source = sources / Path(*RUNTIME.split(".")).with_suffix(".pyx")
    target = source.with_suffix(".cpp")
    # As CuPy's own setup.py has them.
    names = {
        "CUPY_USE_CUDA_PYTHON": False,
        "CUPY_CUFFT_STATIC": False,
        "CUPY_CYTHON_VERSION": repr(importlib.metadata.version("Cython")),
        "CUPY_CUDA_VERSION": cuda_version,
        "CUPY_HIP_VERSION": 0,
    }
    directives = ("embedsignature", "c_api_binop_methods", "freethreading_compatible")
    options = [f"--compile-time-env={name}={value}" for name, value in names.items()]
    options += [f"--directive={name}=True" for name in directives] + ["--directive=binding=False"]
    cython = (sys.executable, "-m", "cython", "--cplus", "-3", *options, f"-I{sources}")
    _run(*cython, str(source), "--output-file", str(target))
    return target


def _refusals(path: Path, names: Iterable[str], status: int) -> Path:
    """C++ of functions that say on stderr that they are not there, and return a status."""
    lines = [f'extern "C" int {name}() {{ return refuse("{name}"); }}' for name in sorted(names)]
    path.write_text(
        "#include <cstdio>\nstatic int refuse(const char* name) {\n"
        f'    fprintf(stderr, "hostcuda: %s does not run on host memory\\n", name);\n    return {status};\n}}\n'
        + "\n".join(lines)
        + "\n"
    )
    return path


def _object(source: Path, options: Iterable[str], optimise: str = "-O0") -> Path:
    target = source.with_suffix(".o")
    if target.parent == STAND_INS:  # nothing is left beside the sources
        target = Path(next(o for o in options if "building-" in o).removeprefix("-I")) / target.name
    _run("g++", "-std=c++17", "-fPIC", "-w", optimise, *options, "-c", str(source), "-o", str(target))
    return target


def _link(target: Path, sources: Iterable[Path], options: Iterable[str], soname: bool = False) -> None:
    name = [f"-Wl,-soname,{target.name}"] if soname else []
    files = map(str, sources)
    _run("g++", "-std=c++17", "-fPIC", "-w", "-O2", "-shared", *options, *files, "-o", str(target), *name, "-ldl")


def _symbols(path: Path, prefix: str, kinds: str, *options: str) -> set[str]:
    listing = subprocess.run(["nm", *options, str(path)], capture_output=True, text=True, check=True).stdout
    found = re.findall(rf"^[0-9a-f ]*([{kinds}]) (\w+)", listing, re.MULTILINE)
    return {name for _, name in found if name.startswith(prefix)}


def _undefined(path: Path, prefix: str) -> set[str]:
    return _symbols(path, prefix, "U", *(["-D"] if path.suffix == ".so" else []))


def _defined(path: Path) -> set[str]:
    return _symbols(path, "cu", "T")


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        done.check_returncode()


def main() -> None:
    """Build into the folder that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.helpers.hostcuda.build FOLDER")
    if shutil.which("g++") is None:
        sys.exit("hostcuda needs g++ (Debian, Ubuntu: apt-get install g++)")
    build(Path(sys.argv[1]).resolve())


if __name__ == "__main__":
    main()
