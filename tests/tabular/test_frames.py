"""Tables with types: frames of every library, rows, Parquet, Arrow and Excel: what the same cells of a text give."""

import datetime
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnxp.errors import DataError
from nnxp.tabular.reading.frames import as_table
from nnxp.tabular.reading.reader import blocks, read
from nnxp.tabular.table import Moments, Numbers, Table
from tests.tabular.test_reading import cells

narwhals = pytest.importorskip("narwhals", reason="needs narwhals")
pandas = pytest.importorskip("pandas", reason="needs pandas")
polars = pytest.importorskip("polars", reason="needs polars, of the extra tables")
pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")

DAY = datetime.date(2020, 2, 29)
NOON = datetime.datetime(2020, 2, 29, 12, 0)
BIG = 2**53 + 1
ROWS = {
    "whole": [1, None, 3],
    "big": [BIG, None, 2],
    "real": [1.5, None, float("inf")],
    "truth": [True, None, False],
    "word": [" a ", None, "1.0"],
    "day": [DAY, None, DAY],
    "moment": [NOON, None, NOON],
    "none": [None, None, None],
}
EXPECTED: dict[str, list[object]] = {
    "whole": [1.0, None, 3.0],
    "big": [str(BIG), "", "2"],
    "real": [1.5, None, None],
    "truth": ["True", "", "False"],
    "word": ["a", "", "1"],
    "day": [datetime.datetime(2020, 2, 29), None, datetime.datetime(2020, 2, 29)],
    "moment": [NOON, None, NOON],
    "none": ["", "", ""],
}


def in_pandas() -> Any:
    frame = pandas.DataFrame({name: pandas.Series(values, dtype=object) for name, values in ROWS.items()})
    return frame.astype({"whole": "Int64", "big": "Int64", "real": "Float64", "truth": "boolean", "word": "string",
                         "moment": "datetime64[us]"})  # fmt: skip


FRAMES = {
    "pandas": in_pandas,
    "pandas of pyarrow's": lambda: pyarrow.table(ROWS).to_pandas(types_mapper=pandas.ArrowDtype),
    "pandas of objects": lambda: pandas.DataFrame({k: pandas.Series(v, dtype=object) for k, v in ROWS.items()}),
    "polars": lambda: polars.DataFrame(ROWS),
    "pyarrow": lambda: pyarrow.table(ROWS),
    "a dict of lists": lambda: ROWS,
    "a list of dicts": lambda: [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)],
}


def check(table: Table) -> None:
    assert list(table.columns) == list(EXPECTED) and len(table) == 3
    for name, expected in EXPECTED.items():
        found = cells(table.columns[name])
        if name == "none":  # a column without a value has a type or none
            assert not any(value for value in found), name
        else:
            assert [None if value is None else value for value in found] == expected, name


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same(kind: str) -> None:
    check(as_table(FRAMES[kind]()))


def test_a_category_that_is_missing_is_missing() -> None:
    for frame in (
        pandas.DataFrame({"c": pandas.Categorical(["x", None, "y"], categories=["y", "unused", "x"])}),
        polars.DataFrame({"c": polars.Series(["x", None, "y"], dtype=polars.Categorical)}),
        polars.DataFrame({"c": polars.Series(["x", None, "y"], dtype=polars.Enum(["y", "x"]))}),
        pyarrow.table({"c": pyarrow.array(["x", None, "y"]).dictionary_encode()}),
    ):
        assert cells(as_table(frame).columns["c"]) == ["x", "", "y"]


def test_numbers_of_every_width() -> None:
    for kind in ("Int8", "Int16", "UInt8", "Int32", "UInt64", "Float32", "Float64", "Int128"):
        column = as_table(polars.DataFrame({"n": polars.Series([1, None, 3], dtype=getattr(polars, kind))})).columns[
            "n"
        ]
        assert isinstance(column, Numbers) and cells(column) == [1.0, None, 3.0], kind
    column = as_table(polars.DataFrame({"n": [Decimal("1.50"), None]})).columns["n"]
    assert isinstance(column, Numbers) and cells(column) == [1.5, None]


def test_moments_with_a_zone_are_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    there = datetime.datetime(2020, 2, 29, 14, 0, tzinfo=zone)
    for data in (
        {"t": [there]}, pandas.DataFrame({"t": pandas.to_datetime([there])}), pyarrow.table({"t": [there]}),
        polars.DataFrame({"t": [there]}),
    ):  # fmt: skip
        column = as_table(data).columns["t"]
        assert isinstance(column, Moments) and column.values.dtype == "datetime64[us]" and cells(column) == [NOON]
    column = as_table({"t": [pandas.NaT, pandas.Timestamp(NOON), np.datetime64("NaT"), pandas.NA]}).columns["t"]
    assert cells(column) == [None, NOON, None, None]
    column = as_table({"t": [datetime.time(12, 0), None]}).columns["t"]
    assert cells(column) == [datetime.datetime(1970, 1, 1, 12), None]


def test_infinite_numbers_are_said() -> None:
    assert as_table(polars.DataFrame({"x": [1.0, float("inf")]})).notes == (
        "column 'x': 1 infinite numbers are taken as missing",
    )


