"""Expressions, as nodes of a graph: made shorter, given numbers or other letters, evaluated."""

from collections.abc import Mapping

from nnxp.kernels.graph import Graph, Node, host
from nnxp.teaching.notation import Letter


def simplified(graph: Graph, node: Node) -> Node:
    """The same without a factor 1, a term 0 and what is multiplied by 0, which a class that is not a row's is."""
    done: dict[Node, Node] = {}

    def visit(node: Node) -> Node:
        if node not in done:
            args = tuple(map(visit, node.args))
            done[node] = _shorter(node.op, args) or (node if args == node.args else _like(graph, node, args))
        return done[node]

    return visit(node)


def _shorter(op: str, args: tuple[Node, ...]) -> Node | None:
    zeros, ones = ([a.op == "constant" and a.value == value for a in args] for value in (0, 1))
    if op == "mul" and any(zeros):
        return args[zeros.index(True)]
    if op == "mul" and any(ones):
        return args[1 - ones.index(True)]
    if op == "add" and any(zeros):
        return args[1 - zeros.index(True)]
    if (op == "truediv" and (ones[1] or zeros[0])) or (op == "sub" and zeros[1]) or (op == "neg" and zeros[0]):
        return args[0]
    return None


def _like(graph: Graph, node: Node, args: tuple[Node, ...]) -> Node:
    return graph.node(node.op, *args, boolean=node.boolean, shape=node.shape)


def parts(node: Node) -> set[Node]:
    """An expression's nodes."""
    found: set[Node] = set()
    waiting = [node]
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting.extend(one.args)
    return found


def evaluated(node: Node, values: Mapping[Node, float]) -> float:
    """An expression's value."""
    done: dict[Node, float] = dict(values)

    def visit(node: Node) -> float:
        if node not in done:
            done[node] = node.value if node.op == "constant" else host(node.op)(*map(visit, node.args))
        return done[node]

    return visit(node)


def put_in(graph: Graph, node: Node, values: Mapping[Node, float]) -> Node:
    """The expression with numbers for its letters; of what a condition divides, the part that holds."""
    done: dict[Node, Node] = {
        node: graph.node("constant", value=value, shape="scalar") for node, value in values.items()
    }

    def visit(node: Node) -> Node:
        if node not in done:
            if node.op == "where":
                done[node] = visit(node.args[1 if evaluated(node.args[0], values) else 2])
            else:
                done[node] = _like(graph, node, tuple(map(visit, node.args))) if node.args else node
        return done[node]

    return visit(node)


def renamed(graph: Graph, node: Node, letters: Mapping[Node, Letter]) -> Node:
    """The expression with other letters for its parameters, or for whole parts of it."""
    done = {part: graph.node("parameter", value=letter, shape="full") for part, letter in letters.items()}

    def visit(node: Node) -> Node:
        if node not in done:
            done[node] = _like(graph, node, tuple(map(visit, node.args))) if node.args else node
        return done[node]

    return visit(node)
