"""Cells as their kind has them: the same, whichever form the column comes in."""

import numpy as np
import pytest

from nnxp.tabular.kinds.cells import moments_of, values_of
from nnxp.tabular.kinds.deciding import Decision, decide
from nnxp.tabular.table import Column, Moments, Numbers, Table, Words, words_of

NUMBER = Decision("c", "number", "", 0)
SWITCH = Decision("c", "yes/no", "", 0)
DATE = Decision("c", "date", "", 0)
DAY_FIRST = Decision("c", "date", "", 0, day_first=True)
NAN = float("nan")


def words(*cells: str) -> Words:
    texts = [*dict.fromkeys(cells), "of no cell"]
    return Words(texts, np.array([texts.index(cell) for cell in cells], dtype=np.int32))


def numbers(*values: float) -> Numbers:
    return Numbers(np.array(values, dtype=np.float64))


def moments(*texts: str) -> Moments:
    return Moments(np.array(texts, dtype="datetime64[us]"))


@pytest.mark.parametrize(
    ("decision", "column", "values", "odd"),
    [
        (NUMBER, numbers(1, NAN), [1, NAN], {}),
        (NUMBER, words("1", "N/A", "abc", "1,234", "abc"), [1, NAN, NAN, 1234, NAN], {"abc": 2}),
        (NUMBER, words("(5)", "5 mm", "007", "+7"), [-5, NAN, 7, 7], {"5 mm": 1}),
        (NUMBER, words("1", "inf", "1e999"), [1, NAN, NAN], {}),
        (NUMBER, moments("2020-01-01", "NaT"), [NAN, NAN], {"2020-01-01": 1}),
        (Decision("c", "number", "", 0, unit="mm"), words("5 mm", "5", "5 cm"), [5, 5, NAN], {"5 cm": 1}),
        (Decision("c", "number", "", 0, unit="mm"), numbers(5, 6), [5, 6], {}),
        (Decision("c", "number", "", 0, unit="%"), words("45%", "45"), [0.45, NAN], {"45": 1}),
        (Decision("c", "number", "", 0, decimal=","), words("3,5", "1.234", "x"), [3.5, 1234, NAN], {"x": 1}),
        (SWITCH, words("1.0", "0.0", "1e0", "1.5"), [1, 0, 1, NAN], {"1.5": 1}),  # as spelled, or from a file of such
        (SWITCH, words("YES", "no", "true", "0", "?", "si"), [1, 0, 1, 0, NAN, NAN], {"si": 1}),
        (SWITCH, numbers(0, 1, NAN, 2), [0, 1, NAN, NAN], {"2": 1}),
        (NUMBER, words(), [], {}),
    ],
)  # fmt: skip
def test_values(decision: Decision, column: Column, values: list[float], odd: dict[str, int]) -> None:
    found = values_of(column, decision)
    assert found.values.dtype == np.float64 and found.odd == odd
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize(
    ("decision", "column", "values", "odd"),
    [
        (DATE, moments("2020-01-02", "NaT"), ["2020-01-02", "NaT"], {}),
        (DATE, words("2020-01-02", "", "soon", "soon", "12:30"), ["2020-01-02", *["NaT"] * 4], {"soon": 2, "12:30": 1}),
        (DATE, words("1/2/2020"), ["2020-01-02"], {}),
        (DAY_FIRST, words("1/2/2020", "1/13/2020"), ["2020-02-01", "NaT"], {"1/13/2020": 1}),
        (Decision("c", "date", "", 0, clock=True), words("12:30"), ["1970-01-01T12:30"], {}),
        (DATE, numbers(20200102, NAN), ["NaT", "NaT"], {"20200102": 1}),
        (DATE, words(), [], {}),
    ],
)  # fmt: skip
def test_moments(decision: Decision, column: Column, values: list[str], odd: dict[str, int]) -> None:
    found = moments_of(column, decision)
    assert found.values.dtype == "datetime64[us]" and found.odd == odd
    np.testing.assert_array_equal(found.values, np.array(values, dtype="datetime64[us]"))


def test_what_was_decided_reads_the_cells_it_was_decided_by() -> None:
    cells = ["1.234,50 €", "7,00 €", "-", "−3,25 €"]
    column = words(*cells)
    (decision,) = decide(Table("t.csv", {"price": column}, range(2, 6)))
    values, odd = values_of(column, decision)
    np.testing.assert_array_equal(values, [1234.5, 7, NAN, -3.25])
    assert odd == {} and decision.missing == np.isnan(values).sum()


def test_any_column_as_words() -> None:
    def cells(column: Column) -> list[str]:
        found = words_of(column)
        return [found.texts[code] for code in found.codes]

    assert cells(numbers(3, NAN, 0.5, 3)) == ["3", "", "0.5", "3"]
    assert cells(moments("2020-01-02", "NaT", "2020-01-02T03:04:05")) == ["2020-01-02", "", "2020-01-02T03:04:05"]
    assert cells(words("b", "a", "b")) == ["b", "a", "b"]
