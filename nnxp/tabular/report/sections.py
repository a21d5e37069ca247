"""The sections of a report, each a function of what it shows; an empty text where there is nothing to show."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from nnxp.tabular.findings.layout import Calibration, ClassFinding, Document, Range, Score, Warned
from nnxp.tabular.findings.numerals import number, with_error
from nnxp.tabular.report import charts
from nnxp.tabular.report.density import Density
from nnxp.tabular.report.markup import Markup, element, given, joined

EMPTY = Markup("")
SHOWN = 20
"""So many columns of the importance are drawn."""
FEW_CLASSES = 8
"""The matrix of more takes the whole width."""
MOST_CLASSES = 30
"""So many classes are shown one by one."""
PAIRS = 10
"""So many pairs of classes that are confused most: in the table where they are more, in words elsewhere."""


class Decided(TypedDict):
    """What a column was taken for."""

    name: str
    kind: str
    why: str
    missing: int
    becomes: str


def warnings(found: Sequence[Warned]) -> Markup:
    """What is wrong, in words."""
    if not found:
        return EMPTY
    items = [
        element("li", element("strong", f"{warning['kind'].capitalize()}: "), warning["text"]) for warning in found
    ]
    return element("section", element("h2", "⚠ Warnings"), element("ul", *items), class_="warnings")


def scores(document: Document) -> Markup:
    """Every metric of the model and of the baselines."""
    contenders, training = document["contenders"], document["training"]
    if not document["metrics"]:
        return EMPTY
    head = ["Score", *(contender["label"] for contender in contenders)]
    head += ["the model on the rows it was trained on"] if training is not None else []
    rows = []
    for metric in document["metrics"]:
        name = element("small", f"{metric['meaning']} {metric['better'].capitalize()} is better.")
        cells = [_number(contender["scores"].get(metric["name"])) for contender in contenders]
        cells += [_number(training.get(metric["name"]))] if training is not None else []
        rows.append([joined(metric["label"], name), *cells])
    note = "± is the standard error: how far the number would move with other test rows."
    return _section("Scores", _table("Scores of the model and of the baselines", head, rows), _note(note))


def classes(document: Document) -> Markup:
    """Which classes are taken for which, and whether the probabilities hold."""
    found, counts, calibration = document["classes"], document["confusion"], document["calibration"]
    if found is None:
        return EMPTY
    parts = [_confusion([one["name"] for one in found], counts)] if counts else []
    parts += [_calibration(calibration)] if calibration is not None and calibration["bins"] else []
    return _section("Class by class", element("div", *parts, class_="figures"), _by_class(found))


def numbers(document: Document, density: Density | None) -> Markup:
    """Of a regression: predicted beside true values, and the errors over the target's range."""
    ranges = document["ranges"] or []
    parts = []
    if density is not None:
        alternative = "Predicted beside true values of the test rows; on the dotted line, both are the same."
        picture = charts.cells(alternative, density["edges"], density["counts"], density["is_log"])
        parts.append(_figure(picture, f"{alternative} Stronger cells hold more rows."))
    if not parts and not ranges:
        return EMPTY
    if ranges:
        rows = [_bar(_span(one), one["mean_absolute_error"]) for one in ranges]
        words = "The mean absolute error by the true value, in groups of about equally many test rows."
        parts.append(_figure(charts.bars(words, rows), words))
    return _section("Over the range", element("div", *parts, class_="figures"), _by_range(ranges))


BEGAN = (
    " No epoch was better by a standard error than the linear model that the training began with: the model is that."
)


def course(document: Document) -> Markup:
    """The loss and the metric by epoch."""
    history, best = document["history"], document["best_epoch"]
    if not history:
        return EMPTY
    parts = []
    for name in ("loss", "accuracy", "rmse"):
        found = [
            charts.Line(label, list(enumerate(history[key], start=1)))
            for key, label in ((name, "training rows"), (f"val_{name}", "rows held out"))
            if any(value is not None for value in history.get(key, ()))
        ]
        if found:
            mark = (best, f"epoch {number(best)}") if best else None
            chart = charts.lines(f"The {name} by epoch.", found, "epoch", name, mark=mark, may_log=name != "accuracy")
            kept = "" if best is None else f" The model has the weights of epoch {number(best)}." if best else BEGAN
            parts.append(_figure(chart, f"The {name} by epoch.{kept}"))
    return _section("Training", element("div", *parts, class_="figures")) if parts else EMPTY


