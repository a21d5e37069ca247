"""Kernels that compute in place: what is asked of a call's arrays, once, and what runs then.

A kernel's arrays are checked when they are new: types, shapes, memory. For the same arrays again, the
answer is remembered (weakly), so that a training step, whose buffers stay, pays for a few comparisons.
"""

import functools
import math
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from nnxp.kernels import source
from nnxp.kernels.calls import Call, loop, runner
from nnxp.kernels.graph import Graph
from nnxp.kernels.libraries import FLOATS, Library
from nnxp.kernels.lowering import Lowered
from nnxp.typing import Array, Kernel

REMEMBERED = 64
"""How many calls' answers a kernel keeps for a thread."""


class Machine(Lowered):
    """The kernel of a graph on a library that computes into given memory.

    Parameters
    ----------
    odd
        What is called where this machine cannot be: `odd(*arrays, *outs, *sums, *numbers)`.
    library, graph, into, column_sums, compiled
        See `Lowered`.
    """

    def __init__(
        self,
        library: Library,
        graph: Graph,
        into: Sequence[str],
        column_sums: bool,
        odd: Callable[..., Any],
        compiled: Any,
    ) -> None:
        super().__init__(library, graph, into, column_sums, compiled)
        self.odd, self.seen = odd, _Seen()
        self.floating, self.integral = graph.floating, graph.integral
        full = all(output.shape == "full" and not (into and output.boolean) for output in graph.outputs)
        self.runs = self.program is not None or (library.instructions is None and full)

    def prepare(self, arrays: tuple[Array, ...], outs: tuple[Array, ...], sums: Array) -> tuple[Any, ...]:
        """What to call with these arrays, and with which arguments beside them; remembered."""
        found = self._runner(arrays, outs, sums) or (self.odd, ())
        try:
            key = (id(arrays[0]), id(outs[0])) if outs else id(arrays[0])
            references = [
                _nothing if x is None else weakref.ref(x) for x in (*arrays, *outs, *((sums,) * self.column_sums))
            ]
        except TypeError:  # a number where an array could be
            return found
        if len(self.seen.calls) >= REMEMBERED:
            self.seen.calls.clear()
        # A shape may be assigned to, and a compiled loop would not notice.
        shapes = [() if x is None else x.shape for x in (*arrays, *outs, *((sums,) * self.column_sums))]
        self.seen.calls[key] = (*found, *references, *shapes)
        return found

    def bound(self, *arguments: Any, out: Any = None, sums: Array = None) -> Callable[..., Any] | None:
        """A compiled loop with its arrays and first numbers (see `nnxp.kernels.binding`); None where there is none.
        Registers are a thread's own: what takes them is not bound."""
        given = list(zip(self.graph.parameters, arguments, strict=False))  # what is left is numbers
        arrays = tuple(value for p, value in given if not p.scalar)
        outs = () if self.into else out if isinstance(out, tuple) else (out,)
        if len(arrays) < len(self.arrays) or any(target is None for target in outs):
            return None
        call = self._call(arrays, outs, sums)
        bindable = self.compiled is not None and not self.compiled.registers
        run = None if call is None or call.numbers or not bindable else loop(self, call)
        numbers = [value for p, value in given if p.scalar]
        return run and functools.partial(run, *arrays, *outs, *((sums,) * self.column_sums), *numbers)

    def _runner(self, arrays: tuple[Array, ...], outs: tuple[Array, ...], sums: Array) -> tuple[Any, ...] | None:
        """What `prepare` finds, or None where the formula itself has to do."""
        call = self._call(arrays, outs, sums)
        return None if call is None else runner(self, call)

    def _call(self, arrays: tuple[Array, ...], outs: tuple[Array, ...], sums: Array) -> Call | None:
        """The call of these arrays; None where the formula itself has to do."""
        library = self.library
        given = [out for out in outs if out is not None]
        self._refuse(arrays, given)
        first = arrays[self.full[0]] if self.full else None
        numbers = [i for i, x in enumerate(arrays) if isinstance(x, int | float) and i not in self.full]
        known = [x for i, x in enumerate(arrays) if i not in numbers]
        memory = [*known, *given, *([sums] if self.column_sums else [])]
        if not self.runs or first is None or not all(map(library.suits, memory)):
            return None
        if len({library.place(x) for x in memory}) > 1:
            return None
        kind = self._kind(arrays, numbers, given)
        shape = tuple(first.shape)
        if kind is None or not self._fits(arrays, numbers, given, sums, shape, kind):
            return None
        written = [arrays[i] for i in self.into] or given
        written += [sums] if self.column_sums else []
        if not all(map(library.writeable, written)) or self._clash(written, known):
            return None
        return Call(arrays, outs, sums, numbers, shape, kind)

    def _refuse(self, arrays: tuple[Array, ...], given: list[Array]) -> None:
        for out in given:
            for x in arrays:
                if out is x or (self.library.suits(x) and self.library.suits(out) and self._share(out, x)):
                    raise ValueError(refusal(self.graph.name))

    def _share(self, x: Array, y: Array) -> bool:
        library = self.library
        contiguous = library.block is not None or (library.contiguous(x) and library.contiguous(y))
        return contiguous and library.overlap(x, y)

    def _clash(self, written: list[Array], read: list[Array]) -> bool:
        """Whether what is written shares memory with anything else."""
        others = list(written)
        for x in read:
            if all(x is not w for w in written):
                others.append(x)
            elif sum(x is y for y in read) > 1:
                return True  # one array for two parameters
        return any(self._share(w, x) for i, w in enumerate(written) for x in others[i + 1 :])

    def _kind(self, arrays: tuple[Array, ...], numbers: list[int], given: list[Array]) -> str | None:
        """What is computed in: "float32", "float64" or "int64"."""
        kinds = set()
        for i, (p, x) in enumerate(zip(self.arrays, arrays, strict=True)):
            if i in numbers:
                continue
            kind = self.library.kinds[x.dtype]
            if p in self.graph.conditions:
                if kind != "bool":
                    return None
            else:
                kinds.add(kind)
        floats = kinds.intersection(FLOATS)
        floating = self.floating or any(isinstance(arrays[i], float) for i in numbers)
        if floats:
            return floats.pop() if len(floats) == 1 and not self.integral else None
        if floating and not self.integral:
            wanted = {self.library.kinds[out.dtype] for out in given}.intersection(FLOATS)
            return wanted.pop() if len(wanted) == 1 else "float32"
        return "int64" if kinds == {"int64"} else None

    def _fits(
        self, arrays: tuple[Array, ...], numbers: list[int], given: list[Array], sums: Array, shape: Any, kind: str
    ) -> bool:
        """Whether shapes are as annotated, and types such that only full inputs are cast."""
        kinds = self.library.kinds
        for i, (p, x) in enumerate(zip(self.arrays, arrays, strict=True)):
            if i in numbers:
                continue
            one = math.prod(x.shape) == 1 and len(x.shape) <= len(shape) and p.shape != "full"
            expected = {"full": shape, "row": (1, shape[-1:][0] if shape else 1), "column": (*shape[:1], 1)}[p.shape]
            if not one and (tuple(x.shape) != expected or (p.shape != "full" and len(shape) != 2)):
                return False
            if kinds[x.dtype] != kind and p not in self.graph.conditions and (p.shape != "full" or i in self.into):
                return False
        if self.column_sums and not (
            len(shape) == 2 and tuple(sums.shape) == (1, shape[1]) and kinds[sums.dtype] == kind
        ):
            return False
        return all(
            tuple(out.shape) == shape and kinds[out.dtype] == ("bool" if node.boolean else kind)
            for out, node in zip(given, self.graph.outputs, strict=False)  # none may be given
        )


