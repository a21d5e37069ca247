"""The document of what is said about a model: its numbers, its warnings, and the words for them."""

import copy
import json
import math
from collections.abc import Callable
from typing import Any, get_type_hints

import numpy as np
import pytest

from nnxp import metrics
from nnxp.tabular.findings import layout
from nnxp.tabular.findings.cautions import cautions
from nnxp.tabular.findings.document import Part, findings
from nnxp.tabular.findings.importance import PermutationImportance
from nnxp.tabular.findings.layout import Document
from nnxp.tabular.findings.measures import CLASSES, NUMBERS
from nnxp.tabular.findings.numerals import with_error
from nnxp.tabular.findings.telling import headline, tables, tell
from tests.helpers.matrix import Target
from tests.tabular import examples

DOCUMENTS = {
    "classification": examples.classification,
    "regression": examples.regression,
    "doubtful": examples.doubtful,
}
P = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.62, 0.38], [0.05, 0.95]])
Y = np.array([0, 1, 1, 1, 0, 1])


def keys_fit(value: Any, kind: Any) -> None:
    """A dict has the keys that its TypedDict names, and so have those in it."""
    if kind in vars(layout).values() and isinstance(kind, type) and hasattr(kind, "__required_keys__"):
        hints = get_type_hints(kind)
        assert value.keys() == hints.keys(), kind
        for name, hint in hints.items():
            keys_fit(value[name], hint)
    elif isinstance(value, list | dict):
        inner = next((h for h in getattr(kind, "__args__", ()) if hasattr(h, "__args__")), kind)
        element = getattr(inner, "__args__", (None,))[-1]
        for one in value.values() if isinstance(value, dict) else value:
            keys_fit(one, element)
    elif value is not None and hasattr(kind, "__args__"):
        assert type(value) in (str, int, float) or value in kind.__args__


@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_document_is_json_and_has_the_layout(make: Callable[..., Document]) -> None:
    document = make()
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    keys_fit(document, Document)
    assert document["contenders"][0]["name"] == "model" and document["contenders"][0]["model_better_by"] is None
    assert all(contender["model_better_by"] for contender in document["contenders"][1:])
    names = {metric["name"] for metric in document["metrics"]}
    assert {document["main"], document["loss"]} < names
    for contender in document["contenders"]:
        assert contender["scores"].keys() == names
        assert all(score["error"] is not None for score in contender["scores"].values())  # an error everywhere


@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_rows_are_left_out(make: Callable[..., Document]) -> None:
    with_rows, without = make(), make(rows=False)
    assert with_rows["worst"] and without["worst"] is None
    assert {**with_rows, "worst": None} == without


def test_scores_are_those_of_the_metrics(backend: Target) -> None:
    """For arrays of every library, float32 too; the weights of rows count, and rows of weight 0 are not there."""
    p, y = backend.asarray(P, "float32"), backend.asarray(Y)
    w = np.array([1, 2, 0, 1, 1, 3.0])
    found = findings(Part(y, p, backend.asarray(w)), classes=["no", "yes"])
    scores = found["contenders"][0]["scores"]
    for metric in CLASSES:
        name = metric["name"]
        expected = getattr(metrics, name)(P.astype("float32"), Y, sample_weight=w)
        expected = metrics.macro(expected) if name == "f1" else expected
        assert math.isclose(scores[name]["value"] or 0, expected, rel_tol=1e-12), name
    assert found["rows"] == {"training": None, "validation": None, "test": 5} and found["weighted"]
    assert found["confusion"] == [[2, 0], [1, 2]]
    values = backend.asarray(np.array([1.0, 2, 3, 5, 4, 7]), "float32")
    found = findings(Part(y, values[:, None], backend.asarray(w)))
    for metric in NUMBERS:
        name = metric["name"]
        expected = getattr(metrics, name)(np.array([1.0, 2, 3, 5, 4, 7]), Y, sample_weight=w)
        assert math.isclose(found["contenders"][0]["scores"][name]["value"] or 0, expected, rel_tol=1e-12), name


