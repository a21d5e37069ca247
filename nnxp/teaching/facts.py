"""What is known of one training step: a small tree, which every page is written from."""

from dataclasses import dataclass, field

from nnxp.kernels.graph import Node
from nnxp.teaching.notation import Letter, Style, number
from nnxp.typing import Floats

SHOWN = 8
"""The most rows and columns of a matrix that a page shows, and the most of its elements that are worked out."""


def as_matrix(values: Floats) -> Floats:
    """An array of any number of dimensions as one of two: the last is the columns."""
    return values.reshape(-1, values.shape[-1])


@dataclass(frozen=True)
class Matrix:
    """Numbers with their shape.

    Attributes
    ----------
    name : str
    values : numpy.ndarray of float64, (rows, columns)
    dimensions : tuple of str
        What its rows and its columns are: "n" the samples, "d0" what the network takes, "d1" what comes out of the
        first layer that changes the width, ... Equal ones match.
    is_error : bool
        Whether two digits of each number are enough.
    """

    name: str
    values: Floats
    dimensions: tuple[str, str]
    is_error: bool = False

    def cells(self, digits: int) -> list[list[str]]:
        """The numbers as they are written, with an ellipsis where a page has no room for more."""
        digits = 2 if self.is_error else digits
        shown = [[number(value, digits) for value in row] for row in self.values[:SHOWN, :SHOWN].tolist()]
        if self.values.shape[1] > SHOWN:
            shown = [[*row, "…"] for row in shown]
        return [*shown, ["…"] * len(shown[0])] if self.values.shape[0] > SHOWN else shown

    @property
    def lengths(self) -> list[tuple[str, int]]:
        """Each dimension and how long it is."""
        return [*zip(self.dimensions, self.values.shape, strict=True)]

    @property
    def shape(self) -> str:
        """As text: "n=1 × d0=2"."""
        return " × ".join(str(size) if name.isdigit() else f"{name}={size}" for name, size in self.lengths)

    @property
    def remark(self) -> str:
        """What of it is shown, where that is not all; else empty."""
        rows, columns = (min(size, SHOWN) for size in self.values.shape)
        return "" if (rows, columns) == self.values.shape else f"the first {rows} × {columns} are shown"


@dataclass(frozen=True)
class Work:
    """One number: its formula, the formula with numbers put in, and what comes out, as the library computed it."""

    name: Letter
    formula: Node
    numbers: Node
    value: float

    def lines(self, style: Style) -> list[str]:
        """The formula, the numbers put in and the value, each once, and the name in front, in a way of writing."""
        found = [style.write(self.formula), style.write(self.numbers), style.number(number(self.value, style.digits))]
        return [style.letter(self.name), *dict.fromkeys(found)]


@dataclass(frozen=True)
class Step:
    """One thing that happens.

    Attributes
    ----------
    phase : str
        "forward", "loss", "backward", "update" or "after".
    title : str
    equation : str
        From the docstring of what computes it; empty where there is none.
    layer : int or None
        Which layer it is about, from 0 on.
    matrices : tuple of Matrix
    works : tuple of Work
    notes : tuple of str
        Sentences.
    """

    phase: str
    title: str
    equation: str = ""
    layer: int | None = None
    matrices: tuple[Matrix, ...] = ()
    works: tuple[Work, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gradient:
    """A parameter's gradient beside its central differences.

    Attributes
    ----------
    layer : int or str
        The layer's position in the model.
    name : str
        The parameter's.
    values, differences : numpy.ndarray of float64
        As the step computed it, and (f(w + h) - f(w - h)) / 2h in float64.
    """

    layer: int | str
    name: str
    values: Floats
    differences: Floats

    @property
    def error(self) -> Floats:
        """How far they are apart."""
        return abs(self.values - self.differences)


@dataclass(frozen=True)
class Column:
    """What is drawn of a layer, or of the inputs: the first sample's values, and the loss's derivatives by them."""

    title: str
    layer: int | None
    values: Floats
    gradients: Floats
    weights: Floats | None = None
    """Of a dense layer, (inputs, outputs)."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """A whole step.

    Attributes
    ----------
    title : str
    digits : int
        How many of a number are written: 9 of float64, 7 of float32.
    steps : tuple of Step
    columns : tuple of Column
        For the drawing.
    gradients : tuple of Gradient
    loss, loss_after : float
        Of the rows, before and after the update.
    sizes : dict of int
        What each dimension comes to, by its name.
    """

    title: str
    digits: int
    steps: tuple[Step, ...]
    columns: tuple[Column, ...]
    gradients: tuple[Gradient, ...]
    loss: float
    loss_after: float
    sizes: dict[str, int] = field(default_factory=dict)