def diagnosis(found: Sequence[str]) -> Markup:
    """What is wrong with the training, the most serious first."""
    return _section("Diagnosis", element("ol", *(element("li", text) for text in found))) if found else EMPTY


def importance(document: Document) -> Markup:
    """What the model looks at."""
    found = document["importance"]
    if found is None or not found["columns"]:
        return EMPTY
    label = next((m["label"] for m in document["metrics"] if m["name"] == found["metric"]), found["metric"])
    shown = found["columns"][:SHOWN]
    rows = [_bar(one["name"], one["importance"]) for one in shown]
    times = "once" if found["repeats"] == 1 else f"{number(found['repeats'])} times"
    said = (
        f"How much worse the {label} becomes where a column's cells are shuffled among the test rows ({times}): "
        "near 0, the model does without the column."
    )
    if len(shown) < len(found["columns"]):
        said += f" The first {number(SHOWN)} of {number(len(found['columns']))} columns."
    return _section("What the model looks at", element("div", _figure(charts.bars(said, rows), said), class_="figures"))


def table(kinds: Sequence[Decided] | None, notes: Sequence[str]) -> Markup:
    """What each column was taken for."""
    if not kinds and not notes:
        return EMPTY
    head = ["Column", "Kind", "Why", "Missing", "Becomes"]
    rows = [
        [given(one["name"]), one["kind"], one["why"], _figures(number(one["missing"])), one["becomes"]]
        for one in kinds or ()
    ]
    parts = [_table("What each column was taken for", head, rows)] if rows else []
    return _section("The columns", *(_note(note) for note in notes), *parts)


def worst(document: Document) -> Markup:
    """The rows that the model got most wrong."""
    found = document["worst"]
    if not found:
        return EMPTY
    has_probability = any(one["probability"] is not None for one in found)
    head = ["Row", "True", "Predicted", *(["Probability of the true class"] if has_probability else [])]
    rows = [
        [_figures(number(one["row"])), _value(one["truth"]), _value(one["prediction"])]
        + ([_figures(number(one["probability"]))] if has_probability else [])
        for one in found
    ]
    return _section("The rows it got most wrong", _table("The rows it got most wrong", head, rows))


def making(settings: Mapping[str, str] | None, command: str | None, versions: Mapping[str, str] | None) -> Markup:
    """How the model was made, and how to use it."""
    parts = []
    if command is not None:
        parts += [element("h3", "To predict"), element("pre", element("code", command))]
    for title, found in (("Settings", settings), ("Versions", versions)):
        if found:
            entries = [joined(element("dt", key), element("dd", value)) for key, value in found.items()]
            parts += [element("h3", title), element("dl", *entries)]
    return _section("How it was made", *parts) if parts else EMPTY


