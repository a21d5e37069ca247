"""What charts are drawn with: axes with round numbers, lines, words. The colours are the style sheet's."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from nnxp.tabular.findings.numerals import number
from nnxp.tabular.report.markup import Markup, columns, element, joined

WIDTH, HEIGHT = 420, 270
LETTER = 6.6
"""The width of a letter of 11 units, the size of all that is written in a chart."""
TOP, BOTTOM, RIGHT = 44, 42, 14
Points = Sequence[tuple[float | None, float | None]]


@dataclass(frozen=True)
class Axis:
    """Where a number is on a stretch from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value."""
        low, high, x = self.low, self.high, value
        if self.is_log:
            low, high, x = math.log(low), math.log(high), math.log(x)
        return round(self.start + (x - low) / (high - low) * (self.end - self.start), 2)


def ticks(low: float, high: float, least: float = 0.0, most: int = 6) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`: multiples of 1, 2 or 5 · 10ᵏ that are `least` apart.

    Examples
    --------
    >>> ticks(0.03, 0.98), ticks(-12, 31)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [-20.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0])
    >>> ticks(5, 5)
    [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    """
    if high - low <= max(1e-9 * max(abs(low), abs(high)), 1e-300):
        reach = max(abs(low), abs(high)) / 2
        low, high = (low - reach, high + reach) if reach > 1e-300 else (-1.0, 1.0)
    rough = max((high - low) / (most - 1), least)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= 0.999 * rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12 - math.floor(math.log10(step))) for k in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """The 1, 2 and 5 · 10ᵏ between two positive numbers, or where they are too many, powers of ten.

    Examples
    --------
    >>> log_ticks(0.03, 0.9), log_ticks(1e-6, 2e6)
    ([0.05, 0.1, 0.2, 0.5], [1e-06, 0.001, 1.0, 1000.0, 1000000.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = [float(f"{k}e{power}") for power in range(first, last + 1) for k in (1, 2, 5)]
    found = [tick for tick in found if low <= tick <= high]
    if len(found) > most:
        powers = [tick for tick in found if f"{tick:e}"[0] == "1"]
        found = powers[:: math.ceil(len(powers) / most)]
    return found


def picture(
    alternative: str, *parts: str, width: float = WIDTH, height: float = HEIGHT, least: float | None = None
) -> Markup:
    """A chart as wide as its place, up to a limit and down to one, and what it says to those who do not see it."""
    bounds = f"max-width:{1.15 * width:.0f}px" + ("" if least is None else f";min-width:{least:.0f}px")
    box = f"0 0 {width:g} {height:g}"
    return element("svg", *parts, viewBox=box, role="img", aria_label=alternative, style=bounds)


def text(words: str, x: float, y: float, anchor: str | None = None, class_: str | None = None) -> Markup:
    """Words at a place; `anchor` "middle" or "end" says which part of them is there."""
    return element("text", words, x=f"{x:g}", y=f"{y:g}", text_anchor=anchor, class_=class_)


@dataclass(frozen=True)
class Plane:
    """A pair of axes; `frame` is what is drawn below the data: the grid, its numbers and the axes' names."""

    x: Axis
    y: Axis
    frame: Markup

    @classmethod
    def over(cls, points: Points, x_name: str, y_name: str, *, is_log: bool = False, square: bool = False) -> "Plane":
        """The axes that show all the points; y may be logarithmic, and a `square` plane has one axis twice."""
        across = [x for x, _ in points if x is not None]
        up = [y for _, y in points if y is not None]
        if square:
            across = up = across + up
        y_low, y_high, y_ticks = _scale(up, is_log)
        x_low, x_high, x_ticks = _scale(across, is_log and square)
        left = LETTER * max(columns(_tick(tick, y_ticks)) for tick in y_ticks) + 10
        x = Axis(x_low, x_high, left, WIDTH - RIGHT, is_log and square)
        y = Axis(y_low, y_high, HEIGHT - BOTTOM, TOP, is_log)
        return cls(x, y, _frame(x, y, x_ticks, y_ticks, x_name, y_name))

    def path(self, points: Points, class_: str) -> Markup:
        """A line through the points, with gaps where one has no number."""
        steps, pen = [], "M"
        for x, y in points:
            if x is None or y is None:
                pen = "M"
            else:
                steps.append(f"{pen}{self.x(x):g} {self.y(y):g}")
                pen = "L"
        return element("path", d="".join(steps), class_=class_)

    def dot(self, x: float, y: float, class_: str, label: str = "") -> Markup:
        """A point, and what it says under the pointer."""
        note = [element("title", label)] if label else []
        return element("circle", *note, cx=f"{self.x(x):g}", cy=f"{self.y(y):g}", r="3", class_=class_)


def _scale(values: list[float], is_log: bool) -> tuple[float, float, list[float]]:
    """Where an axis of these values begins and ends, and its ticks."""
    if is_log:
        low, high = min(values) / 1.05, max(values) * 1.05
        return low, high, log_ticks(low, high)
    found = ticks(min(values), max(values), least=1 if all(isinstance(value, int) for value in values) else 0)
    return found[0], found[-1], found


def _frame(x: Axis, y: Axis, x_ticks: list[float], y_ticks: list[float], x_name: str, y_name: str) -> Markup:
    parts = []
    for tick in y_ticks:
        at = y(tick)
        parts.append(element("path", d=f"M{x.start:g} {at:g}H{x.end:g}", class_="grid"))
        parts.append(text(_tick(tick, y_ticks), x.start - 6, at + 4, "end"))
    labels = [_tick(tick, x_ticks) for tick in x_ticks]
    widths = [LETTER * columns(label) for label in labels]
    every = math.ceil(len(labels) * (max(widths) + 10) / (x.end - x.start))
    for i, (tick, label, wide) in enumerate(zip(x_ticks, labels, widths, strict=True)):
        parts.append(element("path", d=f"M{x(tick):g} {y.start:g}v4", class_="axis"))
        if i % every == 0:
            parts.append(text(label, min(x(tick), WIDTH - wide / 2), y.start + 16, "middle"))
    parts.append(element("path", d=f"M{x.start:g} {y.start:g}H{x.end:g}", class_="axis"))
    parts.append(text(x_name, (x.start + x.end) / 2, y.start + 34, "middle", "name"))
    parts.append(text(y_name, 2, TOP - 14, None, "name"))
    return joined(*parts)


def _tick(tick: float, all_ticks: list[float]) -> str:
    """The number of a tick, with as many digits as tell it from its neighbours."""
    step = min(abs(a - b) for a, b in itertools.pairwise(all_ticks))
    return number(tick, min(15, max(4, math.ceil(math.log10(max(map(abs, all_ticks)) / step) + 1.5))))
