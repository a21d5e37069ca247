"""A step as one page that needs nothing beside itself: no network, no other file."""

import itertools
from collections.abc import Iterator

from nnxp.tabular.report.markup import Markup, element, joined
from nnxp.teaching.as_text import sizes
from nnxp.teaching.facts import Facts, Matrix, Step, Work
from nnxp.teaching.network_picture import picture
from nnxp.teaching.notation import MathML
from nnxp.teaching.page_parts import whole_page

COLOURS = 6
"""How many colours `step.css` has for dimensions; they begin again after that."""
PHASES = {"forward": "forward", "loss": "loss", "backward": "backward", "update": "update", "after": "the loss after"}


def html(facts: Facts) -> str:
    """The page, as the text of a file in UTF-8. Without scripts, and printed, it shows all steps."""
    style, colours = MathML(facts.digits), {name: str(i % COLOURS) for i, name in enumerate(facts.sizes)}
    steps = [_step(i, step, style, colours) for i, step in enumerate(facts.steps, 1)]
    figure = element(
        "figure",
        element("div", picture(facts), class_="scroll", tabindex="0", role="region", aria_label="The network, drawn"),
        element("figcaption", "The first sample: what each unit gives, and below it ∂L, how the loss changes with it."),
    )
    body = joined(
        element("header", element("h1", facts.title), _dimensions(facts, colours), figure),
        _controls(facts),
        element("main", *steps),
        element("footer", element("p", "Arrow keys, Home and End go from step to step. ", sizes(facts), ".")),
    )
    return whole_page(facts.title, body, "step.css", "step.js")


def _dimensions(facts: Facts, colours: dict[str, str]) -> Markup:
    """The legend: each dimension in its colour."""
    marks = [element("li", _dimension(name, size, colours)) for name, size in facts.sizes.items()]
    return element("ul", *marks, class_="dimensions", aria_label="Dimensions: equal ones have one colour")


def _dimension(name: str, size: int, colours: dict[str, str]) -> Markup:
    if name not in colours:
        return element("span", str(size), class_="dimension")
    return element("span", f"{name} = {size}", class_=f"dimension c{colours[name]}")


def _controls(facts: Facts) -> Markup:
    """The buttons, which the script shows."""
    options = [element("option", f"{i}. {step.title}", value=str(i)) for i, step in enumerate(facts.steps, 1)]
    return element(
        "nav",
        element("button", "◀ Back", type="button", id="back"),
        element("select", *options, id="choice", aria_label="Step"),
        element("button", "Next ▶", type="button", id="next"),
        element("button", "All steps", type="button", id="all", aria_pressed="false"),
        element("p", id="said", role="status"),
        hidden="",
        aria_label="Steps",
    )


def _step(number: int, step: Step, style: MathML, colours: dict[str, str]) -> Markup:
    parts = [
        element("p", PHASES[step.phase], class_="phase"),
        element("h2", f"{number}. {step.title}"),
        *([element("p", step.equation, class_="equation")] if step.equation else []),
        element("div", *_matrices(step, style.digits, colours), class_="matrices"),
        *([element("div", *(_work(work, style) for work in step.works), class_="works")] if step.works else []),
        *(element("p", note, class_="note") for note in step.notes),
    ]
    layer = None if step.layer is None else str(step.layer)
    return element("section", *parts, id=f"step-{number}", class_=f"step {step.phase}", tabindex="-1", data_layer=layer)


def _matrices(step: Step, digits: int, colours: dict[str, str]) -> Iterator[Markup]:
    """All of a step; a gradient, its differences and its error stay together."""
    for _, group in itertools.groupby(step.matrices, lambda matrix: matrix.name.partition(",")[0]):
        yield element("div", *(_matrix(matrix, digits, colours) for matrix in group), class_="together")


def _matrix(matrix: Matrix, digits: int, colours: dict[str, str]) -> Markup:
    """A table whose caption has the shape, its rows and columns in the colours of what they match."""
    rows = [element("tr", *(element("td", cell) for cell in row)) for row in matrix.cells(digits)]
    (down, height), (across, width) = matrix.lengths
    shape = joined(_dimension(down, height, colours), " × ", _dimension(across, width, colours))
    remark = [element("small", matrix.remark)] if matrix.remark else []
    caption = element("figcaption", element("b", matrix.name), " ", shape, *remark)
    sides = f"down-{colours.get(down, 'none')} across-{colours.get(across, 'none')}"
    table = element("table", element("tbody", *rows), class_=sides, aria_label=f"{matrix.name}, {matrix.shape}")
    return element("figure", caption, element("div", table, class_="scroll"), class_="matrix")


def _work(work: Work, style: MathML) -> Markup:
    """Name = formula, = numbers, = value: a line each; what is longer than the page is wide moves sideways."""
    name, *lines = work.lines(style)
    rows = []
    for i, line in enumerate(lines):
        row = element("mrow", *([Markup(name)] if i == 0 else []), style.sign("="), Markup(line))
        rows.append(element("div", element("math", row, displaystyle="true")))
    return element("div", *rows, class_="work")
