"""The core, polars and pyarrow read the same table of every text, bit for bit; where blocks end matters to none."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnxp.errors import DataError
from nnxp.tabular.reading import plaintext, scan, sources, textform
from nnxp.tabular.reading.reader import READERS, read
from nnxp.tabular.table import Numbers, Table, Words

FASTER = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"needs {name}"))
    for name in READERS
]
CELLS = (
    "", " ", "5", " 5", "5 ", "+5", "-5", "-0", "007", "-007", "0", "00", ".5", "-.5", "1.", "1.50", "1e5", "1E+5",
    "1e0005", "1e400", "-1e400", "1e-400", "1_000", "1,000", "1.234,5", "1,5", "1.234", "nan", "NaN", "-nan", "NA",
    "N/A", "null", "None", "?", "-", ".", "inf", "-inf", "Infinity", "0x1F", "9007199254740991", "9007199254740992",
    "18446744073709551616", "0.1", "123456789012345", "0.1234567890123456789", "2.5e-310", "\u0665", "5\u00a0", "a",
    "b b", "é", "true", "True", "2020-01-02", "12:30", 'say "hi"', "x\ny", "1\n2", "x\r\ny", "a,b", "a;b", "\t", "yes",
)  # fmt: skip
TEXTS = {
    "plain": "a,b\n1,x\n2,y\n",
    "no final newline": "a,b\n1,x\n2,y",
    "quoted": 'a,b\n"1","x, ""y"""\n"","2\n3"\n',
    "returns": "a,b\r\n1,x\r\n2,y\r\n",
    "lone returns": "a,b\r1,x\r2,y\r",
    "a return within": "a,b\n1,x\ry,3\n2,z\n",
    "a return for a line": "a,b\n1,x\r2,y\n3,z\n",
    "a quote at an end": 'a,b\n1,x"\n2,y\n3,"z\n4,w"\n',
    "quotes in two cells": 'a,b\nx",y\nz,"w\n',
    "blank lines": "\na,b\n\n1,x\n   \n2,y\n\n",
    "comments": "# by X\n#\n\na,b\n1,x\n2,y\n",
    "names in a comment": "# by X\n#a,b\n1,x\n2,y\n",
    "a long cell": "a,b\n1," + "x" * 140_000 + "\n2,y\n",
    "byte order mark": "\ufeffa,b\n1,x\n",
    "quoted after a mark": '\ufeff"a","b"\n1,x\n',
    "text after a quote": 'a,b\n"x"z,1\ny,2\n',
    "quotes within": 'a,b\nx"y"z,1\ny,2\n',
    "a blank before a quote": 'a,b\n1, "x, y"\n2, z\n',
    "names of rows": '"a","b"\n"1",5,"x"\n"2",6,"y"\n',
    "semicolons and commas": "a;b\n1,5;x\n2,5;y\n1.234,5;z\n",
    "said": "sep=;\na;b\n1;x\n",
    "tabs": "a\tb\n1\tx\n2\ty\n",
    "bars": "a|b\n1|x\n2|y\n",
    "names in two lines": '"a\nb",c\n1,2\n',
    "same names": "a,a,,a \n1,2,3,4\n",
    "one column": "a\n1\n\n2\n",
    "one column of quotes": 'a\n1\n""\n2\n',
    "missing": "a,b,c\nNA,NA,\n1,x,\nNaN,,\n",
    "late words": "a,b\n" + "1.0,NA\n" * 150 + "x,2\n",
    "late spellings": "a,b\n" + "1.0,2\n" * 150 + "+1,007\n",
    "large": "a,b\n9007199254740993,1e400\n2,3\n",
}
LONG = "id,code,size,town\n" + "".join(f"{k},{k:05d},{k / 7},{'Fez Rome Kyiv'.split()[k % 3]}\n" for k in range(3000))
HEAD = "a,b\n" + "1,2\n" * 200
LATE = {"a late code": f"{HEAD}007,2\n", "a late large number": f"{HEAD}9007199254740993,2\n"}
"""Columns that are numbers until it is too late to read them as such."""


def same(found: Table, expected: Table) -> None:
    assert list(found.columns) == list(expected.columns) and found.notes == expected.notes
    assert np.array_equal(found.lines, expected.lines)
    for name, column in expected.columns.items():
        other = found.columns[name]
        if isinstance(column, Numbers):
            assert isinstance(other, Numbers), name
            assert other.values.dtype == np.float64 and other.values.tobytes() == column.values.tobytes(), name
        else:
            assert isinstance(column, Words) and isinstance(other, Words), name
            assert other.texts == column.texts and other.codes.dtype == np.int32, name
            assert np.array_equal(other.codes, column.codes), name


