"""Compiled fusion of formulas with exp, tanh, cos and the like: loops of numba around NumPy's functions.

A graph is cut where it has such a word. A loop computes what these are of, into registers; NumPy's functions, faster
than numba's, work on the registers in place; the next loop goes on from there, and the last one computes
the results. What is cheap is computed again in every loop that needs it. So results are NumPy's, bit for bit.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nnxp.kernels import source
from nnxp.kernels.graph import Graph, Node
from nnxp.kernels.numba_fusion import Compiled, compilable, loop_source
from nnxp.kernels.source import name

WORDS = ("cos", "exp", "expm1", "log", "log1p", "sin", "tanh")
WORTH = 2
"""How many of NumPy's passes each loop has to take the place of, on average: a loop costs about one of them, and a
formula of few operations is left to NumPy."""


class Part:
    """A loop between two cuts, and the functions that then work on what it computed.

    Parameters
    ----------
    graph
        The loop's: results of functions before it are parameters.
    words
        A function for each of its outputs; none of the last.
    outs
        The registers that it writes; none of the last, which writes what the whole does.
    """

    def __init__(self, graph: Graph, words: Sequence[str], outs: Sequence[Node], *last: Any) -> None:
        self.graph, self.words, self.outs = graph, words, outs
        self.into, self.column_sums = last or ((), False)
        self.compiled = Compiled(graph, self.into, self.column_sums)


class Cut:
    """The compiled loops of a graph with such words, and NumPy's functions between them, for each set of types."""

    takes_numbers = False

    def __init__(self, graph: Graph, into: Sequence[str], column_sums: bool, levels: dict[Node, int]) -> None:
        self.graph, self.into, self.column_sums = graph, tuple(into), column_sums
        self.made: dict[Any, Callable[..., Any] | None] = {}
        words = [node for node in levels if _is_word(node)]
        taken = {p.value for p in graph.parameters}
        free = (text for i in range(len(words) + len(taken)) if (text := f"register{i}") not in taken)
        known = {node: Node("parameter", (), next(free), "full", False) for node in words}
        self.registers = [name(register) for register in known.values()]
        """What it takes after its other arguments: arrays of the call's shape."""
        self.parts = []
        for level in range(1, 1 + max(levels[node] for node in words)):
            now = [node for node in words if levels[node] == level]
            loop = self._part(level, (node.args[0] for node in now), known)
            self.parts.append(Part(loop, [node.op for node in now], [known[node] for node in now]))
        self.parts.append(Part(self._part(0, graph.outputs, known), (), (), self.into, column_sums))

    def _part(self, level: int, outputs: Iterable[Node], known: dict[Node, Node]) -> Graph:
        """The graph of some nodes, with those that are known as parameters."""
        whole = self.graph
        done = dict(known)

        def visit(node: Node) -> Node:
            if node not in done:
                args = tuple(map(visit, node.args))
                done[node] = node if args == node.args else whole.node(node.op, *args, boolean=node.boolean)
            return done[node]

        part = Graph(f"{whole.name}_{level}" if level else whole.name, whole.expand, conditions=whole.conditions)
        part.outputs = [visit(node) for node in outputs]
        wanted = {*part.live()} | {p for p in whole.parameters if not level and p.value in self.into}
        part.parameters = [p for p in (*whole.parameters, *known.values()) if p in wanted]
        return part

    def __call__(self, kind: str, types: tuple[tuple[str, int], ...], flat: bool, single: tuple[str, ...]) -> Any:
        """As `Compiled`'s; what it gives takes registers after its other arguments."""
        key = (kind, types, flat, single)
        if key not in self.made:
            self.made[key] = self._make(*key)
        return self.made[key]

    def _make(self, kind: str, types: Any, flat: bool, single: tuple[str, ...]) -> Callable[..., Any] | None:
        arrays = [p for p in self.graph.parameters if not p.scalar]
        known = dict(zip(arrays, types, strict=False))
        results = types[len(arrays) :]
        register = kind, next(known[p][1] for p in arrays if p.shape == "full")
        loops = []
        for part in self.parts:
            given = [known.get(p, register) for p in part.graph.parameters if not p.scalar]
            written = results if part is self.parts[-1] else [register] * len(part.outs)
            loops.append(part.compiled(kind, (*given, *written), flat, single))
        if None in loops:
            return None
        functions = {f"_{word}": getattr(np, word) for word in WORDS}
        scope = functions | {f"_loop{i}": loop for i, loop in enumerate(loops)}
        return source.build(self._text(), self.graph.name, **scope)

    def _text(self) -> str:
        """The source of what calls the loops and the functions in turn."""
        results = [] if self.into else ["out"] if len(self.graph.outputs) == 1 else _outs(len(self.graph.outputs))
        results = [*results, *(["sums"] if self.column_sums else [])]
        lines = []
        for i, part in enumerate(self.parts):
            written = [name(out) for out in part.outs] or results
            lines.append(f"_loop{i}({', '.join(_arguments(part.graph, written))})")
            lines += [f"_{word}({out}, out={out})" for word, out in zip(part.words, written, strict=False)]
        return source.function(self.graph.name, [*_arguments(self.graph, results), *self.registers], lines)

    def text(self, kind: str, flat: bool) -> str:
        """The loops' source, and that of what calls them."""
        loops = [loop_source(p.graph, p.into, p.column_sums, kind, flat=flat) for p in self.parts]
        return "\n\n".join([*loops, self._text()])


def compiled_of(graph: Graph, into: Sequence[str], column_sums: bool) -> Compiled | Cut | None:
    """What compiles a graph: as one loop, cut into several where that pays, or None."""
    if compilable(graph):
        return Compiled(graph, into, column_sums)
    levels: dict[Node, int] = {}
    for node in graph.live():
        levels[node] = max((levels[a] for a in node.args), default=0) + _is_word(node)
    operations = [node for node in levels if node.args and not node.scalar]
    words = [node for node in operations if _is_word(node)]
    loops = 1 + max(levels.values())
    if len(operations) - len(words) < WORTH * loops or any(node.shape != "full" for node in words):
        return None
    cut = Cut(graph, into, column_sums, levels)
    return cut if all(compilable(part.graph) for part in cut.parts) else None


def _is_word(node: Node) -> bool:
    return node.op in WORDS and not node.scalar


def _outs(count: int) -> list[str]:
    return [f"out{i}" for i in range(count)]


def _arguments(graph: Graph, written: Sequence[str]) -> list[str]:
    """Arrays, what is written, numbers."""
    arrays, numbers = ([name(p) for p in graph.parameters if p.scalar is scalar] for scalar in (False, True))
    return [*arrays, *written, *numbers]
