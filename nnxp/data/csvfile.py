"""CSV files of numbers, words and a target, strictly: `nnxp.tabular` takes what people write beside them."""

import csv as csv_format
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nnxp.data.dataset import Array, Dataset, did_you_mean, listing, standardisation
from nnxp.data.dialect import advice
from nnxp.data.longcells import long_cells
from nnxp.data.spelling import is_missing, spelling_of
from nnxp.errors import DataError

PathLike = str | os.PathLike[str]
Rows = Sequence[Mapping[str, object]]

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]{1,18}")  # what int64 holds
MOST_NUMBERED_CLASSES = 20
MOST_CATEGORIES = 1000
TABLES = "nnxp train or nnxp.tabular.Encoder"
"""What takes tables as people have them, where this module takes numbers and words alone."""


@dataclass(frozen=True)
class Table:
    """The cells of a file, as text, and the row of the file (counted from 1) where each was."""

    source: str
    columns: dict[str, list[str]]
    rows: list[int]

    def complaint(self, index: int, name: str, what: str) -> DataError:
        """The error about one cell."""
        return DataError(f"{self.source}, row {self.rows[index]}, column {name!r}: {what}")

    def cells(self, name: str) -> list[str]:
        """One column, no cell of it missing."""
        cells = self.columns[name]
        absent = {cell for cell in set(cells) if is_missing(cell)}
        if absent:
            i = [cell in absent for cell in cells].index(True)
            fix = f"fill it, remove the row, or use {TABLES}, which takes it"
            raise self.complaint(i, name, f"the cell is missing (it holds {cells[i]!r}); {fix}")
        return cells

    def holds_numbers(self, name: str) -> bool:
        """True where every cell is a number, False where none is."""
        cells = self.cells(name)
        is_number = list(map(bool, map(NUMBER.fullmatch, cells)))
        count = sum(is_number)
        if 0 < count < len(cells):
            numeric = 2 * count >= len(cells)
            odd = is_number.index(not numeric)
            what, others = ("not a number", "numbers") if numeric else ("a number", "words")
            many = max(count, len(cells) - count)
            raise self.complaint(
                odd,
                name,
                f"{cells[odd]!r} is {what}, but {many} cells of this column are {others}; correct it, remove "
                "the row, or turn every cell of the column into words",
            )
        spelling = spelling_of([*dict.fromkeys(cells)]) if not count else None
        if spelling and not spelling.odd:
            raise self.complaint(
                0,
                name,
                f"{cells[0]!r} is a number in another spelling; write it as 1234.5, or use {TABLES}, which reads it",
            )
        return count > 0

    def numbers(self, name: str) -> Array:
        """One column of finite numbers, float64."""
        cells = self.cells(name)
        if not all(map(NUMBER.fullmatch, cells)):
            i = list(map(NUMBER.fullmatch, cells)).index(None)
            raise self.complaint(i, name, f"{cells[i]!r} is not a number")
        values = np.array(list(map(float, cells)), dtype=np.float64)
        if not np.isfinite(values).all():
            i = int((~np.isfinite(values)).argmax())
            raise self.complaint(i, name, f"{cells[i]} is larger than float64 can hold")
        return values

    def indices(self, name: str, categories: Sequence[str]) -> Array:
        """One column of words or whole numbers, as int64 indices into the known ones."""
        index = {category: k for k, category in enumerate(categories)}
        cells = [_whole(cell) for cell in self.columns[name]]
        for i, cell in enumerate(cells):
            if cell not in index:  # models from before may know "NA" as a word
                self.cells(name)
                known = f"{self.columns[name][i]!r} is not among the known ones: {listing(categories)}."
                raise self.complaint(i, name, known + did_you_mean(cell, categories))
        return np.array([index[cell] for cell in cells], dtype=np.int64)

    def categories(self, name: str) -> list[str]:
        """The different words of a column, sorted."""
        categories = sorted(set(self.cells(name)))
        most = max(20, min(MOST_CATEGORIES, len(self.rows) // 2))
        if len(categories) > most:
            raise DataError(
                f"{self.source}, column {name!r} has {len(categories)} different words in {len(self.rows)} "
                f"rows, too many to be categories ({most} at most here): names and identifiers cannot be "
                "learned from; remove the column"
            )
        return categories


def csv(path: PathLike, target: str | None = None) -> Dataset:
    """Read a CSV file: a first row of column names, then a row for each sample.

    A column of numbers becomes a column of X; a column of words becomes one column of zeros and ones for each
    different word, in sorted order (one-hot). There is no missing value. Cells are read without the blanks
    around them; empty lines are passed over.

    The target's cells decide the task. Words are classes, in sorted order. Whole numbers, written with digits
    only, are classes, in numeric order, where there are at most 20 different ones and each occurs twice or
    more on average; all other numbers are a regression target. So a decimal point (``3.0``) asks for
    regression, and a word (``grade 3``) for classes.

    Parameters
    ----------
    path : str or path
        UTF-8, with or without a byte order mark; commas; quotes as in RFC 4180.
    target : str
        The name of the column to predict.

    Returns
    -------
    Dataset
        X is float64; `rescale` standardises its columns of numbers.

    Raises
    ------
    FileNotFoundError
    DataError
        Naming the row (the first is 1) and the column, and what to do.
    """
    table = read_table(path)
    names = list(table.columns)
    if target is None:
        raise DataError(f"{path}: --target (target=) names the column to predict; there are {listing(names)}")
    if target not in table.columns:
        raise DataError(f"{path} has no column {target!r}; there are {listing(names)}.{did_you_mean(target, names)}")
    if len(names) == 1:
        raise DataError(f"{path} has only the target column {target!r}: there is nothing to predict it from")
    columns: list[dict[str, Any]] = []
    for name in names:
        if name != target:
            column = {"name": name}
            columns.append(column if table.holds_numbers(name) else column | {"categories": table.categories(name)})
    task, classes = _task(table, target)
    preprocessing = {
        "format": "columns",
        "columns": columns,
        "target": target,
        "task": task,
        "classes": classes,
    }
    X, y = encode(table, preprocessing), encode_target(table, preprocessing)
    rescale = standardisation(X, preprocessing)
    known = None if classes is None else tuple(classes)
    return Dataset(Path(path).stem, X, y, None, None, known, task, preprocessing, rescale)


def encode(table: Table, preprocessing: Mapping[str, Any]) -> Array:
    """The features of the table's rows, its columns found by name."""
    columns = preprocessing["columns"]
    missing = [column["name"] for column in columns if column["name"] not in table.columns]
    if missing:
        raise DataError(
            f"{table.source} has no column {listing(map(repr, missing))}, which the model was trained with; "
            f"there are {listing(table.columns)}.{did_you_mean(missing[0], table.columns)}"
        )
    parts: list[Array] = []
    for column in columns:
        if "categories" in column:
            index = table.indices(column["name"], column["categories"])
            parts.append(index[:, None] == np.arange(len(column["categories"]), dtype=np.int64))
        else:
            parts.append(table.numbers(column["name"])[:, None])
    return np.concatenate(parts, axis=1, dtype=np.float64)


def encode_target(table: Table, preprocessing: Mapping[str, Any]) -> Array:
    """The target of the table's rows: int64 class indices, or float64."""
    target, classes = preprocessing["target"], preprocessing["classes"]
    if target not in table.columns:
        raise DataError(
            f"{table.source} has no target column {target!r}; there are "
            f"{listing(table.columns)}.{did_you_mean(target, table.columns)}"
        )
    if classes is None:
        return table.numbers(target)
    return table.indices(target, classes)


def _task(table: Table, target: str) -> tuple[Literal["classification", "regression"], list[str] | None]:
    """The task and the names of the classes, by the rule in `csv`."""
    if table.holds_numbers(target):
        cells = table.columns[target]
        if not all(WHOLE.fullmatch(cell) for cell in cells):
            return "regression", None
        values = sorted({int(cell) for cell in cells})
        if len(values) > MOST_NUMBERED_CLASSES or 2 * len(values) > len(cells):
            return "regression", None
        classes = [str(value) for value in values]
    else:
        classes = table.categories(target)
    if len(classes) < 2:
        raise DataError(
            f"{table.source}, target column {target!r} holds {classes[0]!r} in every row; there is nothing "
            "to tell apart"
        )
    return "classification", classes


def _whole(cell: str) -> str:
    """A whole number in one spelling (01 and 1 are one class); any other cell as it is."""
    return str(int(cell)) if WHOLE.fullmatch(cell) else cell


def read_table(path: PathLike) -> Table:
    """The cells of a CSV file, checked for form only."""
    source, names, row = str(path), list[str](), 0
    records: list[list[str]] = []
    rows: list[int] = []
    try:
        with long_cells(), open(path, encoding="utf-8-sig", newline="") as file:
            for row, record in enumerate(csv_format.reader(file, strict=True, skipinitialspace=True), start=1):
                cells = [cell.strip() for cell in record]
                if not any(cells) and len(cells) < 2:
                    continue
                if not names:
                    names = cells
                    _check_names(source, names)
                elif len(cells) != len(names):
                    raise DataError(
                        f"{source}, row {row} has {len(cells)} cells, but the first row names {len(names)} columns"
                    )
                else:
                    records.append(cells)
                    rows.append(row)
    except UnicodeDecodeError as error:
        raise DataError(f"{source} is not UTF-8 text ({error.reason}): save it as CSV in UTF-8") from None
    except csv_format.Error as error:
        if not names and (what := advice(path)):  # quotes before another separator
            raise DataError(what) from None
        raise DataError(f"{source} is not a CSV file that can be read, after row {row}: {error}") from None
    if not records:
        what = f"only the column names {listing(names)}" if names else "nothing in it"
        raise DataError(f"{source} has {what}; expected a row of column names, then a row for each sample")
    columns = {name: [record[i] for record in records] for i, name in enumerate(names)}
    return Table(source, columns, rows)


def as_table(rows: Rows) -> Table:
    """Rows of named values (as from `csv.DictReader`) as a table."""
    if not rows:
        raise DataError("there are no rows; expected one or more, each a dict of column name to value")
    columns: dict[str, list[str]] = {name: [] for name in rows[0]}
    for number, row in enumerate(rows, start=1):
        if row.keys() != columns.keys():
            raise DataError(
                f"row {number} has the columns {listing(row)}, row 1 has {listing(columns)}; expected the same"
            )
        for name, value in row.items():
            columns[name].append("" if value is None else str(value).strip())
    return Table("the rows given", columns, list(range(1, len(rows) + 1)))


def _check_names(source: str, names: list[str]) -> None:
    if len(names) == 1 and (what := advice(source)):
        raise DataError(what)
    if all(NUMBER.fullmatch(name) for name in names):
        raise DataError(f"{source}: the first row has to name the columns; got the numbers {listing(names)}")
    for i, name in enumerate(names):
        if not name:
            raise DataError(
                f"{source}: column {i + 1} has no name; name it, or remove it where it only numbers the rows "
                "(pandas: to_csv(..., index=False))"
            )
        if name in names[:i]:
            raise DataError(f"{source} has two columns named {name!r}; rename or remove one")
