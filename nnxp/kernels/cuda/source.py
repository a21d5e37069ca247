"""CUDA C++ from a graph: the body that computes one element, and CuPy's `ElementwiseKernel` around it.

In a body, `T` is the type of the arithmetic. A kernel's parameter is the formula's with an underscore after it
(`w_`: CuPy takes `i`, `n` and `T` for itself), its value is `w_0`. Inputs are loaded before anything is computed and
outputs stored last, so that an output may be an input. Numbers are computed on the host, in float64, and come in
as `s0`, `s1`, ...
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnxp.kernels.formulas import GAMMA
from nnxp.kernels.graph import BINARY, Graph, Node
from nnxp.kernels.source import name

C_TYPES = {
    "float32": "float", "float64": "double", "bool": "bool",
    "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
}  # fmt: skip
"""CUDA's names of NumPy's types."""
WORDS = {
    "abs": "abs({0})", "cos": "cos({0})", "erf": "erf({0})", "exp": "exp({0})", "expm1": "expm1({0})",
    "log": "log({0})", "log1p": "log1p({0})", "sin": "sin({0})", "sqrt": "sqrt({0})", "tanh": "tanh({0})",
    "maximum": "({0} > {1} || {0} != {0} ? {0} : {1})",
    "minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "sign": "({0} > T(0) ? T(1) : {0} < T(0) ? T(-1) : {0})",
    "where": "({0} ? {1} : {2})",
    "reciprocal": "(T(1) / {0})",
    "neg": "-{0}",
}  # fmt: skip
"""The vocabulary; NaN passes through `maximum`, `minimum` and `sign`, as in NumPy's."""
OF_INTEGERS = {
    "neg": "(long long)(0ULL - (unsigned long long){0})",
    "abs": "({0} < 0 ? (long long)(0ULL - (unsigned long long){0}) : {0})",
}
"""Those that may overflow."""
WRAPPING = ("add", "sub", "mul")
"""What may wrap around: C++ leaves that undefined for signed integers, so it is done on unsigned ones."""


class Body:
    """What computes one element of a graph.

    Parameters
    ----------
    graph
        Its outputs are arrays.
    integral
        Whether `T` is a 64-bit integer.

    Attributes
    ----------
    numbers : list of Node
        What is computed on the host, in the order of `s0`, `s1`, ...
    lines : list of str
        The statements between the loads and the stores.
    results : list of str
        The outputs, as expressions of what the lines define.
    """

    def __init__(self, graph: Graph, integral: bool = False) -> None:
        self.graph, self.integral = graph, integral
        self.numbers: list[Node] = []
        self.lines: list[str] = []
        names: dict[Node, str] = {}

        def operand(node: Node) -> str:
            if not node.scalar:
                return names[node]
            if node.op == "constant":
                return literal(node.value, integral)
            if node not in self.numbers:
                self.numbers.append(node)
            return f"s{self.numbers.index(node)}"

        for node in graph.live():
            if node.op == "parameter":
                names[node] = value(node)
            elif not node.scalar:
                names[node] = f"t{len(self.lines)}"
                kind = "bool" if node.boolean else "T"
                self.lines.append(f"const {kind} {names[node]} = {self._expression(node, operand)};")
        self.results = [operand(output) for output in graph.outputs]

    def _expression(self, node: Node, operand: Callable[[Node], str]) -> str:
        args = [operand(a) for a in node.args]
        if node.op in BINARY:
            if self.integral and node.op in WRAPPING and not node.boolean:
                a, b = (f"(unsigned long long)({arg})" for arg in args)
                return f"(long long)({a} {BINARY[node.op]} {b})"
            return f"{args[0]} {BINARY[node.op]} {args[1]}"
        if node.op == "invert":
            return f"{'!' if node.boolean else '~'}{args[0]}"
        words = {**WORDS, **OF_INTEGERS} if self.integral else WORDS
        return words[node.op].format(*args)

    def scalars(self) -> list[str]:
        """The declarations of `s0`, `s1`, ..."""
        return [f"{'bool' if node.boolean else 'T'} s{k}" for k, node in enumerate(self.numbers)]

    def loads(self, at: Callable[[Node], str]) -> list[str]:
        """The inputs' values; `at` says where each is."""
        used = set(self.graph.live())
        kinds = {p: "bool" if p in self.graph.conditions else "T" for p in arrays_of(self.graph) if p in used}
        return [f"const {kind} {value(p)} = {at(p)};" for p, kind in kinds.items()]


