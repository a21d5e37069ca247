"""A formula's expression graph, from one call with symbols.

A node is an operation, its operands and its shape: "scalar" for what floats and literals give, which
is computed on the host, and "row", "column" or "full" for arrays. Equal nodes are one node.
"""

import inspect
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from nnxp.kernels import vocabulary

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/",
    "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
}  # fmt: skip
"""The operators of formulas, by the name of their method."""
UNARY = {"neg": "-", "invert": "~"}
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
LOGICAL = ("and", "or", "xor", "invert")
INTEGER = (*LOGICAL, "lshift", "rshift")


@dataclass(frozen=True, eq=False)
class Node:
    """One value: a "parameter" or "constant", or an operation on other nodes."""

    op: str
    args: tuple["Node", ...]
    value: Any  # a parameter's name, a constant's value
    shape: str
    boolean: bool
    integer: bool = False  # a scalar parameter that is one

    @property
    def scalar(self) -> bool:
        """Whether this is a number on the host."""
        return self.shape == "scalar"


@dataclass
class Graph:
    """The nodes of one formula."""

    name: str
    expand: Mapping[str, Callable[..., Any]]  # words that the library lacks, as formulas
    parameters: list[Node] = field(default_factory=list)
    outputs: list[Node] = field(default_factory=list)
    conditions: set[Node] = field(default_factory=set)  # parameters that are Boolean
    numbers: set[Node] = field(default_factory=set)  # what is computed with
    nodes: dict[Any, Node] = field(default_factory=dict)

    def node(self, op: str, *args: Node, value: Any = None, shape: str | None = None, **kind: bool) -> Node:
        """The node of this operation, made where there is none yet."""
        shape = shape or _broadcast([a.shape for a in args])
        key = (op, args, type(value), repr(value))  # repr: 0.0 and -0.0 are two constants
        if key not in self.nodes:
            self.nodes[key] = Node(op, args, value, shape, kind.get("boolean", False), kind.get("integer", False))
        return self.nodes[key]

    def constant(self, value: Any) -> Node:
        """A literal."""
        return self.node("constant", value=value, shape="scalar", boolean=isinstance(value, bool))

    def apply(self, op: str, *args: Node) -> Node:
        """The operation on nodes: folded where it is of literals, divisions by scalars as products."""
        if op == "where":
            return self._where(*args)
        logical = op in LOGICAL and any(a.boolean or a in self.conditions for a in args)
        if not (logical and all(map(self._is_condition, args))):
            self._are_numbers(op, args)
        boolean = logical or op in COMPARISONS
        if all(a.op == "constant" for a in args):
            return self.constant(host(op)(*(a.value for a in args)))
        if op == "truediv" and args[1].scalar and not args[0].scalar:
            return self.node("mul", args[0], self.apply("reciprocal", args[1]))
        return self.node(op, *args, boolean=boolean)

    def _where(self, condition: Node, a: Node, b: Node) -> Node:
        if condition.scalar and not (a.scalar and b.scalar):
            _fail("a `where` whose condition has no array in it: make it a keyword-only parameter and use `if`")
        if not self._is_condition(condition):
            _fail("numbers as a condition: compare them, as in xp.where(x != 0, a, b)")
        if a.boolean and b.boolean:
            inverse = self.apply("invert", condition)
            return self.apply("or", self.apply("and", condition, a), self.apply("and", inverse, b))
        self._are_numbers("where", (a, b))
        return self.node("where", condition, a, b)

    def _is_condition(self, node: Node) -> bool:
        """Whether a node is Boolean; an array parameter where a condition belongs is."""
        if node.op == "parameter" and not node.scalar and node not in self.numbers:
            self.conditions.add(node)
        return node.boolean or node in self.conditions

    def _are_numbers(self, op: str, args: tuple[Node, ...]) -> None:
        for a in args:
            if a.boolean or a in self.conditions:
                _fail(f'a condition as a number, in "{BINARY.get(op, op)}": write xp.where(condition, a, b)')
        self.numbers.update(args)

    @property
    def floating(self) -> bool:
        """Whether integers become floats: there is a float, a division or a function of real numbers."""
        return any(
            (n.scalar and not n.args and not n.integer and not isinstance(n.value, int))
            or n.op in ("truediv", "reciprocal")
            or (n.op in vocabulary.WORDS and n.op not in ("abs", "maximum", "minimum", "sign", "where"))
            for n in self.live()
        )

    @property
    def integral(self) -> bool:
        """Whether there is arithmetic that integers alone have."""
        return any(n.op in INTEGER and not n.boolean and not n.scalar for n in self.live())

    def live(self) -> Iterator[Node]:
        """The nodes that the outputs need, operands first."""
        seen: set[Node] = set()

        def visit(node: Node) -> Iterator[Node]:
            if node not in seen:
                seen.add(node)
                for a in node.args:
                    yield from visit(a)
                yield node

        for output in self.outputs:
            yield from visit(output)


def _broadcast(shapes: list[str]) -> str:
    arrays = {shape for shape in shapes if shape != "scalar"}
    return "scalar" if not arrays else arrays.pop() if len(arrays) == 1 else "full"


def _fail(problem: str) -> NoReturn:
    raise TypeError(f"got {problem}")


def reciprocal(x: float) -> float:
    """1 / x, infinite for 0 as in array arithmetic."""
    return 1 / x if x else math.copysign(math.inf, x)


