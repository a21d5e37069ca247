"""What is found out about a file, and what is said where it cannot be read."""

import csv
import gzip
import io
import sys
from pathlib import Path

import pytest

from nnxp.data import longcells
from nnxp.errors import DataError
from nnxp.tabular.reading.reader import blocks, read
from nnxp.tabular.table import Column, Moments, Numbers, Words


def cells(column: Column) -> list[object]:
    if isinstance(column, Words):
        return [column.texts[code] for code in column.codes]
    assert isinstance(column, Numbers | Moments)
    return [None if value != value else value for value in column.values.tolist()]


def wrote(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("a,b\n1.5,é\n", "commas between the cells, decimal points, utf-8"),
        ("a;b\n1,5;é\n", "semicolons between the cells, decimal commas, utf-8"),
        ("a\tb\n1,5\té\n", "tabs between the cells, decimal commas, utf-8"),
        ("a|b\n1.5|é\n", "bars between the cells, decimal points, utf-8"),
        ('"a","b"\n"1,5","é"\n', "commas between the cells, decimal commas, utf-8"),
        ("sep=;\r\na;b\r\n1.5;é\r\n", "semicolons between the cells, decimal points, utf-8"),
        ("\ufeffa,b\n1.5,é\n", "commas between the cells, decimal points, utf-8-sig"),
        ("a;b\n1,5;é\n".encode("cp1252"), "semicolons between the cells, decimal commas, cp1252"),
        ("a,b\n1.5,é\n".encode("utf-16"), "commas between the cells, decimal points, utf-16"),
        ("a,b\n1.5,é\n".encode("utf-16-le"), "commas between the cells, decimal points, utf-16-le"),
        ("a,b\n1.5,é\n".encode("utf-16-be"), "commas between the cells, decimal points, utf-16-be"),
    ],
)
def test_how_a_file_is_written_is_found_out(tmp_path: Path, content: str | bytes, note: str) -> None:
    for path in (
        wrote(tmp_path, content),
        wrote(tmp_path, gzip.compress(wrote(tmp_path, content).read_bytes()), "x.gz"),
    ):
        for reader in ("core", None):
            table = read(path, reader=reader)
            assert table.notes == (note,)
            assert [cells(column) for column in table.columns.values()] == [[1.5], ["é"]]
            assert list(table.columns) == ["a", "b"]


def test_options_decide_over_what_is_found(tmp_path: Path) -> None:
    path = wrote(tmp_path, "a;b,c\n1,5;2\n".encode("cp1252"))
    assert cells(read(path, separator=",").columns["a;b"]) == [1.0]
    assert cells(read(path, separator=";", decimal=".").columns["a"]) == ["1,5"]
    assert cells(read(path, separator=";", decimal=",").columns["a"]) == [1.5]
    path = wrote(tmp_path, "a,b\nё,1\n".encode("koi8-r"))
    assert cells(read(path, encoding="koi8-r").columns["a"]) == ["ё"]


def test_a_separator_is_not_taken_from_the_cells_of_a_column(tmp_path: Path) -> None:
    """Commas of decimals and of sentences are in the rows; the names tell them from what separates."""
    assert list(read(wrote(tmp_path, "x;y\n1,5;2,5\n3,5;4,5\n")).columns) == ["x", "y"]
    table = read(wrote(tmp_path, "place\nParis, France\nRome, Italy\n"))
    assert table.notes == ("one column, decimal points, utf-8",), "no separator is said, for it was not split"
    assert cells(table.columns["place"]) == ["Paris, France", "Rome, Italy"]
    table = read(wrote(tmp_path, 'said,x\n"a;b;c",1\n"say ""hi"", you",2\n'))
    assert cells(table.columns["said"]) == ["a;b;c", 'say "hi", you']


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("# exported by X\n", "1 line of comment before the names"),
        ("# exported, by X; on Monday\n\n#it's \"so\n \n", "2 lines of comment before the names"),
        ("#a,b\n", "1 line of comment before the names"),
    ],
)
def test_comments_before_the_names_are_passed_over(tmp_path: Path, above: str, said: str) -> None:
    """Those of other lines are cells; a line above is counted, so that rows are where an editor shows them."""
    path = wrote(tmp_path, f"{above}n,w\n1,x\n#2,y\n")
    lines = above.count("\n")
    for reader in ("core", None):
        table = read(path, reader=reader)
        assert table.notes == (f"commas between the cells, decimal points, utf-8, {said}",)
        assert {name: cells(column) for name, column in table.columns.items()} == {"n": ["1", "#2"], "w": ["x", "y"]}
        assert list(table.lines) == [lines + 2, lines + 3]
    wrote(tmp_path, f"{above}n,w\n1,x\n2\n")
    with pytest.raises(DataError, match=f"row {lines + 3} has 1 cells"):
        read(path)