def refusal(title: str) -> str:
    """What is said of an `out` that is an input."""
    return (
        f"got an out that is also an input of {title}, expected another array: "
        "fuse it with into=(name of that input,) to overwrite it"
    )


class _Seen(threading.local):
    """The calls that one thread made, by the identities of the first array and of the first output, None where that was
    to be made."""

    def __init__(self) -> None:
        self.calls: dict[Any, tuple[Any, ...]] = {}


def _nothing() -> None:
    """Stands for a reference to an array that was not given."""


def wrapper(machine: Machine) -> Kernel:
    """The kernel: looks up what is known of these arrays, and calls it."""
    graph, several = machine.graph, len(machine.graph.outputs) > 1
    parameters = [source.name(p) for p in graph.parameters]
    arrays = [source.name(p) for p in machine.arrays]
    scalars = [source.name(p) for p in graph.parameters if p.scalar]
    outs = [] if machine.into else [f"out{i}" for i in range(len(graph.outputs))] if several else ["out"]
    sums = ["sums"] if machine.column_sums else []
    memory = [*arrays, *outs, *sums]
    lines = []
    if several and outs:
        lines.append(f"{', '.join(outs)} = ({'None, ' * len(outs)}) if out is None else out")
    check = " or ".join(f"{x}_ref() is not {x}" for x in memory)
    if machine.library.reshapes:
        check += "".join(f" or {f'{x} is not None and ' * (x in outs)}{x}.shape != {x}_shape" for x in memory)
    given = f"({', '.join(arrays)},), ({''.join(out + ', ' for out in outs)}), {'sums' if sums else None}"
    prepare = f"block, extra = _prepare({given})"
    key = f"id({arrays[0]}), id({outs[0]})" if outs else f"id({arrays[0]})"
    known = ", ".join([*(f"{x}_ref" for x in memory), *(f"{x}_shape" for x in memory)])
    lines += [
        "try:",
        f"    block, extra, {known} = _seen.calls[{key}]",
        f"    if {check}:",
        f"        {prepare}",
        "except KeyError:",
        f"    {prepare}",
    ]
    lines.append(f"result = block({', '.join([*memory, *scalars])}, *extra)")
    overwritten = ", ".join(arrays[i] for i in machine.into)
    lines.append(f"return {overwritten}" if machine.into else "return result if out is None else out")
    keywords = [*(["out=None"] if outs else []), *sums]
    text = source.function(graph.name, [*parameters, *(["*", *keywords] if keywords else [])], lines)
    kernel = source.build(text, graph.name, _seen=machine.seen, _prepare=machine.prepare)
    kernel.bound = machine.bound  # type: ignore[attr-defined]
    return kernel