def test_by_hand() -> None:
    constant = np.tile([0.4, 0.6], (6, 1))
    found = findings(
        Part(Y, P),
        classes=["no", "yes"],
        target="paid",
        baselines={"shares": constant, "an older model": P},
        lines=range(10, 16),
        history={"loss": [1.0, math.inf]},
        importance=PermutationImportance("log_loss", 1, {"a": 0.1, "b": 0.3}, {"a": math.nan, "b": math.nan}),
    )
    model, shares, older = found["contenders"]
    assert model["scores"]["accuracy"] == {"value": 5 / 6, "error": pytest.approx(math.sqrt(5 / 36 / 6))}
    assert shares["label"] == "the most frequent class" and older["label"] == "an older model"
    assert shares["scores"]["accuracy"]["value"] == 4 / 6
    better = (shares["model_better_by"] or {})["log_loss"]
    by_row = np.log(P[range(6), Y]) - np.log(constant[range(6), Y])
    assert better["value"] == pytest.approx(by_row.mean()) and better["value"] > 0
    assert better["error"] == pytest.approx(by_row.std() / math.sqrt(6))
    assert (older["model_better_by"] or {})["log_loss"] == {"value": 0.0, "error": 0.0}
    no, yes = found["classes"] or ()
    assert (no["test"], no["predicted"], no["training"]) == (2, 3, None)
    assert no["recall"] == {"value": 1.0, "error": 0.5} and no["precision"]["value"] == 2 / 3
    assert yes["recall"] == {"value": 0.75, "error": pytest.approx(math.sqrt(0.75 * 0.25 / 4))}
    calibration = found["calibration"] or {}
    assert calibration["of"] == "yes" and [b["rows"] for b in calibration["bins"]] == [1, 2, 1, 1, 1]
    assert calibration["bins"][1]["observed"]["value"] == 0.5 and calibration["bins"][1]["low"] == 0.3
    worst = (found["worst"] or [])[0]
    assert worst == {"row": 11, "truth": "yes", "prediction": "no", "probability": pytest.approx(0.4)}
    assert found["history"] == {"loss": [1.0, None]}
    columns = (found["importance"] or {})["columns"]
    assert columns[0] == {"name": "b", "importance": {"value": 0.3, "error": None}}


def test_errors_over_the_range() -> None:
    """Twenty values of which each tenth has two, predicted too high by 1, and by 3 in the last tenth."""
    y = np.arange(20.0)
    found = findings(Part(y, y + np.where(y < 18, 1, 3)))["ranges"] or []
    assert [(r["low"], r["high"], r["rows"]) for r in found] == [(2.0 * i, 2.0 * i + 1, 2) for i in range(10)]
    assert [r["median_absolute_error"]["value"] for r in found] == pytest.approx([1] * 9 + [3])
    assert found[9]["rmse"]["value"] == found[9]["bias"]["value"] == found[9]["mean_absolute_error"]["value"] == 3
    assert (found[0]["truth"], found[0]["prediction"]) == (0.5, 1.5)
    zeros = findings(Part(np.array([0.0] * 15 + [1, 2, 3, 4, 5]), np.zeros(20)))["ranges"] or []
    assert [r["rows"] for r in zeros] == [15, 1, 2, 2]  # a value that repeats is in one


def test_undefined_scores_are_none() -> None:
    found = findings(Part([1, 1], [[0.2, 0.8], [0.4, 0.6]]), classes=["a", "b"])
    assert found["contenders"][0]["scores"]["roc_auc"] == {"value": None, "error": None}
    assert (found["classes"] or ())[0]["recall"] == {"value": None, "error": None}
    constant = findings(Part([2.0, 2.0], [1.0, 2.0]))
    assert constant["contenders"][0]["scores"]["r2"]["value"] is None
    for document in (found, constant):
        json.dumps(document, allow_nan=False)
        assert "–" in tables(document)[0].rows[3][1] or "–" in tables(document)[0].rows[0][1]


def warned(document: Document, alone: dict[str, float] | None = None) -> dict[str, str]:
    return {warning["kind"]: warning["text"] for warning in cautions(document, alone)}


def test_a_good_model_is_not_warned_of() -> None:
    assert examples.regression()["warnings"] == []
    assert {w["kind"] for w in examples.classification()["warnings"]} <= {"gap"}


def test_every_warning_names_its_number() -> None:
    document = examples.doubtful()
    texts = {warning["kind"]: warning["text"] for warning in document["warnings"]}
    assert texts.keys() == {"baseline", "gap", "leak", "rare class", "few rows"}
    model = document["contenders"][0]
    assert f"{with_error(model['scores']['log_loss']['value'])} against" in texts["baseline"]
    assert "no better than the most frequent class" in texts["baseline"] and "worse by" in texts["baseline"]
    assert "'answer_code' predicts 'answer' by itself: ROC AUC 1.0000" in texts["leak"]
    assert "accuracy 1.000 ± 0.017 on the rows that it was trained on" in texts["gap"]
    assert "'perhaps' (4 in the training part and 2 in the test part)" in texts["rare class"]
    assert "20 rows only: accuracy" in texts["few rows"]


