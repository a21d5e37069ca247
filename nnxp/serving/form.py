"""The page at /: a form to try a row. No script and no network; it works with a keyboard alone."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from nnxp.serving.answering import Answer, Answering, Input
from nnxp.tabular.report.markup import Markup, element, escape, given, joined

MOST_INPUTS = 300
"""Columns that a form has fields for."""
MOST_WORDS = 10_000
"""Words that all fields together propose."""
HINTS = {
    "number": "a number",
    "yes/no": "yes or no",
    "date": "a date, 2024-12-31 say",
    "numbers": "numbers, with blanks or commas between",
}


def row_of(inputs: Sequence[Input], cells: Mapping[int, str]) -> dict[str, Any]:
    """The row that a form was filled with; a field that is empty, or was not sent, is missing. Raises ValueError."""
    if wrong := [place for place in cells if not 0 <= place < len(inputs)]:
        raise ValueError(f"there is no field {wrong[0]}")
    row: dict[str, Any] = {one.name: cells.get(place, "") for place, one in enumerate(inputs)}
    if inputs[0].kind == "numbers":
        row["X"] = [_number(text) for text in row["X"].replace(",", " ").split()]
    return row


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # which is no number, and is refused as one that is none


def page(
    answering: Answering,
    title: str,
    cells: Mapping[int, str] | None = None,
    answer: Answer | None = None,
    error: str | None = None,
) -> str:
    """The page, as the text of a file in UTF-8.

    Parameters
    ----------
    cells : mapping of int to str, optional
        What the form was filled with, by the place of the column.
    answer, error
        What came of it.
    """
    cells = cells or {}
    task = "a class" if answering.classes is not None else "a number"
    body = joined(
        element("h1", "Predicting ", given(answering.predicted)),
        element("p", given(title), f" predicts {task} for a row. An empty field is a missing value.", class_="quiet"),
        _result(answering, answer, error),
        _form(answering.inputs, cells),
        element(
            "p",
            "Programs send rows to ", element("code", "POST /predict"), " as JSON; ",
            element("a", "/schema", href="/schema"), " says what they have.",
            class_="quiet",
        ),
    )  # fmt: skip
    style = Markup(resources.files(__package__).joinpath("form.css").read_text(encoding="utf-8"))
    head = joined(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", f"Predicting {answering.predicted} ({title})"),
        element("style", style),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n<main>{body}</main>\n</body>\n</html>\n'


def _form(inputs: Sequence[Input], cells: Mapping[int, str]) -> Markup:
    if len(inputs) > MOST_INPUTS:
        return element("p", f"A row has {len(inputs):,} columns, too many for a form: send it to /predict.")
    most = MOST_WORDS // len(inputs)
    fields = [_field(place, one, cells.get(place, ""), most) for place, one in enumerate(inputs)]
    button = element("button", "Predict", type="submit")
    return element("form", *fields, button, method="post", action="/", autocomplete="off")


def _field(place: int, one: Input, cell: str, most: int) -> Markup:
    """A label with what is to be filled in, and at most so many words to choose from."""
    name = f"f{place}"
    label = element("label", given(one.name), for_=name)
    if one.kind == "numbers":
        hint, field = (
            HINTS["numbers"],
            element("textarea", cell, id=name, name_=place, rows=4, aria_describedby=f"{name}h"),
        )
        return element("div", label, field, element("small", hint, id=f"{name}h"), class_="field")
    numeric = "decimal" if one.kind == "number" else None
    known = f"{name}w" if one.words else None
    field = _input(id=name, name_=place, value=cell, inputmode=numeric, list=known, aria_describedby=f"{name}h")
    words = [Markup(f'<option value="{escape(word)}">') for word in one.words[:most]]
    hint = HINTS.get(one.kind) or f"one of {len(one.words):,} words"
    listed = element("datalist", *words, id=known) if known else Markup("")
    return element("div", label, field, listed, element("small", hint, id=f"{name}h"), class_="field")


def _input(**attributes: object) -> Markup:
    return Markup(element("input", type="text", **attributes).removesuffix("</input>"))


def _result(answering: Answering, answer: Answer | None, error: str | None) -> Markup:
    """What came of the row, announced to those who do not see it."""
    if error is not None:
        return element("section", element("p", error), class_="error", role="alert")
    if answer is None:
        return Markup("")
    (values,) = answer.predictions
    notes = [element("p", note, class_="quiet") for note in answer.notes]
    if answering.classes is None:
        said = [element("p", given(name), " ", element("b", f"{value:g}")) for name, value in values.items()]
        return element("section", *said, *notes, role="status")
    shares = [*values.values()][1:]
    rows = sorted(zip(answering.classes, shares, strict=True), key=lambda pair: -pair[1])
    table = [
        element(
            "tr",
            element("th", given(name), scope="row"),
            element("td", f"{share:.1%}", class_="number"),
            element("td", element("span", style=f"width:{100 * share:.1f}%", class_="bar")),
        )
        for name, share in rows
    ]
    said = [element("p", element("b", given(str(values["class"]))))]
    return element("section", *said, element("table", *table), *notes, role="status")
