"""A person's own files: CSV and npz."""

import contextlib
import csv
import io
import json
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nnxp import data
from nnxp.data.spelling import number
from nnxp.errors import DataError

in_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

FLOWERS = """length,colour,width,species
1.5,red,2,setosa
2.5,blue,4,virginica
3.5,red,6,setosa
4.5,green,8,virginica
"""


def write(folder, text, name="table.csv", **how):
    path = folder / name
    path.write_bytes(text.encode(**how))
    return path


def test_csv_numbers_words_and_classes(tmp_path):
    flowers = data.csv(write(tmp_path, FLOWERS), "species")
    assert (flowers.name, flowers.task, flowers.classes) == (
        "table",
        "classification",
        ("setosa", "virginica"),
    )
    # length; blue, green, red; width
    expected = [[1.5, 0, 0, 1, 2], [2.5, 1, 0, 0, 4], [3.5, 0, 0, 1, 6], [4.5, 0, 1, 0, 8]]
    assert flowers.X.dtype == np.float64
    np.testing.assert_array_equal(flowers.X, expected)
    assert flowers.y.dtype == np.int64
    assert flowers.y.tolist() == [0, 1, 0, 1]
    scale, offset = flowers.rescale
    # Numbers: means 3 and 5, variances 1.25 and 5. Categories stay 0 and 1.
    np.testing.assert_allclose(scale, [1.25**-0.5, 1, 1, 1, 5**-0.5], rtol=1e-15)
    np.testing.assert_allclose(offset, [-3 * 1.25**-0.5, 0, 0, 0, -5 * 5**-0.5], rtol=1e-15)
    assert flowers.preprocessing == json.loads(json.dumps(flowers.preprocessing))


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("utf-8-sig", FLOWERS),
        ("utf-8", FLOWERS.replace("\n", "\r\n")),
        ("utf-8", FLOWERS.replace("red", '"red"').replace("length", '"length"')),
        ("utf-8", FLOWERS.replace(",", " , ")),
        ("utf-8", "\n" + FLOWERS.replace("\n", "\n\n")),
        ("utf-8", FLOWERS.rstrip()),
    ],
    ids=["byte order mark", "CRLF", "quoted", "blanks", "empty lines", "no last newline"],
)
def test_csv_spellings_of_the_same_table(tmp_path, how, text):
    expected = data.csv(write(tmp_path, FLOWERS), "species")
    result = data.csv(write(tmp_path, text, "other.csv", encoding=how), "species")
    np.testing.assert_array_equal(result.X, expected.X)
    np.testing.assert_array_equal(result.y, expected.y)
    assert result.preprocessing == expected.preprocessing


words = st.text(st.characters(exclude_categories=["C"]), max_size=8).map(str.strip)
is_word = words.filter(lambda w: w != "" and not w[0].isascii() and number(w) is None) | st.sampled_from(
    ["a,b", 'say "x"', "two\nlines", "x;y", "naïve", "- ?", "e", "1_000", "0x1", "½", "٣"]
)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


@in_folder
@given(rows=st.lists(st.tuples(numbers, is_word, st.sampled_from("pqr")), min_size=2, max_size=20))
def test_csv_round_trip(rows, tmp_path):
    assume(len({row[2] for row in rows}) > 1)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("x", "a name, with comma", "t"), *rows])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = data.csv(write(tmp_path, text.getvalue()), "t")
    np.testing.assert_array_equal(dataset.X[:, 0], [row[0] for row in rows])
    known = sorted({row[1] for row in rows})
    np.testing.assert_array_equal(dataset.X[:, 1:], [[row[1] == word for word in known] for row in rows])
    assert [dataset.classes[k] for k in dataset.y] == [row[2] for row in rows]
    assert np.isfinite(dataset.rescale).all()
    X, y = data.examples(tmp_path / "table.csv", dataset.preprocessing)
    np.testing.assert_array_equal(X, dataset.X)
    np.testing.assert_array_equal(y, dataset.y)