def test_names_may_stand_in_a_comment(tmp_path: Path) -> None:
    """As VCF, BED and `numpy.savetxt` write them: above a row of as many cells with a number among them."""
    assert list(read(wrote(tmp_path, "##one\n#chrom\tpos\nchr1\t5\nchr2\t7\n")).columns) == ["#chrom", "pos"]
    assert list(read(wrote(tmp_path, "# a;b\n1,5;2,5\n3;4\n")).columns) == ["# a", "b"]
    assert list(read(wrote(tmp_path, "#,name\n1,x\n2,y\n")).columns) == ["#", "name"]
    assert list(read(wrote(tmp_path, '"#",name\nx,y\n')).columns) == ["#", "name"], "a quoted # begins no comment"


def test_a_title_is_no_name_of_a_column(tmp_path: Path) -> None:
    table = "town;sold\nFez;1\nRome;2\n"
    for title in ("Sales of May\n", "Sales of May\n\n", "Sales of May\nby town\n \n"):
        for separator in ";,\t|":
            with pytest.raises(DataError, match=r"data.csv: the first line is 'Sales of May', one cell, while .* sep.*"
                               r"2 cells further down \(town, sold\).*: remove the lines above"):  # fmt: skip
                read(wrote(tmp_path, title + table.replace(";", separator)))
    with pytest.raises(DataError, match="a blank line follows the first, and the rows after it have one cell more"):
        read(wrote(tmp_path, "Sales, May\n\ntown,sold,left\nFez,1,2\n"))
    wrote(tmp_path, "said\nno,never\nyes,always\n")
    assert list(read(tmp_path / "data.csv", separator=";").columns) == ["said"]


@pytest.mark.parametrize("rows", ["1,5\n2,5\n", "Paris, France\nRome, Italy\n", "a,b\nc\n", "\n1,234\n2,345\n"])
def test_commas_within_the_cells_of_one_column(tmp_path: Path, rows: str) -> None:
    """Decimals, sentences, thousands: no table below a title."""
    assert list(read(wrote(tmp_path, "x\n" + rows)).columns) == ["x"]


def test_thousands_are_no_decimals(tmp_path: Path) -> None:
    assert "decimal points" in read(wrote(tmp_path, "a\tb\n1,234\tx\n12,345\ty\n")).notes[0]
    assert cells(read(wrote(tmp_path, "a;b\n1.234,5;x\n-2,5;y\n1.234;z\n")).columns["a"]) == [1234.5, -2.5, 1234.0]


def test_numbers_words_and_what_is_missing(tmp_path: Path) -> None:
    path = wrote(tmp_path, "n,w,m,z,t\n 1 ,x,NA,007,1.0\n,1.0,,1,2\nn/a,-2.50,,2,x\n")
    found = {name: cells(column) for name, column in read(path).columns.items()}
    assert found["n"] == [1.0, None, None]
    assert found["w"] == ["x", "1", "-2.5"]
    assert found["m"] == ["NA", "", ""]
    assert found["z"] == ["007", "1", "2"]
    assert cells(read(path, texts=["t", "n"]).columns["t"]) == ["1.0", "2", "x"]
    assert cells(read(path, texts=["t", "n"]).columns["n"]) == ["1", "", "n/a"]


def test_names_are_all_different(tmp_path: Path) -> None:
    table = read(wrote(tmp_path, ",a, a ,a (2),\n1,2,3,4,5\n"))
    assert list(table.columns) == ["column 1", "a", "a (3)", "a (2)", "column 5"]
    assert table.notes[1] == (
        "columns without a name, or with one that was there before, are called 'column 1' (without a name), 'a (3)', "
        "'column 5' (without a name)"
    )


def test_names_are_on_one_line(tmp_path: Path) -> None:
    """So that a file whose names a spreadsheet has broken fits a model that was trained on one with others."""
    table = read(wrote(tmp_path, '" a\n(mm)",b ,"a \r\n (mm)"\n1,2,3\n'))
    assert list(table.columns) == ["a (mm)", "b", "a (mm) (2)"]
    assert table.notes[1].endswith("are called 'a (mm) (2)'")


def test_rows_have_names_as_r_writes_them(tmp_path: Path) -> None:
    table = read(wrote(tmp_path, '"x","y"\n"r1",5,"a"\n"r2",6,"b"\n'))
    assert {name: cells(column) for name, column in table.columns.items()} == {
        "column 1": ["r1", "r2"], "x": [5.0, 6.0], "y": ["a", "b"],
    }  # fmt: skip


def test_lines_count_names_and_blank_lines(tmp_path: Path) -> None:
    assert list(read(wrote(tmp_path, "sep=,\n\na,b\n1,2\n\n  \n3,4\n")).lines) == [4, 7]
    assert list(read(wrote(tmp_path, "a,b\n1,2\n3,4\n")).lines) == [2, 3]
    one = read(wrote(tmp_path, 'a\n1\n\n""\n3\n'))
    assert list(one.lines) == [2, 4, 5] and cells(one.columns["a"]) == [1.0, None, 3.0]
    with pytest.raises(DataError, match="row 7, column 'a': this"):
        raise read(wrote(tmp_path, "sep=,\n\na,b\n1,2\n\n  \n3,4\n")).complaint(1, "a", "this")


