"""What charts are drawn with: numbers as people read them, round ticks, lines where their points are."""

import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxp.tabular.findings.numerals import number, share, with_error
from nnxp.tabular.report.charts import Bar, Line, bars, cells, lines
from nnxp.tabular.report.density import CELLS, density
from nnxp.tabular.report.markup import columns, cut, element, escape
from nnxp.tabular.report.svg import HEIGHT, LETTER, WIDTH, log_ticks, ticks

SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
finite = st.floats(min_value=-1e30, max_value=1e30)


def value(text: str) -> float:
    mantissa, _, power = text.replace("−", "-").replace(",", "").partition("·10")
    return float(f"{mantissa}e{power.translate(SUPERSCRIPT) or 0}")


@given(finite, st.integers(1, 12))
def test_a_number_is_rounded_to_its_digits(x: float, digits: int) -> None:
    """Half a unit of the last digit off at most, and no digit of a whole part is lost."""
    unit = 10.0 ** (math.floor(math.log10(abs(x))) - digits + 1) if x and abs(x) > 1e-300 else 0.0
    assert abs(value(number(x, digits)) - x) <= 0.5 * unit * (1 + 1e-9) + 1e-12 * abs(x) + 1e-300


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0, "0"), (0.0, "0"), (-0.0, "0"), (1, "1"), (1234567, "1,234,567"), (-1234567.4, "−1,234,567"), (0.5, "0.5"),
        (999.96, "1,000"), (99.996, "100"), (0.00012345, "0.0001234"), (0.000012345, "1.234·10⁻⁵"), (1e9, "1·10⁹"),
        (999999999.0, "1·10⁹"), (123456789.0, "123,456,789"),
        (10**12, "1,000,000,000,000"), (float("nan"), "–"), (None, "–"), (-math.inf, "−∞"),
        (5e-324, "4.941·10⁻³²⁴"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(x: float | None, text: str) -> None:
    assert number(x) == text


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (0.5, 0.0999, "0.50 ± 0.10"), (-0.0012, 0.0123, "−0.001 ± 0.012"), (1234567.8, 1234.5, "1,234,568 ± 1,234"),
        (1.0, math.nan, "1"), (None, None, "–"), (None, 0.1, "–"), (math.nan, 0.1, "–"),
        (1e12, 1e10, "1·10¹² ± 1·10¹⁰"), (0.1, 1e-9, "0.1 ± 1·10⁻⁹"),
        (0.0, 0.0, "0 ± 0"), (-6.8e-5, 0.0013, "−0.0001 ± 0.0013"),
        (0.0, 0.5, "0.00 ± 0.50"),
        (-0.001, 0.5, "0.00 ± 0.50"),
    ],
)  # fmt: skip
def test_numbers_with_their_error(x: float | None, error: float | None, text: str) -> None:
    assert with_error(x, error) == text


def test_shares_with_their_error() -> None:
    assert share(1.0, 0.0) == "100 ± 0 %" and share(math.nan, 0.1) == "–" and share(1 / 3) == "33.33 %"


@given(st.text())
def test_text_comes_back_from_an_element(text: str) -> None:
    """What XML may hold comes back as it is, with line ends as XML reads them; what it may not is marked."""
    read = ElementTree.fromstring(element("a", text, b=text))
    shown = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", "\ufffd", text)
    assert (read.text or "") == shown.replace("\r\n", "\n").replace("\r", "\n")
    assert read.attrib["b"] == re.sub("[\n\t]", " ", shown.replace("\r\n", "\n").replace("\r", "\n"))
    assert not set(escape(text)) & set("<>\"'")


@given(st.text(), st.integers(1, 30))
def test_a_text_is_cut_to_its_columns(text: str, most: int) -> None:
    assert columns(cut(text, most)) <= most
    assert cut(text, most) == text or text.startswith(cut(text, most)[:-1])


@given(finite, finite)
def test_ticks_are_round_and_cover_the_range(a: float, b: float) -> None:
    low, high = sorted((a, b))
    found = ticks(low, high)
    steps = [after - before for before, after in itertools.pairwise(found)]
    assert 2 <= len(found) <= 10 and found[0] <= low + 1e-6 * steps[0] and high <= found[-1] + 1e-6 * steps[0]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-6) and f"{steps[0]:.6e}"[0] in "125"


def test_epochs_have_whole_ticks() -> None:
    chart = ElementTree.fromstring(lines("one epoch", [Line("loss", [(1, 0.5), (2, 0.4)])], "epoch", "loss"))
    shown = [one.text for one in chart.iterfind("text") if float(one.attrib["y"]) > HEIGHT - 30]
    assert shown == ["1", "2", "epoch"]


def test_long_numbers_of_an_axis_do_not_meet() -> None:
    chart = ElementTree.fromstring(cells("", [0.0, 2.5e7, 5e7], [[1, 0], [0, 1]], is_log=False))
    shown = [one for one in chart.iterfind("text") if HEIGHT - 30 < float(one.attrib["y"]) < HEIGHT - 20]
    assert 2 <= len(shown) <= 4
    for one, after in itertools.pairwise(shown):
        room = float(after.attrib["x"]) - float(one.attrib["x"])
        assert room >= LETTER * (columns(one.text or "") + columns(after.text or "")) / 2


