"""The report: a page that is well-formed, needs nothing beside itself, and says what its document says."""

import copy
import itertools
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from nnxp.tabular.report.charts import CORNER, LABEL, SHADE
from nnxp.tabular.report.density import density
from nnxp.tabular.report.markup import columns
from nnxp.tabular.report.page import report
from nnxp.tabular.report.svg import LETTER
from tests.tabular import documents

VOID = {"meta"}
HOSTILE = (
    "<script>alert(1)</script>", "\"quo'ted\" & </td><b>", "שלום \u202eevil", "京都府京都市東山区清水寺門前町",
    "nul\x00\ud800", "x" * 60, "]]> --> </style> &amp;",
)  # fmt: skip
PLAIN = ("a", "b", "c", "d", "e", "f", "g")


class Page(HTMLParser):
    """A page as it is parsed: elements that are all closed in order, its tables, headings and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.headings: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif re.fullmatch("h[1-6]", tag):
            self.headings.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & {*self.open}:
            self.rows[-1][-1] += data
        elif self.open and re.fullmatch("h[1-6]", next((t for t in self.open if t[0] == "h" and t[1:].isdigit()), "")):
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)

    def row(self, begins: str) -> list[str]:
        """The first row of a table whose first cell begins so."""
        return next(row for row in self.rows if row[0].startswith(begins))


def hostile(names: tuple[str, ...]) -> str:
    """A report with these names wherever a table's words can be."""
    document = documents.classification(names)
    for column, name in zip(document["importance"]["columns"], names, strict=False):
        column["name"] = name
    document["target"] = names[0]
    document["calibration"]["of"] = names[0]
    document["warnings"] = [{"kind": "leak", "text": f"The column {name!r}: {name}"} for name in names]
    kinds = [documents.KINDS[0] | dict.fromkeys(("name", "why", "becomes"), name) for name in names]
    about: dict[str, Any] = {"data": names[1], "notes": names, "kinds": kinds, "command": names[0], "date": names[1]}
    return report(document, **about, settings={name: name for name in names}, versions={name: name for name in names})


def pages() -> Iterator[tuple[str, str]]:
    """Reports of every sort."""
    yield "classification", report(documents.classification(), **documents.BESIDE)
    truth = np.random.default_rng(0).lognormal(10, 0.5, 500)
    for scale in (1.0, 1e9, 1e-9):
        found = density(truth * scale * 1.1, truth * scale)
        yield f"regression {scale}", report(documents.regression(scale), density=found, **documents.BESIDE)
    for count in (2, 30, 200):
        long = tuple(f"{'a long name of a class ' * 3}{k}"[-60:] for k in range(count))
        yield f"{count} classes", report(documents.classification(long, columns=count), **documents.BESIDE)
    yield "short names", report(documents.classification(("a", "b")), **documents.BESIDE)
    yield "hostile", hostile(HOSTILE)
    nothing = documents.classification()
    for one in nothing["contenders"]:
        one["scores"] = {name: documents.score(None) for name in one["scores"]}
    nothing["classes"][0] |= dict.fromkeys(("recall", "precision", "f1"), documents.score(None))
    nothing["confusion"][0] = [0, 0, 0]
    nothing["history"] = {"loss": [None] * 30 + [0.5, 0.4], "val_loss": [None] * 32, "accuracy": [0.5] + [None] * 31}
    nothing["best_epoch"] = 1
    for one in nothing["importance"]["columns"]:
        one["importance"] = documents.score(0.0, 0.0)
    yield "no numbers", report(nothing, **documents.BESIDE)


