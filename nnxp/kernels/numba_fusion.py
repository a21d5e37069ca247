"""Compiled fusion: a graph as one loop, compiled by numba and kept on disk.

Every literal and number is in the arrays' dtype, and nothing is reordered or contracted, so that results
are those of NumPy's functions, bit for bit but for the sign of a zero from `maximum` and `minimum`. Only
formulas of arithmetic, comparison and square root: numba's exp, log, tanh and cos are slower than NumPy's
(`nnxp.kernels.cutting` compiles what is between those).
"""

import functools
import importlib.util
import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnxp.kernels import source
from nnxp.kernels.graph import BINARY, UNARY, Graph, Node
from nnxp.kernels.source import name

WORDS = {
    "abs": "abs({0})",
    "sqrt": "math.sqrt({0})",
    "sign": "(T(1) if {0} > T(0) else T(-1) if {0} < T(0) else T(0) if {0} == T(0) else {0})",
    "maximum": "({0} if {0} >= {1} or {0} != {0} else {1})",
    "minimum": "({0} if {0} <= {1} or {0} != {0} else {1})",
    "where": "({1} if {0} else {2})",
    "invert": "~{0}",
    "reciprocal": "(1.0 / {0})",
}
"""The words that are compiled; NaN passes through as in NumPy's."""


def compilable(graph: Graph) -> bool:
    """Whether a graph is of compiled words alone, with results that are arrays of full shape."""
    operations = {node.op for node in graph.live()} - {"parameter", "constant"}
    return operations <= {*BINARY, *UNARY, *WORDS} and all(o.shape == "full" for o in graph.outputs)


def loop_source(
    graph: Graph, into: Sequence[str], column_sums: bool, kind: str, single: Sequence[str] = (), flat: bool = True
) -> str:
    """A module whose function `graph.name(arrays, outs, sums, numbers)` is one loop over all elements.

    Parameters
    ----------
    into
        The parameters that are overwritten.
    kind
        The dtype of the arithmetic: "float32", "float64" or "int64".
    single
        The rows and columns that are one number, as arrays () or (1, 1).
    flat
        Whether the loop runs over the elements in order, or over rows and columns.
    """
    arrays = [p for p in graph.parameters if not p.scalar]
    outs = [name(p) for t in into for p in arrays if p.value == t] or (
        ["out"] if len(graph.outputs) == 1 else [f"out{i}" for i in range(len(graph.outputs))]
    )
    before, text = [], {}
    for p in arrays:
        x = name(p)
        if x in single:
            before.append(f"{x}_0 = {_converted(p, graph, f'{x}.flat[0]')}")
            text[p] = f"{x}_0"
        elif flat:
            before.append(f"{x} = {x}.reshape(-1)")
    fresh = [] if into else outs
    before += [f"{out} = {out}.reshape(-1)" for out in fresh] if flat else []
    at = {"full": "[i]" if flat else "[i, j]", "row": "[0, j]", "column": "[i, 0]"}
    loads = []
    for p in arrays:
        if p not in text:
            text[p] = f"{name(p)}_{'i' if flat else 'ij'}"
            loads.append(f"{text[p]} = {_converted(p, graph, name(p) + at[p.shape])}")
    lines = _lines(graph, text, before)
    stores = [f"{out}{at['full']} = {text[node]}" for out, node in zip(outs, graph.outputs, strict=True)]
    if column_sums:
        stores.append(f"sums[0, j] += {text[graph.outputs[0]]}")
        before.append("sums[:] = T(0)")
    body = [*loads, *lines, *stores]
    if flat:
        loop = [f"for i in range({outs[0]}.size):", *(f"    {line}" for line in body)]
    else:
        loop = [f"for i in range({outs[0]}.shape[0]):", f"    for j in range({outs[0]}.shape[1]):"]
        loop += [f"        {line}" for line in body]
    scalars = [name(p) for p in graph.parameters if p.scalar]
    parameters = [*map(name, arrays), *fresh, *(["sums"] if column_sums else []), *scalars]
    return (
        f"import math\nfrom math import inf as _inf, nan as _nan\n\nimport numpy as np\n\nT = np.{kind}\n\n\n"
        + source.function(graph.name, parameters, [*before, *loop])
    )


def _converted(p: Node, graph: Graph, text: str) -> str:
    return text if p in graph.conditions else f"T({text})"


def _lines(graph: Graph, text: dict[Node, str], before: list[str]) -> list[str]:
    """The arithmetic of one element; what is the same for all is done before the loop."""
    lines: list[str] = []

    def on_host(node: Node) -> str:
        return f"({_expression(node, [on_host(a) for a in node.args])})" if node.args else source.on_host(node)

    def operand(node: Node) -> str:
        if node.op == "constant" and node not in text:
            text[node] = str(node.value) if node.boolean else f"T({source.literal(node.value)})"
        elif node not in text:
            text[node] = f"s{len(before)}"
            before.append(f"{text[node]} = T({on_host(node)})")
        return text[node]

    for node in graph.live():
        if not node.scalar and node not in text:
            expression = _expression(node, [operand(a) for a in node.args])
            text[node] = f"t{len(lines)}"
            lines.append(f"{text[node]} = {expression}")
    return lines