@in_folder
@given(content=st.binary(max_size=80) | st.text(st.sampled_from('ab,;"\n\r1.x '), max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(content, tmp_path):
    (tmp_path / "any.csv").write_bytes(b"a,b\n" + content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(DataError):
            assert np.isfinite(data.csv(tmp_path / "any.csv", "b").X).all()


def table_of(target):
    return "x,t\n" + "".join(f"{i},{value}\n" for i, value in enumerate(target))


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (["b", "a", "b", "a"], ("a", "b")),
        (["10", "9", "10", "9"], ("9", "10")),
        (["-1", "+1", "01", "-1"], ("-1", "1")),
        ([k % 20 for k in range(40)], tuple(map(str, range(20)))),
        ([k % 21 for k in range(42)], None),
        ([0, 1, 2, 3], None),
        (["1.0", "2.0", "1.0", "2.0"], None),
        (["1", "2.5", "1", "2"], None),
        (["1e3", "2", "1", "2"], None),
        (["9" * 30, 1, 1, 1], None),
    ],
    ids=["words", "whole", "spellings", "20", "21", "all differ", "points", "fraction", "exponent", "long"],
)
def test_the_targets_cells_decide_the_task(tmp_path, target, classes):
    dataset = data.csv(write(tmp_path, table_of(target)), "t")
    assert dataset.classes == classes
    if classes is None:
        assert dataset.task == "regression"
        assert dataset.y.dtype == np.float64
        np.testing.assert_array_equal(dataset.y, [float(value) for value in target])
    else:
        canonical = [str(int(value)) if classes != ("a", "b") else value for value in target]
        assert [classes[k] for k in dataset.y] == canonical


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (FLOWERS, None, "--target .*; there are length, colour, width, species"),
        (FLOWERS, "specie", "no column 'specie'; there are length, .*species. Did you mean 'species'"),
        ("", "t", "has nothing in it; expected a row of column names"),
        ("\n\n", "t", "has nothing in it"),
        ("x,t\n", "t", "has only the column names x, t"),
        ("t\n1\n2\n", "t", "has only the target column 't'"),
        ("x;t\n1;2\n", "t", "has one column, 'x;t': save the file with commas"),
        ("1,2\n3,4\n", "t", "the first row has to name the columns; got the numbers 1, 2"),
        ("x,x,t\n1,2,3\n", "t", "two columns named 'x'"),
        (",x,t\n0,1,2\n", "t", "column 1 has no name; .*index=False"),
        ("x,t\n1,2\n\n1,2,3\n", "t", "row 4 has 3 cells, but the first row names 2 columns"),
        ("x,t\n1,2\n1\n", "t", "row 3 has 1 cells"),
        ("x,t\n1,a\n,b\n", "t", "row 3, column 'x': the cell is missing"),
        ("x,t\n1,a\nNaN,b\n", "t", "row 3, column 'x': the cell is missing .it holds 'NaN'"),
        ("x,t\n1,a\n2,\n", "t", "row 3, column 't': the cell is missing"),
        (
            "x,t\n1,a\n2,b\nfour,a\n",
            "t",
            "row 4, column 'x': 'four' is not a number, but 2 cells .* are numbers",
        ),
        ("x,t\nu,a\nv,b\n3,a\n", "t", "row 4, column 'x': '3' is a number, but 2 cells .* are words"),
        ("x,t\n1,5\n2,5\n3,x\n", "t", "row 4, column 't': 'x' is not a number"),
        ("x,t\n1,a\n1e999,b\n", "t", "row 3, column 'x': 1e999 is larger than float64"),
        ("x,t\n1,1.5\n2,-1e999\n", "t", "row 3, column 't': -1e999 is larger"),
        ("x,t\n1,a\n2,a\n", "t", "target column 't' holds 'a' in every row"),
        ("x,t\n1,3\n2,3\n", "t", "target column 't' holds '3' in every row"),
        ('x,t\n"1,a\n2,b\n', "t", "not a CSV file that can be read, after row 1"),
        (table_of(f"id{k}" for k in range(30)), "t", "column 't' has 30 different words in 30 rows"),
        (
            "id,t\n" + "".join(f"n{k},{k % 2}\n" for k in range(44)),
            "t",
            r"column 'id' has 44 .*\(22 at most here\)",
        ),
    ],
    ids=[
        "no target",
        "unknown target",
        "empty",
        "blank",
        "names only",
        "target only",
        "semicolons",
        "no header",
        "duplicate",
        "unnamed",
        "long row",
        "short row",
        "missing",
        "nan",
        "missing target",
        "word among numbers",
        "number among words",
        "target mixed",
        "too large",
        "target too large",
        "one class",
        "one number",
        "open quote",
        "target identifiers",
        "identifiers",
    ],
)
def test_csv_refuses(tmp_path, text, target, message):
    with pytest.raises(DataError, match=rf"table\.csv.*{message}"):
        data.csv(write(tmp_path, text), target)


