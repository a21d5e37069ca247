"""The equations of what is computed, as LaTeX. None is written here.

The graph of an element-wise formula, from which kernels are made, is traced (`nnxp.kernels.graph`); an optimizer is
asked by an update which formula it follows (`nnxp.teaching.updating`); what is made of rows, a softmax say, is run on
letters (`nnxp.teaching.tracing`).
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from latex import TeX

import nnxp
from nnxp.activations import ACTIVATIONS, Activation
from nnxp.kernels import formulas
from nnxp.kernels.graph import Graph, Node, trace
from nnxp.layers import Layer
from nnxp.losses import LOSSES, Loss
from nnxp.losses.base import ElementwiseLoss
from nnxp.optimizers import OPTIMIZERS, Optimizer
from nnxp.teaching.expressions import parts, renamed, simplified
from nnxp.teaching.notation import ATOM, SUM, Letter, Written
from nnxp.teaching.tracing import Trace
from nnxp.teaching.updating import watched

LONGEST = 60
"""Parts: a longer formula, the error function's rational approximations, is no equation to read."""


def equations(thing: Any) -> Iterator[tuple[str, list[str]]]:
    """Those of a public class, or a formula, in groups: what a group is of, and its lines."""
    if inspect.isfunction(thing) and thing.__module__ == formulas.__name__:
        if thing is formulas.momentum:
            yield "", of_formula(thing, nesterov=False)
            yield "With `nesterov=True`", of_formula(thing, nesterov=True)
        else:
            yield "", of_formula(thing)
    elif thing in OPTIMIZERS:
        yield "", of_optimizer(thing())
        if thing is nnxp.SGD:
            yield "With momentum", of_optimizer(nnxp.SGD(momentum=0.9))
            yield "With momentum and `nesterov=True`", of_optimizer(nnxp.SGD(momentum=0.9, nesterov=True))
    elif thing in (nnxp.Softmax, nnxp.Dense):
        yield "Of a row of three numbers", of_layer(thing() if thing is nnxp.Softmax else nnxp.Dense(3, 2))
    elif thing in ACTIVATIONS and thing is not nnxp.Linear:
        yield "", of_activation(thing())
        if thing is nnxp.GELU:
            yield 'With `approximate="tanh"`', of_activation(nnxp.GELU("tanh"))
    elif thing in (nnxp.SoftmaxCrossentropy, nnxp.CategoricalCrossentropy):
        yield "Of a row of three numbers whose class is the second", of_loss(thing())
    elif thing in LOSSES and issubclass(thing, ElementwiseLoss):
        function, gradient = thing()._formulas()
        by = next(iter(inspect.signature(gradient).parameters))
        yield "Of one output", of_formula(function, r"\ell") + of_formula(gradient, rf"\mathrm{{d}}{by}")


def of_formula(formula: Callable[..., Any], name: str = "", **fixed: Any) -> list[str]:
    """A formula's lines; none where it is of integers, or too long to read."""
    graph = trace(formula, fixed, {})
    if graph.integral or max(len(parts(output)) for output in graph.outputs) > LONGEST:
        return []
    lines, outputs = lettered(graph, [simplified(graph, output) for output in graph.outputs])
    written = [TeX().write(output) for output in outputs]
    updated = [f"{p.value}'" for p in graph.parameters if not p.scalar and p.value != "g"]
    name = name or rf"\text{{{formula.__name__}}}"
    if len(outputs) == 1:
        return [*lines, f"{name} = {written[0]}"]
    names = updated if "w'" in updated else [f"{name}_{{{i}}}" for i, _ in enumerate(outputs, 1)]
    return [*lines, *(f"{left} = {right}" for left, right in zip(names, written, strict=True))]


def lettered(graph: Graph, outputs: Sequence[Node]) -> tuple[list[str], list[Node]]:
    """What stands in formulas more than once gets a letter: its lines, and the formulas with letters."""
    free = (letter for letter in "uvsthqrabdefijk" if letter not in {p.value for p in graph.parameters})
    lines, shown = list[str](), [*outputs]
    while True:
        above = Counter(part for node in set().union(*map(parts, shown)) for part in set(node.args))
        often = [node for node, count in above.items() if count > 1 and _operations(node) > 1]
        if not often:
            return lines, shown
        first, letter = min(often, key=_operations), next(free)
        lines.append(f"{letter} = {TeX().write(first)}")
        shown = [renamed(graph, output, {first: letter}) for output in shown]


def _operations(node: Node) -> int:
    return sum(bool(part.args) for part in parts(node))


def of_activation(activation: Activation) -> list[str]:
    """y = f(x), and dx from dy, the gradients by x and y."""
    function, gradient = activation.functions()
    return of_formula(function, "y") + of_formula(gradient, r"\mathrm{d}x")


def of_optimizer(optimizer: Optimizer) -> list[str]:
    """What an update does, t - 1 before and t after it, from an update of one weight."""
    model = nnxp.Sequential([nnxp.Dense(1, 1)], "mean_squared_error", optimizer, seed=0)
    model.forward([[1.0]])
    model.backward([[0.0]])
    rule = watched(model)[0].rule
    assert rule is not None
    names = {one: Written(f"{one}_{{t}}" if one == "g" else f"{one}_{{t-1}}", ATOM) for one in rule.arrays}
    names |= {f"{one}'": Written(f"{one}_{{t}}", ATOM) for one in rule.written}
    names |= {f"correction_{i}": Written(rf"1 - \beta_{{{i}}}^{{t}}", SUM) for i in (1, 2)}
    outputs, letters, lines = dict(zip(rule.written, rule.graph.outputs, strict=True)), dict[Node, Any](), []
    for one in [*rule.written[1:], "w"]:  # what is kept comes first, and the weight's formula takes it
        right = simplified(rule.graph, renamed(rule.graph, outputs[one], letters))
        lines.append(f"{one}_{{t}} = {TeX(names).write(right)}")
        letters[outputs[one]] = f"{one}'"
    return lines


def of_layer(layer: Layer) -> list[str]:
    """What it makes of a row of three numbers."""
    traced, row = Trace("float64"), np.zeros((1, 3))
    arrays = {name: np.zeros(shape) for name, shape in layer.shapes().items()}
    found = traced.layer(layer, arrays).run_forward(traced.letters("x", row), True)
    return _of_row(traced, {Letter("y", (1, j)): element for j, element in enumerate(found[0], 1)})


def of_loss(loss: Loss) -> list[str]:
    """What it makes of a row of three numbers whose class is the second, and the gradient."""
    traced, row = Trace("float64"), np.zeros((1, 3))
    losses, gradients = traced.loss(loss).both(traced.letters("p", row), np.array([1]))
    found = {Letter("dp", (1, j)): element for j, element in enumerate(np.ravel(gradients), 1)}
    return _of_row(traced, {Letter("ℓ", (1,)): losses[0], **found})


def _of_row(traced: Trace, found: Mapping[Letter, Any]) -> list[str]:
    lines = [(one.value, made) for one, made in traced.named] + [(one, traced.node(a)) for one, a in found.items()]
    return [f"{TeX().letter(letter)} = {TeX().write(simplified(traced.graph, node))}" for letter, node in lines]
