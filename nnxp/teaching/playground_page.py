"""The page of a training in the plane: what stands in it, and the data of its script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnxp.plots import LOG_FROM
from nnxp.printing import counted
from nnxp.tabular.report.markup import Markup, cut, element, joined
from nnxp.tabular.report.svg import Plane, picture
from nnxp.teaching.page_parts import data, whole_page
from nnxp.teaching.snapshots import Frame, Group, Scene, short
from nnxp.teaching.unit_formulas import Line
from nnxp.typing import Floats, HostArray

COLOURS = 6
"""How many colours `page.css` has for classes and layers; they begin again after that."""
POINTS_OF_A_LINE = 400
KINDS = {"inputs": "What the first layer takes", "hidden": "Hidden layer {}", "outputs": "Output"}


@dataclass(frozen=True)
class Shown:
    """What the page is written from.

    Attributes
    ----------
    features : tuple of str
        The names of the two axes.
    classes : list of str or None
        None where a number is predicted.
    X, y : numpy.ndarray
        The points that are drawn, (n, 2) and (n,).
    frames : list of Frame
    history : mapping
        The model's, an entry an epoch.
    groups : list of (Group, str)
        Each row of units and its layers in words.
    trained : list of str
        The layers whose gradients are followed.
    loss : str
        Its name.
    """

    title: str
    features: tuple[str, ...]
    classes: list[str] | None
    X: Floats
    y: HostArray
    scene: Scene
    frames: list[Frame]
    history: Mapping[str, Sequence[float]]
    held_out: str
    groups: list[tuple[Group, str]]
    trained: list[str]
    loss: str

    @property
    def answer(self) -> str:
        """What the large picture shows."""
        return "Predicted number" if self.classes is None else "Decision surface"

    @property
    def curves(self) -> dict[str, Sequence[float]]:
        """The losses by epoch."""
        names = {"training": "loss", self.held_out: "val_loss"}
        return {name: self.history[key] for name, key in names.items() if key in self.history}


def playground_page(shown: Shown) -> str:
    """The page, as the text of a file in UTF-8."""
    first, last = shown.frames[0].epoch, shown.frames[-1].epoch
    lead = f"What the network answers at every place of the plane, from epoch {first} to epoch {last}: move the slider."
    body = joined(
        element("header", element("h1", shown.title), element("p", lead, class_="note")),
        element("noscript", element("p", "The pictures are drawn by a script, which this browser does not run.")),
        _controls(len(shown.frames)),
        element("main", _plane(shown), _curves(shown), *(_group(shown, i) for i in range(len(shown.groups)))),
        _footer(shown),
        *(_formulas(i, lines.units) for i, lines in enumerate(shown.scene.lines)),
        data(_document(shown), "data"),
    )
    return whole_page(shown.title, body, "playground.css", "playground.js")


def _document(shown: Shown) -> dict[str, Any]:
    """The data of the script."""
    window, frames = shown.scene.window, []
    for frame in shown.frames:
        losses = {name: dict(enumerate(values, 1)).get(frame.epoch) for name, values in shown.curves.items()}
        known = {name: None if v is None or not np.isfinite(v) else short([v])[0] for name, v in losses.items()}
        frames.append(frame.document() | {"losses": [*known.values()]})
    return {
        "side": shown.scene.answer_side,
        "unitSide": shown.scene.side,
        "low": window.low.tolist(),
        "high": window.high.tolist(),
        "digits": window.digits,
        "features": shown.features,
        "answer": shown.answer,
        "classes": shown.classes,
        "groups": [{"kind": g.kind, "title": _heading(shown, i), "names": _labels(shown, g), "width": g.width}
                   for i, (g, _) in enumerate(shown.groups)],
        "frames": frames,
    }  # fmt: skip


def _controls(frames: int) -> Markup:
    slider = {"type": "range", "id": "slider", "min": "0", "max": f"{frames - 1}", "step": "1", "value": "0"}
    options = "".join(f' {name}="{value}"' for name, value in slider.items())
    return element(
        "nav",
        element("button", "◀", type="button", id="back", aria_label="One moment back"),
        element("button", "▶▶ Play", type="button", id="play", aria_pressed="false"),
        element("button", "▶", type="button", id="next", aria_label="One moment on"),
        Markup(f'<input{options} aria-label="Epoch">'),
        element("output", "", id="epoch", for_="slider"),
        hidden="",
        aria_label="Epochs",
    )


def _plane(shown: Shown) -> Markup:
    """The large picture, and what is read at a place of it."""
    across, up = (cut(name, 24) for name in shown.features)
    window, side = shown.scene.window, shown.scene.answer_side
    low, high = (
        [f"{value:.{digits}g}" for value, digits in zip(end, window.digits, strict=True)]
        for end in (window.low, window.high)
    )
    canvas = element("canvas", id="surface", width=side, height=side, aria_hidden="true")
    label = "The plane: the arrow keys move the cross, the numbers beside it say what is there"
    stage = element("div", canvas, _points(shown), id="stage", tabindex="0", role="application", aria_label=label)
    axes = f"{across} from {low[0]} to {high[0]} across, {up} from {low[1]} to {high[1]} up."
    figure = element("figure", stage, element("figcaption", axes, " ", _legend(shown)))
    reading = element("div", id="reading")
    back = element("button", f"Back: {shown.answer.lower()}", type="button", id="whole", hidden="")
    return element(
        "section",
        element("h2", shown.answer, id="what"),
        element("div", figure, element("div", back, reading, class_="beside"), class_="columns plane"),
    )


def _points(shown: Shown) -> Markup:
    """The rows that are trained on, and the cross."""
    window, classes, dots = shown.scene.window, shown.classes, []
    places = (shown.X - window.low) / (window.high - window.low) * 1000
    middle, reach = float(np.mean(shown.y)), float(np.ptp(shown.y)) / 2 or 1.0
    for (x, y), value in zip(places.tolist(), shown.y.tolist(), strict=True):
        name = classes[value] if classes else f"{value:.4g}"
        shade = None if classes else f"{min(abs(value - middle) / reach, 1):.2g}"
        class_ = f"c{value % COLOURS}" if classes else "over" if value > middle else "under"
        note = element("title", f"{name}, a row that is trained on")
        where = {"cx": f"{x:.0f}", "cy": f"{1000 - y:.0f}", "r": "11"}
        dots.append(element("circle", note, **where, class_=class_, fill_opacity=shade))
    cross = element("path", d="M-22 0H22M0 -22V22", id="cross")
    box = "0 0 1000 1000"
    return element("svg", *dots, cross, viewBox=box, preserveAspectRatio="none", aria_hidden="true", id="points")


def _legend(shown: Shown) -> Markup:
    """Which colour is which class, or which side of the middle."""
    if shown.classes is None:
        ends = [("over", "more"), ("under", "less")]
        return joined(*(element("span", word, class_=f"key {class_}") for class_, word in ends))
    names = [element("span", cut(name, 24), class_=f"key c{k % COLOURS}") for k, name in enumerate(shown.classes)]
    return element("span", *names, class_="keys")


def _curves(shown: Shown) -> Markup:
    """Loss and gradients by epoch, and their numbers at one."""
    losses = {name: [*enumerate(values, 1)] for name, values in shown.curves.items()}
    epochs = [frame.epoch for frame in shown.frames]
    sizes = {name: [(at, frame.gradients[i]) for at, frame in zip(epochs, shown.frames, strict=True)]
             for i, name in enumerate(shown.trained)}  # fmt: skip
    size = element("mi", "‖g‖"), element("mo", "="), _root_mean_square()
    caption = joined("The size of each layer's gradient in the epoch's last step, ",
                     element("math", element("mrow", *size)), " over its parameters.")  # fmt: skip
    rows = [
        *(_row(f"{shown.loss}, {name}", f"loss-{i}", i) for i, name in enumerate(losses)),
        *(_row(joined(element("math", element("mi", "‖g‖")), f" {name}"), f"gradient-{i}", i)
          for i, name in enumerate(sizes)),
        _row("dead hidden units", "dead", None),
    ]  # fmt: skip
    return element(
        "section",
        element("h2", "Loss and gradients"),
        element("div", *_chart("Loss by epoch", "loss", losses, joined(f"{shown.loss} by epoch.")),
                *_chart("The gradients' sizes by epoch", "‖g‖", sizes, caption), class_="columns"),
        element("table", element("tbody", *rows), aria_label="The numbers at this epoch"),
    )  # fmt: skip


def _root_mean_square() -> Markup:
    square = element("msup", element("mi", "g"), element("mn", "2"))
    return element("msqrt", element("mrow", element("mo", "∑"), square, element("mo", "/"), element("mi", "n")))


def _row(name: str, key: str, colour: int | None) -> Markup:
    swatch = [] if colour is None else [element("span", "", class_=f"key c{colour % COLOURS}")]
    return element("tr", element("th", *swatch, name, scope="row"), element("td", "", data_number=key))


def _chart(
    alternative: str, y_name: str, series: Mapping[str, Sequence[tuple[int, float]]], caption: Markup
) -> list[Markup]:
    """A line each, whose title says which; nothing where there is no number."""
    lines = {name: [(x, y if np.isfinite(y) else None) for x, y in _thinned(points)] for name, points in series.items()}
    known = [y for points in lines.values() for _, y in points if y is not None]
    if not known:
        return []
    is_log = max(known) > LOG_FROM * min(known) > 0
    plane = Plane.over([p for points in lines.values() for p in points], "epoch", y_name, is_log=is_log)
    parts = [plane.frame]
    for k, (name, points) in enumerate(lines.items()):
        dots = [plane.dot(x, y, f"spot c{k % COLOURS}", f"{name}: {y:.4g} at epoch {x}") for x, y in points
                if y is not None and len(points) <= 60]  # fmt: skip
        parts.append(element("g", element("title", name), plane.path(points, f"line c{k % COLOURS}"), *dots))
    scale = {"data_low": plane.x.low, "data_high": plane.x.high, "data_start": plane.x.start, "data_end": plane.x.end}
    parts.append(element("path", d=f"M0 {plane.y.start:g}V{plane.y.end:g}", class_="now", **scale))
    ends = [(name, [y for _, y in points if y is not None]) for name, points in lines.items()]
    alternative += "".join(f". {name}: {ys[0]:.3g}, at last {ys[-1]:.3g}" for name, ys in ends if ys)
    return [element("figure", picture(alternative, *parts), element("figcaption", caption))]


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Some of many points, evenly spaced."""
    chosen = np.unique(np.linspace(0, len(points) - 1, min(len(points), POINTS_OF_A_LINE)).round().astype(int))
    return [points[i] for i in chosen]


