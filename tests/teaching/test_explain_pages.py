"""The pages of a worked step: the same numbers on all three, a page that needs nothing beside itself."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import nnxp
from nnxp.teaching.as_text import blocks
from nnxp.teaching.notation import Style
from tests.teaching import examples

VOID = {"meta", "input"}
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?")


class Page(HTMLParser):
    """A page as it is parsed: elements that are all closed in order, and what they say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append((self.open[-1] if self.open else "", data))

    def of(self, *tags: str) -> list[str]:
        """The texts within elements of these names."""
        return [text for tag, text in self.said if tag in tags]


@pytest.fixture(scope="module")
def hostile() -> nnxp.Explanation:
    return examples.hostile()


def test_all_pages_have_the_same_numbers(hostile: nnxp.Explanation) -> None:
    for step in (nnxp.explain(), hostile):
        text, markdown, page = str(step), step.markdown(), Page(step.html())
        written = [block for one in step.facts.steps for block in blocks(one, Style(step.facts.digits))]
        for block in written:  # each as it is, in both
            assert all(line.rstrip() in text for line in block) and "\n".join(block) in markdown
        numbers = {
            number for block in written for line in block for number in NUMBER.findall(line.translate(SUBSCRIPTS))
        }
        there = {n for part in page.of("mn", "td", "span", "small") for n in NUMBER.findall(part)}
        assert numbers - there == set() and len(numbers) > 60
        assert {f"{step.loss:.{step.facts.digits}g}", f"{step.loss_after:.{step.facts.digits}g}"} <= numbers & there
        cells = [
            cell for one in step.facts.steps for m in one.matrices for row in m.cells(step.facts.digits) for cell in row
        ]
        assert page.of("td") == cells


SUBSCRIPTS = {ord(c): None for c in "₀₁₂₃₄₅₆₇₈₉"}


def test_a_page_needs_nothing_beside_itself(hostile: nnxp.Explanation) -> None:
    text = hostile.html()
    page = Page(text)
    assert "://" not in text and "@import" not in text and "url(" not in text
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [a for _, a in page.tags if {"src", "href", "srcset", "action"} & {*a}]
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")


def test_names_are_escaped(hostile: nnxp.Explanation) -> None:
    page, markdown = Page(hostile.html()), hostile.markdown()
    assert [tag for tag, _ in page.tags].count("script") == 1 and "i" not in {t for t, _ in page.tags}
    assert any("<script>alert(1)</script>_*" in text for text in page.of("h2"))
    assert "y = <b>f</b>(x)" in page.of("p") and {"<i>no</i>", "a & b", '"quoted"'} <= {*page.of("text")}
    assert "<script>" not in markdown and "&lt;script&gt;alert(1)&lt;/script&gt;\\_\\*" in markdown


def test_a_page_is_for_everybody(hostile: nnxp.Explanation) -> None:
    page = Page(hostile.html())
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len({*ids}) == len(ids) and [tag for tag, _ in page.tags].count("h1") == 1
    assert len(page.of("h2")) == len(hostile.facts.steps) == len(page.of("option"))
    assert next(a for tag, a in page.tags if tag == "html")["lang"] == "en"
    assert next(a for tag, a in page.tags if tag == "svg")["aria-label"]
    assert all(a.get("aria-label") for tag, a in page.tags if tag in ("table", "select", "nav"))
    sides = [str(a["class"]) for tag, a in page.tags if tag == "table"]
    x, W, b, y = sides[:4]  # rows of W are as many as columns of x, and in that colour
    assert x.split()[1].partition("-")[2] == W.split()[0].partition("-")[2] != W.split()[1].partition("-")[2]
    assert W.split()[1] == b.split()[1] == y.split()[1] and x.split()[0] == y.split()[0]


def test_files_are_written_by_their_ending(tmp_path: Path) -> None:
    step = nnxp.explain()
    for name, expected in (("a.html", step.html()), ("a.md", step.markdown()), ("a.TXT", str(step))):
        step.save(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == expected
    with pytest.raises(ValueError, match=r"expected a name that ends in \.txt, \.md, \.html"):
        step.save(tmp_path / "a.pdf")
