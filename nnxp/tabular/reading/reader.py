"""A person's table from a file: what kind of file it is, and how it is written, is found out."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from nnxp.beside import workers
from nnxp.errors import DataError
from nnxp.tabular.reading import columnar, plaintext, scan, sources, textform, with_arrow, with_polars, workbook
from nnxp.tabular.reading.sources import PathLike, Source, installed
from nnxp.tabular.reading.textform import Form
from nnxp.tabular.splitting import drawn
from nnxp.tabular.table import Column, Table

BLOCK = 1 << 16
"""Rows of a table of `blocks`."""
SMALL = 1 << 20
"""Bytes of a text that the core has read before another reader has started."""
READERS = {"polars": with_polars.columns, "pyarrow": with_arrow.columns}
"""What reads large texts, where it is installed, the first before the others."""
COLUMNAR = ("Parquet", "Arrow", "Arrow stream")


def read(
    source: PathLike,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    texts: Collection[str] = (),
    reader: str | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> Table:
    r"""Read a table from a file.

    CSV and its relatives, packed by gzip or not; Excel, Parquet and Arrow (``pip install "nnxp[tables]"``). The
    content says which, not the name's ending.

    A cell is what stands between two separators, without the blanks around it and without its quotes. A column whose
    cells are all numbers in their usual spelling, or missing, is one of numbers; every other is one of words.

    Parameters
    ----------
    source : str or path
        A file, or "-" for standard input.
    separator : str, optional
        The character between cells; found out where not given: ``, ; tab |``, or what a first line ``sep=;`` says.
    decimal : {".", ","}, optional
        Found out where not given.
    encoding : str, optional
        A codec of Python's; found out where not given: UTF-8, UTF-16 or cp1252.
    sheet : str or int, optional
        The name or the number of a workbook's sheet; the first where not given.
    texts : collection of str
        The columns whose cells stay as they are spelled: a target, categories.
    reader : {"core", "polars", "pyarrow"}, optional
        What reads a text; all give the same table. The fastest that is installed where not given.
    rows : int, optional
        So many rows alone, drawn at random, in their order.
    seed : int
        The same gives the same rows.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        There is no such file, or it is not one that can be read: the row, and what to do.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "towns.csv")
    ...     size = path.write_text("town;height\nFez;410,5\nRome;\n")
    ...     table = read(path)
    >>> table.columns["town"].texts, table.columns["height"].values
    (['Fez', 'Rome'], array([410.5,   nan]))
    >>> table.notes
    ('semicolons between the cells, decimal commas, utf-8',)
    """
    if reader not in (None, "core", *READERS):
        raise DataError(f"reader is {reader!r}; expected one of core, {', '.join(READERS)}")
    found = sources.find(source)
    table = _typed(found, sheet, texts, reader)
    if table is None:
        table = _text(found, textform.find(found, separator, decimal, encoding), texts, reader)
    if rows is None or rows >= len(table):
        return table
    return replace(drawn(table, rows, seed), notes=(*table.notes, f"{rows} of {len(table)} rows, drawn at random"))


def blocks(
    source: PathLike,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    texts: Collection[str] = (),
    rows: int = BLOCK,
) -> Iterator[Table]:
    """Read a table in blocks of rows, each a table by itself: a text of any size needs the memory of one.

    A column may be one of numbers in one block and of words in another. Parameters and errors as of `read`.
    """
    found = sources.find(source)
    table = _typed(found, sheet, texts, None)
    if table is None:
        yield from plaintext.tables(found, textform.find(found, separator, decimal, encoding), texts, rows)
        return
    for start in range(0, len(table), rows):
        yield table.take(slice(start, start + rows))


def _typed(found: Source, sheet: str | int | None, texts: Collection[str], reader: str | None) -> Table | None:
    """The table of a file that is no text; None of one that is."""
    if sheet is not None and found.format != "Excel":
        raise DataError(f"{found.name} is no Excel workbook, and has no sheet {sheet!r}: leave sheet (--sheet) out")
    if found.format == "text":
        return None
    if found.format == "Excel" and found.name.lower().endswith(".npz"):  # a zip file too
        raise DataError(f"{found.name} has arrays, whose columns have no names; expected a table: save it as CSV")
    if found.format == "Excel":
        return workbook.table(found, sheet, texts)
    if found.format in COLUMNAR:
        return columnar.table(found, texts, reader)
    raise DataError(f"{found.name} is a file of {found.format}; expected CSV, Excel, Parquet or Arrow: save it as CSV")


def _text(found: Source, how: Form, texts: Collection[str], reader: str | None) -> Table:
    size = found.size()
    if reader is None:
        reader = next((name for name in READERS if installed(name)), "core") if size > SMALL else "core"
    if reader != "core" and not installed(reader):
        raise DataError(f"{reader} is not installed: pip install {reader}, or leave reader out")
    columns = _quickly(found, how, texts, READERS[reader]) if reader != "core" else None
    if columns is None:
        return plaintext.table(found, how, texts)
    rows = len(next(iter(columns.values())))
    return Table(found.name, columns, range(2, rows + 2), how.notes)


def _quickly(
    found: Source, how: Form, texts: Collection[str], columns: Callable[..., dict[str, Column] | None]
) -> dict[str, Column] | None:
    """The columns by a library's reader; None where the core has to read the file, or to say what is wrong with it.

    The bytes are looked at in a thread of its own while the library reads them.
    """
    is_utf8 = how.encoding in ("utf-8", "utf-8-sig")
    whole = found.whole()
    try:
        content = whole if is_utf8 else bytes(whole).decode(how.encoding).encode()
    except UnicodeError:
        return None
    with workers(1) as pool:
        looking = pool.submit(scan.look, content, how)
        return columns(found.path if is_utf8 and found.path is not None else content, how, looking.result, texts)
