"""What a network learned of targets, as operators, in the targets' own units again: `NumberTarget.inverse`."""

import numpy as np

from nnxp.export.operators import Operators
from nnxp.tabular.encoders.target import NumberTarget, NumberTargets


def each(target: NumberTarget | NumberTargets) -> tuple[NumberTarget, ...]:
    """The targets, of one it alone."""
    return target.targets if isinstance(target, NumberTargets) else (target,)


def inverse(graph: Operators, target: NumberTarget | NumberTargets, z: str) -> str:
    """Targets (..., k) of what a network gives, z; in float64, as are the graph's floats."""
    targets = each(target)
    deviation, mean = (graph.constant([getattr(one, name) for one in targets]) for name in ("deviation", "mean"))
    y = graph.node("Add", graph.node("Mul", graph.cast(z, "float64"), deviation), mean)
    if any(logs := [one.transform == "log" for one in targets]):
        largest = graph.constant(float(np.log(np.finfo(np.float64).max)))
        y = graph.node("Where", graph.constant(logs), graph.node("Exp", graph.node("Min", y, largest)), y)
    if any(one.within for one in targets):
        low, high = (
            graph.constant([end if one.within is None else one.within[i] for one in targets])
            for i, end in enumerate((-np.inf, np.inf))
        )
        held = graph.node("Min", graph.node("Max", y, low), high)
        y = graph.node("Where", graph.node("IsNaN", y), y, held)
    return y
