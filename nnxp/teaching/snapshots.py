"""What is taken of a training at one moment, for a page: surfaces over the plane, gradients, dead units."""

import base64
import copy
import itertools
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnxp.activations import Activation, Linear
from nnxp.layers import Dense, Dropout, Layer
from nnxp.memory.buffers import Buffers
from nnxp.network.answers import answers, class_names
from nnxp.network.row import Row
from nnxp.sequential import Sequential
from nnxp.teaching.unit_formulas import Lines, numbers_of
from nnxp.training.evaluation import averaged
from nnxp.typing import Floats, HostArray

SIDE = 64
"""About so many places along each axis at which the model is asked for its answer (`Scene.answer_side`)."""
UNIT_SIDES = (8, 28)
"""The fewest and the most of a unit's own surface."""
MOST_UNITS = 192
"""Units whose surfaces are kept; of the widest layers the first ones."""
ROOM = 4_000_000
"""Bytes for the units' surfaces over all moments. Compressed and as text they take about a third of that."""


LARGEST = 1e30
"""What is larger, where a network explodes beside its data, is drawn as this."""


@dataclass(frozen=True)
class Window:
    """The part of the plane that is looked at: all points, and a tenth to each side."""

    low: Floats
    high: Floats

    @classmethod
    def around(cls, X: Floats) -> "Window":
        """Of points (n, 2)."""
        low, high = X.min(axis=0), X.max(axis=0)
        reach = np.where(high > low, high - low, np.maximum(1.0, abs(high)))
        return cls(low - 0.1 * reach, high + 0.1 * reach)

    @property
    def digits(self) -> list[int]:
        """How many digits tell the places of each axis apart: three, and those that all of it shares."""
        shared = np.log10(np.maximum(abs(self.low), abs(self.high)) / (self.high - self.low))
        return [int(min(3 + max(np.ceil(digits), 0), 17)) for digits in shared]

    def grid(self, side: int) -> Floats:
        """The middles of side x side cells, (side², 2), from the upper left one on, row by row."""
        across, up = ((np.arange(side) + 0.5) / side * (b - a) + a for a, b in zip(self.low, self.high, strict=True))
        return np.stack([a.ravel() for a in np.meshgrid(across, up[::-1])], axis=1)


class Group(NamedTuple):
    """Layers that give one row of units: layers[start:stop].

    Attributes
    ----------
    kind : str
        "inputs": what rescales or embeds them; "hidden"; "outputs".
    width, shown : int
        How many units there are, and how many of them have their surfaces kept.
    """

    start: int
    stop: int
    kind: str
    width: int
    shown: int


def groups(model: Sequential, x: HostArray) -> list[Group]:
    """The rows of units of a model, each up to the next dense layer or block; `x` is one row that it takes."""
    layers = model.layers
    cuts = [i for i, layer in enumerate(layers) if isinstance(layer, Dense | Row)]
    bounds = sorted({0, *cuts, len(layers)})
    spans = [*itertools.pairwise(bounds)]
    if cuts and cuts[0] > 0 and all(isinstance(layer, Linear | Dropout) for layer in layers[: cuts[0]]):
        spans = spans[1:]
    widths = [outputs(model, stop, x).shape[1] for _, stop in spans]
    most = max(widths)
    while most > 1 and sum(min(width, most) for width in widths) > MOST_UNITS:
        most -= 1
    found = []
    for (start, stop), width in zip(spans, widths, strict=True):
        is_first = bool(cuts) and stop <= cuts[0]
        kind = "outputs" if stop == len(layers) else "inputs" if is_first else "hidden"
        found.append(Group(start, stop, kind, width, min(width, most)))
    return found


def outputs(model: Sequential, stop: int, rows: HostArray) -> Floats:
    """What the first layers give for rows, as a prediction computes it: the training's own arrays stay as they are."""
    backend, layers = model.backend, model.layers[:stop]
    with backend.context(), np.errstate(all="ignore"):
        x = backend.asarray(rows, dtype=model.dtype)
        found = model.prediction(layers)(x) if layers else x
    return np.array(backend.to_numpy(found), dtype=np.float64)


@dataclass(frozen=True)
class Surface:
    """Values on a grid for each of some units, each unit's in 256 steps between its own lowest and highest.

    Attributes
    ----------
    steps : numpy.ndarray of uint8, (units, places)
    low, high : numpy.ndarray of float64, (units,)
    """

    steps: HostArray
    low: Floats
    high: Floats

    @classmethod
    def of(cls, values: Floats) -> "Surface":
        """Of values (places, units)."""
        values = np.clip(np.nan_to_num(values), -LARGEST, LARGEST)
        low, high = values.min(axis=0), values.max(axis=0)
        steps = np.rint((values - low) / np.where(high > low, high - low, 1.0) * 255)
        return cls(steps.T.astype(np.uint8), low, high)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"steps": as_text(self.steps), "low": short(self.low), "high": short(self.high)}


@dataclass(frozen=True)
class Answer:
    """The class at each place and its probability, in 256 steps."""

    best: HostArray
    probability: HostArray

    @classmethod
    def of(cls, p: Floats) -> "Answer":
        """Of probabilities (places, classes)."""
        p = np.nan_to_num(p)
        return cls(p.argmax(axis=1).astype(np.uint8), np.rint(np.clip(p.max(axis=1), 0, 1) * 255).astype(np.uint8))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"best": as_text(self.best), "probability": as_text(self.probability)}