def test_cells_are_as_long_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the 131,072 characters of `csv`, whose own limit stays, also after an error."""
    before, long = csv.field_size_limit(), "x, y\n" * 40_000
    path = wrote(tmp_path, f'a,b\n1,"{long}"\n2,"{long}"\n')
    for reader in ("core", None):
        table = read(path, reader=reader)
        assert cells(table.columns["a"]) == [1.0, 2.0] and cells(table.columns["b"]) == [long.strip()] * 2
        assert csv.field_size_limit() == before
    blocks_left = blocks(path, rows=1)
    next(blocks_left)
    assert csv.field_size_limit() == before, "a reading that was begun holds nothing"
    monkeypatch.setattr(longcells, "LONGEST", 150_000)
    with pytest.raises(DataError, match=r"cannot be read after row 1 \(field larger .*never closed"):
        read(path)
    assert csv.field_size_limit() == before


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b"a;b\n1,5;x\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    table = read("-")
    assert table.source == "standard input" and cells(table.columns["a"]) == [1.5]
    Stdin.buffer = io.BytesIO(gzip.compress(b"a;b\n1,5;x\n"))
    assert cells(read("-").columns["b"]) == ["x"]


def test_blocks_are_the_rows_of_the_file(tmp_path: Path) -> None:
    path = wrote(tmp_path, "a,b\n" + "".join(f"{k},{'x' if k < 5 else k}\n" for k in range(10)))
    found = list(blocks(path, rows=4, texts=["b"]))
    assert [len(block) for block in found] == [4, 4, 2]
    assert [list(block.lines) for block in found] == [[2, 3, 4, 5], [6, 7, 8, 9], [10, 11]]
    whole = read(path, texts=["b"])
    for name, column in whole.columns.items():
        assert [cell for block in found for cell in cells(block.columns[name])] == cells(column)


def test_some_rows_at_random(tmp_path: Path) -> None:
    path = wrote(tmp_path, "a,b\n" + "".join(f"{k},x\n" for k in range(50)))
    some, again, other = read(path, rows=10), read(path, rows=10), read(path, rows=10, seed=1)
    assert len(some) == 10 and some.notes[-1] == "10 of 50 rows, drawn at random"
    assert list(some.lines) == list(again.lines) == sorted({*some.lines}) != list(other.lines)
    assert cells(some.columns["a"]) == [line - 2 for line in some.lines]
    assert len(read(path, rows=50)) == 50


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "data.csv is empty; expected a row of column names"),
        ("\n\n  \n", "nothing but blank lines;"),
        (b"\xef\xbb\xbf", "nothing but blank lines;"),
        ("# by X\n\n", "nothing but blank lines and comments"),
        ("a,b\n", "has only the column names 'a', 'b'; expected rows below"),
        ("1,2\n3,4\n", "the first row has to name the columns; got the numbers 1, 2: write a row of names"),
        ("a,b\n1,2\n3\n", "row 3 has 1 cells, expected 2, as the first row names: add what is missing"),
        ("a,b\n1,2\n3,4,5\n", "row 3 has 3 cells, expected 2, as the first row names: put a cell that holds"),
        ('"x","y"\n"r1",5,"a"\n"r2",6\n"r3",7,"b"\n', "row 2 has 3 cells, expected 2"),
        ("a,b\n1,2,\n3,4,\n", "every row ends in a separator (',') that the row of names has not"),
        ('a,b\n1,"2\n3,4\n', "a quote in row 2 or before is never closed"),
        ('a,b\n1,"' + "2\n3,4\n" * 40_000, "quote"),
        (b"\x7fELF\x02\x01\x00\x00\x00\x00", "is no text: it has bytes that are zero"),
        (b"a,b\n1,\x81\x8d\n", "is neither UTF-8 nor cp1252 text: say what it is, encoding="),
        (b"%PDF-1.7 ...", "is a file of PDF; expected CSV, Excel, Parquet or Arrow"),
        ("<!doctype html>\n<p>Log in</p>\n", "is a file of HTML"),
        ('{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', "is a file of JSON"),
        ('[{"a": 1},\n{"a": 3}]\n', "is a file of JSON"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-12], "cannot be unpacked"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = wrote(tmp_path, content)
    for reader in ("core", None):
        with pytest.raises(DataError) as raised:
            read(path, reader=reader)
        assert message in str(raised.value) and "data.csv" in str(raised.value)


def test_there_is_no_such_file(tmp_path: Path) -> None:
    wrote(tmp_path, "a,b\n1,2\n", "measurements.csv")
    with pytest.raises(DataError, match="there is no file .*measurement.csv; did you mean 'measurements.csv'?"):
        read(tmp_path / "measurement.csv")
    with pytest.raises(DataError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ";;"}, "expected one character"),
        ({"decimal": ";"}, "expected '.' or ','"),
        ({"encoding": "utf-9"}, "there is no encoding 'utf-9'"),
        ({"encoding": "ascii"}, "is not ascii text"),
        ({"reader": "pandas"}, "expected one of core, polars, pyarrow"),
        ({"sheet": "x"}, "is no Excel workbook"),
    ],
)
def test_options_are_checked(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(wrote(tmp_path, "a,b\né,2\n"), **options)  # type: ignore[arg-type]
