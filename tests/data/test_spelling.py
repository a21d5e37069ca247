"""Numbers and missing values in the spellings that people and programs use."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnxp.data.spelling import (
    DURATION,
    EXACT,
    canonical,
    duration,
    is_code,
    is_missing,
    number,
    plain,
    spelling_of,
    value_of,
)

# A text, its number, and its unit; the spellings of which readers have different opinions are among them.
NUMBERS: list[tuple[str, float, str]] = [
    ("+5", 5, ""),
    ("+5.5", 5.5, ""),
    ("007", 7, ""),
    ("1.", 1, ""),
    (".5", 0.5, ""),
    ("-.5", -0.5, ""),
    ("1e5", 1e5, ""),
    ("1E-5", 1e-5, ""),
    ("1,234", 1234, ""),
    ("1,234,567.5", 1234567.5, ""),
    ("1 234", 1234, ""),
    ("1\u202f500", 1500, ""),
    ("1\u00a0234\u00a0567", 1234567, ""),
    ("1'234.5", 1234.5, ""),
    ("1’234", 1234, ""),
    ("45%", 0.45, "%"),
    ("45 %", 0.45, "%"),
    ("-4.5%", -0.045, "%"),
    ("(4.5%)", -0.045, "%"),
    ("$5", 5, "$"),
    ("-$1,234.50", -1234.5, "$"),
    ("$-5", -5, "$"),
    ("($5)", -5, "$"),
    ("US$5", 5, "US$"),
    ("€ 5", 5, "€"),
    ("5 €", 5, "€"),
    ("5€", 5, "€"),
    ("USD 5", 5, "USD"),
    ("5 USD", 5, "USD"),
    ("Rs. 5", 5, "Rs."),
    ("−1", -1, ""),
    ("−1.5", -1.5, ""),
    ("(5)", -5, ""),
    ("5 mm", 5, "mm"),
    ("5mm", 5, "mm"),
    ("21.5 °C", 21.5, "°C"),
    ("90°", 90, "°"),
    ("7 m²", 7, "m²"),
    ("7 m2", 7, "m2"),
    ("9.8 m/s^2", 9.8, "m/s^2"),
    ("3 µm", 3, "µm"),
    ("100 km/h", 100, "km/h"),
    ("5 лет", 5, "лет"),
    ("inf", math.inf, ""),
    ("-inf", -math.inf, ""),
    ("Infinity", math.inf, ""),
    ("INF", math.inf, ""),
    ("−Inf", -math.inf, ""),
    ("1e999", math.inf, ""),
    ("1e0002", 100, ""),
    ("9223372036854775808", 9223372036854775808, ""),
]
WITH_COMMA: list[tuple[str, float, str]] = [
    ("3,5", 3.5, ""),
    ("0,123", 0.123, ""),
    ("1.234,5", 1234.5, ""),
    ("1.234.567", 1234567, ""),
    ("1.234", 1234, ""),
    ("1 234,5", 1234.5, ""),
    ("3,5 %", 3.5 / 100, "%"),
    ("5,00 €", 5, "€"),
]
NO_NUMBERS = [
    *["", "-", ".", "abc", "nan", "NA", "1_000", "0x1F", "0xFF", "0xA", "1d5", "--5", "+-5", "-(5)", "(5", "5)", "()"],
    *["1,23", "12,34,567", "1234,567", "0,123", "1,234 567", "1.2.3", "e5", "$", "%", "$5 USD", "ABC 5", "A5"],
    *["١٢", "５", "½", "5²", "5½", "5 mm mm", "12:30", "2020-01-02", "3rd floor", "infinite", "-$-5", "5 %%"],
]


@pytest.mark.parametrize(("text", "value", "unit"), NUMBERS, ids=[text for text, _, _ in NUMBERS])
def test_numbers(text: str, value: float, unit: str) -> None:
    assert number(text) == (pytest.approx(value, rel=2**-52), unit)


@pytest.mark.parametrize(("text", "value", "unit"), WITH_COMMA, ids=[text for text, _, _ in WITH_COMMA])
def test_numbers_with_a_decimal_comma(text: str, value: float, unit: str) -> None:
    assert number(text, ",") == (value, unit)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_no_numbers(text: str) -> None:
    assert number(text) is None


@given(st.from_regex(r"[-+]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})([eE][-+]?[0-9]{1,3})?", fullmatch=True))
@example("-0")
@example("9" * 400)
def test_where_python_reads_a_number_it_is_the_same(text: str) -> None:
    text = "".join(letter for letter in text if letter.isascii())
    found = number(text)
    assert found is not None and found.unit == ""
    assert math.copysign(1, found.value) == math.copysign(1, float(text)) and found.value == float(text)
    assert plain(text) is None or plain(text) == found.value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_comes_back(value: float) -> None:
    assert number(repr(value)) == (value, "") and number(canonical(value)) == (value, "")
    assert number(repr(value).replace(".", ","), ",") == (value, "")


@given(st.integers(-(10**15), 10**15), st.sampled_from(",  '’\u202f"))
def test_groups_of_three(value: int, mark: str) -> None:
    assert number(f"{value:,}".replace(",", mark)) == (value, "")
    assert number(f"${abs(value):,}") == (abs(value), "$")


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_none(text: str) -> None:
    for decimal in ".,":
        found = number(text, decimal)
        assert found is None or (isinstance(found.value, float) and not math.isnan(found.value))


@pytest.mark.parametrize(
    "text",
    ["", "NA", "na", "N/A", "n/a", "#N/A", "NULL", "null", "None", "nan", "NaN", "-nan", "<NA>", "NaT", "?", "-"],
)
def test_missing(text: str) -> None:
    assert is_missing(text) and plain(text) is None


def test_codes() -> None:
    assert all(map(is_code, ["007", "00", "-01", str(EXACT), "9" * 5000]))
    assert not any(map(is_code, ["0", "7", "0.5", "00.5", "01:30", str(EXACT - 1), "x", ""]))


@pytest.mark.parametrize(
    ("texts", "decimal", "unit", "odd"),
    [
        (["1,234", "5,678"], ".", "", []),  # a comma before three digits alone is one between groups
        (["1,234", "3,5"], ",", "", []),
        (["0,123"], ",", "", []),
        (["3,5", "4"], ",", "", []),
        (["1.234,5", "2.000.000"], ",", "", []),
        (["1.234,5", "7"], ",", "", [1]),  # 7.000 may be read as 7 before it comes here
        (["5 mm", "7 mm", "9"], ".", "mm", []),
        (["45%", "7%", "9"], ".", "%", [2]),  # 9 is not 9%
        (["$5", "€5", "$6"], ".", "$", [1]),
        (["+5", "x"], ".", "", [1]),
        (["99", "7", "45%"], ".", "", [2]),
    ],
)
def test_the_spelling_of_a_column(texts: list[str], decimal: str, unit: str, odd: list[int]) -> None:
    many = texts if not odd else texts + [texts[0]] * 40  # so that few are odd
    assert spelling_of(many) == (decimal, unit, odd, [])
    for i, text in enumerate(many):
        if i not in odd:
            assert value_of(text, decimal, unit) == getattr(number(text, decimal), "value", None)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_durations_are_seconds(hours: int, minutes: int, seconds: int) -> None:
    whole = 3600 * hours + 60 * minutes
    assert duration(f"{hours:02}:{minutes:02}:{seconds:02}") == whole + seconds
    assert duration(f"{hours}:{minutes:02}") == whole


def test_what_fits_a_column_of_durations() -> None:
    cells = ["39:05:12", "1:30", "0:00:01,5", "90", "1:75", "12:30 PM"]
    assert [value_of(text, ".", DURATION) for text in cells] == [140712, 5400, 1.5, None, None, None]


def test_nearly_all_are_numbers() -> None:
    texts = [f"+{i}" for i in range(95)] + list("abcde")
    assert spelling_of(texts).nearly(100) and spelling_of(texts).odd == [95, 96, 97, 98, 99]
    assert not spelling_of([*texts[1:], "f"]).nearly(100)
