"""Formulas as CUDA kernels: over elements in order CuPy's `ElementwiseKernel`, over rows and columns one of ours."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnxp.kernels import source
from nnxp.kernels.cuda.launch import COLUMNS, LARGEST_GRID, OPTIONS, ROWS, Launcher, kernel_source, prelude, workspace
from nnxp.kernels.cuda.matrices import Rows, rows
from nnxp.kernels.cuda.source import C_TYPES, Elementwise, arrays_of, elementwise, outputs
from nnxp.kernels.graph import Graph
from nnxp.kernels.source import name
from nnxp.typing import Array

BLOCKS = 256
"""How many blocks share the sums of one launch, where there is enough to add."""


class Compiled:
    """Gives a graph's compiled loop for a call; see `nnxp.kernels.calls`."""

    takes_numbers = True
    registers: Sequence[str] = ()

    def __init__(self, graph: Graph, into: Sequence[str], column_sums: bool) -> None:
        self.graph, self.into, self.column_sums = graph, tuple(into), column_sums
        self.loops: dict[Any, Callable[..., Any]] = {}

    def __call__(
        self, kind: str, types: tuple[tuple[str, int], ...], flat: bool, single: tuple[str, ...]
    ) -> Callable[..., Any]:
        """`loop(*arrays, *outs, *sums, *numbers)` for contiguous arrays of these types. It does not look at what it is
        given: the caller has.

        Parameters
        ----------
        kind
            What is computed in.
        types
            The type and number of dimensions of every input, "number" for a Python number.
        flat
            Whether it runs over the elements in order, or over rows and columns.
        single
            The rows and columns that are one number.
        """
        key = (kind, types, flat, single)
        if key not in self.loops:
            arrays = arrays_of(self.graph)
            given = {p.value: t[0] for p, t in zip(arrays, types, strict=False)}
            kinds = {x: kind if t == "number" else t for x, t in given.items()}
            numbers = [name(p) for p in arrays if given[p.value] == "number"]
            alone = [x for x in single if x not in numbers]
            self.loops[key] = self._flat(kind, kinds, alone) if flat else self._rows(kind, kinds, alone, numbers)
        return self.loops[key]

    def _flat(self, kind: str, kinds: Mapping[str, str], single: Sequence[str]) -> Callable[..., Any]:
        import cupy

        made = elementwise(self.graph, self.into, kinds, single, kind)
        kernel = cupy.ElementwiseKernel(made.ins, made.outs, made.operation, made.name, options=OPTIONS, no_return=True)
        arrays = [name(p) for p in arrays_of(self.graph)]
        overwritten = [name(p) for x in self.into for p in arrays_of(self.graph) if p.value == x]
        outs = overwritten or outputs(self.graph, ())
        ins = [x for x in arrays if x not in overwritten]
        call = f"_kernel({', '.join([*ins, *map(source.on_host, made.body.numbers), *outs])})"
        return self._built(call, [] if self.into else outs, _kernel=kernel)

    def _rows(
        self, kind: str, kinds: Mapping[str, str], single: Sequence[str], numbers: Sequence[str]
    ) -> Callable[..., Any]:
        made = rows(self.graph, self.into, kinds, single, numbers, self.column_sums, kind == "int64")
        launch = Launcher(rows_source(made.text, kind, self.column_sums), made.name)
        outs = [] if self.into else outputs(self.graph, ())
        memory = [*(name(p) for p in arrays_of(self.graph)), *outs]
        first = next(name(p) for p in arrays_of(self.graph) if p.shape == "full")
        values = [*map(source.on_host, made.body.numbers)]
        lines = [f"_n, _m = {first}.shape"]
        if self.column_sums:
            memory += ["sums", "*_shared(_kind, _n, _m)"]
            grid, some = "_sums_grid(_n, _m)", "_m"  # without rows, the sums are 0
        else:
            grid, some = "_grid(_n, _m)", "_n and _m"
        call = f"_launch({grid}, _block, {', '.join([*memory, '_n', '_m', *values])})"
        return self._built(
            f"if {some}: {call}", outs, *lines, _launch=launch, _grid=grid_of, _sums_grid=sums_grid, _shared=shared,
            _block=(COLUMNS, ROWS), _kind=kind,
        )  # fmt: skip

    def _built(self, call: str, outs: Sequence[str], *before: str, **scope: Any) -> Callable[..., Any]:
        """The function of a loop's arguments."""
        parameters = [name(p) for p in arrays_of(self.graph)] + [*outs, *(["sums"] if self.column_sums else [])]
        parameters += [name(p) for p in self.graph.parameters if p.scalar]
        text = source.function(self.graph.name, parameters, [*source.conversions(self.graph), *before, call])
        return source.build(text, self.graph.name, **scope)


def shown(graph: Graph, into: Sequence[str], column_sums: bool) -> str:
    """What a graph becomes, for a person: `T` left open, numbers named."""
    kinds = {p.value: "bool" if p in graph.conditions else "T" for p in arrays_of(graph)}
    made: Elementwise | Rows
    if column_sums or any(p.shape != "full" for p in arrays_of(graph)):
        made = rows(graph, into, kinds, column_sums=column_sums, integral=graph.integral)
        text = made.text
    else:
        made = elementwise(graph, into, kinds)
        text = f"// {made.name}, an ElementwiseKernel\n// in:  {made.ins}\n// out: {made.outs}\n{made.operation}\n"
    numbers = [f"// s{k} = {source.on_host(node)}\n".replace("_host.", "") for k, node in enumerate(made.body.numbers)]
    return "".join(numbers) + text


def rows_source(text: str, kind: str, column_sums: bool) -> str:
    """The whole source of a kernel over rows and columns."""
    return kernel_source(text, T=C_TYPES[kind]) if column_sums else prelude(T=C_TYPES[kind]) + text


@functools.lru_cache(256)
def grid_of(n: int, m: int) -> tuple[int, int]:
    """A thread for each element, as far as the grid goes."""
    return -(-m // COLUMNS), min(-(-n // ROWS), LARGEST_GRID[1])


@functools.lru_cache(256)
def sums_grid(n: int, m: int) -> tuple[int, int]:
    """Blocks for column sums: a row of them covers the columns; several share the rows where these are many. It follows
    from the sizes alone, and with it the order of the additions."""
    across = -(-m // COLUMNS)
    return across, max(1, min(-(-n // (16 * ROWS)), BLOCKS // across))


def shared(kind: str, n: int, m: int) -> tuple[Array | None, Array | None]:
    """What the blocks of `sums_grid` share, where they are several."""
    across, down = sums_grid(n, m)
    return (None, None) if down == 1 else workspace.take(kind, down * m, across)
