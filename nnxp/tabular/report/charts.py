"""The charts of a report, as SVG that stands in a page.

Each has a text alternative, and each says with a dash, a shape or a word what it says with a colour. They are narrow,
so that their letters are still read on a telephone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nnxp.plots import LOG_FROM
from nnxp.tabular.findings.numerals import number
from nnxp.tabular.report.markup import Markup, columns, cut, element, joined
from nnxp.tabular.report.svg import LETTER, WIDTH, Axis, Plane, Points, picture, text

LABEL = 18
"""Columns of a label beside a matrix."""

SHADE = 0.5
"""How opaque the darkest cell of a matrix is: its letters are read on it, on light paper and on dark."""
CORNER = "↓ true class"
CLASSES = ("one", "two")
"""What the style sheet calls the lines of a plane, the first first."""


@dataclass(frozen=True)
class Line:
    """Points joined by a line; there is a gap where one has no number.

    `errors` are those of y, one a point: the points of such a line are dots with whiskers, where they have one.
    """

    name: str
    points: Points
    errors: Sequence[float | None] = ()


@dataclass(frozen=True)
class Bar:
    """A named bar with what is written at its end; `error` to either side where there is one."""

    name: str
    value: float
    text: str
    error: float | None = None


def legend(names: Sequence[str]) -> Markup:
    """What each line is called, in a row above the plane."""
    parts, x = [], 2.0
    for name, class_ in zip(names, CLASSES, strict=False):
        parts.append(element("path", d=f"M{x:g} 10h22", class_=f"line {class_}"))
        parts.append(text(name, x + 28, 14))
        x += 28 + LETTER * columns(name) + 16
    return joined(*parts)


def lines(
    alternative: str,
    series: Sequence[Line],
    x_name: str,
    y_name: str,
    *,
    mark: tuple[float, str] | None = None,
    diagonal: bool = False,
    may_log: bool = False,
) -> Markup:
    """Lines over one plane.

    Parameters
    ----------
    alternative : str
        What the chart shows, in a sentence; the numbers at the ends of each line follow it, or those of its dots.
    series : sequence of Line
        Two at most.
    mark : (float, str), optional
        A place along the x axis and what it is.
    diagonal : bool
        Whether y = x is drawn, on axes from 0 to 1.
    may_log : bool
        Whether the y axis is logarithmic where that shows more.
    """
    points = [point for line in series for point in line.points] + [(0.0, 0.0), (1.0, 1.0)] * diagonal
    known = [y for x, y in points if x is not None and y is not None]
    is_log = may_log and max(known) > LOG_FROM * min(known) > 0
    plane = Plane.over(points, x_name, y_name, is_log=is_log, square=diagonal)
    parts = [plane.frame]
    if diagonal:
        parts.append(plane.path([(plane.x.low, plane.x.low), (plane.x.high, plane.x.high)], "line rule"))
    if mark is not None:
        at = plane.x(mark[0])
        right = at > WIDTH / 2
        parts.append(element("path", d=f"M{at:g} {plane.y.start:g}V{plane.y.end:g}", class_="line rule"))
        parts.append(text(mark[1], at - 5 if right else at + 5, plane.y.end + 9, "end" if right else None, "halo"))
    for line, class_ in zip(series, CLASSES, strict=False):
        dots = [(x, y) for x, y in line.points if x is not None and y is not None]
        parts.append(plane.path(line.points, f"line {class_}"))
        if line.errors or len(dots) == 1:
            parts += [plane.dot(x, y, f"dot {class_}", f"{number(x)}, {number(y)}") for x, y in dots]
        for (x, y), error in zip(line.points, line.errors, strict=False):
            if x is not None and y is not None and error:
                parts.append(
                    plane.path([(x, max(y - error, plane.y.low)), (x, min(y + error, plane.y.high))], "whisker")
                )
        ends = dots if line.errors else dots[:: max(len(dots) - 1, 1)]
        alternative += f" {line.name}: {', '.join(f'{number(y)} at {number(x)}' for x, y in ends)}."
    if len(series) > 1:
        parts.append(legend([line.name for line in series]))
    return picture(alternative, *parts)


def bars(alternative: str, rows: Sequence[Bar]) -> Markup:
    """Horizontal bars from zero, each below its name, with a whisker of one error to either side."""
    row, foot = 34, 4
    ends = [row.value + side * (row.error or 0) for row in rows for side in (-1, 1)] + [0.0]
    low, high = min(ends), max(ends)
    if low == high:
        high = 1.0
    across, parts = Axis(low, high, 2, WIDTH - 6), []
    for i, bar in enumerate(rows):
        top = i * row
        start, end = sorted((across(0), across(bar.value)))
        middle = top + 24
        room = int((WIDTH - 20) / LETTER) - columns(bar.text)
        parts += [
            element("text", cut(bar.name, room), element("title", bar.name), x="2", y=f"{top + 14:g}"),
            text(bar.text, WIDTH - 6, top + 14, "end", "figure"),
            element("rect", x=f"{start:g}", y=f"{top + 19:g}", width=f"{end - start:g}", height="10",
                    class_="bar" if bar.value >= 0 else "bar below"),
        ]  # fmt: skip
        if bar.error:
            a, b = across(bar.value - bar.error), across(bar.value + bar.error)
            d = f"M{a:g} {middle:g}H{b:g}M{a:g} {middle - 4:g}v8M{b:g} {middle - 4:g}v8"
            parts.append(element("path", d=d, class_="whisker"))
    height = len(rows) * row + foot
    ground = "".join(f"M{across(0):g} {i * row + 16}v16" for i in range(len(rows)))
    alternative = "; ".join([alternative, *(f"{bar.name}: {bar.text}" for bar in rows)])
    return picture(alternative, *parts, element("path", d=ground, class_="axis"), height=height)


def matrix(alternative: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """How often each class was taken for which: a row for each true class, shaded by its share of the row."""
    labels = [cut(name, LABEL) for name in names]
    n, longest = len(names), LETTER * max(map(columns, labels))
    left = max(longest, LETTER * columns(CORNER)) + 14
    widest = max(columns(number(count)) for row in counts for count in row)
    side = max(min(44.0, 300 / n), 28.0, LETTER * widest + 8)
    top = longest + 32
    width, height = left + n * side + 2, top + n * side + 2
    parts = [text("taken for →", width, 12, "end", "name"), text(CORNER, 2, top - 8, None, "name")]
    for i, (name, label, row) in enumerate(zip(names, labels, counts, strict=True)):
        middle, all_of_it = (i + 0.5) * side, max(sum(row), 1)
        note = element("title", name)
        parts.append(element("text", label, note, x=f"{left - 6:g}", y=f"{top + middle + 4:g}", text_anchor="end"))
        place = f"rotate(-90) translate({-(top - 6):g} {left + middle + 4:g})"
        parts.append(element("text", label, note, transform=place))
        for j, count in enumerate(row):
            x, y = left + j * side, top + i * side
            box = {"x": f"{x + 0.5:g}", "y": f"{y + 0.5:g}", "width": f"{side - 1:g}", "height": f"{side - 1:g}"}
            note = element("title", f"{name}, taken for {names[j]}: {number(count)} of {number(sum(row))}")
            parts.append(element("rect", note, **box, class_="cell right" if i == j else "cell wrong",
                                 fill_opacity=f"{SHADE * count / all_of_it:.3g}"))  # fmt: skip
            if count:
                parts.append(text(number(count), x + side / 2, y + side / 2 + 4, "middle"))
    return picture(alternative, *parts, width=width, height=height, least=0.9 * width if width > WIDTH else None)


def cells(alternative: str, edges: Sequence[float], counts: Sequence[Sequence[int]], is_log: bool) -> Markup:
    """Predicted values over true ones, as cells that are stronger where more rows are, around the line y = x."""
    ends = [(edges[0], edges[0]), (edges[-1], edges[-1])]
    plane = Plane.over(ends, "true value", "predicted value", square=True, is_log=is_log)
    most, parts = max(map(max, counts)), [plane.frame]
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                x, y = plane.x(edges[j]), plane.y(edges[i + 1])
                parts.append(
                    element("rect", element("title", f"{number(count)} rows"), x=f"{x:g}", y=f"{y:g}", class_="spot",
                            width=f"{plane.x(edges[j + 1]) - x:.4g}", height=f"{plane.y(edges[i]) - y:.4g}",
                            fill_opacity=f"{0.2 + 0.8 * math.sqrt(count / most):.3g}")
                )  # fmt: skip
    parts.append(plane.path([(plane.x.low, plane.x.low), (plane.x.high, plane.x.high)], "line rule"))
    return picture(alternative, *parts)
