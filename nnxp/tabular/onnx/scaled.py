"""What makes columns of numbers alike in size, as operators: `Scaler.apply`, in its order, in float64."""

import numpy as np

from nnxp.export.elementwise import formula
from nnxp.export.operators import Operators
from nnxp.tabular.encoders.scaling import CLIP, FAR, LARGEST, Scaler, normal
from nnxp.typing import Floats


def scaled(graph: Operators, scaler: Scaler, x: str) -> str:
    """The columns x, (rows, p) of float64, NaN where a number is missing, as the scaler has them; the graph's floats
    are float64."""
    median, unit, center, factor = (graph.constant(scaler.tensors[n]) for n in ("median", "unit", "center", "factor"))
    x = graph.node("Div", graph.node("Where", graph.node("IsNaN", x), median, x), unit)
    if scaler.name == "quantile":
        (z,) = formula(graph, normal, share_below(graph, x, scaler.tensors["quantiles"]))
        return graph.node("Mul", z, factor)
    x = graph.node("Sub", x, center)
    if (same := scaler.tensors["factor"] == 0).any():
        x = graph.node("Where", graph.constant(same), graph.constant(0.0), x)
    z = graph.node("Mul", x, factor)
    if scaler.name != "robust":
        return _within(graph, z, LARGEST)
    z = _within(graph, z, FAR)
    third = graph.node("Div", z, graph.constant(CLIP))
    square = graph.node("Add", graph.node("Mul", third, third), graph.constant(1.0))
    return graph.node("Div", z, graph.node("Sqrt", square))


def _within(graph: Operators, z: str, limit: float) -> str:
    return graph.node("Clip", z, graph.constant(-limit), graph.constant(limit))


def share_below(graph: Operators, x: str, quantiles: Floats) -> str:
    """`nnxp.tabular.encoders.scaling.share_below`: of each number where it stands among its column's quantiles, by
    comparison, and the line through that place, from a table: value s + (x - q) m, from either side.

    From the left q is the last quantile that is not above x, and m the slope after it; from the right q is the first
    that is not below x, and m the slope before it. Beyond the ends s is 0 and 1, and m is 0.
    """
    count, p = quantiles.shape
    shares = np.repeat(np.linspace(0, 1, count)[:, None], p, axis=1)
    gaps = np.diff(quantiles, axis=0)
    slopes = np.divide(np.diff(shares, axis=0), gaps, out=np.zeros_like(gaps), where=gaps > 0)
    none, one = np.zeros((1, p)), np.ones((1, p))
    left = [np.concatenate(t) for t in ((none, quantiles), (none, slopes, none), (none, shares))]
    right = [np.concatenate(t) for t in ((quantiles, none), (none, slopes, none), (shares, one))]
    x = _within(graph, x, LARGEST)  # so that 0 · (x - q) is 0
    sides = [
        _on_line(graph, x, _count(graph, x, quantiles, op), table)
        for op, table in (("LessOrEqual", left), ("Less", right))
    ]
    return graph.node("Mul", graph.node("Add", *sides), graph.constant(0.5))


def _on_line(graph: Operators, x: str, index: str, table: list[Floats]) -> str:
    q, m, s = (graph.node("GatherElements", graph.constant(one), index, axis=0) for one in table)
    return graph.node("Add", graph.node("Mul", m, graph.node("Sub", x, q)), s)


def _count(graph: Operators, x: str, quantiles: Floats, op: str) -> str:
    """How many quantiles of its column are below each number, or not above it, (rows, p): by halving, so that no
    (rows, p, quantiles) is made."""
    bits = len(quantiles).bit_length()
    padded = np.full((2**bits - 1, quantiles.shape[1]), np.inf)
    padded[: len(quantiles)] = quantiles
    table, index = graph.constant(padded), graph.cast(graph.node("Mul", x, graph.constant(0.0)), "int64")
    for step in (2**bit for bit in reversed(range(bits))):
        probe = graph.node("GatherElements", table, graph.node("Add", index, graph.constant(step - 1)), axis=0)
        further = graph.node("Add", index, graph.constant(step))
        index = graph.node("Where", graph.node(op, probe, x), further, index)
    return index
