"""nnxp's CUDA kernels without CuPy: the library's own launches, of kernels that g++ compiled (tests/helpers/hostcuda).

The functions of `nnxp.kernels.cuda` build and launch kernels as they do on a device. What they take from CuPy, its two
kinds of kernel and its arrays, is given by a `Unit` and by NumPy.
"""

import ctypes
import functools
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nnxp.kernels import source
from nnxp.kernels.cuda import cupy_kernels, fusion
from nnxp.kernels.cuda.launch import LARGEST_GRID, OPTIONS, kernel_source
from nnxp.kernels.cuda.source import C_TYPES
from nnxp.kernels.graph import Graph
from nnxp.typing import Kernel
from tests.helpers.hostcuda import compiler, nvrtc
from tests.helpers.hostcuda.kernel import HostKernel

Host = npt.NDArray[Any]
FLOATS = ("float32", "float64")
REAL = ("cos", "erf", "exp", "expm1", "log", "log1p", "sin", "tanh")
"""The words of formulas whose last bits depend on the library."""
ELEMENTS = """extern "C" __global__ void {name}({parameters}, const long long _n)
{{
    const long long _step = (long long)blockDim.x * gridDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < _n; i += _step) {{
{loop}
    }}
}}
"""
# g++ puts the static variables of a template where the checks do not see them: reduce.cuh's gets a place elsewhere.
PLACE = "__shared__ __align__(8) char place[8 * 32]; "
PLACED = "__shared__ X parts[WARP];", "X (&parts)[WARP] = *reinterpret_cast<X (*)[WARP]>(place);"


