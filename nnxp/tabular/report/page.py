"""The report of a model on a table: one page that needs nothing beside itself, no script and no network.

Its numbers are those of the document (`nnxp.tabular.findings.layout`), written by `nnxp.tabular.findings.numerals`
alone. What the document lacks, the page leaves out.
"""

from collections.abc import Mapping, Sequence
from importlib import resources

from nnxp.tabular.findings.layout import Contender, Document
from nnxp.tabular.findings.numerals import number, share, with_error
from nnxp.tabular.report import sections
from nnxp.tabular.report.density import Density
from nnxp.tabular.report.markup import Markup, element, given, joined
from nnxp.tabular.report.sections import Decided

SHARES = {"accuracy": "is right for {} of", "r2": "explains {} of the variance in"}
"""What a main score says in words."""


def report(
    document: Document,
    *,
    data: str,
    notes: Sequence[str] = (),
    kinds: Sequence[Decided] | None = None,
    density: Density | None = None,
    settings: Mapping[str, str] | None = None,
    command: str | None = None,
    versions: Mapping[str, str] | None = None,
    date: str | None = None,
    diagnosis: Sequence[str] = (),
) -> str:
    """The page, as the text of a file in UTF-8. The same arguments give the same page.

    Parameters
    ----------
    document : Document
        What was found out about the model.
    data : str
        What the table is called: its file.
    notes : sequence of str
        What is said about the table, a sentence each.
    kinds : sequence of mapping, optional
        What each column was taken for: "name", "kind", "why", "missing" (a count) and "becomes".
    density : Density, optional
        Of a regression, predicted beside true values: `nnxp.tabular.report.density.density`.
    settings, versions : mapping of str to str, optional
        How the model was trained, and with what.
    command : str, optional
        What predicts with the model.
    date : str, optional
        When. Without it, two runs of the same training give one page.
    diagnosis : sequence of str
        What is wrong with the training, a line each.

    Examples
    --------
    >>> nothing = {"value": None, "error": None}
    >>> document = dict.fromkeys(Document.__annotations__)
    >>> document |= {"task": "regression", "target": "price", "main": "r2", "loss": "rmse"}
    >>> document |= {"metrics": [], "warnings": []}
    >>> document |= {"rows": {"training": 80, "validation": None, "test": 20}}
    >>> model = {"name": "model", "label": "the model", "model_better_by": None}
    >>> document["contenders"] = [model | {"scores": {"r2": nothing, "rmse": nothing}}]
    >>> "<h1>Predicting <bdi>price</bdi></h1>" in report(document, data="houses.csv")
    True
    """
    title = f"Predicting {document['target']} ({data})"
    body = joined(
        element(
            "header", element("h1", joined("Predicting ", given(document["target"]))), _about(document, data, date)
        ),
        element(
            "main",
            _verdict(document),
            sections.warnings(document["warnings"]),
            sections.scores(document),
            sections.classes(document),
            sections.numbers(document, density),
            sections.course(document),
            sections.diagnosis(diagnosis),
            sections.importance(document),
            sections.table(kinds, notes),
            sections.worst(document),
            sections.making(settings, command, versions),
        ),
    )
    style = Markup(resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8"))
    head = joined(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        element("style", style),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def _about(document: Document, data: str, date: str | None) -> Markup:
    """The task as it was understood, and the rows."""
    rows, classes = document["rows"], document["classes"]
    task = f"one of {number(len(classes))} classes" if classes is not None else "a number"
    trained = "" if rows["training"] is None else f"Trained on {number(rows['training'])} rows; "
    watched = "" if not rows["validation"] else f"{number(rows['validation'])} rows decided when to stop; "
    tested = f"{trained}{watched}tested on {number(rows['test'])} rows that it has never seen."
    weighted = " Scores are weighted by the rows' weights." if document["weighted"] else ""
    when = "" if date is None else f" {date}."
    words = joined(
        "From the table ", given(data), ", the column ", given(document["target"]), f" is predicted: {task}. ",
        tested[0].upper() + tested[1:] + weighted + when,
    )  # fmt: skip
    return element("p", words, class_="quiet")


def _verdict(document: Document) -> Markup:
    """The score in a sentence, beside those of the baselines: the loss where the main one is not defined."""
    model, *baselines = document["contenders"]
    main = document["main"] if model["scores"][document["main"]]["value"] is not None else document["loss"]
    value, error = model["scores"][main]["value"], model["scores"][main]["error"]
    if main in SHARES:
        said = f"The model {SHARES[main].format(share(value, error))}"
    else:
        label = next((metric["label"] for metric in document["metrics"] if metric["name"] == main), main)
        said = f"The model reaches a {label} of {with_error(value, error)} on"
    said += f" the {number(document['rows']['test'])} test rows."
    if baselines and not any(warning["kind"] == "baseline" for warning in document["warnings"]):
        said += " It is better than every baseline beside it."
    elif baselines:
        said += " It is not shown to be better than a simple baseline: see the warnings."
    tiles = [_tile(contender, main) for contender in document["contenders"]]
    return joined(element("p", said, class_="verdict"), element("ul", *tiles, class_="tiles"))


def _tile(contender: Contender, main: str) -> Markup:
    score = contender["scores"][main]
    text = (share if main in SHARES else with_error)(score["value"], score["error"])
    class_ = "model" if contender["model_better_by"] is None else None
    return element("li", element("b", text), contender["label"], class_=class_)