@pytest.mark.parametrize(
    ("value", "error", "expected"), [(0.1, 0.04, None), (0.1, 0.06, "better by only 0.100 ± 0.060"), (0.0, 0.0, "only")]
)
def test_the_rule_of_baselines(value: float, error: float, expected: str | None) -> None:
    """Twice the standard error of the difference."""
    document = copy.deepcopy(examples.classification())
    for baseline in document["contenders"][1:]:
        (baseline["model_better_by"] or {})["log_loss"] = {"value": value, "error": error}
    text = warned(document).get("baseline")
    assert text is None if expected is None else expected in (text or "")


@pytest.mark.parametrize(
    ("seen", "error", "expected"),
    [
        (0.85, 0.001, None),
        (0.86, 0.001, "by heart"),
        (0.86, 0.02, None),
        (0.74, 0.001, "easier than the training part"),
    ],
)
def test_the_rule_of_the_gap(seen: float, error: float, expected: str | None) -> None:
    """More than 0.05, and than three standard errors."""
    document = copy.deepcopy(examples.classification())
    document["contenders"][0]["scores"]["accuracy"] = {"value": 0.8, "error": 0.001}
    document["training"] = {"accuracy": {"value": seen, "error": error}}
    text = warned(document).get("gap")
    assert text is None if expected is None else expected in (text or "")


def test_the_other_rules() -> None:
    document = copy.deepcopy(examples.classification())
    low, high, lone = ({"age": 0.98, "size": 0.5}, {"age": 0.99, "size": 0.5}, {"age": 1.0})
    assert [("leak" in warned(document, alone)) for alone in (low, high, lone)] == [False, True, False]
    document["rows"]["test"] = 99
    assert "99 rows only" in warned(document)["few rows"]
    (document["classes"] or [])[1]["test"] = 9
    assert "'some' (229 in the training part and 9 in the test part)" in warned(document)["rare class"]
    document["classes"] = [{**(document["classes"] or [])[1], "name": f"c{i}"} for i in range(7)]
    assert "and 2 more" in warned(document)["rare class"]


def test_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The terminal says all of it: each table, its rows, the warnings."""
    for make in DOCUMENTS.values():
        document = make()
        tell(document)
        told = capsys.readouterr().out
        assert headline(document) in told
        assert all(warning["text"] in told for warning in document["warnings"])
        for shown in tables(document):
            assert shown.title in told and all(len(row) == len(shown.header) for row in shown.rows)
            for row in shown.rows:
                assert all(cell in told for cell in row)
    assert "accuracy 0.55 ± 0.11 on 20 test rows; the most frequent class: 0.45 ± 0.11" in told


def test_numbers_of_ranges_and_rows_are_written_as_scores_are() -> None:
    y = np.linspace(-5047.25, 8000, 400)
    shown = {table.title: table for table in tables(findings(Part(y, y + 1)))}
    assert shown["Errors over the range of y"].rows[0][0] == "−5,047 to −3,772"  # y[39]
    row, truth, prediction = shown["Test rows that the model got most wrong"].rows[0]
    assert (row, truth, prediction) == ("0", "−5,047.25", "−5,046.25")
    one = headline(findings(Part([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 0]), classes=["a", "b"]))
    assert one.endswith("on 1 test row")


def test_numbers_in_words() -> None:
    assert with_error(0.5, 0.25) == "0.50 ± 0.25" and with_error(-1234.5, 99.9) == "−1,234 ± 100"
    assert with_error(math.nan) == with_error(None, 1.0) == "–" and with_error(3.14159) == "3.142"
    assert with_error(1e12, 1e10) == "1·10¹² ± 1·10¹⁰" and with_error(0.5, 0.0) == "0.5 ± 0"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: findings(Part([0, 1], [[0.5, 0.5], [math.nan, 1]]), classes=["a", "b"]), "not finite, that of row 1"),
        (lambda: findings(Part([0, 1], P[:2]), classes=["a", "b", "c"]), "got probabilities of 2 classes, expected 3"),
        (lambda: findings(Part(np.ones((2, 2)), np.ones((2, 2)))), "got 2 targets, expected one"),
        (lambda: findings(Part([1.0, 2.0], [1.0])), r"got predictions of shape \(1, 1\)"),
        (lambda: findings(Part(Y, P), classes=["a", "b"], baselines={"linear": P[:2]}), "got predictions of shape"),
    ],
)
def test_bad_input(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_certain_mistake_costs_what_the_dtype_says() -> None:
    p = np.array([[1.0, 0.0], [0.5, 0.5]], dtype=np.float32)
    found = findings(Part([1, 0], p), classes=["a", "b"])["contenders"][0]["scores"]["log_loss"]["value"]
    assert found == pytest.approx(metrics.log_loss(p, [1, 0]), rel=1e-12)