@pytest.mark.long
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("thousand", ["1500,5", "1.500,5", "1.234.500,5"])
def test_the_advice_about_decimal_commas_can_be_followed(tmp_path, monkeypatch, separator, quote, thousand):
    """Each of both ways, as it is written: the file that comes of it has the numbers that were meant."""
    monkeypatch.chdir(tmp_path)
    rows = [("size", "mass", "kind"), ("-1,5", thousand, "hill"), (",25", "2", "vale, dale"), ("7,0", "3e1", "hill")]
    text = "".join(separator.join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in rows)
    path = write(tmp_path, text, name="my table.csv")
    with pytest.raises(DataError) as caught:
        data.csv(path, "kind")
    said = str(caught.value)
    assert said.startswith(f"{path} has {separator!r} between the cells and decimal commas in them ('-1,5'), expected")
    python, shell = said.partition("write it anew, ")[2].split(", or without pandas, ")
    for way in (["bash", "-c", shell], [sys.executable, "-c", f"import pandas; {python}"]):
        subprocess.run(way, check=True)
        X = data.csv(tmp_path / "new.csv", "kind").X
        assert X.tolist() == [[-1.5, float(thousand.replace(".", "").replace(",", "."))], [0.25, 2.0], [7.0, 30.0]]
        (tmp_path / "new.csv").unlink()


@pytest.mark.parametrize("text", ['"x";"t"\n"1";"a, b"\n"2";"b"\n', "x\tt\n1\ta, b\n2\tb\n", "x|t\n1|a, b\n2|b\n"])
def test_the_advice_about_other_separators_can_be_followed(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="has one column, .*: save the file with commas between the cells, ") as caught:
        data.csv(write(tmp_path, text), "t")
    exec(str(caught.value).rpartition("the cells, ")[2], {"pandas": pytest.importorskip("pandas")})
    dataset = data.csv(tmp_path / "new.csv", "t")
    assert dataset.X.tolist() == [[1.0], [2.0]] and dataset.classes == ("a, b", "b")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_csv_in_another_encoding_is_refused(tmp_path, encoding):
    with pytest.raises(DataError, match=r"is not UTF-8 text .*: save it as CSV in UTF-8"):
        data.csv(write(tmp_path, "größe,t\n1,a\n2,b\n", encoding=encoding), "t")


def test_a_cell_may_be_longer_than_the_library_reads(tmp_path):
    (tmp_path / "data.csv").write_text("a,b,y\n" + "".join(f"{'x' * 140_000},{k},{k / 2}\n" for k in range(4)))
    assert data.csv(tmp_path / "data.csv", "y").X.shape == (4, 2)
    assert csv.field_size_limit() == 131_072


def test_features_find_columns_by_name(tmp_path):
    flowers = data.csv(write(tmp_path, FLOWERS), "species")
    description = json.loads(json.dumps(flowers.preprocessing))
    new = write(tmp_path, "width,note,colour,length\n7,x,green,9\n8,y,blue,1e1\n", "new.csv")
    expected = [[9, 0, 1, 0, 7], [10, 1, 0, 0, 8]]
    np.testing.assert_array_equal(data.features(new, description), expected)
    np.testing.assert_array_equal(data.features(str(new), description), expected)
    rows = [
        {"width": 7, "colour": "green", "length": np.float64(9)},
        {"length": "10", "colour": " blue ", "width": 8.0},
    ]
    np.testing.assert_array_equal(data.features(rows, description), expected)
    np.testing.assert_array_equal(data.features(tmp_path / "table.csv", description), flowers.X)


