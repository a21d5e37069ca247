"""Each kind's rule, from both sides; what is asked for; what people read."""

import json
from typing import Any

import numpy as np
import pytest

from nnxp import printing
from nnxp.errors import DataError
from nnxp.tabular.kinds.cells import values_of
from nnxp.tabular.kinds.deciding import RULES, Decision, decide
from nnxp.tabular.kinds.overview import HEADER, printed
from nnxp.tabular.table import Column, Moments, Numbers, Table, Words
from tests.helpers import pages


def words(*cells: str) -> Words:
    texts = list(dict.fromkeys(cells))
    return Words(texts, np.array([texts.index(cell) for cell in cells], dtype=np.int32))


def numbers(*values: float) -> Numbers:
    return Numbers(np.array(values, dtype=np.float64))


def moments(*texts: str) -> Moments:
    return Moments(np.array(texts, dtype="datetime64[us]"))


def table(**columns: Column) -> Table:
    return Table("people.csv", columns, range(2, 2 + len(next(iter(columns.values())))))


def one(column: Column, name: str = "c", **options: Any) -> Decision:
    (decision,) = decide(table(**{name: column}), **options)
    assert decision.name == name and Decision(**json.loads(json.dumps(decision.document()))) == decision
    assert decision.used == (decision.becomes != "left out")
    return decision


UNLIKE = [f"{a}{b}{c}" for a in "ABC" for b in "xyz" for c in "789"]  # 27 codes
NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("number", numbers(1, 2, 2.5)),
        ("number", numbers(*range(2000, 2030))),  # years do not count rows
        ("number", numbers(1, 2, 3)),  # nor do few rows
        ("number", numbers(0, 1, 2, 2)),
        ("number", numbers(3, 3, NAN)),
        ("number", words("+5", "1,234", "n/a", "(7)")),
        ("number", words("3,5", "4")),
        ("category", words("1.234,5", "4")),
        ("number", words("5 mm", "7 mm")),
        ("category", words("5 mm", "7 cm")),
        ("number", words("0.5", "-.5")),
        ("category", words("007", "8")),
        ("category", words("9007199254740992", "8")),
        ("number", words("9007199254740991", "+8")),
        ("yes/no", numbers(0, 1, NAN)),
        ("number", numbers(0, 1, 2)),
        ("number", numbers(0, 0.5, 1)),
        ("yes/no", words("Yes", "no", "YES", "?")),
        ("yes/no", words("T", "F")),
        ("yes/no", words("TRUE", "False", "yes", "no")),
        ("yes/no", words("Y", "yes", "n", "no", "")),
        ("category", words("t", "n")),
        ("category", words("yes", "no", "maybe")),
        ("category", words("yes", "n")),
        ("category", words("yes", "")),
        ("category", words("m", "f")),
        ("date", moments("2020-01-01", "2020-01-02")),
        ("date", words("2020-01-01", "", "2020-01-02")),
        ("date", words("12:30", "13:30")),
        ("category", words("12:30", "2020-01-01")),
        ("number", words(*[f"{i}:05:12" for i in range(1, 40)])),
        ("number", words("01:30", "90:15", "")),
        ("date", words(*[f"{i % 24}:{i % 60:02}" for i in range(40)])),
        ("category", words("2020-01-01", "later")),
        ("category", words("a", "b", "a")),
        ("category", words(*[f"v {i}" for i in range(20)])),
        ("text", words(*[f"v {i}" for i in range(21)])),
        ("category", words(*[f"v {i}" for i in range(21)] * 2)),
        ("text", words(*UNLIKE, "Ax7")),
        ("category", words(*[f"{'v' * 47} {i:02}" for i in range(21)] * 2)),
        ("text", words(*[f"{'v' * 48} {i:02}" for i in range(21)] * 2)),
        ("identifier", words(*UNLIKE)),
        ("identifier", words(*UNLIKE[:20], "")),
        ("category", words(*UNLIKE[:19])),
        ("identifier", words(*[f"{i:05}" for i in range(30)])),
        ("text", words(*[f"{code} {code}" for code in UNLIKE])),
        ("identifier", numbers(*range(1, 31))),
        ("identifier", numbers(*range(20))),
        ("number", numbers(*range(19))),
        ("number", numbers(*range(1, 30), 31)),
        ("number", numbers(*range(30, 0, -1))),
        ("number", numbers(*range(1, 30), NAN)),
        ("constant", numbers(3, 3)),
        ("constant", numbers(NAN, NAN)),
        ("constant", words("a", "a")),
        ("constant", words("", "NA")),
        ("constant", words("inf", "-inf")),
        ("constant", moments("NaT", "NaT")),
        ("constant", moments("2020-01-01", "2020-01-01")),
        ("date", moments("2020-01-01", "NaT")),
    ],
)
def test_rules(kind: str, column: Column) -> None:
    assert one(column).kind == kind


