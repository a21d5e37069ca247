"""The reader that needs nothing but the standard library and NumPy. What a text holds is what this one reads."""

import csv
import io
import itertools
from collections.abc import Collection, Iterator

import numpy as np

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
    records = _records(source, form)
    width = len(form.names)
    several = max(cells // width, 1)
    while first := next(records, None):
        block = itertools.chain([first], records if rows is None else itertools.islice(records, rows - 1))
        columns = [Growing(form.decimal, name in texts) for name in form.names]
        lines: list[int] = []
        while some := list(itertools.islice(block, several)):
            lines += [line for line, _ in some]
            add(columns, list(zip(*(record for _, record in some), strict=True)))
        named = {name: column.column() for name, column in zip(form.names, columns, strict=True)}
        yield Table(source.name, named, np.array(lines, np.int64), form.notes)


def _records(source: Source, form: Form) -> Iterator[tuple[int, Record]]:
    """The rows, all of one width, each with its number in the file."""
    width, line = len(form.names), 0
    with source.opened() as stream, io.TextIOWrapper(stream, form.encoding, newline="") as text:
        lines = _Lines(text)
        try:
            for line, record in enumerate(reader(lines, form.separator), 1):
                if lines.ended:
                    raise DataError(
                        f'{source.name}: a quote in row {line} or before is never closed; expected one (") at the end '
                        "of each quoted cell, and two for one within it: close it, or remove it"
                    )
                if len(record) == width and line > form.before:
                    yield line, record
                elif line > form.before and not is_blank(record, width):
                    raise _ragged(source, form, line, record)
        except UnicodeError as error:
            raise DataError(
                f"{source.name}, after row {line}, is not {form.encoding} text ({error}): say what it is, "
                "encoding='...' (--encoding)"
            ) from None
        except csv.Error as error:
            raise DataError(
                f"{source.name} cannot be read after row {line} ({error}): a quote there is perhaps never closed, or "
                "the file is no CSV"
            ) from None


class _Lines(Iterator[str]):
    """The lines of a text, and whether a reader has asked for more of them than there are."""

    def __init__(self, text: Iterator[str]) -> None:
        self.text, self.ended = text, False

    def __next__(self) -> str:
        for line in self.text:
            return line
        self.ended = True
        raise StopIteration


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