def test_examples_keep_the_classes_of_training(tmp_path):
    description = data.csv(write(tmp_path, FLOWERS), "species").preprocessing
    part = write(tmp_path, "species,length,colour,width\nvirginica,1,red,2\n", "part.csv")
    X, y = data.examples(part, description)
    np.testing.assert_array_equal(X, [[1, 0, 0, 1, 2]])
    assert (y.tolist(), y.dtype) == ([1], np.int64)
    numbered = data.csv(write(tmp_path, table_of([3, 5, 3, 5])), "t").preprocessing
    assert data.examples([{"x": 1, "t": "05"}], numbered)[1].tolist() == [1]
    measured = data.csv(write(tmp_path, table_of([0.5, 1.5])), "t").preprocessing
    assert data.examples([{"x": 1, "t": 7}], measured)[1].tolist() == [7.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "there are no rows"),
        (
            [{"length": 1, "width": 2}],
            "no column 'colour', which the model was trained with; there are length",
        ),
        ([{"Length": 1, "colour": "red", "width": 2}], "no column 'length'.*Did you mean 'Length'"),
        (
            [{"length": 1, "colour": "rad", "width": 2}],
            "row 1, column 'colour': 'rad' is not among .* blue, green, red. Did you mean 'red'",
        ),
        ([{"length": 1, "colour": "007", "width": 2}], "'007' is not among"),
        ([{"length": "one", "colour": "red", "width": 2}], "row 1, column 'length': 'one' is not a number"),
        ([{"length": float("inf"), "colour": "red", "width": 2}], "'inf' is not a number"),
        ([{"length": None, "colour": "red", "width": 2}], "column 'length': the cell is missing"),
        (
            [{"length": 1, "colour": "red", "width": 2}, {"length": 1}],
            "row 2 has the columns length, row 1 has",
        ),
        (7, "expected the path of a file; got a int"),
    ],
    ids=[
        "none",
        "column",
        "spelling",
        "word",
        "number as word",
        "not a number",
        "infinite",
        "missing",
        "ragged",
        "kind",
    ],
)
def test_features_refuse(tmp_path, rows, message):
    description = data.csv(write(tmp_path, FLOWERS), "species").preprocessing
    with pytest.raises(DataError, match=message):
        data.features(rows, description)


def test_examples_refuse(tmp_path):
    description = data.csv(write(tmp_path, FLOWERS), "species").preprocessing
    row = {"length": 1, "colour": "red", "width": 2}
    with pytest.raises(DataError, match="no target column 'species'; there are length, colour, width"):
        data.examples([row], description)
    with pytest.raises(DataError, match="column 'species': 'rose' is not among the known ones: setosa, virginica"):
        data.examples([row | {"species": "rose"}], description)


# --- npz --------------------------------------------------------------------------------------------------


def save(folder, **arrays):
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        ("uint8", "uint8"),
        ("float32", "float32"),
        (">f4", "float32"),
        ("float64", "float64"),
        ("int64", "float64"),
        ("float16", "float64"),
        ("bool", "float64"),
    ],
)
def test_npz_kinds_of_numbers(tmp_path, dtype, kept):
    X = np.array([[0, 1], [1, 1], [0, 0]], dtype=dtype)
    dataset = data.npz(save(tmp_path, X=X, y=[4, 2, 4]))
    assert dataset.X.dtype == kept
    assert dataset.X.dtype.isnative
    np.testing.assert_array_equal(dataset.X, X)
    assert (dataset.classes, dataset.y.tolist(), dataset.y.dtype) == (("2", "4"), [1, 0, 1], np.int64)
    assert (dataset.rescale == (1 / 255, 0.0)) == (kept == "uint8")
    assert dataset.preprocessing == json.loads(json.dumps(dataset.preprocessing))


@pytest.mark.parametrize(
    ("y", "classes", "expected"),
    [
        (np.array([False, True, False]), ("0", "1"), [0, 1, 0]),
        (np.array([[3], [-1], [3]], dtype=np.int8), ("-1", "3"), [1, 0, 1]),
        (np.array([2**63, 0, 0], dtype=np.uint64), ("0", str(2**63)), [1, 0, 0]),
        (np.array([1.0, 2.0, 1.0], dtype=np.float32), None, [1.0, 2.0, 1.0]),
        (np.array([[1.0], [2.0], [1.0]]), None, [1.0, 2.0, 1.0]),
        (np.array([[1.0, 0], [2.0, 0], [1.0, 5]]), None, [[1.0, 0], [2.0, 0], [1.0, 5]]),
    ],
    ids=["bool", "column", "large", "float32", "float column", "outputs"],
)
def test_npz_targets(tmp_path, y, classes, expected):
    dataset = data.npz(save(tmp_path, X=np.ones((3, 2)), y=y))
    assert dataset.classes == classes
    assert dataset.task == ("regression" if classes is None else "classification")
    assert dataset.y.dtype == (np.float64 if classes is None else np.int64)
    assert dataset.y.tolist() == expected