@pytest.mark.parametrize(
    "name", ["id", "ID", "customer_id", "customer id", "customerId", "PassengerId", "id_2", "uuid", "pid"]
)
def test_a_column_called_id_of_different_values_is_one(name: str) -> None:
    assert one(numbers(31, 17, 5), name).kind == one(words("b", "a", "1"), name).kind == "identifier"
    assert one(numbers(31, 17, 17), name).kind == "number" and one(words("b", "a", "a"), name).kind == "category"
    assert one(numbers(0.5, 17, 5), name).kind == "number"


@pytest.mark.parametrize("name", ["paid", "Madrid", "idea", "width", "covid"])
def test_a_column_whose_name_only_ends_so_is_none(name: str) -> None:
    assert one(numbers(31, 17, 5), name).kind == "number"


def test_why_it_is_none_names_the_row() -> None:
    cells = [f"+{i}" for i in range(40)]
    why = one(words(*cells[:30], "abc", *cells[30:])).why
    assert why == "all are different; numbers, but 'abc' (row 32) is none"
    why = one(words(*cells[:30], "007", *cells[30:])).why
    assert why == "all are different; numbers, but '007' (row 32) is a code"
    assert one(words("31/31/2020", "30/31/2020")).why == "2 different values"
    why = one(words("13/01/2020", "01/13/2020")).why
    assert why == "2 different values; '13/01/2020' is a date, day first, but '01/13/2020' (row 3) is none"


def test_how_cells_are_read_is_decided_and_said() -> None:
    price = one(words("1.234,50 €", "7,00 €", "-"))
    assert (price.decimal, price.unit, price.missing) == (",", "€", 1)
    assert price.why == "numbers like '1.234,50 €', all in €, with a decimal comma"
    assert one(words("5", "6")).why == "numbers"
    euros = words("1.200 €", "13.000 €", "-")
    assert one(euros).why.endswith("all in €; '1.200 €' is read as 1.2: --decimal , reads 1200")
    assert values_of(euros, one(euros)).values[0] == 1.2
    assert one(euros, decimal=",").why == "numbers like '1.200 €', all in €, with a decimal comma"
    assert values_of(euros, one(euros, decimal=",")).values[:2].tolist() == [1200, 13000]
    for cells in (("1.200 €", "13.5 €"), ("0.200 €", "0.350 €"), ("1,200.125 €", "7.125 €"), ("1,200 €", "2,300 €")):
        assert "is read as" not in one(words(*cells)).why
    few = one(words(*["5 mm", "6 mm"] * 10, *[f"{i} mm" for i in range(40)], "5 cm")).why
    assert few == "41 different values; numbers in mm, but '5 cm' (row 62) is none"
    some = one(words("inf", "+5", "6", "-inf", "?", "inf"))
    assert (some.kind, some.missing) == ("number", 4) and "3 infinite, which count as missing" in some.why
    when = one(words("01/02/2020", "03/02/2020"))
    assert (when.day_first, when.why) == (None, "dates like '01/02/2020', month first")
    assert one(words("01/02/2020", "13/02/2020")).day_first is True
    assert one(words("01/02/2020", "03/02/2020"), day_first=True).why == "dates like '01/02/2020', day first"
    assert one(words("2020-01-02T03:04Z", "2020-01-03")).why.endswith(", in UTC")
    assert one(words("12:30", "13:30")).clock
    near = one(words(*[f"{i}:05:12" for i in range(1, 40)], "soon")).why
    assert near == "all are different; numbers in h:mm:ss, but 'soon' (row 41) is none"
    took = one(words("39:05:12", "1:30"))
    assert (took.why, took.becomes) == ("durations like '39:05:12', in seconds", "1 number")
    assert values_of(words("39:05:12", "1:30", "soon"), took) == (
        (pytest.approx([140712, 5400, NAN], nan_ok=True)),
        {"soon": 1},
    )
    assert one(words("TRUE", "no", "yes")).why == "TRUE, no, yes"


@pytest.mark.parametrize(
    ("column", "becomes"),
    [
        (numbers(1, 2.5), "1 number"),
        (numbers(1, 2.5, NAN), "1 number, 1 column of 0 and 1 (missing)"),
        (words("yes", "no"), "1 column of -1 and 1"),
        (words("a", "b"), "1 column of -1 and 1"),
        (words("a", ""), "1 column of 0 and 1, 1 column of 0 and 1 (missing)"),
        (words("a", "b", "c"), "3 columns of 0 and 1"),
        (words("2020-01-01", "2020-01-02"), "5 numbers: days, day of week, day of year"),
        (words("12:30", "13:30"), "3 numbers: time of day"),
        (moments("2020-01-01T10", "2020-01-01T11"), "3 numbers: time of day"),
        (moments("2020-01-01", "NaT"), "1 number: days, 1 column of 0 and 1 (missing)"),
        (words("x", "x"), "left out"),
    ],
)
def test_what_becomes_of_it(column: Column, becomes: str) -> None:
    assert one(column).becomes == becomes