@dataclass(frozen=True)
class Frame:
    """One moment.

    Attributes
    ----------
    epoch : int
    answer : Answer or Surface
        Classes, or one surface of numbers.
    units : list of Surface
        Of each group.
    dead : list of list of int
        Of each group, the units whose derivative is 0 at every row that was asked.
    numbers : list
        Of each group and unit, the parameters that its formulas show.
    gradients : list of float
        Of each layer that has parameters, √(mean g²) in the last step; NaN before the first, and where it is frozen.
    """

    epoch: int
    answer: Answer | Surface
    units: list[Surface]
    dead: list[list[int]]
    numbers: list[list[list[float]]]
    gradients: list[float]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "epoch": self.epoch,
            "answer": self.answer.document(),
            "units": [surface.document() for surface in self.units],
            "dead": self.dead,
            "numbers": [[_known(numbers) for numbers in units] for units in self.numbers],
            "gradients": _known(short(self.gradients)),
        }


@dataclass(frozen=True)
class Scene:
    """What a model is asked at every moment: the grids, the rows on which units may be dead, the formulas' letters."""

    window: Window
    groups: list[Group]
    lines: list[Lines]
    rows: HostArray
    frames: int

    @property
    def side(self) -> int:
        """Of a unit's surface, so that all of them have room."""
        fewest, most = UNIT_SIDES
        return min(max(math.isqrt(ROOM // (self.frames * sum(group.shown for group in self.groups))), fewest), most)

    @property
    def answer_side(self) -> int:
        """Of the answer's surface: an odd multiple of `side`, so that the middle of each unit's cell is the middle of
        one of its own, and what is read there is of one place."""
        return self.side * (2 * round((SIDE / self.side - 1) / 2) + 1)

    def frame(self, model: Sequential, epoch: int, *, has_stepped: bool) -> Frame:
        """How it is now. The weights are their moving average, where a validation's are."""
        gradients = _gradients(model) if has_stepped else [math.nan] * len(layers_with_parameters(model))
        grid = self.window.grid(self.side)
        with averaged(model):
            answer = answers(model, outputs(model, len(model.layers), self.window.grid(self.answer_side)))
            units = [Surface.of(outputs(model, group.stop, grid)[:, : group.shown]) for group in self.groups]
            dead = [_dead(model, group, self.rows) for group in self.groups]
            numbers = [numbers_of(model, lines) for lines in self.lines]
        is_class = class_names(model) is not None
        return Frame(epoch, Answer.of(answer) if is_class else Surface.of(answer), units, dead, numbers, gradients)


def layers_with_parameters(model: Sequential) -> list[int]:
    """Positions of the layers that are trained, parts included."""
    return sorted({_position(entry.owner) for entry in model.store.entries if entry.kind != "state"})


def _known(numbers: Sequence[float]) -> list[float | None]:
    """Numbers as JSON has them: None where one is not finite."""
    return [number if math.isfinite(number) else None for number in numbers]


def _gradients(model: Sequential) -> list[float]:
    """√(mean g²) of each layer's parameters and its parts', in the last step."""
    store, squares = model.store, dict[int, list[Floats]]()
    values = np.array(store.backend.to_numpy(store.gradients), dtype=np.float64)
    for entry, start in zip(store.entries, store.offsets, strict=False):
        if entry.kind != "state" and entry.owner not in store.frozen:
            squares.setdefault(_position(entry.owner), []).append(values[start : start + entry.size] ** 2)
    return [
        float(np.sqrt(np.concatenate(squares[i]).mean())) if i in squares else math.nan
        for i in layers_with_parameters(model)
    ]


def _position(owner: int | str) -> int:
    return int(str(owner).partition(".")[0])


def _dead(model: Sequential, group: Group, rows: HostArray) -> list[int]:
    """Hidden units whose activation lets no gradient through, at any of the rows: its own backward of ones is 0."""
    found = [i for i in range(group.start, group.stop) if _has_slope(model.layers[i])]
    if group.kind != "hidden" or not found:
        return []
    backend, twin = model.backend, copy.copy(model.layers[found[-1]])
    twin.buffers = Buffers()
    x = backend.asarray(outputs(model, found[-1], rows), dtype=model.dtype)
    with backend.context():
        ones = backend.asarray(np.ones(twin.run_forward(x, False).shape), dtype=model.dtype)
        slopes = backend.to_numpy(twin.run_backward(ones))
    return [int(k) for k in np.flatnonzero((slopes == 0).all(axis=0))]


def _has_slope(layer: Layer) -> bool:
    return isinstance(layer, Activation) and not isinstance(layer, Linear) and not layer.parameters


def as_text(steps: HostArray) -> str:
    """Rows of bytes as base64 of what zlib makes of the differences from each to the next, of which most are small."""
    changes = np.diff(np.atleast_2d(steps), axis=1, prepend=np.uint8(0))
    return base64.b64encode(zlib.compress(changes.tobytes(), 6)).decode()


def short(numbers: Sequence[float] | Floats) -> list[float]:
    """With four digits each, which a page has room for."""
    return [float(f"{number:.4g}") for number in numbers]
