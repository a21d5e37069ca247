"""What a register machine's instructions are called in each library, and how they are written there."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.kernels.graph import Graph, Node
from nnxp.kernels.program import Instruction, Program
from nnxp.kernels.source import conversions, function, name, on_host

UFUNCS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "neg": "negative", "abs": "absolute",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "invert": "invert",
    "lshift": "left_shift", "rshift": "right_shift",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    "maximum": "maximum", "minimum": "minimum", "sign": "sign", "sqrt": "sqrt", "exp": "exp", "expm1": "expm1",
    "log": "log", "log1p": "log1p", "tanh": "tanh", "erf": "erf", "cos": "cos", "sin": "sin",
    "bits_mul": "multiply", "bits_xor": "bitwise_xor", "bits_rshift": "right_shift", "bits_lt": "less",
}  # fmt: skip
TORCH = {**UFUNCS, "invert": "bitwise_not", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
         "lt": "lt", "le": "le", "gt": "gt", "ge": "ge", "eq": "eq", "ne": "ne",
         "reciprocal": "reciprocal", "where": "where"}  # fmt: skip
SWAPPED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


class Lowering:
    """Rewrites a graph's outputs into the operations that a library has: `rewrite` is given each node."""

    def __init__(self, rewrite: Callable[[Graph, Node], Node]) -> None:
        self.rewrite = rewrite

    def __call__(self, graph: Graph) -> list[Node]:
        """The outputs, rewritten."""
        done: dict[Node, Node] = {}

        def visit(node: Node) -> Node:
            if node not in done:
                args = tuple(map(visit, node.args))
                same = node if args == node.args else graph.node(node.op, *args, boolean=node.boolean)
                done[node] = same if node.scalar else self.rewrite(graph, same)
            return done[node]

        return [visit(output) for output in graph.outputs]


def _filled(graph: Graph, node: Node) -> Node:
    """An array, filled with the number where the node is one."""
    return graph.node("fill", node, shape="full") if node.scalar else node


def _is_zero(node: Node) -> bool:
    return node.op == "constant" and repr(node.value) in ("0", "0.0")  # not -0.0, whose bits are not 0


def select_by_bits(graph: Graph, node: Node) -> Node:
    """`where(c, a, b)` as b ^ ((a ^ b) · c), of their bits as integers, with c as 1 or 0: exact for NaN and infinity,
    and several times as fast as NumPy's `where`. Where a or b is 0, the product is enough."""
    if node.op != "where":
        return node
    condition, a, b = node.args
    if _is_zero(a):
        condition, a, b = graph.apply("invert", condition), b, a
    chosen = graph.node("as_bits", condition)
    if _is_zero(b):
        return graph.node("bits_mul", _filled(graph, a), chosen)
    b = _filled(graph, b)
    return graph.node("bits_xor", graph.node("bits_mul", graph.node("bits_xor", b, a), chosen), b)


def shift_without_sign(graph: Graph, node: Node) -> Node:
    """A right shift whose mask takes off the copies of the sign, as one shift of the bits without a sign; and where
    that is below a number, as the bits below the number shifted to the left, which is one pass."""
    first, second = node.args if len(node.args) == 2 else (node, node)
    if node.op == "and" and not node.boolean and first.op == "rshift" and second.op == "constant":
        shifted, by = first.args
        if by.value in range(1, 64) and second.value == (1 << 64 - by.value) - 1:
            return graph.node("bits_rshift", shifted, by)
    if node.op == "lt" and first.op == "bits_rshift" and second.scalar:
        return graph.node("bits_lt", first.args[0], graph.apply("lshift", second, first.args[1]), boolean=True)
    return node


def on_numpy(graph: Graph, node: Node) -> Node:
    """What NumPy computes in fewer passes."""
    return shift_without_sign(graph, select_by_bits(graph, node))


def _pattern(number: float, like: Any, bits: Any) -> Any:
    """The bits of a number of one array's type, as the other's."""
    return np.asarray(number, like.dtype).view(bits.dtype)


def arrays_first(graph: Graph, node: Node) -> Node:
    """PyTorch's functions take a number only as their second operand."""
    if node.op == "where":
        return graph.node("where", node.args[0], *(_filled(graph, a) for a in node.args[1:]))
    if len(node.args) < 2 or not node.args[0].scalar:
        return node
    first, second = node.args
    if node.op in SWAPPED:
        return graph.node(SWAPPED[node.op], second, first, boolean=True)
    if node.op == "sub":
        return graph.node("add", graph.node("neg", second), first)
    if node.op == "truediv" and first.value in (1, 1.0):
        return graph.node("reciprocal", second)
    if node.op in ("truediv", "lshift", "rshift"):
        return graph.node(node.op, _filled(graph, first), second)
    return graph.node(node.op, second, first, boolean=node.boolean)


