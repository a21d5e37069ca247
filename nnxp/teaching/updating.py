"""An optimizer's update, watched: what it was given, by which formula and with which numbers it changes a parameter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnxp.backends import Backend
from nnxp.kernels.graph import Graph, Node, trace
from nnxp.network.model import Model
from nnxp.optimizers.factors import Factors, factor_of, rate_of
from nnxp.typing import Array, Floats


@dataclass(frozen=True)
class Rule:
    """A formula, traced, and the numbers that it takes beside its arrays.

    Attributes
    ----------
    formula : function
        Of `nnxp.kernels.formulas`.
    graph : Graph
        Its outputs are the weight, and then what is kept, by `written`.
    arrays, numbers : dict
        Its parameters by their names: the letters of the arrays, and the numbers' values.
    """

    formula: Callable[..., Any]
    graph: Graph
    arrays: dict[str, Node]
    numbers: dict[Node, float]

    @property
    def written(self) -> list[str]:
        """The arrays that are overwritten, by their names in the formula: the weight, and what is kept."""
        return [name for name in self.arrays if name != "g"]


@dataclass(frozen=True)
class Update:
    """What an update did to one parameter.

    Attributes
    ----------
    owner, name
        The layer's position and the parameter's name.
    rule : Rule or None
        None where an optimizer of the user's own follows no formula.
    before, after : dict of numpy.ndarray
        By the names of the rule's arrays: "w", "m", ...; "g" is the gradient as it was taken, clipped where it was.
    """

    owner: int | str
    name: str
    rule: Rule | None
    before: dict[str, Floats]
    after: dict[str, Floats]


def watched(model: Model) -> list[Update]:
    """Updates a model whose gradients are computed, and tells of each parameter that is not frozen."""
    store, optimizer, taken = model.store, model.optimizer, np.zeros(model.store.trained)
    spans = iter(store.spans(None, optimizer.by_kind))
    rules: list[tuple[Any, Rule | None]] = []
    step = optimizer.step

    def host(flat: Array) -> Floats:
        return np.array(store.backend.to_numpy(flat), dtype=np.float64)

    def watching(backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """Notes what the update is given, asks the rule for its formula, and lets it do its work."""
        span, copies = next(spans), (backend.asarray(a, copy=True) for a in (w, g))
        apart = (backend, *copies, [backend.asarray(slot, copy=True) for slot in slots])
        taken[span.start : span.stop] = host(g)
        for entry, start in zip(store.entries, store.offsets, strict=False):
            if span.start <= start < span.stop and entry.size:
                rate = rate_of(entry, optimizer.factors)
                decay = factor_of(entry, getattr(optimizer, "decay_factors", None))
                rules.append(((entry, start), _asked(step, apart, (factors.kind, rate, decay))))
        step(backend, w, g, slots, factors)

    slots = [host(slot) for slot in optimizer.state(store)[: len(optimizer.slots)]]
    before = [host(store.values), *slots]
    optimizer.pre_update_params()
    vars(optimizer)["step"] = watching
    try:
        optimizer.update_params(model)
    finally:
        del vars(optimizer)["step"]
    optimizer.post_update_params()
    after = [host(store.values), *map(host, optimizer.state(store)[: len(optimizer.slots)])]
    updates = []
    for (entry, start), rule in rules:
        part = slice(start, start + entry.size)
        names = rule.written if rule is not None else ["w", *optimizer.slots]
        old, new = ({n: a[part].reshape(entry.shape) for n, a in zip(names, flat, strict=True)}
                    for flat in (before, after))  # fmt: skip
        updates.append(Update(entry.owner, entry.name, rule, {**old, "g": taken[part].reshape(entry.shape)}, new))
    return updates


def _asked(step: Callable[..., None], arrays: tuple[Any, ...], kind: tuple[str, float, float]) -> Rule | None:
    """The rule that an optimizer's `step` follows for a parameter of such factors: it is run on copies, with a kernel
    that only notes what it is called with."""
    called: list[tuple[Any, ...]] = []

    def fuse(formula: Callable[..., Any], into: tuple[str, ...] = (), **fixed: Any) -> Callable[..., None]:
        return lambda *arguments: called.append((formula, fixed, arguments))

    step(*arrays, Factors(*kind, fuse, ()))
    if not called:
        return None
    formula, fixed, arguments = called[0]
    graph = trace(formula, fixed, {})
    named = dict(zip([p.value for p in graph.parameters], arguments, strict=True))
    scalars = {p: float(named[p.value]) for p in graph.parameters if p.scalar}
    return Rule(formula, graph, {p.value: p for p in graph.parameters if not p.scalar}, scalars)