def test_npz_test_part_and_reading_again(tmp_path):
    path = save(tmp_path, X=[[1, 2], [3, 5]], t=[7, 9], X_test=[[0, 4]], t_test=[9], other=["text"])
    dataset = data.npz(path, target="t")
    assert (dataset.X_test.tolist(), dataset.y_test.tolist()) == ([[0, 4]], [1])
    np.savez(tmp_path / "b.npz", X=np.float32([[6, 6]]), t=[9])
    X, y = data.examples(tmp_path / "b.npz", dataset.preprocessing)
    assert (X.tolist(), y.tolist()) == ([[6, 6]], [1])
    np.testing.assert_array_equal(data.features(tmp_path / "b.npz", dataset.preprocessing), X)


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": X}, "has no array 'y'; there are X"),
        ({"y": [0, 1]}, "has no array 'X'; there are y"),
        ({}, "has no array 'X'; there are none"),
        ({"X": np.array([[1], ["a"]], dtype=object), "y": [0, 1]}, "array 'X' cannot be read: Object arrays"),
        ({"X": [["a"], ["b"]], "y": [0, 1]}, "array 'X' has to hold numbers, of float64 at most; got <U1"),
        ({"X": X + 1j, "y": [0, 1]}, "got complex128"),
        ({"X": X, "y": ["a", "b"]}, "array 'y' has to hold numbers"),
        ({"X": np.ones((2, 2, 2)), "y": [0, 1]}, r"X has the shape \(2, 2, 2\); expected \(n, features\)"),
        ({"X": np.ones(2), "y": [0, 1]}, r"X has the shape \(2,\)"),
        ({"X": np.ones((0, 3)), "y": []}, r"no rows or no columns; its shape is \(0, 3\)"),
        ({"X": 1.0, "y": [0, 1]}, r"its shape is \(\)"),
        ({"X": [[1.0, np.nan], [np.inf, 1]], "y": [0, 1]}, r"X\[0, 1\] is nan; expected finite"),
        ({"X": X, "y": [0.5, np.inf]}, r"y\[1\] is inf"),
        ({"X": X, "y": [0, 1, 1]}, "X has 2 rows, y has 3"),
        ({"X": X, "y": np.eye(2, dtype=np.int64)}, r"shape \(2, 2\) of int64; .*argmax\(axis=1\) of one-hot"),
        ({"X": X, "y": np.ones((2, 2, 2))}, r"shape \(2, 2, 2\)"),
        ({"X": X, "y": [1, 1]}, "'y' holds 1 in every row"),
        ({"X": X, "y": [0, 1], "X_test": X}, "has no array 'y_test'"),
        ({"X": X, "y": [0, 1], "y_test": [0]}, "has no array 'X_test'"),
        ({"X": X, "y": [0, 1], "X_test": np.ones((1, 2)), "y_test": [0]}, r"X_test has the shape \(1, 2\)"),
        ({"X": X, "y": [0, 1], "X_test": X, "y_test": [1, 5]}, "y_test: label 5 is not among .*: 0, 1"),
        (
            {"X": X, "y": [0, 1], "X_test": X, "y_test": [0.5, 1]},
            "'y_test' is float64; expected the classes 0, 1",
        ),
        ({"X": X, "y": [0.5, 1], "X_test": X, "y_test": [0, 1]}, "'y_test' is int64; expected floats"),
    ],
    ids=[
        "no y",
        "no X",
        "nothing",
        "object",
        "text",
        "complex",
        "text y",
        "images",
        "one dim",
        "no rows",
        "scalar",
        "nan",
        "infinite y",
        "lengths",
        "one-hot",
        "three dims",
        "one class",
        "no y_test",
        "no X_test",
        "test width",
        "test label",
        "test floats",
        "test whole",
    ],
)
def test_npz_refuses(tmp_path, arrays, message):
    with pytest.raises(DataError, match=rf"a\.npz.*{message}"):
        data.npz(save(tmp_path, **arrays))