def test_names_and_texts_of_frames() -> None:
    table = as_table(pandas.DataFrame([[1, "1.0", 2]], columns=[0, " a\n (mm) ", ""]), texts=["a (mm)"])
    assert list(table.columns) == ["0", "a (mm)", "column 3"] and cells(table.columns["a (mm)"]) == ["1.0"]
    assert as_table(table) is table
    assert list(as_table({" a\r\nb": [1.0]}).columns) == ["a b"]


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (lambda: pandas.DataFrame([[1, 2]], columns=["a", "a"]), "'a', 'a'"),
        (lambda: pandas.DataFrame([[1, 2]], columns=[0, "0"]), "'0', '0'"),
        (lambda: pandas.DataFrame([[1, 2]], columns=["", ""]), "'', ''"),
        (lambda: pyarrow.table([[1], [2]], names=["a", "a"]), "'a', 'a'"),
        (lambda: polars.DataFrame({"a ": [1], " a": [2], "b": [3]}), "'a ', ' a'"),
        (lambda: {"a": [1], "a\n": [2]}, r"'a', 'a\\n'"),
        (lambda: [{1: 1, "1": 2}], "'1', '1'"),
    ],
    ids=["pandas", "numbers", "none", "pyarrow", "blanks", "lists", "dicts"],
)
def test_names_of_a_frame_that_are_the_same(data: Callable[[], object], got: str) -> None:
    """Which of them is meant cannot be said later, when a model looks for it."""
    with pytest.raises(DataError, match=f"the table given: got columns named {got}; expected names .*: rename one"):
        as_table(data())


def test_rows_of_texts_are_read_as_a_file_is() -> None:
    table = as_table([{"a": "1.0", "b": "x"}, {"a": "NA", "b": "2.0"}])
    assert cells(table.columns["a"]) == [1.0, None] and cells(table.columns["b"]) == ["x", "2"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "there are no rows"),
        ({}, "no names"),
        ({"a": [1], "b": [1, 2]}, "expected one or more of the same length"),
        ([{"a": 1}, {"b": 1}], "row 2 is the columns b; expected a dict of a"),
        ([[1, 2]], "row 1 is a list; expected a dict"),
        (np.zeros((2, 2)), "got a numpy.ndarray; expected a frame"),
    ],
)
def test_what_is_no_table(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_table(data)


@pytest.mark.parametrize("reader", ["polars", "pyarrow"])
@pytest.mark.parametrize("kind", ["parquet", "ipc", "ipc_stream"])
def test_files_of_typed_columns(tmp_path: Path, kind: str, reader: str) -> None:
    path = tmp_path / "data.bin"
    getattr(polars.DataFrame(ROWS), f"write_{kind}")(path)
    table = read(path, reader=reader)
    check(table)
    assert table.source == str(path) and table.notes[0] in ("Parquet", "Arrow", "Arrow stream")
    assert [len(block) for block in blocks(path, rows=2)] == [2, 1]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="is no file of"):
        read(path, reader=reader)


def test_workbooks(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl, of the extra tables")
    book = openpyxl.Workbook()
    book.active.title = "first"
    sheet = book.create_sheet("second")
    sheet.append([])
    sheet.append(["n", None, "w", "day", "n"])
    sheet.append([1, None, "a", DAY, "007"])
    sheet.append([])
    sheet.append(["2.5", None, "#DIV/0!", None, 7])
    path = tmp_path / "book.xlsx"
    book.save(path)
    for name in ("second", 2):
        table = read(path, sheet=name)
        found = {column: cells(values) for column, values in table.columns.items()}
        assert found == {
            "n": [1.0, 2.5], "w": ["a", ""], "day": [datetime.datetime(2020, 2, 29), None], "n (2)": ["007", "7"],
        }  # fmt: skip
        assert list(table.lines) == [3, 5] and table.notes[0] == "sheet 'second' of 2 (first, second)"
    with pytest.raises(DataError, match="sheet 'first' has no cells"):
        read(path)
    with pytest.raises(DataError, match="has no sheet 'secnd'; there are first, second; did you mean 'second'"):
        read(path, sheet="secnd")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="is no Excel workbook that can be read"):
        read(path)
    np.savez(tmp_path / "arrays.npz", X=np.ones((2, 3)))  # a zip file too
    with pytest.raises(DataError, match="has arrays, whose columns have no names; expected a table"):
        read(tmp_path / "arrays.npz")


@pytest.mark.parametrize(("missing", "content"), [("openpyxl", b"PK\x03\x04"), ("polars pyarrow", b"PAR1")])
def test_a_reader_that_is_missing_is_named(
    tmp_path: Path, missing: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in missing.split():
        monkeypatch.setitem(sys.modules, library, None)
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r'pip install "nnxp\[tables\]"'):
        read(path)


def test_what_reads_frames_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = polars.DataFrame({"a": [1]})
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(DataError, match=r'narwhals, which is not installed: pip install "nnxp\[tables\]"'):
        as_table(frame)
