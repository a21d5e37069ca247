"""A sheet of an Excel workbook."""

import io
import warnings
from collections.abc import Collection

from nnxp.errors import DataError, hint
from nnxp.tabular.reading import headers
from nnxp.tabular.reading.objects import column_of
from nnxp.tabular.reading.sources import Source
from nnxp.tabular.table import Table

ERRORS = frozenset(["#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"])
"""What a formula that failed shows: a missing value, as ``#N/A`` is."""


def table(source: Source, sheet: str | int | None, texts: Collection[str]) -> Table:
    """The rows of a sheet, the first one by default, by its name or its number; its first row with a cell names them.

    Rows without any cell are passed over, and columns without any are left out.
    """
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            f'{source.name} is an Excel workbook, which openpyxl reads: pip install "nnxp[tables]", or save it as CSV'
        ) from None
    with source.opened() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what a sheet has beside its cells
        try:
            book = openpyxl.load_workbook(io.BytesIO(stream.read()), read_only=True, data_only=True)
        except Exception as error:  # of many kinds: a zip file of something else, a damaged one, one with a password
            raise DataError(
                f"{source.name} is no Excel workbook that can be read ({error}): save it anew, or as CSV"
            ) from None
        sheets = {found.title: found for found in book.worksheets}
        titles = list(sheets)
        title = titles[sheet - 1] if isinstance(sheet, int) and 0 < sheet <= len(titles) else sheet or titles[0]
        if title not in sheets:
            raise DataError(
                f"{source.name} has no sheet {sheet!r}; there are {', '.join(titles)}{hint(str(sheet), titles)}"
            )
        rows = [(line, row) for line, row in enumerate(sheets[str(title)].iter_rows(values_only=True), 1) if any(
            cell is not None for cell in row)]  # fmt: skip
    if len(rows) < 2:
        what = "only the column names" if rows else "no cells"
        raise DataError(f"{source.name}, sheet {title!r} has {what}; expected a row of column names, then the rows")
    width = max(len(row) for _, row in rows)
    padded = [[*row, *[None] * (width - len(row))] for _, row in rows]
    cells = [["" if cell in ERRORS else cell for cell in column] for column in zip(*padded, strict=True)]
    used = [column for column in cells if any(cell is not None for cell in column)]
    given = ["" if column[0] is None else str(column[0]) for column in used]
    names = headers.distinct(given)
    columns = {name: column_of(column[1:], name in texts) for name, column in zip(names, used, strict=True)}
    others = f" of {len(titles)} ({', '.join(titles)})" if len(titles) > 1 else ""
    notes = (f"sheet {title!r}{others}", *headers.renamed(given, names))
    return Table(source.name, columns, [line for line, _ in rows[1:]], notes)
