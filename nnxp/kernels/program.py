"""From a graph to instructions that compute in place: an order, and a location for every result.

A location is an input that may be overwritten, an output, or a register; each is one array of the call's
shape. There are two kinds: numbers, and conditions ("b..."). An input that an output overwrites is free
once it has been read for the last time; an output shares no memory with any input, and is free from the
start until its own result is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nnxp.kernels.graph import Graph, Node
from nnxp.kernels.source import name


@dataclass(frozen=True)
class Instruction:
    """`into` = the operation of `node` on its operands, of which arrays are given by location."""

    node: Node
    operands: tuple[str, ...]  # empty text for a scalar
    into: str


@dataclass
class Program:
    """What a register machine runs."""

    graph: Graph
    instructions: list[Instruction]
    outputs: tuple[str, ...]  # the names of the results' locations
    registers: list[str] = field(default_factory=list)


def program(graph: Graph, into: Sequence[str], lowered: Callable[[Graph], Sequence[Node]]) -> Program | None:
    """The program of a graph, or None where a result is no new array of the full shape.

    `into` names the parameters that the outputs overwrite; `lowered` gives the outputs in the operations that
    the library has.
    """
    outputs = list(lowered(graph))
    if any(not n.scalar and n.shape != "full" and n.op != "parameter" for n in _reachable(outputs)):
        return None  # a row of its own would need registers of its shape
    if any(output.scalar or output.shape != "full" or (into and output.boolean) for output in outputs):
        return None
    targets = tuple(into) if into else ("out",) if len(outputs) == 1 else tuple(f"out{i}" for i in range(len(outputs)))
    return _Allocation(graph, outputs, targets, bool(into)).run()


def _reachable(outputs: Sequence[Node]) -> list[Node]:
    """The nodes that the outputs need, operands first, and of two operands the one that needs more registers."""
    needs: dict[Node, int] = {}
    order: dict[Node, None] = {}

    def need(node: Node) -> int:
        """How many registers a node's value takes to compute (Sethi and Ullman 1970)."""
        if node not in needs:
            inner = sorted((need(a) for a in node.args if not a.scalar), reverse=True)
            needs[node] = max([n + i for i, n in enumerate(inner)], default=0) or int(bool(node.args))
        return needs[node]

    def visit(node: Node) -> None:
        if node not in order and not node.scalar:
            for a in sorted(node.args, key=need, reverse=True):
                visit(a)
            order[node] = None

    for output in outputs:
        visit(output)
    return list(order)


class _Allocation:
    """Gives each node of an order its location."""

    def __init__(self, graph: Graph, outputs: list[Node], targets: tuple[str, ...], overwrites: bool) -> None:
        self.graph, self.outputs = graph, outputs
        inputs = {p.value: p for p in graph.parameters}
        self.order = [node for node in _reachable(outputs) if node.op != "parameter"]
        self.when = {node: t for t, node in enumerate(self.order)}
        self.end = len(self.order)
        self.last = {a: t for t, node in enumerate(self.order) for a in node.args}
        self.last |= dict.fromkeys(outputs, self.end)
        self.names = {p: name(p) for p in graph.parameters}
        self.targets = [self.names[inputs[t]] if overwrites else t for t in targets]
        self.boolean = {t: o.boolean for t, o in zip(self.targets, outputs, strict=True)}
        pairs = list(zip(self.targets, targets, strict=True))
        # Until when each target still holds an input, and who else is in a location.
        self.busy = {t: self.last.get(inputs[old], -1) if overwrites else -1 for t, old in pairs}
        self.written_at = {t: self.when.get(o, self.end) for t, o in zip(self.targets, outputs, strict=True)}
        self.place: dict[Node, str] = {n: text for n, text in self.names.items() if not n.scalar}
        self.registers: list[str] = []
        self.free: list[str] = []

    def run(self) -> Program:
        instructions = []
        for t, node in enumerate(self.order):
            operands = tuple("" if a.scalar else self.place[a] for a in node.args)
            for a in dict.fromkeys(node.args):
                if self.last[a] == t and self.place.get(a) in self.registers:
                    self.free.append(self.place[a])
            self.place[node] = self._locate(node, t)
            instructions.append(Instruction(node, operands, self.place[node]))
        instructions += self._moves()
        return Program(self.graph, instructions, tuple(self.targets), self.registers)

    def _locate(self, node: Node, t: int) -> str:
        for target, output in zip(self.targets, self.outputs, strict=True):
            if output is node and self.busy[target] <= t:
                self.busy[target] = self.end + 1
                return target
        for target in self.targets:  # lent until its own result is there
            lent = self.busy[target] <= t and self.last[node] <= self.written_at[target]
            if lent and self.boolean[target] == node.boolean and node not in self.outputs:
                self.busy[target] = self.last[node]
                return target
        return self._register(node.boolean)

    def _register(self, boolean: bool) -> str:
        prefix = "b" if boolean else "r"
        for register in self.free:
            if register.startswith(prefix):
                self.free.remove(register)
                return register
        self.registers.append(f"{prefix}{sum(r.startswith(prefix) for r in self.registers)}")
        return self.registers[-1]

    def _moves(self) -> list[Instruction]:
        """Results that could not be computed where they belong, all moved as if at once."""
        pending = [(t, o) for t, o in zip(self.targets, self.outputs, strict=True) if self.place[o] != t]
        overwritten = {target for target, _ in pending}
        saved = []
        for output in dict.fromkeys(o for _, o in pending):
            if self.place[output] in overwritten:
                register = self._register(output.boolean)
                saved.append(_copy(self.graph, output, self.place[output], register))
                self.place[output] = register
        return [*saved, *(_copy(self.graph, output, self.place[output], target) for target, output in pending)]


def _copy(graph: Graph, node: Node, source: str, target: str) -> Instruction:
    return Instruction(graph.node("copy", node, boolean=node.boolean), (source,), target)
