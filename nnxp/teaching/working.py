"""Numbers worked out: each with its formula, and that with numbers put in."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.teaching.expressions import parts, put_in, renamed, simplified
from nnxp.teaching.facts import SHOWN, Matrix, Step, Work, as_matrix
from nnxp.teaching.notation import Letter, number, symbol
from nnxp.teaching.tracing import Trace, Unwritten
from nnxp.teaching.updating import Rule, Update
from nnxp.teaching.wording import equation
from nnxp.typing import Floats

Found: TypeAlias = list[tuple[str, Any, Floats]]
"""A letter, an array of expressions, and the numbers that the library computed for them."""
FIRST = f"Of each matrix {SHOWN} numbers are worked out."
UNTRACED = (TypeError, AttributeError, ValueError, LookupError, NotImplementedError)
"""What a layer or a loss raises on letters where it is nothing that can be written in formulas of single numbers."""


def places(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """The elements that are worked out, the first ones."""
    return [*np.ndindex(*(min(size, SHOWN) for size in shape))][:SHOWN]


def worked(trace: Trace, owner: Layer | Loss, run: Callable[[], Found]) -> tuple[tuple[Work, ...], tuple[str, ...]]:
    """What `run` finds on a trace's letters, worked out, and what is to be said of it: that there is more, or that it
    is nothing that can be written in formulas of single numbers."""
    try:
        found = run()
        works = [
            _work(trace, Letter(name, tuple(i + 1 for i in place)), _at(symbols, place), float(values[place]))
            for name, symbols, values in found
            for place in places(values.shape)
        ]
    except UNTRACED as error:
        why = str(error) if isinstance(error, Unwritten) else "it is no formula of single numbers"
        return (), (f"What is inside {type(owner).__name__} is not written out here: {why}.",)
    used = {node for work in works for node in parts(work.formula)}
    named = [_work(trace, one.value, made, trace.values[one]) for one, made in trace.named if one in used]
    return (*named, *works), (FIRST,) if any(values.size > SHOWN for _, _, values in found) else ()


def _at(symbols: Any, place: tuple[int, ...]) -> Any:
    return symbols[place] if place or isinstance(symbols, np.ndarray) else symbols


def _work(trace: Trace, name: Letter, made: Any, value: float) -> Work:
    formula = simplified(trace.graph, trace.node(made))
    return Work(name, formula, put_in(trace.graph, formula, trace.values), value)


def of_update(update: Update, title: str, layer: int, dimensions: tuple[str, str], digits: int) -> Step:
    """An update as a step; ′ is what comes after it."""
    matrices = [Matrix(name, as_matrix(values), dimensions) for name, values in update.before.items()]
    matrices += [Matrix(f"{name}′", as_matrix(values), dimensions) for name, values in update.after.items()]
    notes = ["′ is what comes after."]
    if (rule := update.rule) is None:
        notes.append("What the optimizer does is not written out here: it is none of nnxp's formulas.")
        return Step("update", title, "", layer, tuple(matrices), (), tuple(notes))
    numbers = [f"{symbol(node.value)} = {number(value, digits)}" for node, value in rule.numbers.items()]
    notes = [f"{', '.join(numbers)}.", *notes] + [FIRST] * (update.before["w"].size > SHOWN)
    works = tuple(work for place in places(update.before["w"].shape) for work in _of_element(update, rule, place))
    return Step("update", title, equation(rule.formula), layer, tuple(matrices), works, tuple(notes))


def _of_element(update: Update, rule: Rule, place: tuple[int, ...]) -> Iterator[Work]:
    """What is kept comes first, and the weight's formula takes it."""
    graph, at = rule.graph, tuple(i + 1 for i in place)
    outputs = {name: simplified(graph, node) for name, node in zip(rule.written, graph.outputs, strict=True)}
    letters = {node: Letter(name, at) for name, node in rule.arrays.items()}
    values = {node: float(update.before[name][place]) for name, node in rule.arrays.items()} | rule.numbers
    for name in [*rule.written[1:], "w"]:
        output, letter, value = outputs[name], Letter(f"{name}′", at), float(update.after[name][place])
        yield Work(letter, renamed(graph, output, letters), put_in(graph, output, values), value)
        letters[output], values[output] = letter, value