def test_a_year_of_dates_is_seven_numbers_at_most() -> None:
    days = np.datetime64("2023-01-01") + np.arange(365)
    assert one(words(*map(str, days))).becomes.startswith("5 numbers")


def test_what_is_asked_for() -> None:
    data = table(a=words("5", "x"), b=numbers(0, 1), c=words("1,5", "2"), d=words("01/02/2020", "?"), e=numbers(1, 2))
    found = decide(data, kinds={"b": "number", "c": "category", "d": "category", "e": "text"}, drop=["a"])
    assert [(each.name, each.kind, each.why) for each in found] == [
        ("b", "number", "as asked for"),
        ("c", "category", "as asked for"),
        ("d", "category", "as asked for"),
        ("e", "text", "as asked for"),
    ]
    assert [each.name for each in decide(data, target="c")] == ["a", "b", "d", "e"]
    assert one(words("007", "08"), kinds={"c": "number"}).becomes == "1 number"
    assert one(words("12:30", "13:30"), kinds={"c": "number"}).becomes == "1 number"
    assert one(words("yes", "0"), kinds={"c": "yes/no"}).kind == "yes/no"
    assert one(numbers(0, 1), kinds={"c": "yes/no"}).kind == "yes/no"
    assert one(moments("2020-01-01", "2020-01-01"), kinds={"c": "date"}).kind == "date"
    assert one(words("1.2.2020"), kinds={"c": "date"}, day_first=False).day_first is False
    assert one(words("NA"), kinds={"c": "number"}).kind == "constant"


@pytest.mark.parametrize(
    ("kind", "column", "said"),
    [
        ("number", words("NA", "5", "x", "6"), "row 4, column 'c': 'x' is no number"),
        ("number", words("5 mm", "6 mm", "5 cm"), "row 4, column 'c': '5 cm' is no number with the unit 'mm'"),
        ("number", moments("2020-01-01"), "row 2, column 'c': '2020-01-01' is no number"),
        ("date", numbers(5, 6), "row 2, column 'c': '5' is no date"),
        ("date", words("13/01/2020", "01/13/2020"), "row 3, column 'c': '01/13/2020' is no date"),
        ("yes/no", words("yes", "maybe"), "row 3, column 'c': 'maybe' is none of no, yes"),
        ("yes/no", numbers(0, 2), "row 3, column 'c': '2' is none of no, yes"),
    ],
)
def test_what_cannot_be_is_named_by_its_row(kind: str, column: Column, said: str) -> None:
    with pytest.raises(DataError, match=f"people.csv, {said}.*empty the cell"):
        decide(table(c=column), kinds={"c": kind})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kinds": {"agee": "number"}}, "kinds: got 'agee', expected columns of people.csv: age; did you mean 'age'"),
        ({"drop": ["agee"]}, "drop: got 'agee', expected columns of people.csv: age; did you mean 'age'"),
        ({"target": "agee"}, "target: got 'agee', expected columns of people.csv: age; did you mean 'age'"),
        ({"kinds": {"age": "numbr"}}, "kinds: got 'numbr' for the column 'age', .*did you mean 'number'"),
    ],
)
def test_what_does_not_exist(options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        decide(table(age=numbers(1, 2)), **options)


def test_what_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    printing.print_table(HEADER, printed(decide(table(age=numbers(1, 2, NAN), name=words("a", "b", "a")))))
    said = capsys.readouterr().out
    assert all(word in said for word in (*HEADER, "age", "1 number", "category", "2 different values"))


def test_of_many_columns_that_are_alike_ten_are_shown() -> None:
    columns = {f"x{i}": numbers(i, i + 1.5) for i in range(150)} | {"w": words("a", "b"), "id": words("c", "d")}
    rows = printed(decide(table(**columns)))
    assert [row[0] for row in rows] == [*(f"x{i}" for i in range(10)), "w", "id", "140 more"]
    assert rows[-1][1:] == rows[0][1:]
    few = dict([*columns.items()][:100])
    assert [row[0] for row in printed(decide(table(**few)))] == [*few]


def test_every_kind_has_its_sentence_and_the_page_has_it_too() -> None:
    assert [*RULES] == ["constant", "yes/no", "identifier", "date", "number", "text", "category"]
    page = " ".join((pages.ROOT / "docs" / "tables.md").read_text(encoding="utf-8").split())
    for kind, rule in RULES.items():
        assert f"- **{kind}**: {rule}" in page