def _expression(node: Node, operands: list[str]) -> str:
    if node.op in BINARY:
        return f"{operands[0]} {BINARY[node.op]} {operands[1]}"
    if node.op in WORDS and not (node.op == "invert" and node.boolean):
        return WORDS[node.op].format(*operands)
    return f"{'not ' if node.op == 'invert' else UNARY[node.op]}{operands[0]}"


_IMPORT = threading.Lock()


@functools.cache
def _numba() -> Any:
    """numba, or None where it is installed but does not import, or is not to compile (NUMBA_DISABLE_JIT)."""
    try:
        import numba
    except Exception as error:  # it refuses a NumPy that is newer than it knows, for one
        warnings.warn(
            f"numba is installed but does not import, so NumPy computes the formulas: {error}. "
            "Update numba, or set NNXP_FAST=0",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return None if numba.config.DISABLE_JIT else numba


def numba_imports() -> bool:
    """Whether numba can be used; asked once, where the first loop is needed."""
    return _numba() is not None


def cache_folder() -> Path:
    """Where compiled functions are kept: NNXP_CACHE_DIR, else `nnxp` in the user's cache folder."""
    if folder := os.environ.get("NNXP_CACHE_DIR"):
        return Path(folder)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "nnxp" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "nnxp"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nnxp"


def compile_function(text: str, title: str, signature: Any = None) -> Any:
    """numba's compiled function of a module's source, from the disk where it was compiled before.

    Parameters
    ----------
    text
        The source of a module that defines `title`, and imports what it uses.
    title
        The function's name.
    signature
        numba's; by default the function is compiled when it is called, for the types it is called with.

    Returns
    -------
    numba's dispatcher
    """
    options = {"error_model": "numpy", "nogil": True}
    numba = _numba()
    try:
        with _IMPORT:
            function = _from_file(text, title, numba.__version__)
        return numba.jit(signature, cache=True, **options)(function)
    except Exception:  # no folder can be written, or a file in it is damaged: compiled without them
        scope: dict[str, Any] = {"__name__": f"nnxp_{title}"}
        exec(compile(text, f"<nnxp {title}>", "exec"), scope)
        return numba.jit(signature, **options)(scope[title])


def _from_file(text: str, title: str, version: str) -> Callable[..., Any]:
    """The function, imported from a file named by its source. numba keeps what it compiled beside the file, and
    looks at the file's time to see whether it has changed: it is the same in every process."""
    import hashlib
    import tempfile  # these are used here alone, and importing nnxp is to be quick

    told = "\n".join((version, sys.version, text))
    module_name = f"nnxp_{title}_{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    if module_name not in sys.modules:
        folder = cache_folder()
        path = folder / f"{module_name}.py"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as beside:
                written = Path(beside, path.name)
                written.write_text(text, encoding="utf-8")
                os.utime(written, (0, 0))
                os.replace(written, path)
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # numba looks for it there when it reads its cache
        spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(sys.modules[module_name], title)
    return function


class Compiled:
    """The compiled loops of a graph, one for each set of types, made when first called."""

    takes_numbers = False
    """Whether a loop takes a Python number where an array could be."""
    registers: Sequence[str] = ()
    """What a loop takes after its other arguments (see `nnxp.kernels.cutting`)."""

    def __init__(self, graph: Graph, into: Sequence[str], column_sums: bool) -> None:
        self.graph, self.into, self.column_sums = graph, into, column_sums
        self.loops: dict[Any, Callable[..., Any]] = {}

    def __call__(self, kind: str, types: tuple[tuple[str, int], ...], flat: bool, single: tuple[str, ...]) -> Any:
        """The loop for C-contiguous arrays (inputs, outputs, sums) of these types and numbers of dimensions; None
        where numba does not import. It does not look at what it is given: the caller has."""
        if _numba() is None:
            return None
        key = (kind, types, flat, single)
        if key not in self.loops:
            self.loops[key] = self._compile(*key)
        return self.loops[key]

    def text(self, kind: str, flat: bool) -> str:
        """The loop's source."""
        return loop_source(self.graph, self.into, self.column_sums, kind, flat=flat)

    def _compile(self, kind: str, types: Any, flat: bool, single: tuple[str, ...]) -> Callable[..., Any]:
        numba = _numba()
        text = loop_source(self.graph, self.into, self.column_sums, kind, single, flat)
        arrays = [numba.types.Array(getattr(numba.types, dtype), ndim, "C") for dtype, ndim in types]
        numbers = [numba.int64 if p.integer else numba.float64 for p in self.graph.parameters if p.scalar]
        signature = numba.void(*arrays, *numbers)
        compiled = compile_function(text, self.graph.name, signature)
        # The types are known here: numba need not look at them again at every call.
        loop: Callable[..., Any] = compiled.overloads[signature.args].entry_point
        return loop