@given(st.floats(1e-30, 1e30), st.floats(5.1, 1e20))
def test_logarithmic_ticks(low: float, ratio: float) -> None:
    found = log_ticks(low, low * ratio)
    assert 1 <= len(found) <= 7 and low <= found[0] and found[-1] <= low * ratio
    assert all(f"{tick:e}"[0] in "125" and float(f"{tick:.0e}") == tick for tick in found)


def places(chart: str, class_: str) -> list[tuple[float, float]]:
    path = ElementTree.fromstring(chart).find(f"path[@class='line {class_}']")
    assert path is not None
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+?) ([\d.]+)", path.attrib["d"])]


def test_points_are_where_their_numbers_are() -> None:
    """The axes are 0 to 10 and 0 to 1: a point between them divides both as its numbers do."""
    found = places(lines("a line", [Line("a", [(0, 0.0), (2, 0.25), (10, 1.0)])], "x", "y"), "one")
    (x0, y0), (x1, y1), (x2, y2) = found
    assert (x1 - x0) / (x2 - x0) == pytest.approx(0.2, abs=1e-4) and (y1 - y0) / (y2 - y0) == pytest.approx(
        0.25, abs=1e-4
    )
    assert 0 < x0 < x2 <= WIDTH and HEIGHT >= y0 > y2 > 0  # up is more


def test_a_logarithmic_axis_where_that_shows_more() -> None:
    def heights(values: list[float]) -> list[float]:
        return [y for _, y in places(lines("", [Line("", list(enumerate(values)))], "", "", may_log=True), "one")]

    a, b, c = heights([1.0, 0.1, 0.01])
    assert b - a == pytest.approx(c - b, abs=0.02)
    a, b, c = heights([1.0, 0.6, 0.5])
    assert (b - a) / (c - a) == pytest.approx(0.8, abs=1e-3)
    assert len(heights([1.0, 0.0, 0.5])) == 3


def test_there_is_a_gap_where_there_is_no_number() -> None:
    chart = lines("a gap", [Line("", [(1, 1.0), (2, None), (3, 2.0), (4, 3.0)])], "x", "y")
    path = ElementTree.fromstring(chart).find("path[@class='line one']")
    assert path is not None and re.sub("[^ML]", "", path.attrib["d"]) == "MML"


def test_whiskers_are_as_long_as_errors_and_end_with_the_axis() -> None:
    chart = ElementTree.fromstring(
        lines("", [Line("", [(0.2, 0.5), (0.4, 0.95), (0.6, 0.6)], [0.1, 0.2, None])], "p", "q", diagonal=True)
    )
    found = [re.findall(r"[ML](\S+?) ([\d.]+)", one.attrib["d"]) for one in chart.iterfind("path[@class='whisker']")]
    (x0, low), (x1, high) = ((float(x), float(y)) for x, y in found[0])
    assert len(found) == 2 and x0 == x1
    (_, bottom), (_, top) = places(ElementTree.tostring(chart, encoding="unicode"), "rule")  # from (0, 0) to (1, 1)
    assert (bottom - low) / (bottom - top) == pytest.approx(0.4, abs=1e-3)
    assert (bottom - high) / (bottom - top) == pytest.approx(0.6, abs=1e-3)
    assert float(found[1][1][1]) == top


def test_bars_are_as_long_as_their_numbers() -> None:
    chart = ElementTree.fromstring(bars("", [Bar("a", 2.0, "2"), Bar("b", -1.0, "−1", 0.5), Bar("c", 0.0, "0")]))
    a, b, c = (float(one.attrib["width"]) for one in chart.iter("rect"))
    assert a == pytest.approx(2 * b, abs=0.03) and c == 0
    assert [one.attrib["class"] for one in chart.iter("rect")] == ["bar", "bar below", "bar"]
    assert len(chart.findall("path[@class='whisker']")) == 1


@pytest.mark.parametrize("is_log", [False, True])
def test_density_counts_every_pair_where_it_is(is_log: bool) -> None:
    rng = np.random.default_rng(0)
    truth = 10 ** rng.uniform(0, 5, 300) if is_log else rng.normal(size=300)
    prediction = truth * rng.uniform(0.9, 1.1, 300)
    found = density(prediction, truth)
    assert found is not None and found["is_log"] is is_log
    edges, counts = found["edges"], np.array(found["counts"])
    both = np.concatenate([prediction, truth])
    assert (edges[0], edges[-1]) == (both.min(), both.max()) and len(edges) == CELLS + 1
    expected = np.zeros((CELLS, CELLS), int)
    for p, t in zip(prediction, truth, strict=True):
        i, j = (max(k for k in range(CELLS) if edges[k] <= value) for value in (p, t))
        expected[i, j] += 1
    assert (counts == expected).all()
    chart = ElementTree.fromstring(cells("", edges, found["counts"], is_log))
    shown = [one.text for one in chart.iterfind("rect/title")]
    assert shown == [f"{count} rows" for count in counts.ravel() if count]


def test_there_is_no_density_of_one_value() -> None:
    assert density(np.ones(3), np.ones(3)) is None and density(np.ones(0), np.ones(0)) is None
