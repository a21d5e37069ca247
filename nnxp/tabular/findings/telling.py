"""The document in words: the tables and sentences that the terminal prints and the report shows."""

from typing import NamedTuple

from nnxp.printing import counted, print_table
from nnxp.tabular.findings.layout import Document, Score
from nnxp.tabular.findings.measures import BY_NAME
from nnxp.tabular.findings.numerals import number, with_error

MOST_CLASSES = 12
"""A confusion matrix of more classes is not printed."""


class Shown(NamedTuple):
    """A table for people."""

    title: str
    header: list[str]
    rows: list[list[str]]


def told(score: Score) -> str:
    """A score as people are told it."""
    return with_error(score["value"], score["error"])


def tables(document: Document) -> list[Shown]:
    """The tables of a document, the first that of the scores.

    Returns
    -------
    list of Shown
        Those that the document has.
    """
    made = (_scores, _classes, _confusion, _calibration, _ranges, _importance, _worst)
    return [shown for make in made if (shown := make(document)) is not None]


def headline(document: Document) -> str:
    """One sentence: the main score of the model, beside the baseline that comes nearest."""
    main, (model, *baselines) = document["main"], document["contenders"]
    text = f"{BY_NAME[main]['label']} {told(model['scores'][main])} on {counted(document['rows']['test'], 'test row')}"
    scored = [(value, baseline) for baseline in baselines if (value := baseline["scores"][main]["value"]) is not None]
    if not scored:
        return text
    _, best = max(scored, key=lambda pair: pair[0])  # of "accuracy" and "r2" the higher is the better
    return f"{text}; {best['label']}: {told(best['scores'][main])}"


def tell(document: Document) -> None:
    """Prints a document: its headline, its tables and its warnings."""
    print(headline(document))
    for shown in tables(document):
        print(f"\n{shown.title}")
        print_table(shown.header, shown.rows)
    for warning in document["warnings"]:
        print(f"warning: {warning['text']}")


def _scores(document: Document) -> Shown:
    contenders = document["contenders"]
    header = ["", *(contender["label"] for contender in contenders)]
    scores = [contender["scores"] for contender in contenders]
    if document["training"] is not None:
        header, scores = [*header, "the model on its training part"], [*scores, document["training"]]
    rows = [[metric["label"], *(told(each[metric["name"]]) for each in scores)] for metric in document["metrics"]]
    return Shown(f"Scores on {counted(document['rows']['test'], 'test row')}, ± one standard error", header, rows)


def _classes(document: Document) -> Shown | None:
    if document["classes"] is None:
        return None
    rows = [
        [c["name"], number(c["training"]), number(c["test"]), told(c["recall"]), told(c["precision"]), told(c["f1"])]
        for c in document["classes"]
    ]
    return Shown("Classes", ["class", "training rows", "test rows", "recall", "precision", "F1"], rows)


def _confusion(document: Document) -> Shown | None:
    if document["confusion"] is None or document["classes"] is None or len(document["classes"]) > MOST_CLASSES:
        return None
    names = [c["name"] for c in document["classes"]]
    rows = [[name, *map(number, counts)] for name, counts in zip(names, document["confusion"], strict=True)]
    return Shown("Test rows by true class (down) and predicted class (across)", ["", *names], rows)


def _calibration(document: Document) -> Shown | None:
    found = document["calibration"]
    if found is None:
        return None
    rows = [
        [f"{b['low']:.1f} to {b['high']:.1f}", number(b["rows"]), f"{b['predicted']:.3f}", told(b["observed"])]
        for b in found["bins"]
    ]
    title = f"Predicted probability of {found['of']}, and how often it came true"
    return Shown(title, ["probability", "test rows", "predicted", "came true"], rows)


def _ranges(document: Document) -> Shown | None:
    if document["ranges"] is None:
        return None
    rows = [
        [
            f"{number(r['low'])} to {number(r['high'])}",
            number(r["rows"]),
            told(r["median_absolute_error"]),
            told(r["mean_absolute_error"]),
            told(r["rmse"]),
            told(r["bias"]),
        ]
        for r in document["ranges"]
    ]
    header = ["from, to", "test rows", "median error", "mean error", "RMSE", "predicted too high by"]
    return Shown(f"Errors over the range of {document['target']}", header, rows)


def _importance(document: Document) -> Shown | None:
    found = document["importance"]
    if found is None:
        return None
    rows = [[column["name"], told(column["importance"])] for column in found["columns"]]
    label = BY_NAME[found["metric"]]["label"] if found["metric"] in BY_NAME else found["metric"]
    return Shown("Columns by importance", ["column", f"{label} lost where it is shuffled"], rows)


def _worst(document: Document) -> Shown | None:
    if not document["worst"]:
        return None
    is_class = document["task"] == "classification"
    header = ["row", "truth", "prediction", *(["probability of the truth"] if is_class else [])]
    rows = [[str(w["row"]), _cell(w["truth"]), _cell(w["prediction"])] for w in document["worst"]]
    if is_class:
        rows = [[*row, with_error(w["probability"])] for row, w in zip(rows, document["worst"], strict=True)]
    return Shown("Test rows that the model got most wrong", header, rows)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else number(value, 6)