def _heading(shown: Shown, i: int) -> str:
    kind = shown.groups[i][0].kind
    return KINDS[kind].format(sum(group.kind == "hidden" for group, _ in shown.groups[: i + 1]))


def _labels(shown: Shown, group: Group) -> list[str]:
    """What the units of a group are called."""
    if group.kind == "outputs" and shown.classes and len(shown.classes) == group.width:
        return shown.classes[: group.shown]
    return [str(k + 1) for k in range(group.shown)]


def _group(shown: Shown, i: int) -> Markup:
    """Each unit's own surface, as a button that shows it large."""
    (group, layers), side = shown.groups[i], shown.scene.side
    units = []
    for k, name in enumerate(_labels(shown, group)):
        parts = element("canvas", width=side, height=side, aria_hidden="true"), element("span", cut(name, 10))
        units.append(element("li", element("button", *parts, type="button", aria_pressed="false",
                                           data_group=i, data_unit=k)))  # fmt: skip
    more = f" The first {group.shown} of {counted(group.width, 'unit')} are shown." if group.shown < group.width else ""
    return element(
        "section",
        element("h2", f"{_heading(shown, i)}: {counted(group.width, 'unit')}"),
        element("p", f"{layers}.{more} ", element("span", data_dead=i), class_="note"),
        element("ul", *units, class_="units"),
    )


def _formulas(i: int, units: Sequence[Sequence[Line]]) -> Markup:
    """The formulas of a group's units, for the script to show."""
    parts = []
    for lines in units:
        works = [element("div", element("div", element("span", line.title, class_="phase")),
                         element("div", line.formula, class_="formula"), class_="work") for line in lines]  # fmt: skip
        parts.append(element("div", *works))
    return element("template", *parts, id=f"formulas-{i}")


def _footer(shown: Shown) -> Markup:
    rows = f"{len(shown.scene.rows):,}"
    keys = (
        "Keys: ← and → go from epoch to epoch, Home and End to the first and the last; in the plane the arrow keys "
        "move the cross; Escape leaves a unit."
    )
    steps = (
        "A unit's values are kept in 256 steps between its lowest and its highest of the moment: ≈ says so. Blue is "
        "above 0, orange below."
    )
    dead = (
        f"Dead is a hidden unit whose derivative is 0 at all of {rows} rows that are trained on: nothing reaches the "
        "weights before it."
    )
    return element("footer", *(element("p", words) for words in (keys, steps, dead)))