def outcome(path: Path, reader: str, texts: tuple[str, ...]) -> Table | str:
    try:
        return read(path, reader=reader, texts=texts)
    except DataError as error:
        return str(error)


def everyone_agrees(path: Path, reader: str, texts: tuple[str, ...] = ()) -> None:
    """Also in blocks of one row."""
    expected, found = (outcome(path, name, texts) for name in ("core", reader))
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    same(found, expected)
    source = sources.find(path)
    same(plaintext.table(source, textform.find(source, None, None, None), texts, cells=1), expected)


def test_what_readers_may_cut_differently_is_left_to_the_core(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    for name in ("lone returns", "a return within", "blank lines", "comments", "text after a quote", "said",
                 "quotes within", "a blank before a quote", "a quote at an end", "names in two lines",
                 "one column"):  # fmt: skip
        path.write_bytes(TEXTS[name].encode())
        source = sources.find(path)
        assert scan.look(source.whole(), textform.find(source, None, None, None)) is None, name


def test_columns_are_parsed_together_or_alone(tmp_path: Path) -> None:
    """Columns that cease to be numbers, or to be spelled as most are, in a later block than the first."""
    later = {3: ("NA", "1e5", "x", "1"), 5: ("2", "", "+1", " 7")}
    rows = [later.get(k, (str(k), f"{k}.50", str(k), "-0")) for k in range(9)]
    path = tmp_path / "data.csv"
    path.write_text("a,b,c,d\n" + "".join(",".join(row) + "\n" for row in rows))
    source = sources.find(path)
    how = textform.find(source, None, None, None)
    for cells in (1, 8, 12, 1000):
        same(plaintext.table(source, how, (), cells), read(path, reader="core"))
    found = plaintext.table(source, how, (), 8).columns
    assert isinstance(found["a"], Numbers) and isinstance(found["b"], Numbers) and isinstance(found["d"], Numbers)
    assert np.isnan(found["a"].values[3]) and np.isnan(found["b"].values[5]) and found["d"].values[5] == 7
    assert isinstance(found["c"], Words) and found["c"].texts == ["0", "1", "2", "x", "4", "+1", "6", "7", "8"]


@pytest.mark.long
@pytest.mark.parametrize("reader", FASTER)
@pytest.mark.parametrize("text", [*TEXTS.values(), LONG, *LATE.values()], ids=[*TEXTS, "long", *LATE])
def test_all_readers_give_the_same(tmp_path: Path, text: str, reader: str) -> None:
    path = tmp_path / "data.csv"
    for encoding in ("utf-8", "utf-16"):
        path.write_bytes(text.encode(encoding))
        everyone_agrees(path, reader)
        everyone_agrees(path, reader, ("a", "code"))


def written(rows: list[list[str]], separator: str, ending: str, quoted: list[bool]) -> str:
    def cell(text: str, quote: bool) -> str:
        needed = quote or any(sign in text for sign in f'{separator}"\r\n')
        return '"' + text.replace('"', '""') + '"' if needed else text

    lines = [separator.join(map(cell, row, quoted)) for row in rows]
    return ending.join([*lines, ""])


@st.composite
def files(draw: st.DrawFn) -> str:
    """Columns of some few spellings, quoted or not, with all kinds of separators; sometimes something of it wrong."""
    width, height = draw(st.integers(1, 4)), draw(st.integers(1, 8))
    columns = []
    for _ in range(width):
        some = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3))
        columns.append(draw(st.lists(st.sampled_from(some), min_size=height, max_size=height)))
    rows = [list("abcd"[:width]), *map(list, zip(*columns, strict=True))]
    quoted = draw(st.lists(st.booleans(), min_size=width, max_size=width))
    text = written(rows, draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n"])), quoted)
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(['"', "\n", "\r", ",", " ", "x"])) + text[place:]
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.mark.long
@pytest.mark.parametrize("reader", FASTER)
@given(text=files())
@settings(max_examples=200, deadline=None)
def test_all_readers_give_the_same_of_any_file(
    tmp_path_factory: pytest.TempPathFactory, reader: str, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{reader}.csv"
    path.write_bytes(text.encode())
    everyone_agrees(path, reader, ("b",))


@pytest.mark.parametrize("reader", FASTER)
def test_a_plain_file_is_read_by_the_library(tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.csv"
    path.write_text(LONG)
    monkeypatch.setattr(plaintext, "table", None)
    assert len(read(path, reader=reader)) == 3000
    for name in ("plain", "quoted", "returns", "byte order mark", "semicolons and commas", "names of rows", "missing"):
        path.write_text(TEXTS[name])
        assert len(read(path, reader=reader)) >= 1, name