class Unit:
    """Kernels that are compiled together, when the first of them is launched.

    Parameters
    ----------
    kind
        The type that `T` stands for.
    text
        The kernels, or the name of a file of nnxp's; more may be added.
    edit
        What is done to the source before it is compiled.
    """

    def __init__(
        self,
        kind: str,
        text: str = "",
        edit: Callable[[str], str] = str,
        sanitize: bool = True,
        **types: str | int,
    ) -> None:
        self.kind, self.text, self.edit, self.sanitize, self.types = kind, text, edit, sanitize, types
        self.order = "forward"
        self.scalars: Sequence[str] = ()  # the parameters of the next ElementwiseKernel that are numbers
        self.count = 0

    @property
    def source(self) -> str:
        """All of it."""
        return self.edit(kernel_source(self.text or "\n", T=C_TYPES[self.kind], **self.types))

    @functools.cached_property
    def kernels(self) -> dict[str, HostKernel]:
        """By name; nothing is added to the text from then on."""
        names = compiler.kernel_names(self.source)
        assert PLACED[0] in self.source, "reduce.cuh is not as it was"
        path = compiler.build(PLACE + self.source.replace(*PLACED), {n: n for n in names}, checked=self.sanitize)
        return {name: Ready(path, name, self.sanitize) for name in names}

    def launcher(self, text: str, name: str) -> Callable[..., None]:
        """In place of `Launcher`: of a kernel that is one of many, under a name of its own."""
        assert "kernels" not in vars(self), "compiled already"
        self.count += 1
        self.text += re.sub(rf"\b{name}\b", f"{name}_{self.count}", text)
        return functools.partial(self.launch, f"{name}_{self.count}")

    def launch(self, name: str, grid: Sequence[int], block: Sequence[int], *arguments: Any) -> None:
        """Run a kernel; numbers are converted as a `Launcher` does, and None is a null pointer."""
        kernel, codes = self.kernels[name], self.kernels[name].parameters
        assert all(1 <= n <= most for n, most in zip(grid, LARGEST_GRID, strict=False)), grid
        passed = [
            x if isinstance(x, np.ndarray) else np.uint64(0) if x is None else np.dtype(code).type(x)
            for x, code in zip(arguments, codes, strict=True)
        ]
        kernel.parameters = ["u8" if x is None else code for x, code in zip(arguments, codes, strict=True)]
        try:
            kernel(grid, block, passed, order=self.order)
        finally:
            kernel.parameters = codes

    def elementwise(self, ins: str, outs: str, operation: str, name: str, **_: Any) -> Callable[..., None]:
        """In place of CuPy's ElementwiseKernel, for contiguous arrays: its loop, references to the elements, and blocks
        of 128 threads."""
        parameters, loop, arrays = [], [], []
        inputs = [text for text in ins.split(", ") if text]
        for k, text in enumerate([*inputs, *outs.split(", ")]):
            *raw, kind, given = text.split()
            const, kind = "const " if k < len(inputs) else "", C_TYPES.get(kind, kind)
            if given in self.scalars or not (given.endswith("_") or given.startswith("out")):
                parameters.append(f"const {kind} {given}")
                continue
            arrays += [] if raw else [k]
            parameters.append(f"{const}{kind}* p{k}")
            loop.append(f"{const}{kind}{'*' if raw else '&'} {given} = p{k}{'' if raw else '[i]'};")
        lines = "\n".join([*loop, operation])
        text = ELEMENTS.format(name=name, parameters=", ".join(parameters), loop=lines)
        launch = self.launcher(text, name)

        def kernel(*arguments: Any) -> None:
            n = arguments[arrays[0]].size
            assert all(arguments[k].size == n for k in arrays)
            if n:
                launch((-(-n // 128),), (128,), *arguments, n)

        return kernel


class Ready(HostKernel):
    """One of the kernels of a shared object."""

    def __init__(self, path: Path, name: str, sanitize: bool) -> None:
        self.name, self.sanitize, self._path = name, sanitize, path
        library = ctypes.CDLL(str(path))
        signature = library[f"hostcuda_signature_{name}"]
        signature.restype = ctypes.c_char_p
        self.parameters = signature().decode().split(",")
        self._launch = library[f"hostcuda_launch_{name}"]


class Workspace:
    """In place of the `Workspace`: exactly as large as asked for, what was left there is NaN, and counters that are not
    0 after a launch are an error at the next."""

    def __init__(self) -> None:
        self.counters = np.zeros(0, np.uint32)

    def take(self, kind: str, totals: int, counters: int) -> tuple[Host, Host]:
        """As that one."""
        assert not self.counters.any(), "the last launch left its counters"
        kept = self.counters
        self.counters = kept if kept.size == counters else np.zeros(counters, np.uint32)
        return np.full(totals, np.nan if kind in FLOATS else -1, kind), self.counters


@contextmanager
def without_cupy(unit: Unit) -> Iterator[None]:
    """Formulas become kernels of the unit."""
    stand_in = types.ModuleType("cupy")
    stand_in.ElementwiseKernel = unit.elementwise  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", stand_in)
        patch.setattr(fusion, "Launcher", unit.launcher)
        patch.setattr(fusion, "rows_source", lambda text, kind, column_sums: text)
        yield


class Fused:
    """A formula as `nnxp.kernels.calls` has it compiled for arguments like these: made in `without_cupy`, called with
    the arrays and numbers in the order of the parameters."""

    def __init__(
        self, unit: Unit, graph: Graph, arguments: Sequence[Any], into: Sequence[str] = (), column_sums: bool = False
    ) -> None:
        self.unit, self.graph, self.into, self.column_sums = unit, graph, into, column_sums
        self.workspace = Workspace()
        given = [(p, a) for p, a in zip(graph.parameters, arguments, strict=True) if not p.scalar]
        types = tuple((a.dtype.name, a.ndim) if isinstance(a, np.ndarray) else ("number", 0) for _, a in given)
        single = [p for p, a in given if p.shape != "full" and np.size(a) == 1]
        flat = not column_sums and len(single) == sum(p.shape != "full" for p, _ in given)
        unit.scalars = [f"{p.value}_" for p, a in given if not isinstance(a, np.ndarray)]
        compiled = fusion.Compiled(graph, into, column_sums)
        self.loop = compiled(unit.kind, types, flat, tuple(map(source.name, single)))

    def __call__(self, *arguments: Any) -> tuple[Host, ...]:
        """The results, and the sums; in arrays that are overwritten, in copies of them."""
        named = {
            p.value: a.copy() if p.value in self.into else a
            for p, a in zip(self.graph.parameters, arguments, strict=True)
        }
        arrays = [named[p.value] for p in self.graph.parameters if not p.scalar]
        numbers = [named[p.value] for p in self.graph.parameters if p.scalar]
        shape = next(named[p.value].shape for p in self.graph.parameters if p.shape == "full")
        outs = [np.full(shape, 7, "bool" if o.boolean else self.unit.kind) for o in self.graph.outputs]
        sums = [np.full((1, shape[1]), 7, self.unit.kind)] if self.column_sums else []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fusion, "workspace", self.workspace)
            self.loop(*arrays, *([] if self.into else outs), *sums, *numbers)
        return (*(named[name] for name in self.into), *([] if self.into else outs), *sums)


@contextmanager
def named_kernels(
    kind: str, order: str = "forward", edit: Callable[[str], str] = str, sanitize: bool = True
) -> Iterator[dict[str, Kernel]]:
    """The table of `cupy_kernels`; what it would leave to the reference fails."""
    dropped = Unit(kind, edit=edit, sanitize=sanitize)
    dropped.order = order
    stand_in = types.ModuleType("stand_in")
    for name, value in {"empty": unwritten, "ElementwiseKernel": dropped.elementwise}.items():
        setattr(stand_in, name, value)
    stand_in.empty_like = lambda x: unwritten(x.shape, x.dtype)  # type: ignore[attr-defined]

    def launcher(file: str, name: str, kind: str, **types: str | int) -> Callable[..., None]:
        unit = unit_of(file, kind, edit, sanitize, **types)
        unit.order = order
        return functools.partial(unit.launch, f"nnxp_{name}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cupy_kernels, "launcher", launcher)
        patch.setattr(cupy_kernels, "memory_of", lambda x: x if x.flags.c_contiguous else None)
        for module in (cupy_kernels, fusion):
            patch.setattr(module, "workspace", Workspace())
        yield cupy_kernels.cupy_kernels(stand_in, types.SimpleNamespace())


@functools.cache
def unit_of(file: str, kind: str, edit: Callable[[str], str] = str, sanitize: bool = True, **types: str | int) -> Unit:
    """The kernels of one of nnxp's files."""
    return Unit(kind, file, edit, sanitize, **types)


def unwritten(shape: Any, dtype: Any) -> Host:
    """Memory that holds anything."""
    return np.full(shape, 7, dtype)


def libm(word: str) -> Callable[[Host], Host]:
    """A function of the C library, element by element: what the kernels call here."""
    library = ctypes.CDLL("libm.so.6")

    def function(x: Host) -> Host:
        single = x.dtype == np.float32
        called = library[word + ("f" if single else "")]
        called.argtypes = [ctypes.c_float if single else ctypes.c_double]
        called.restype = called.argtypes[0]
        return np.array([called(v) for v in x.ravel().tolist()], x.dtype).reshape(x.shape)

    return function


def evaluated(graph: Graph, arguments: Sequence[Any], words: Mapping[str, Any]) -> tuple[Host, ...]:
    """A graph line by line in NumPy, with these functions for its words."""
    straight = source.build(source.straight(graph), graph.name, **words)
    with np.errstate(all="ignore"):
        result = straight(*arguments)
    return result if isinstance(result, tuple) else (result,)


def exact_words() -> dict[str, Any]:
    """NumPy's, and the C library's where the last bits depend on the library."""
    return source.words(np) | {f"_{word}": libm(word) for word in REAL}


def wide(*arrays: Any) -> list[Any]:
    """In float64."""
    return [a.astype(float) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in arrays]


def close(got: Host, exact: Any, error: Any) -> None:
    """Within an error; what is not finite is the same."""
    exact, error = np.broadcast_to(exact, got.shape), np.broadcast_to(error, got.shape)
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(got[~finite], exact[~finite])
    assert (np.abs(got[finite] - exact[finite]) <= error[finite]).all(), np.max(np.abs(got - exact)[finite])


def fit(unit: Unit, arch: str, record_property: Callable[[str, object], None]) -> int:
    """How many kernels a unit has for an architecture; each fits: no spills, and registers for two blocks of 256
    threads on a multiprocessor, which has 65,536, so that one computes while the other waits. (255, the most that a
    thread can have, would do for one block.) CUDA's own cosine and sine of doubles have a stack of 40 bytes, where the
    digits of 2/π go by which large arguments are reduced: no value of a kernel's is in it."""
    found = nvrtc.cubin(unit.source, arch, OPTIONS)
    for cubin in found.values():
        told = f"sm_{arch} {unit.kind} {cubin.name}"
        print(f"{told:60} {cubin.registers:3} registers {cubin.shared_bytes:5} bytes shared")
        record_property(told, cubin.registers)
        own_stack = 40 if unit.kind == "float64" and "cosine" in cubin.name else 0
        assert cubin.spill_bytes == 0 and cubin.stack_bytes in (0, own_stack), told
        assert 2 * 256 * cubin.registers <= 65536, told
    return len(found)