def _bar(name: str, score: Score) -> charts.Bar:
    return charts.Bar(name, score["value"] or 0.0, _score(score), score["error"])


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    right, rows = sum(row[i] for i, row in enumerate(counts)), sum(map(sum, counts))
    said = f"{number(right)} of {number(rows)} test rows have the right class."
    pairs = sorted(
        (-count, i, j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j and count
    )[:PAIRS]  # fmt: skip
    if len(names) <= MOST_CLASSES:
        alternative = "; ".join([said, *(f"{names[i]}, taken for {names[j]}: {number(-n)}" for n, i, j in pairs)])
        return _figure(
            charts.matrix(alternative, names, counts),
            f"{said} A row for each true class, a column for what it was taken for: the diagonal is right.",
            "wide" if len(names) > FEW_CLASSES else None,
        )
    cells = [
        [given(names[i]), given(names[j]), _figures(f"{number(-count)} of {number(sum(counts[i]))}")]
        for count, i, j in pairs
    ]
    caption = f"The {number(len(pairs))} most frequent confusions of {number(len(names))} classes"
    return element("div", _note(said), _table(caption, ["Class", "Taken for", "Test rows"], cells))


def _calibration(found: Calibration) -> Markup:
    points = [(one["predicted"], one["observed"]["value"]) for one in found["bins"]]
    said = f"Whether the probability of {found['of']} comes true: on the dotted line, it does exactly."
    chart = charts.lines(
        said,
        [charts.Line("observed at predicted", points, [one["observed"]["error"] for one in found["bins"]])],
        "predicted probability",
        "how often it came true",
        diagonal=True,
    )
    return _figure(chart, f"{said} The mean distance is {_score(found['error'])}. A whisker is a standard error.")


def _by_class(found: Sequence[ClassFinding]) -> Markup:
    shown = sorted(found, key=lambda one: -one["test"])[:MOST_CLASSES] if len(found) > MOST_CLASSES else found
    head = ["Class", "Rows trained on", "Test rows", "Taken for it", "Recall", "Precision", "F1"]
    rows = [
        [
            given(one["name"]),
            *(_figures(number(one[key])) for key in ("training", "test", "predicted")),
            *(_number(one[key]) for key in ("recall", "precision", "f1")),
        ]
        for one in shown
    ]
    note = "Recall: how many of the class are found. Precision: how many that are taken for it belong to it. F1: both."
    if len(shown) < len(found):
        note += f" The {number(len(shown))} of {number(len(found))} classes with the most test rows."
    return joined(element("h3", "Every class by itself"), _table("Every class by itself", head, rows), _note(note))


def _by_range(ranges: Sequence[Range]) -> Markup:
    if not ranges:
        return EMPTY
    head = ["True value", "Test rows", "Median of the truth", "Median predicted", "RMSE", "Mean absolute error", "Bias"]
    rows = [
        [
            _span(one),
            *(_figures(number(one[key])) for key in ("rows", "truth", "prediction")),
            *(_number(one[key]) for key in ("rmse", "mean_absolute_error", "bias")),
        ]
        for one in ranges
    ]
    note = "Bias: the mean of predicted minus true. Above 0, the model says too much there."
    return joined(element("h3", "In numbers"), _table("Errors over the range", head, rows), _note(note))


def _section(title: str, *parts: str) -> Markup:
    return element("section", element("h2", title), *parts)


def _note(words: str) -> Markup:
    return element("p", words, class_="quiet")


def _figure(picture: Markup, caption: str, class_: str | None = None) -> Markup:
    return element("figure", element("div", picture, class_="scroll"), element("figcaption", caption), class_=class_)


def _table(label: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table in a box of its own, which scrolls where it is too wide; each row begins with its name."""
    aligned = ["number" if rows and isinstance(cell, _Figures) else None for cell in (rows[0] if rows else head)]
    top = [element("th", name, scope="col", class_=class_) for name, class_ in zip(head, aligned, strict=True)]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row", class_=aligned[0]),
            *(element("td", cell, class_=class_) for cell, class_ in zip(row[1:], aligned[1:], strict=True)),
        )
        for row in rows
    ]
    found = element("table", element("thead", element("tr", *top)), element("tbody", *body))
    return element("div", found, class_="scroll", role="region", aria_label=label, tabindex="0")


class _Figures(str):
    """A cell of numbers, which stands to the right."""

    __slots__ = ()


def _figures(text: str) -> str:
    return _Figures(text)


def _number(score: Score | None) -> str:
    return _Figures(_score(score))


def _score(score: Score | None) -> str:
    return number(None) if score is None else with_error(score["value"], score["error"])


def _value(value: str | float) -> str:
    return given(value) if isinstance(value, str) else _Figures(number(value))


def _span(one: Range) -> str:
    return f"{number(one['low'])} to {number(one['high'])}"
