"""The reader that needs nothing but the standard library and NumPy. What a text holds is what this one reads."""

import csv
import io
import itertools
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from nnxp.data.longcells import long_cells
from nnxp.errors import DataError
from nnxp.tabular.reading.growing import Growing, add
from nnxp.tabular.reading.sources import Source
from nnxp.tabular.reading.textform import Form, Record, is_blank, reader
from nnxp.tabular.table import Table

CELLS = 1 << 14
"""So many cells are held as text at a time."""


def table(source: Source, form: Form, texts: Collection[str], cells: int = CELLS) -> Table:
    """All rows of a file."""
    (found,) = tables(source, form, texts, None, cells)
    return found


def tables(source: Source, form: Form, texts: Collection[str], rows: int | None, cells: int = CELLS) -> Iterator[Table]:
    """The rows of a file, so many a table, or all in one, while no more than some cells are held as text."""
    several = max(cells // len(form.names), 1)
    with _opened(source, form) as left:
        while True:
            columns = [Growing(form.decimal, name in texts) for name in form.names]
            lines: list[int] = []
            while some := left.take(several if rows is None else min(several, rows - len(lines))):
                lines += some.keys()
                add(columns, list(zip(*some.values(), strict=True)))
            if not lines:
                return
            named = {name: column.column() for name, column in zip(form.names, columns, strict=True)}
            yield Table(source.name, named, np.array(lines, np.int64), form.notes)


@contextmanager
def _opened(source: Source, form: Form) -> Iterator["_Rows"]:
    """The rows of a file, and what is said where they cannot be read."""
    with source.opened() as stream, io.TextIOWrapper(stream, form.encoding, newline="") as text:
        rows = _Rows(source, form, text)
        try:
            yield rows
        except UnicodeError as error:
            raise DataError(
                f"{source.name}, after row {rows.line}, is not {form.encoding} text ({error}): say what it is, "
                "encoding='...' (--encoding)"
            ) from None
        except csv.Error as error:
            raise DataError(
                f"{source.name} cannot be read after row {rows.line} ({error}): a quote there is perhaps never closed, "
                "or the file is no CSV"
            ) from None


class _Rows:
    """The rows of a text, taken from it in order.

    Attributes
    ----------
    line : int
        So many records were read, the lines above the names among them.
    """

    def __init__(self, source: Source, form: Form, text: Iterable[str]) -> None:
        self.source, self.form, self.line = source, form, form.above
        self._records = reader(itertools.chain(itertools.islice(text, form.above, None), self._end()), form.separator)
        self._ended = False

    def take(self, most: int) -> dict[int, Record]:
        """The next rows, so many at most, all of one width, each by its number in the file; none at the end."""
        width = len(self.form.names)
        while records := self._read(most):
            found = dict(zip(range(self.line - len(records) + 1, self.line + 1), records, strict=True))
            if {*map(len, records)} != {width} or self.line - len(records) < self.form.before:
                found = {line: record for line, record in found.items() if self._is_row(line, record)}
            if found:
                return found
        return {}

    def _read(self, most: int) -> list[Record]:
        """The next records. All rows at once: what is done for each in Python takes as long as the reading."""
        records: list[Record] = []
        try:
            with long_cells():
                records.extend(itertools.islice(self._records, most))
        finally:
            self.line += len(records)  # also those before one that cannot be read
        if self._ended and records and records[-1]:
            raise DataError(
                f'{self.source.name}: a quote in row {self.line} or before is never closed; expected one (") at the '
                "end of each quoted cell, and two for one within it: close it, or remove it"
            )
        return records

    def _end(self) -> Iterator[str]:
        """A last line, which is a record by itself, an empty one, but where a quote is open."""
        yield ""
        self._ended = True

    def _is_row(self, line: int, record: Record) -> bool:
        if line <= self.form.before or is_blank(record, len(self.form.names)):
            return False
        if len(record) != len(self.form.names):
            raise _ragged(self.source, self.form, line, record)
        return True


def _ragged(source: Source, form: Form, line: int, record: Record) -> DataError:
    expected = f"expected {len(form.names)}, as the first row names" + (" and a name" if form.unnamed else "")
    if len(record) > len(form.names):
        what = (
            f"put a cell that holds the separator {form.separator!r} in quotes, remove what is too much, or name "
            "another separator, separator='...' (--separator)"
        )
    else:
        what = "add what is missing, if only the separators"
    return DataError(f"{source.name}, row {line} has {len(record)} cells, {expected}: {what}")