def host(op: str) -> Callable[..., Any]:
    """The operation on Python numbers."""
    if op == "reciprocal":
        return reciprocal
    if op in vocabulary.WORDS:
        return getattr(vocabulary.Numbers, op)  # type: ignore[no-any-return]
    return getattr(operator, f"__{op}__")  # type: ignore[no-any-return]


class Symbol:
    """What a formula is called with: every operation on it gives another symbol, and adds a node."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, graph: Graph, node: Node) -> None:
        self._graph, self._node = graph, node

    def word(self, name: str, *args: Any) -> "Symbol":
        """A word of the vocabulary."""
        if name in self._graph.expand and not self._node.scalar:
            result: Symbol = self._graph.expand[name](*args)
            return result
        return self._apply(name, *args)

    def _apply(self, op: str, *args: Any) -> "Symbol":
        return Symbol(self._graph, self._graph.apply(op, *(self._as_node(a) for a in args)))

    def _as_node(self, value: Any) -> Node:
        if isinstance(value, Symbol):
            if value._graph is not self._graph:
                _fail("symbols of two formulas: a formula may not keep its arguments from one call to another")
            return value._node
        if isinstance(value, bool | int | float):
            return self._graph.constant(float(value) if isinstance(value, float) else value)
        if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():  # np.float32(2), say
            return self._graph.constant(value.item())
        _fail(f"{type(value).__name__} in a formula, expected its parameters and Python numbers: make it a parameter")

    def __pos__(self) -> "Symbol":
        return self

    # What a formula cannot do.

    def __bool__(self) -> bool:
        _fail(
            "`if`, `and`, `or`, `not` or a chain like 0 < x < 1 on a symbol: a formula is traced once, for all values. "
            "Write xp.where(x > 0, a, b), and (x > 0) & (x < 1); what is known when fusing is a keyword-only parameter"
        )

    def __float__(self) -> float:
        _fail("float(x) or a function of `math` on a symbol: use the vocabulary's words, xp.exp(x) for math.exp(x)")

    __int__ = __index__ = __complex__ = __float__

    def __iter__(self, *_: Any) -> Iterator[Any]:
        _fail("an iteration over a symbol: a formula is element by element, and says nothing of single elements")

    __len__ = __getitem__ = __contains__ = __iter__

    def __pow__(self, other: Any) -> "Symbol":
        _fail("a power of a symbol: write x * x for a square, and xp.exp(y * xp.log(x)) for x ** y")

    __rpow__ = __pow__

    def __array__(self, *_: Any, **__: Any) -> Any:
        _fail("a function of NumPy on a symbol: use the vocabulary's words, xp.exp(x) for np.exp(x)")

    __array_function__ = __array__

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> "Symbol":
        op = _UFUNCS.get(ufunc.__name__)  # np.float64(2) * x, np.pi / x
        return self.__array__() if op is None or keywords else self._apply(op, *inputs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _fail(f"x.{name} of a symbol: a formula is element by element, in operators and the words of the vocabulary")


_UFUNCS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "less": "lt", "less_equal": "le",
    "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne",
}  # fmt: skip


def _operators() -> None:
    """Symbol's operators: x + y, and 1 + x."""
    for op in BINARY:
        setattr(Symbol, f"__{op}__", lambda self, other, op=op: self._apply(op, self, other))
        if op not in COMPARISONS:  # Python swaps those itself
            setattr(Symbol, f"__r{op}__", lambda self, other, op=op: self._apply(op, other, self))
    for op in (*UNARY, "abs"):
        setattr(Symbol, f"__{op}__", lambda self, op=op: self.word(op, self))


_operators()


def parameters_of(formula: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """A formula's parameters; annotations given as text are read where they can be."""
    try:
        return dict(inspect.signature(formula, eval_str=True).parameters)
    except NameError:
        return dict(inspect.signature(formula).parameters)


def shape_of(parameter: inspect.Parameter) -> str:
    """What a parameter's annotation says: "row", "column", "scalar", else "full"."""
    annotation = parameter.annotation
    if annotation in (float, int, bool, "float", "int", "bool"):
        return "scalar"
    told: str = getattr(annotation, "__metadata__", ("full",))[0]
    return told


def trace(formula: Callable[..., Any], fixed: Mapping[str, Any], expand: Mapping[str, Callable[..., Any]]) -> Graph:
    """The graph of a formula, its keyword-only parameters fixed, the words of `expand` written out."""
    title = getattr(formula, "__name__", "formula")
    graph = Graph(title if title.isidentifier() else "formula", expand)  # a lambda's is none
    symbols = []
    for parameter in parameters_of(formula).values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            _fail(f"*{parameter.name} in {graph.name}, expected named parameters")
        if parameter.kind is not parameter.KEYWORD_ONLY and parameter.name not in fixed:
            shape, integer = shape_of(parameter), parameter.annotation in (int, "int")
            graph.parameters.append(graph.node("parameter", value=parameter.name, shape=shape, integer=integer))
            symbols.append(Symbol(graph, graph.parameters[-1]))
    if not symbols:
        _fail(f"{graph.name} without parameters, expected at least one array")
    result = formula(*symbols, **fixed)
    graph.outputs = [symbols[0]._as_node(r) for r in (result if isinstance(result, tuple) else (result,))]
    return graph
