"""Python source from a graph: the expressions of the host, and straight lines for any namespace."""

import math
import operator
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from nnxp.kernels import graph as graphs
from nnxp.kernels import vocabulary
from nnxp.kernels.graph import BINARY, UNARY, Graph, Node
from nnxp.typing import Namespace

HOST = {
    "_host": SimpleNamespace(**{op: graphs.host(op) for op in (*vocabulary.WORDS, "reciprocal")}),
    "_inf": math.inf,
    "_nan": math.nan,
    "_float": float,
    "_int": operator.index,
}
"""The names that host expressions use."""
_MADE = re.compile(r"_.*|[a-z]\d+|out\d*|sums|block|extra|result|bits|abs|range|id|T|i|j|np|math|.*_(0|i|ij|bits|ref)")


def name(parameter: Node) -> str:
    """A parameter's name in emitted source, apart from the names made there."""
    given: str = parameter.value
    return f"{given}_" if _MADE.fullmatch(given) else given


def literal(value: Any) -> str:
    """A Python literal; infinity and NaN have names."""
    return repr(value).replace("inf", "_inf").replace("nan", "_nan")


def expression(node: Node, operand: Callable[[Node], str], words: str = "_") -> str:
    """The operation of a node as Python writes it."""
    args = [operand(a) for a in node.args]
    if node.op in BINARY:
        return f"{args[0]} {BINARY[node.op]} {args[1]}"
    if node.op in UNARY:
        return f"{UNARY[node.op]}{args[0]}"
    return f"{words}{node.op}({', '.join(args)})"


def on_host(node: Node) -> str:
    """A scalar node as one expression of parameters and literals."""
    if node.op == "parameter":
        return name(node)
    if node.op == "constant":
        return f"({literal(node.value)})" if literal(node.value).startswith("-") else literal(node.value)
    text = expression(node, on_host, "_host.")
    return f"({text})" if node.op in BINARY or node.op in UNARY else text


def conversions(graph: Graph) -> list[str]:
    """Lines that make every number Python's own: NumPy's float64 would promote what it meets."""
    return [f"{name(p)} = {'_int' if p.integer else '_float'}({name(p)})" for p in graph.parameters if p.scalar]


def straight(graph: Graph) -> str:
    """A function of the graph's parameters, one line a node, for arrays of any namespace."""
    names: dict[Node, str] = {}
    lines: list[str] = []

    def operand(node: Node) -> str:
        return on_host(node) if node.scalar else names[node]

    for node in graph.live():
        if node.op == "parameter":
            names[node] = name(node)
        elif not node.scalar:
            names[node] = f"t{len(lines)}"
            lines.append(f"{names[node]} = {expression(node, operand)}")
    result = ", ".join(map(operand, graph.outputs))
    parameters = [name(p) for p in graph.parameters]
    return function(graph.name, parameters, [*conversions(graph), *lines, f"return {result}"])


def function(title: str, parameters: list[str], lines: list[str]) -> str:
    """The source of a function."""
    body = "".join(f"    {line}\n" for line in lines or ["pass"])
    return f"def {title}({', '.join(parameters)}):\n{body}"


def words(namespace: Namespace) -> dict[str, Any]:
    """What the words in `straight` stand for."""
    bound = vocabulary.bound(namespace)
    return {f"_{word}": getattr(bound, word) for word in vocabulary.WORDS}


def build(source: str, title: str, **scope: Any) -> Callable[..., Any]:
    """The function that the source defines."""
    names = {**HOST, **scope}
    exec(compile(source, f"<nnxp {title}>", "exec"), names)
    built: Callable[..., Any] = names[title]
    return built