PAGES = dict(pages())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_and_needs_nothing_beside_itself(name: str) -> None:
    page = PAGES[name]
    assert page.startswith("<!DOCTYPE html>") and Page(page).tags[0] == ("html", ("lang",))
    found = {tag for tag, _ in Page(page).tags}
    assert not found & {"script", "link", "img", "iframe", "object", "embed", "a", "base", "form", "use", "image"}
    attributes = {attribute for _, options in Page(page).tags for attribute in options}
    assert not attributes & {"src", "href", "srcset", "xlink:href"} and not any(a.startswith("on") for a in attributes)
    assert not re.search(r"<script|https?:|//|url\(|@import|@font-face", page.replace("/* ", ""))
    page.encode("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order(name: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(PAGES[name]).headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("name", PAGES)
def test_charts_are_well_formed_say_what_they_show_and_cut_nothing(name: str) -> None:
    page = PAGES[name]
    charts = re.findall("<svg.*?</svg>", page, re.DOTALL)
    assert len(charts) == page.count("<svg") >= 2
    for chart in map(ElementTree.fromstring, charts):
        assert chart.get("role") == "img" and len(chart.get("aria-label", "")) > 10
        _, _, width, height = map(float, chart.attrib["viewBox"].split())
        rows: dict[float, list[tuple[float, float, str]]] = {}
        for one in chart.iter("text"):
            words, anchor = one.text or "", one.get("text-anchor")
            wide = LETTER * columns(words)
            turned = re.fullmatch(r"rotate\(-90\) translate\((\S+) (\S+)\)", one.get("transform", ""))
            if turned:
                x, y = float(turned[2]), -float(turned[1])
                assert 0 <= x <= width and y <= height and y - wide >= 0 and columns(words) <= LABEL, words
                assert x - 11 >= LETTER * columns(CORNER), words  # beside what stands in the corner
                continue
            x, y = float(one.attrib["x"]), float(one.attrib["y"])
            start = x - wide * {None: 0, "middle": 0.5, "end": 1}[anchor]
            assert start >= -0.01 and start + wide <= width + 0.01 and 8 <= y <= height, words
            rows.setdefault(y, []).append((start, start + wide, words))
        for row in rows.values():
            for one_text, next_text in itertools.pairwise(sorted(row)):
                assert one_text[1] <= next_text[0], (one_text, next_text)
        for one in chart.iter("rect"):
            assert 0 <= float(one.attrib["x"]) <= width and float(one.attrib["width"]) >= 0
            assert float(one.attrib["x"]) + float(one.attrib["width"]) <= width


def test_words_of_a_table_are_words() -> None:
    """Names made to break the page give the elements and attributes that plain names give, and are read as they are."""
    mean = Page(hostile(HOSTILE))
    assert mean.tags == Page(hostile(PLAIN)).tags
    for name in ("<script>alert(1)</script>", '"quo\'ted" & </td><b>', "京都府京都市東山区清水寺門前町", "x" * 60):
        assert [name in row[0] for row in mean.rows].count(True) >= 2, name  # as a class and as a column
    assert "nul\ufffd\ufffd" in mean.text and "\u202e" not in mean.text


def test_the_same_document_gives_the_same_bytes() -> None:
    document = documents.classification()
    before = copy.deepcopy(document)
    first, second = (report(document, **documents.BESIDE) for _ in range(2))
    assert first == second and document == before
    assert "2026" not in first and "1 May 2026" in report(document, **documents.BESIDE, date="1 May 2026")


def test_charts_say_their_numbers_in_words() -> None:
    document = documents.classification()
    matrix, calibration, loss, _, importance = (
        ElementTree.fromstring(chart).attrib["aria-label"]
        for chart in re.findall("<svg.*?</svg>", report(document, data="x.csv"), re.DOTALL)
    )
    assert "Biscoe, taken for Torgersen: 7" in matrix
    assert "observed at predicted: 0.1101 at 0.15, " in calibration and calibration.count(" at 0.") == 9
    first, last = document["history"]["val_loss"][0], document["history"]["val_loss"][-1]
    assert f"rows held out: {first:.4g} at 1, {last:.4g} at 40." in loss
    assert importance.count("; column") == 8 and "column 0: 0.1960 ± 0.0060" in importance


def value(text: str) -> tuple[float, float]:
    """The number that a person reads, and how far off it may be: by half of its last digit where an error says how many
    digits it has, else in its fourth."""
    found = re.fullmatch(r"(−?[\d,.]+)(?:·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?( ± .*)?", text)
    assert found, text
    power = (found[2] or "").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or "0"
    number = float(found[1].replace("−", "-").replace(",", "")) * 10.0 ** int(power)
    decimals = len(found[1].partition(".")[2])
    return number, 0.501 * 10.0 ** (int(power) - decimals) if found[3] else 0.0005001 * abs(number)


def same(cells: list[str], numbers: list[float | None]) -> bool:
    """Whether each cell is its number, and a dash where there is none."""
    return len(cells) == len(numbers) and all(
        cell == "–" if number is None else abs(value(cell)[0] - number) <= value(cell)[1]
        for cell, number in zip(cells, numbers, strict=True)
    )


@pytest.mark.parametrize("document", [documents.classification(), documents.regression(1e-7)], ids=["words", "numbers"])
def test_the_scores_are_the_documents(document: dict[str, Any]) -> None:
    page = Page(report(document, data="table.csv"))
    for metric in document["metrics"]:
        scores = [contender["scores"] for contender in document["contenders"]] + [document["training"]]
        assert same(page.row(metric["label"])[1:], [one[metric["name"]]["value"] for one in scores])


def test_the_numbers_of_classes_are_the_documents() -> None:
    document = documents.classification()
    text = report(document, data="penguins.csv")
    page = Page(text)
    for one in document["classes"]:
        expected = [one[key] for key in ("training", "test", "predicted")]
        expected += [one[key]["value"] for key in ("recall", "precision", "f1")]
        assert same(page.row(one["name"])[1:], expected)
    matrix = ElementTree.fromstring(re.findall("<svg.*?</svg>", text, re.DOTALL)[0])
    titles = [one.text for one in matrix.iterfind("rect/title")]
    names = [one["name"] for one in document["classes"]]
    assert titles == [
        f"{names[i]}, taken for {names[j]}: {count} of {sum(row)}"
        for i, row in enumerate(document["confusion"])
        for j, count in enumerate(row)
    ]
    shown = [one.text for one in matrix.iterfind("text") if (one.text or "").isdigit()]
    assert shown == [str(count) for row in document["confusion"] for count in row if count]
    for one in document["worst"]:
        found = page.row(str(one["row"]))
        assert found[1:3] == [one["truth"], one["prediction"]] and same(found[3:], [one["probability"]])


def test_the_numbers_over_the_range_are_the_documents() -> None:
    document = documents.regression()
    text = report(document, data="houses.csv")
    page, chart = Page(text), ElementTree.fromstring(re.findall("<svg.*?</svg>", text, re.DOTALL)[0])
    at = next(i for i, row in enumerate(page.rows) if row[0] == "True value") + 1
    bars = [one.text or "" for one in chart.iterfind("text[@class='figure']")]
    for one, found, bar in zip(document["ranges"], page.rows[at:], bars, strict=False):
        low, high = found[0].split(" to ")
        assert same([low, high], [one["low"], one["high"]])
        expected = [one[key] for key in ("rows", "truth", "prediction")]
        expected += [one[key]["value"] for key in ("rmse", "mean_absolute_error", "bias")]
        assert same(found[1:], expected)
        assert same([bar], [one["mean_absolute_error"]["value"]])
    assert len(bars) == len(document["ranges"])
    assert all(same(page.row(str(one["row"]))[1:], [one["truth"], one["prediction"]]) for one in document["worst"])


def test_the_verdict_is_the_main_score_beside_the_baselines() -> None:
    document = documents.classification()
    text = Page(report(document, data="penguins.csv")).text
    assert "The model is right for 85.1 ± 1.2 % of the 2,256 test rows. It is better than every baseline" in text
    assert "70.1 ± 1.2 %always the most frequent class" in text and "80.1 ± 1.2 %a linear model" in text
    document["warnings"] = [{"kind": "baseline", "text": "The linear model is as good: use it."}]
    text = Page(report(document, data="penguins.csv")).text
    assert "better than every" not in text and "not shown to be better" in text and "as good: use it." in text
    document["contenders"][0]["scores"]["accuracy"] = documents.score(None)
    assert "The model reaches a log loss of 0.412 ± 0.012 on" in Page(report(document, data="penguins.csv")).text


def titles(document: dict[str, Any], **about: Any) -> list[str]:
    return [text for tag, text in Page(report(document, **{"data": "x.csv"} | about)).headings if tag == "h2"]


def test_what_is_not_there_is_left_out() -> None:
    document = documents.classification()
    everything = ["⚠ Warnings", "Scores", "Class by class", "Training", "What the model looks at", "The columns",
                  "The rows it got most wrong", "How it was made"]  # fmt: skip
    assert titles(document, **documents.BESIDE) == everything
    for key, nothing, section in (
        ("warnings", [], "⚠ Warnings"), ("metrics", [], "Scores"), ("classes", None, "Class by class"),
        ("history", None, "Training"), ("importance", None, "What the model looks at"),
        ("worst", None, "The rows it got most wrong"),
    ):  # fmt: skip
        assert titles(document | {key: nothing}, **documents.BESIDE) == [t for t in everything if t != section]
    nothing = document["importance"] | {"columns": []}
    assert "What the model looks at" not in titles(document | {"importance": nothing})
    assert titles(document) == [title for title in everything if title not in ("The columns", "How it was made")]
    assert "Over the range" in titles(documents.regression())
    assert "Over the range" not in titles(documents.regression() | {"ranges": None})
    assert "Torgersen" not in report(document | {"worst": None, "classes": None}, data="x.csv")


def test_many_columns_and_classes_are_shown_in_part_and_said_so() -> None:
    names = tuple(f"k{i}" for i in range(40))
    document = documents.classification(names, columns=200)
    document["confusion"][7][31] = 5000
    for i, column in enumerate(document["importance"]["columns"]):
        column["name"] = f"column {i}."
    page = Page(report(document, data="x.csv"))
    assert "The first 20 of 200 columns." in page.text and "column 19." in page.text and "column 20." not in page.text
    assert "The 30 of 40 classes with the most test rows." in page.text
    fewest, *_, most = sorted(document["classes"], key=lambda one: one["test"])
    assert any(row[0] == most["name"] for row in page.rows)
    assert not any(row[0] == fewest["name"] and len(row) == 7 for row in page.rows)
    confused = next(i for i, row in enumerate(page.rows) if row == ["Class", "Taken for", "Test rows"])
    assert page.rows[confused + 1] == ["k7", "k31", f"5,000 of {sum(document['confusion'][7]):,}"]


def test_the_best_epoch_is_marked() -> None:
    text = report(documents.classification(), data="x.csv")
    assert text.count(">epoch 31</text>") == 2 and "The model has the weights of epoch 31." in text
    assert ">epoch 31</text>" not in report(documents.classification() | {"best_epoch": None}, data="x.csv")


def test_colours_can_be_told_from_the_paper_and_letters_be_read() -> None:
    """WCAG 2.2: 4.5 to 1 for letters, 3 to 1 for what is drawn; a cell of the matrix has letters on its colour."""
    sheet = resources.files("nnxp.tabular.report").joinpath("report.css").read_text(encoding="utf-8")
    assert sheet in report(documents.regression(), data="x.csv")
    schemes = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colour = {name: rgb(code) for name, code in re.findall(r"--(\w+): #(\w{6})", scheme)}
        for name in ("ink", "quiet", "one", "two"):
            assert contrast(colour[name], colour["paper"]) >= 4.5
        for paper in ("warning", "shade"):
            assert contrast(colour["ink"], colour[paper]) >= 4.5
        for name in ("one", "two"):
            cell = [SHADE * a + (1 - SHADE) * b for a, b in zip(colour[name], colour["paper"], strict=True)]
            assert contrast(colour["ink"], cell) >= 4.5
        assert contrast(colour["edge"], colour["warning"]) >= 3


def rgb(code: str) -> list[float]:
    return [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]


def contrast(one: list[float], other: list[float]) -> float:
    """(L₁ + 0.05) / (L₂ + 0.05) of the relative luminances L₁ ≥ L₂."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
