"""Probabilities of classes, and the class that they say, as operators."""

from collections.abc import Sequence

from nnxp.export.operators import Operators, Shape


def two(graph: Operators, p: str) -> str:
    """1 - p and p, (rows, 2), of the probability of the second class, (rows, 1)."""
    return graph.node("Concat", graph.node("Sub", graph.constant(1.0), p), p, axis=1)


def label(graph: Operators, probabilities: str, classes: Sequence[str] | Sequence[int]) -> tuple[str, str, Shape]:
    """The class of the largest probability of each row, (rows,), texts or whole numbers: the value, its dtype and
    shape. A row with NaN has none: "", or -1, or where that is a class -2⁶³."""
    total = graph.node("ReduceSum", probabilities, graph.constant([1]), keepdims=0)
    index = graph.node("ArgMax", probabilities, axis=1, keepdims=0)
    index = graph.node("Where", graph.node("IsNaN", total), graph.constant(len(classes)), index)
    if isinstance(classes[0], str):
        return graph.node("Gather", graph.constant([*classes, ""], "str"), index, axis=0), "str", ("rows",)
    none = -(2**63) if -1 in classes else -1
    return graph.node("Gather", graph.constant([*classes, none], "int64"), index, axis=0), "int64", ("rows",)


def labels(graph: Operators, probabilities: str, count: int) -> tuple[str, str, Shape]:
    """Which of several labels each row has, (rows, labels), 0 or 1, and -1 of a probability that is NaN."""
    holds = graph.cast(graph.node("Greater", probabilities, graph.constant(0.5)), "int64")
    none = graph.node("IsNaN", probabilities)
    return graph.node("Where", none, graph.constant(-1), holds), "int64", ("rows", count)
