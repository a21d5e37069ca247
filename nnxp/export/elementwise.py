"""Formulas as operators: the traced graph of a formula, each of its words written as a runtime computes it rightly.

What stands here in place of a word's own operator does so for what onnxruntime 1.32 gives there (docs/onnx.md has the
errors, by function), or for what older ones lack: there is no expm1, log1p or float64 erf, and its tanh leaves [-1, 1].
"""

from collections.abc import Callable
from typing import Any

from nnxp.errors import ExportError
from nnxp.export.operators import Operators
from nnxp.kernels import formulas
from nnxp.kernels.graph import Node, host, trace

OPERATORS = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "truediv": "Div", "neg": "Neg",
    "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual", "eq": "Equal",
    "and": "And", "or": "Or", "xor": "Xor", "invert": "Not",
    "abs": "Abs", "erf": "Erf", "exp": "Exp", "log": "Log", "minimum": "Min", "sign": "Sign",
    "sin": "Sin", "sqrt": "Sqrt", "where": "Where",
}  # fmt: skip
"""Words that are an operator of ONNX, which computes what NumPy does."""


def _ne(graph: Operators, a: str, b: str) -> str:
    return graph.node("Not", graph.node("Equal", a, b))


def _maximum(graph: Operators, a: str, b: str) -> str:
    return graph.node("Relu", a) if b == graph.constant(0.0) else graph.node("Max", a, b)


def _cos(graph: Operators, x: str) -> str:
    """In float64 1 - 2 sin²(x/2), right to 3 eps of 1: onnxruntime has a Cos of that from 1.29 on alone."""
    if graph.dtype == "float32":
        return graph.node("Cos", x)
    s = graph.node("Sin", graph.node("Mul", x, graph.constant(0.5)))
    twice = graph.node("Mul", graph.node("Mul", s, s), graph.constant(2.0))
    return graph.node("Sub", graph.constant(1.0), twice)


def _tanh(graph: Operators, x: str) -> str:
    """Within [-1, 1]: the runtime's is up to 1.0000002."""
    return graph.node("Clip", graph.node("Tanh", x), graph.constant(-1.0), graph.constant(1.0))


def _expm1(graph: Operators, x: str) -> str:
    """tanh(x/2) (eˣ + 1), which is eˣ - 1 without the difference of two numbers near 1."""
    half = _tanh(graph, graph.node("Mul", x, graph.constant(0.5)))
    return graph.node("Mul", half, graph.node("Add", graph.node("Exp", x), graph.constant(1.0)))


def _log1p(graph: Operators, x: str) -> str:
    """log(u) · x / (u - 1) with u = 1 + x, whose rounding the quotient undoes; x where u is 1, which x is lost in.
    The quotient is 1 where it would be of two infinities."""
    one = graph.constant(1.0)
    u = graph.node("Add", x, one)
    d = graph.node("Sub", u, one)
    share = graph.node("Where", graph.node("Equal", d, x), one, graph.node("Div", x, d))
    return graph.node("Where", graph.node("Equal", u, one), x, graph.node("Mul", graph.node("Log", u), share))


WRITTEN: dict[str, Callable[..., str]] = {
    "cos": _cos,
    "expm1": _expm1,
    "log1p": _log1p,
    "maximum": _maximum,
    "ne": _ne,
    "tanh": _tanh,
}
"""Words that take several operators."""
EXPANDED = {"float32": {}, "float64": {"erf": formulas.erf}}
"""Words that are formulas themselves, by dtype: `Erf` has no float64."""


def formula(graph: Operators, function: Callable[..., Any], *arguments: str | float) -> list[str]:
    """What a formula makes of its arguments: names of values in the graph, and numbers for what it takes as floats.

    Raises
    ------
    ExportError
        It is of integers, which no formula of a layer is.

    Examples
    --------
    >>> graph = Operators("float32")
    >>> (y,) = formula(graph, formulas.leaky_relu, "X", 0.1)
    >>> model = graph.model({"X": ("float32", ("rows", 2))}, {"Y": (y, "float32", ("rows", 2))})
    >>> [node.op_type for node in model.graph.node]
    ['Greater', 'Mul', 'Where', 'Identity']
    """
    traced = trace(function, {}, EXPANDED[graph.dtype])
    values: dict[Node, Any] = dict(zip(traced.parameters, arguments, strict=True))
    for node in traced.live():
        if node in values:
            continue
        if node.op == "constant":
            values[node] = node.value
        elif node.scalar:
            values[node] = host(node.op)(*(values[a] for a in node.args))
        else:
            values[node] = _written(graph, node, [_name(graph, values[a]) for a in node.args])
    return [_name(graph, values[output]) for output in traced.outputs]


def _written(graph: Operators, node: Node, operands: list[str]) -> str:
    if (write := WRITTEN.get(node.op)) is not None:
        return write(graph, *operands)
    if node.op not in OPERATORS or (node.op in ("and", "or", "xor", "invert") and not node.boolean):
        raise ExportError(f"got {node.op!r} of whole numbers in a formula, expected floats and conditions")
    return graph.node(OPERATORS[node.op], *operands)


def _name(graph: Operators, value: Any) -> str:
    """The name of a value: of a number, as a constant of the graph's dtype."""
    if isinstance(value, str):
        return value
    return graph.constant(value, "bool" if isinstance(value, bool) else graph.dtype)
