"""The network drawn with its numbers: a column a layer, a circle a unit, a line a weight."""

from collections.abc import Sequence

from nnxp.tabular.report.markup import Markup, cut, element, joined
from nnxp.teaching.facts import Column, Facts
from nnxp.teaching.notation import number

UNITS = 6
"""The most units of a column that are drawn."""
APART, BETWEEN, RADIUS, TOP, SIDE = 76, 172, 9, 40, 54
LABELLED = 12
"""The most weights between two columns that are written at their lines."""


def picture(facts: Facts) -> Markup:
    """The first sample's way through the network. What is of a layer has `data-layer`, for the page to mark."""
    most = max(min(len(column.values), UNITS) + (len(column.values) > UNITS) for column in facts.columns)
    height, width = TOP + APART * most - 8, 2 * SIDE + BETWEEN * (len(facts.columns) - 1)
    places = [_places(column, height) for column in facts.columns]
    parts = []
    for i, (before, after) in enumerate(zip(facts.columns, facts.columns[1:], strict=False)):
        parts.append(_lines(i, before, after, places[i], places[i + 1]))
    for i, column in enumerate(facts.columns):
        parts.append(_units(i, column, places[i], last=i + 1 == len(facts.columns)))
    words = ", ".join(f"{column.title} of {len(column.values)}" for column in facts.columns)
    box = f"0 0 {width} {height}"
    narrow = f"min-width:{0.85 * width:.0f}px"  # else nobody could read it on a phone
    return element(
        "svg", *parts, viewBox=box, width=f"{width}", style=narrow, role="img", aria_label=f"The network: {words}"
    )


def _places(column: Column, height: float) -> list[float]:
    """How far down each unit is; one more where not all are drawn."""
    count = min(len(column.values), UNITS) + (len(column.values) > UNITS)
    middle = TOP + (height - TOP) / 2 - 10
    return [middle + APART * (k - (count - 1) / 2) for k in range(count)]


def _across(i: int) -> float:
    return SIDE + BETWEEN * i


def _lines(i: int, before: Column, after: Column, above: Sequence[float], below: Sequence[float]) -> Markup:
    """A dense layer's weights; of another layer each unit's own way."""
    x, to, weights, parts = _across(i), _across(i + 1), after.weights, []
    rows, columns = min(len(before.values), UNITS), min(len(after.values), UNITS)
    if weights is None and len(before.values) != len(after.values):
        pairs = []
    elif weights is None:
        pairs = [(k, k) for k in range(rows)]
    else:
        pairs = [(j, k) for j in range(rows) for k in range(columns)]
    for j, k in pairs:
        line = {"x1": f"{x}", "y1": f"{above[j]:g}", "x2": f"{to}", "y2": f"{below[k]:g}"}
        parts.append(element("line", class_="weight", **line))
    if weights is not None and len(pairs) <= LABELLED:
        for j, k in pairs:
            share = 0.36 if (j + k) % 2 == 0 else 0.64  # beside each other where lines cross
            y = above[j] + share * (below[k] - above[j])
            parts.append(_text(number(weights[j, k], 3), x + share * (to - x), y - 3, "of-weight"))
    return element("g", *parts, data_layer=str(after.layer))


def _units(i: int, column: Column, places: Sequence[float], last: bool) -> Markup:
    x, parts = _across(i), [_text(cut(column.title, 18), _across(i), 20, "title")]
    for k, y in enumerate(places):
        if k == UNITS:
            parts.append(_text(f"… {len(column.values) - UNITS} more", x, y, "more"))
            continue
        parts.append(element("circle", cx=f"{x}", cy=f"{y:g}", r=f"{RADIUS}"))
        parts.append(_text(number(column.values[k], 4), x, y + RADIUS + 15, "value"))
        parts.append(_text(f"∂L {number(column.gradients[k], 3)}", x, y + RADIUS + 29, "derivative"))
        if column.labels:
            parts.append(_text(cut(column.labels[k], 14), x, y - RADIUS - 5, "label"))
    layer = "inputs" if column.layer is None else str(column.layer)
    return element("g", joined(*parts), data_layer=layer, data_last="" if last else None)


def _text(words: str, x: float, y: float, class_: str) -> Markup:
    return element("text", words, x=f"{x:g}", y=f"{y:g}", text_anchor="middle", class_=class_)
