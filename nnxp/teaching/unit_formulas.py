"""What a unit computes, as formulas whose letters a page can put numbers in."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnxp.activations import Linear
from nnxp.kernels.graph import Node
from nnxp.layers import Dropout
from nnxp.sequential import Sequential
from nnxp.tabular.report.markup import Markup, element
from nnxp.teaching.expressions import simplified
from nnxp.teaching.notation import Letter, MathML, symbol
from nnxp.teaching.tracing import Trace
from nnxp.teaching.wording import equation
from nnxp.teaching.working import UNTRACED

DIGITS = 4


@dataclass(frozen=True)
class Line:
    """One layer's part in a unit: `title` is the layer, `formula` in MathML, or in the words of its docstring."""

    title: str
    formula: Markup


@dataclass(frozen=True)
class Lines:
    """The formulas of a row of units.

    Attributes
    ----------
    units : list of list of Line
        Of each unit that is shown.
    parameters : list of list of (int, str, tuple)
        Of each unit, the layer, the name and the place of each parameter that is written, in the order of
        `data-parameter`.
    """

    units: list[list[Line]]
    parameters: list[list[tuple[int, str, tuple[int, ...]]]]


class Slots(MathML):
    """MathML whose letters say what they stand for: `data-input`, the number of an input, or `data-parameter`, a number
    of the unit's own list. The number of the sample is left out: it is any place of the plane."""

    def __init__(self, layer: int, names: tuple[str, ...], parameters: list[tuple[int, str, tuple[int, ...]]]) -> None:
        super().__init__(DIGITS)
        self.layer, self.names, self.parameters = layer, names, parameters

    def letter(self, letter: Letter) -> Markup:
        """A letter as it stands in a formula."""
        name, place = letter
        if not place:
            return super().letter(letter)
        marks: dict[str, Any] = {}
        if name in self.names:
            slot = (self.layer, name, tuple(i - 1 for i in place))
            if slot not in self.parameters:
                self.parameters.append(slot)
            marks["data_parameter"] = self.parameters.index(slot)
        elif name == "x":
            marks["data_input"] = place[-1] - 1
        if len(place) == 2 and name in ("x", "y", "biases"):
            place = place[1:]
        return element("msub", element("mi", symbol(name)), element("mn", Letter(name, place).subscript), **marks)


def unit_formulas(model: Sequential, start: int, stop: int, shown: int, width: int) -> Lines:
    """Those of the first units that layers[start:stop] give, of `width` inputs."""
    found = Lines([[] for _ in range(shown)], [[] for _ in range(shown)])
    for i in range(start, stop):
        layer = model.layers[i]
        if isinstance(layer, Linear | Dropout):  # which a prediction passes by
            continue
        formulas, others = _traced(model, i, width)
        for k in range(shown):
            if not formulas:
                found.units[k].append(Line(type(layer).__name__, element("span", equation(type(layer)))))
                continue
            style = Slots(i, layer.parameters, found.parameters[k])
            for name, formula in [*others, (Letter("y", (1, k + 1)), formulas[k])]:
                row = element("mrow", style.letter(name), style.sign("="), Markup(style.write(formula)))
                found.units[k].append(Line(type(layer).__name__, element("math", row, displaystyle="true")))
        width = layer.output_width(width) or width
    return found


def _traced(model: Sequential, i: int, width: int) -> tuple[list[Node], list[tuple[Letter, Node]]]:
    """What layer i gives of one row of letters, and what has a letter of its own in between; nothing where that cannot
    be written."""
    layer, trace = model.layers[i], Trace(model.dtype)
    own = {name: np.array(model.backend.to_numpy(getattr(layer, name))) for name in layer.parameters}
    try:
        symbols = trace.layer(layer, own).run_forward(trace.letters("x", np.zeros((1, width))), False)
        formulas = [simplified(trace.graph, trace.node(symbol)) for symbol in symbols[0]]
    except UNTRACED:
        return [], []
    return formulas, [(one.value, simplified(trace.graph, made)) for one, made in trace.named]


def numbers_of(model: Sequential, lines: Lines) -> list[list[float]]:
    """The parameters of each unit's formulas, as they are now."""
    arrays: dict[tuple[int, str], Any] = {}
    for i, name, _ in (slot for unit in lines.parameters for slot in unit):
        if (i, name) not in arrays:
            arrays[i, name] = model.backend.to_numpy(getattr(model.layers[i], name))
    return [[float(f"{arrays[i, name][place]:.{DIGITS}g}") for i, name, place in unit] for unit in lines.parameters]