def parameter(node: Node) -> str:
    """A kernel's name of a formula's parameter."""
    return f"{ascii_name(node.value)}_"


def value(node: Node) -> str:
    """A body's name of an input's value."""
    return f"{ascii_name(node.value)}_0"


def ascii_name(text: str) -> str:
    """A name as C++ takes it: Greek letters by their numbers."""
    return "".join(c if c.isascii() else f"u{ord(c):x}" for c in text)


def literal(number: Any, integral: bool = False) -> str:
    """A number in the type of the arithmetic: a bare 0.5 would bring in double arithmetic."""
    if isinstance(number, bool):
        return "true" if number else "false"
    if integral:
        return f"T({number}LL)" if number > -(2**63) else "T(-9223372036854775807LL - 1)"
    if math.isfinite(number):
        return f"T({float(number)!r})"
    bits = "0x7ff8" if math.isnan(number) else "0xfff0" if number < 0 else "0x7ff0"
    return f"T(__longlong_as_double({bits}000000000000LL))"


def outputs(graph: Graph, into: Sequence[str]) -> list[str]:
    """The kernel's names of the outputs: inputs that are overwritten, or `out`."""
    if into:
        return [f"{ascii_name(name)}_" for name in into]
    return ["out"] if len(graph.outputs) == 1 else [f"out{i}" for i in range(len(graph.outputs))]


@dataclass(frozen=True)
class Elementwise:
    """What CuPy's `ElementwiseKernel` is made of, and the numbers that it takes beside arrays."""

    ins: str
    outs: str
    operation: str
    name: str
    body: Body


def elementwise(
    graph: Graph,
    into: Sequence[str],
    kinds: Mapping[str, str],
    single: Sequence[str] = (),
    kind: str = "T",
) -> Elementwise:
    """A graph over elements in order.

    Parameters
    ----------
    kinds
        The type of every array parameter by its name: a dtype's name, or "T".
    single
        The array parameters that are one number for all elements, in an array.
    kind
        The type of the arithmetic; "T" leaves it to the arrays of that type.
    """
    body = Body(graph, graph.integral if kind == "T" else kind == "int64")
    ins = [
        f"{'raw ' if name(p) in single else ''}{kinds[p.value]} {parameter(p)}"
        for p in arrays_of(graph)
        if p.value not in into
    ]
    ins += [scalar.replace("T ", f"{kind} ") for scalar in body.scalars()]
    names = outputs(graph, into)
    outs = [f"{'bool' if node.boolean else kind} {x}" for x, node in zip(names, graph.outputs, strict=True)]
    lines = [
        *([] if kind == "T" else [f"typedef {C_TYPES[kind]} T;"]),
        *body.loads(lambda p: f"{parameter(p)}[0]" if name(p) in single else parameter(p)),
        *body.lines,
        *(f"{x} = {result};" for x, result in zip(names, body.results, strict=True)),
    ]
    return Elementwise(", ".join(ins), ", ".join(outs), "\n".join(lines), f"nnxp_{ascii_name(graph.name)}", body)


def dropout(kept: Graph, drop: Graph) -> tuple[str, str, str]:
    """CuPy's `ElementwiseKernel` for `formulas.dropout`, which draws `formulas.kept` from each element's place `i`: its
    `in_params`, its `out_params` and its operation."""
    drawn, body = Body(kept, integral=True), Body(drop)
    numbers = dict(zip((p.value for p in kept.parameters if p.scalar), ("key", "threshold"), strict=True))
    lines = [
        "bool kept;",
        "{",
        "    typedef long long T;",
        f"    const T c_0 = (long long)((i + 1ULL) * {GAMMA % 2**64}ULL);",
        *(f"    const T s{k} = {numbers[node.value]};" for k, node in enumerate(drawn.numbers)),
        *(f"    {line}" for line in drawn.lines),
        f"    kept = {drawn.results[0]};",
        "}",
        *body.loads(lambda p: "kept" if p.value == "kept" else parameter(p)),
        "const T s0 = scale;",
        *body.lines,
        f"out = {body.results[0]};",
    ]
    return "T x_, int64 key, int64 threshold, T scale", "T out", "\n".join(lines)


def arrays_of(graph: Graph) -> list[Node]:
    """The parameters that are arrays."""
    return [p for p in graph.parameters if not p.scalar]