def test_npz_of_another_format_is_refused(tmp_path):
    for content in (b"", b"x,y\n1,2\n"):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"is not an .npz file .*numpy.savez"):
            data.npz(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X", b"text")
        archive.writestr("y.npy", b"\x93NUMPY")
    with pytest.raises(DataError, match="array 'X' has to hold numbers"):
        data.npz(tmp_path / "a.npz")


def reserved_block(content):
    """The first block of X's deflate stream, right after the local header, of the type that is reserved."""
    name, extra = struct.unpack_from("<HH", content, 26)
    content[30 + name + extra] = 0x07


def encrypted(content):
    content[content.index(b"PK\x01\x02") + 8] |= 1


@pytest.mark.parametrize(
    ("damage", "compressed", "message"),
    [
        (reserved_block, True, "array 'X' cannot be read: .*invalid block type"),
        (encrypted, False, "array 'X' cannot be read: .*encrypted"),
    ],
    ids=["zlib", "encrypted"],
)
def test_a_damaged_array_is_refused(damage, compressed, message, tmp_path):
    buffer = io.BytesIO()
    save_as = np.savez_compressed if compressed else np.savez
    save_as(buffer, X=np.arange(12.0).reshape(4, 3), y=[0, 1, 0, 1])
    content = bytearray(buffer.getvalue())
    damage(content)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=message):
        data.npz(tmp_path / "a.npz")


def test_an_array_larger_than_any_memory_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**15, 3)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", header.getvalue())
    with pytest.raises(DataError, match="array 'X' cannot be read: Unable to allocate"):
        data.npz(tmp_path / "a.npz")


@pytest.mark.parametrize("header", ["{'descr': '<f8', 'shape': (4, 3", "{'descr': '<f8', b'shape': (4, 3)}"])
def test_a_damaged_array_header_is_refused(header, tmp_path):
    """NumPy reads it as a piece of Python, and raises what Python raises."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    with pytest.raises(DataError, match="array 'X' cannot be read: "):
        data.npz(tmp_path / "a.npz")


@in_folder
@given(content=st.data(), compressed=st.booleans())
def test_a_damaged_npz_is_read_or_refused(content, compressed, tmp_path):
    buffer = io.BytesIO()
    save_as = np.savez_compressed if compressed else np.savez
    save_as(buffer, X=np.arange(12.0).reshape(4, 3), y=[0, 1, 0, 1])
    damaged = bytearray(buffer.getvalue())
    for _ in range(content.draw(st.integers(1, 3))):
        damaged[content.draw(st.integers(0, len(damaged) - 1))] = content.draw(st.integers(0, 255))
    (tmp_path / "a.npz").write_bytes(damaged[: content.draw(st.integers(len(damaged) // 2, len(damaged)))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(DataError):
            assert np.isfinite(data.npz(tmp_path / "a.npz").X).all()


SPELLINGS: dict[str, Callable[[int], str]] = {
    "thousands": lambda i: f'"{1000 + i % 9 * 500:,}"',
    "decimal comma": lambda i: f'"{i % 9},5"',
    "percent": lambda i: f"{i % 9}%",
    "currency": lambda i: f"${i % 9}",
    "minus": lambda i: f"−{i % 9}.5",
    "parentheses": lambda i: f"({i % 9})",
    "unit": lambda i: f"{i % 9} mm",
    "narrow blank": lambda i: f"{1 + i % 9}\u202f500",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("target", ["a", "b"])
def test_numbers_in_another_spelling_are_no_words(tmp_path: Path, spelling: Callable[[int], str], target: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{spelling(i)},{i % 2}\n" for i in range(40)), encoding="utf-8")
    with pytest.raises(DataError, match=r"row 2, column 'a'.*another spelling.*nnxp\.tabular\.Encoder, which reads it"):
        data.csv(path, target)


@pytest.mark.parametrize("mark", ["NA", "N/A", "#N/A", "null", "NULL", "None", "<NA>", "?", "-", "."])
@pytest.mark.parametrize("target", ["a", "b"])
def test_a_missing_word_is_no_word(tmp_path: Path, mark: str, target: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{mark if i == 3 else f'k{i % 2}'},{i % 2}\n" for i in range(40)))
    with pytest.raises(DataError, match=r"row 5, column 'a': the cell is missing .*, or use nnxp train"):
        data.csv(path, target)


def test_an_older_model_may_know_such_a_word(tmp_path: Path) -> None:
    columns = [{"name": "a", "categories": ["NA", "k"]}]
    known = {"format": "columns", "columns": columns, "target": "y", "task": "regression", "classes": None}
    assert data.features([{"a": "NA"}, {"a": "k"}], known).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(DataError, match="the cell is missing"):
        data.features([{"a": "N/A"}], known)


def test_a_blank_before_a_quote_is_no_part_of_the_cell(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1, "5"\n2, "6"\n')
    assert data.csv(path, "a").X.tolist() == [[5.0], [6.0]]