class InstructionSet:
    """One library's: `functions` by the names that emitted source uses, and the lines of an instruction."""

    def __init__(self, module: Any, names: dict[str, str], rewrite: Callable[[Graph, Node], Node]) -> None:
        self.lowered = Lowering(rewrite)
        self.names = names
        self.functions = {f"_{name}": getattr(module, name) for name in {*names.values()} if hasattr(module, name)}

    def operands(self, instruction: Instruction) -> list[str]:
        """Each operand's text: a location, its bits, or a number's expression."""
        suffix = "_bits" if instruction.node.op.startswith("bits") else ""
        pairs = zip(instruction.node.args, instruction.operands, strict=True)
        return [f"{place}{suffix}" if place else on_host(node) for node, place in pairs]

    def lines(self, instruction: Instruction) -> list[str]:
        """The instruction in the library's functions."""
        raise NotImplementedError


class Ufuncs(InstructionSet):
    """NumPy's and CuPy's: ufuncs with `out=`."""

    def __init__(self, module: Any, **others: Callable[..., Any]) -> None:
        super().__init__(module, UFUNCS, on_numpy)
        self.functions |= {"_copyto": module.copyto, "_pattern": _pattern, **others}

    def operands(self, instruction: Instruction) -> list[str]:
        """Likewise, and the bits of a number where bits are worked on."""
        node, texts, into = instruction.node, super().operands(instruction), instruction.into
        if node.op != "bits_xor":
            return texts
        pairs = zip(node.args, texts, strict=True)
        return [f"_pattern({text}, {into}, {into}_bits)" if a.scalar else text for a, text in pairs]

    def lines(self, instruction: Instruction) -> list[str]:
        """A ufunc with `out=`."""
        operands, into = self.operands(instruction), instruction.into
        match instruction.node.op:
            case "copy" | "fill":
                return [f"_copyto({into}, {operands[0]})"]
            case "as_bits":
                return [f"_copyto({into}_bits, {operands[0]})"]
            case "bits_mul" | "bits_xor" | "bits_rshift":
                into += "_bits"
        return [f"_{self.names[instruction.node.op]}({', '.join(operands)}, out={into})"]

    def sums(self, out: str) -> str:
        """The column sums of the result."""
        return f"_sum({out}, axis=0, out=sums, keepdims=True)"


class Torch(InstructionSet):
    """PyTorch's: `out=`."""

    def __init__(self, module: Any) -> None:
        super().__init__(module, TORCH, arrays_first)
        self.functions |= {"_clamp": module.clamp, "_sum": module.sum}

    def lines(self, instruction: Instruction) -> list[str]:
        """A function of torch with `out=`."""
        operands, into, op = self.operands(instruction), instruction.into, instruction.node.op
        if op == "copy":
            return [f"{into}.copy_({operands[0]})"]
        if op == "fill":
            return [f"{into}.fill_({operands[0]})"]
        if op in ("maximum", "minimum") and not instruction.operands[1]:
            bound = "min" if op == "maximum" else "max"
            return [f"_clamp({operands[0]}, {bound}={operands[1]}, out={into})"]
        return [f"_{self.names[op]}({', '.join(operands)}, out={into})"]

    def sums(self, out: str) -> str:
        """The column sums of the result."""
        return f"_sum({out}, 0, keepdim=True, out=sums)"


def block_source(machine: Any, program: Program, column_sums: bool) -> tuple[str, list[str]]:
    """The source of the function that computes one block, and the registers it takes after its other arguments;
    "bits" among them is the integer type of a number's size."""
    graph = program.graph
    lines = [line for instruction in program.instructions for line in machine.lines(instruction)]
    arrays = [name(p) for p in graph.parameters if not p.scalar]
    fresh = [out for out in program.outputs if out not in arrays]
    seen_as_bits = {place.removesuffix("_bits") for line in lines for place in re.findall(r"\b\w+_bits\b", line)}
    registers = [*program.registers, *(f"{r}_bits" for r in program.registers if r in seen_as_bits)]
    views = [f"{place}_bits = {place}.view(bits)" for place in (*arrays, *fresh) if place in seen_as_bits]
    if views:
        registers.append("bits")
    if column_sums:
        lines.append(machine.sums(program.outputs[0]))
    scalars = [name(p) for p in graph.parameters if p.scalar]
    parameters = [*arrays, *fresh, *(["sums"] if column_sums else []), *scalars, *registers]
    return function(graph.name, parameters, [*conversions(graph), *views, *lines]), registers
