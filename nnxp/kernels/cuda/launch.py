"""CUDA kernels and the one way to launch them: nothing reaches a kernel that it did not declare.

CuPy's `RawKernel` passes what it is given: an int64 array to an `int*`, a float64 to a `float`, and the numbers are
wrong without an error. A `Launcher` reads the kernel's own declaration and holds every argument to it.
"""

import re
import threading
import weakref
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from nnxp.kernels.cuda.source import C_TYPES
from nnxp.typing import Array

OPTIONS = ("--fmad=false",)
"""No contraction of a product and a sum: results have the roundings of the other backends."""
NUMPY_TYPES = {c: np.dtype(kind) for kind, c in C_TYPES.items()} | {"unsigned": np.dtype("uint32")}
LARGEST_GRID = 2**31 - 1, 65535
"""What CUDA allows in x and in y."""
COLUMNS, ROWS = 32, 8
"""The block of threads of a kernel over matrices, in x and in y."""


class Parameter(NamedTuple):
    """A kernel's parameter: a pointer to elements of a type, or a value of it."""

    name: str
    dtype: Any
    pointer: bool


def kernel_source(text: str, **types: str | int) -> str:
    """A CUDA C++ source: what the text leaves open, the sums and maxima of `reduce.cuh`, the text.

    Parameters
    ----------
    text
        Kernels, or the name of a file beside this one, without its ".cu".
    types
        What the names in capitals stand for: `T="float"`, `Label="long long"` as types, `INDICES=1` as a macro.
    """
    text = _read(f"{text}.cu") if text.isidentifier() else text
    return prelude(**types, COLUMNS=COLUMNS, ROWS=ROWS) + _read("reduce.cuh") + text


def prelude(**types: str | int) -> str:
    """The lines that say what a kernel's text leaves open."""
    return "".join(
        f"typedef {value} {name};\n" if isinstance(value, str) else f"#define {name} {value}\n"
        for name, value in types.items()
    )


def _read(file: str) -> str:
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")


def declaration(text: str, name: str) -> list[Parameter]:
    """The parameters that a kernel declares in its text."""
    found = re.search(rf"\bvoid\s+{name}\s*\(([^)]*)\)", text)
    if found is None:
        raise ValueError(f"got a text without a kernel {name}")
    types = {made: kind for kind, made in re.findall(r"typedef ([\w ]+) (\w+);", text)}
    parameters = []
    for part in found[1].split(","):
        words = re.sub(r"\b(const|volatile|__restrict__)\b", "", part).replace("*", " * ").split()
        kind = " ".join(word for word in words[:-1] if word != "*")
        while kind in types:
            kind = types[kind]
        parameters.append(Parameter(words[-1], NUMPY_TYPES[kind], "*" in words))
    return parameters


class Memory(NamedTuple):
    """What is known of a contiguous array: its dtype and its device's number."""

    array: weakref.ref[Any]
    dtype: Any
    device: int


def memory_of(x: Array) -> Memory | None:
    """What a kernel has to know of a CuPy array; None where it is not one, or not contiguous. It does not change while
    the array lives, and a training step's arrays are the same from step to step: to ask again would cost as much as a
    launch."""
    known = _known.get(id(x))
    if known is not None and known.array() is x:
        return known
    if not is_cupy(x) or not x.flags.c_contiguous:
        return None
    if len(_known) >= REMEMBERED:
        _known.clear()
    known = _known[id(x)] = Memory(weakref.ref(x), x.dtype, x.data.device_id)
    return known


REMEMBERED = 4096
_known: dict[int, Memory] = {}


def is_cupy(x: Any) -> bool:
    """Whether x is an array of CuPy itself, and of no subclass."""
    return type(x).__name__ == "ndarray" and type(x).__module__.partition(".")[0] == "cupy"


class Launcher:
    """A kernel: `launcher(grid, block, *arguments)`, one argument for each parameter of its declaration.

    Arrays are CuPy's, contiguous, of the declared type, on the current device; None is a null pointer. Numbers are
    converted to the declared type.

    Raises
    ------
    TypeError
        At a call: too few or too many arguments, or an array of another library or type.
    ValueError
        At a call: an array that is not contiguous or on another device, or a grid that is empty or too large.
    """

    def __init__(self, text: str, name: str) -> None:
        import cupy

        self.text, self.name, self.parameters = text, name, declaration(text, name)
        self._raw = cupy.RawKernel(text, name, options=OPTIONS)
        self._device = cupy.cuda.runtime.getDevice

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
        """Puts the kernel into the current stream; it does not wait for it."""
        if len(arguments) != len(self.parameters):
            raise TypeError(f"{self.name}: got {len(arguments)} arguments, expected {len(self.parameters)}")
        if not (1 <= grid[0] <= LARGEST_GRID[0] and 1 <= grid[-1] <= LARGEST_GRID[len(grid) - 1]):
            raise ValueError(f"{self.name}: got a grid of {grid} blocks, expected 1 to {LARGEST_GRID}")
        device, passed = self._device(), []
        for (name, dtype, pointer), x in zip(self.parameters, arguments, strict=True):
            if not pointer:
                x = dtype.type(x)
            elif x is not None:
                known = memory_of(x)
                if known is None or known.dtype != dtype or known.device != device:
                    raise self._refusal(name, dtype, x, device)
            passed.append(x)
        self._raw(grid, block, tuple(passed))

    def _refusal(self, name: str, dtype: Any, x: Any, device: int) -> Exception:
        """What is wrong with an array."""
        place = f"{self.name}, argument {name}: got"
        if not is_cupy(x):
            return TypeError(f"{place} {type(x).__module__}.{type(x).__name__}, expected an array of CuPy")
        if x.dtype != dtype:
            return TypeError(f"{place} {x.dtype}, expected {dtype}: cast it first")
        if not x.flags.c_contiguous:
            return ValueError(f"{place} an array that is not C-contiguous: make it so, cupy.ascontiguousarray(x)")
        return ValueError(
            f"{place} an array on device {x.data.device_id}, expected one on device {device}, the current"
        )


class Workspace(threading.local):
    """What the blocks of a launch leave for the last of them: totals, and counters that are 0 between launches.

    One for each thread, stream and device, so that two launches that overlap do not share it.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[Array, Array]] = {}

    def take(self, kind: str, totals: int, counters: int) -> tuple[Array, Array]:
        """Vectors of at least these lengths; the first holds anything."""
        import cupy

        key = (kind, cupy.cuda.runtime.getDevice(), cupy.cuda.get_current_stream().ptr)
        kept = self._kept.get(key)
        if kept is None or kept[0].size < totals or kept[1].size < counters:
            if kept is not None:  # never shorter: kernels take turns
                totals, counters = max(totals, kept[0].size), max(counters, kept[1].size)
            kept = self._kept[key] = cupy.empty(totals, kind), cupy.zeros(counters, "uint32")
        return kept


workspace = Workspace()
