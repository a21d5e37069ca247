"""Which task a target asks for, and what cannot be predicted."""

import numpy as np
import pytest

from nnxp.errors import DataError
from nnxp.tabular.kinds.cells import values_of
from nnxp.tabular.kinds.tasks import RULE, Name, Task, task_of
from nnxp.tabular.table import Column, Moments, Numbers, Table, Words


def words(*cells: str) -> Words:
    texts = list(dict.fromkeys(cells))
    return Words(texts, np.array([texts.index(cell) for cell in cells], dtype=np.int32))


def table(column: Column) -> Table:
    columns = {"x": Numbers(np.zeros(len(column))), "y": column}
    return Table("people.csv", columns, range(2, 2 + len(column)))


def task(column: Column, asked: Name | None = None) -> Task:
    return task_of(table(column), "y", asked)


TWENTY = [str(i) for i in range(20)]


@pytest.mark.parametrize(
    ("expected", "column"),
    [
        ("classification", words("a", "b", "?")),
        ("classification", words("yes", "no")),
        ("classification", words("grade 3", "grade 4")),
        ("classification", words(*TWENTY, *TWENTY)),
        ("regression", words(*TWENTY, *TWENTY, "20", "20")),
        ("regression", words(*TWENTY, *TWENTY[1:])),
        ("classification", words("01", "1", "2", "2")),
        ("regression", words("3.0", "4.0", "3.0", "4.0")),
        ("regression", words("1,234", "5,678", "1,234", "5,678")),
        ("regression", words("45%", "5%", "45%", "5%")),
        ("regression", words("$5", "$6", "$5", "$6")),
        ("regression", words("3,5", "4", "3,5", "4")),
        ("classification", words("5 mm", "6 cm", "5 mm", "6 cm")),
        ("classification", Numbers(np.array([0.0, 1.0, 0.0, 1.0, np.nan]))),
        ("regression", Numbers(np.array([0.0, 0.5, 0.0, 0.5]))),
        ("classification", words(*[f"w{i}" for i in range(20)])),
        ("classification", words(*[f"w{i}" for i in range(30)] * 2)),
    ],
)
def test_rule(expected: str, column: Column) -> None:
    found = task(column)
    assert found.task == expected and RULE
    assert found.decision.kind == ("number" if expected == "regression" else "category")
    assert found.decision.name == "y"


def test_a_regression_is_read_by_what_was_decided() -> None:
    column = words("$1,234", "n/a", "$5", "$7")
    found = task(column)
    np.testing.assert_array_equal(values_of(column, found.decision).values, [1234, np.nan, 5, 7])
    assert found.decision.missing == 1 and task(words("a", "b", "", "NA")).decision.missing == 2


def test_what_is_known_better() -> None:
    assert task(words("1", "2", "1", "2"), "regression").task == "regression"
    assert task(words("1.5", "2.5"), "classification").task == "classification"
    assert task(Moments(np.array(["2020-01-01", "2020-01-02"], "M8[us]")), "classification").task == "classification"
    many = words(*[f"w{i}" for i in range(21)])
    assert task(many, "classification").decision.becomes == "21 classes"
    with pytest.raises(DataError, match="row 3, column 'y': 'b' is no number"):
        task(words("1", "b"), "regression")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (words("a", "a"), "'y' holds 'a' in every row"),
        (words("5", "?"), "'y' holds '5' in every row"),
        (words("?", ""), "'y' holds no value in any row"),
        (words("inf", "-inf"), "'y' holds no value in any row"),
        (words("2020-01-01", "2020-01-02"), "holds dates, .*put a number in their place"),
        (Moments(np.array(["2020-01-01", "2020-01-02"], "M8[us]")), "holds dates"),
        (words(*[f"w{i}" for i in range(21)]), r"21 different words in 21 rows, too many to be classes \(20 at most"),
        (words(*[f"+{i}" for i in range(40)], "abc"), r"'abc' \(row 42\) is no number, nearly all others are"),
    ],
)
def test_what_cannot_be_predicted(column: Column, said: str) -> None:
    with pytest.raises(DataError, match=said):
        task(column)


def test_small_whole_numbers_say_how_they_become_a_regression() -> None:
    stars, two = (
        Table("t.csv", {"y": Words(texts, np.arange(60, dtype=np.int32) % len(texts))}, range(2, 62))
        for texts in (["1", "2", "3"], ["0", "1"])
    )
    assert task_of(stars, "y").why == "whole numbers, 3 different ones; --task regression predicts a number"
    assert task_of(two, "y").why == "whole numbers, 2 different ones"
