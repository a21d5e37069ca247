"""How a text file of cells is laid out: what separates them, its decimal sign, its names. Found from its beginning."""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnxp.data.spelling import plain
from nnxp.errors import DataError
from nnxp.tabular.reading import headers
from nnxp.tabular.reading.sources import Source, encoding_of

BEGINNING = 1 << 16
"""Characters of a file that are looked at."""
SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
"""The ones that are looked for; the first wins where two do equally well."""
COMMENT = "#"
_said = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_comma = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+")
_thousands = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_point = re.compile(r"[+-]?[0-9]+\.[0-9]+")
Record = list[str]


@dataclass(frozen=True)
class Form:
    """What was found out about a file.

    Attributes
    ----------
    separator, decimal, encoding : str
    names : list of str
        Of all columns, every one different.
    above : int
        The lines before the names: ``sep=``, comments, blank ones.
    before : int
        These, and the records up to the names and with them: all before the first row.
    first_line : bool
        Whether the names are one line, the first.
    unnamed : bool
        Whether each row has one cell more than there are names: the row's own name, as R's ``write.table`` writes it.
    notes : tuple of str
    """

    separator: str
    decimal: str
    encoding: str
    names: list[str]
    above: int
    before: int
    first_line: bool
    unnamed: bool
    notes: tuple[str, ...]


def find(source: Source, separator: str | None, decimal: str | None, encoding: str | None) -> Form:
    """Look at a file's beginning; what is given is not looked for.

    The separator is the one that cuts the most of the first rows into as many cells as there are names, two or more;
    where two do equally well, the one that cuts into more cells. The decimal sign is a comma where more of the first
    cells are numbers with one comma than with one point; groups of three digits after a comma say neither. Lines that
    begin with # before the names are comments; but the last one has the names, where the row below it has as many
    cells, and a number among them.

    Raises
    ------
    DataError
        The file has no rows or no names, or an option is not one that can be.
    """
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise DataError(f"separator is {separator!r}; expected one character, such as ';' or a tab ('\\t')")
    if decimal not in (None, ".", ","):
        raise DataError(f"decimal is {decimal!r}; expected '.' or ','")
    codec = encoding_of(source, encoding)
    text = _beginning(source, codec)
    lines = list(io.StringIO(text, newline=""))
    said = _said.match(text)
    known = separator or (said and said[1])
    above = int(said is not None)
    while above < len(lines) and (lines[above].startswith(COMMENT) or not lines[above].strip()):
        above += 1
    separator = known or _separator("".join(lines[above:]))
    above -= _names_in_comment(lines[above - 1 : above + 1], separator)
    comments = sum(line.startswith(COMMENT) for line in lines[:above])
    records = list(_records("".join(lines[above:]), separator))
    if len(text) >= BEGINNING and len(records) > 2:
        records.pop()  # perhaps cut within a quoted cell
    filled = [(place, record) for place, record in enumerate(records) if not is_blank(record, 2)]
    if not filled:
        what = "blank lines and comments" if comments else "blank lines"
        raise DataError(f"{source.name} has nothing but {what}; expected a row of column names, then the rows")
    place, header = filled[0]
    rows = [record for _, record in filled[1:]]
    if not rows:
        raise DataError(f"{source.name} has only the column names {', '.join(map(repr, header))}; expected rows below")
    if known is None and len(header) == 1 and (title := _title(lines[above:])):
        raise DataError(f"{source.name}: {title}")
    if all(plain(name.strip()) is not None for name in header):
        raise DataError(
            f"{source.name}: the first row has to name the columns; got the numbers {', '.join(header)}: write a row "
            "of names above it"
        )
    unnamed = all(len(row) == len(header) + 1 for row in rows)
    if unnamed and not any(row[-1].strip() for row in rows):
        raise DataError(
            f"{source.name}: every row ends in a separator ({separator!r}) that the row of names has not: end the "
            "names with one as well, or remove it from the rows"
        )
    if unnamed and filled[1][0] > place + 1:
        raise DataError(
            f"{source.name}: a blank line follows the first, and the rows after it have one cell more; expected a row "
            "of names before all others: remove the lines above it, or begin them with #"
        )
    given = [*[""] * unnamed, *header]
    names = headers.distinct(given)
    decimal = decimal or _decimal(rows)
    between = f"{SEPARATORS.get(separator, repr(separator))} between the cells" if len(names) > 1 else "one column"
    words = [between, f"decimal {_SIGNS[decimal]}", codec]
    if comments:
        words.append(f"{comments} {'line' if comments == 1 else 'lines'} of comment before the names")
    notes = (", ".join(words), *headers.renamed(given, names))
    one_line = above + place == 0 and not any("\n" in name or "\r" in name for name in header)
    return Form(separator, decimal, codec, names, above, above + place + 1, one_line, unnamed, notes)


_SIGNS = {".": "points", ",": "commas"}


def is_blank(record: Record, width: int) -> bool:
    """Whether a record is a line that is passed over: an empty one, or one of blanks where there are several columns.

    In a file of one column, ``""`` is a row whose cell is empty.
    """
    return not record or (width > 1 and len(record) == 1 and not record[0].strip())


def reader(lines: Iterator[str], separator: str) -> Iterator[Record]:
    """The records of a text by the standard library; a blank before a cell is none of it, so that it may be quoted."""
    return csv.reader(lines, delimiter=separator, skipinitialspace=separator != " ")


def _beginning(source: Source, codec: str) -> str:
    """The first records of a text, whole ones where there is more."""
    try:
        with source.opened() as stream, io.TextIOWrapper(stream, codec, newline="") as text:
            found = text.read(BEGINNING)
            return found + "".join(itertools.islice(text, 20)) if len(found) == BEGINNING else found
    except UnicodeError as error:
        raise DataError(f"{source.name} is not {codec} text ({error}): give another encoding") from None


def _records(text: str, separator: str) -> Iterator[Record]:
    try:
        yield from reader(iter(io.StringIO(text, newline="")), separator)
    except csv.Error:  # a cell without an end, perhaps with this separator only; the reading says it
        return


def _separator(text: str) -> str:
    def fit(separator: str) -> tuple[float, int]:
        header, *rows = [record for record in _records(text, separator) if not is_blank(record, 2)] or [[]]
        agree = sum(len(row) in (len(header), len(header) + 1) for row in rows)
        return agree / max(len(rows), 1), len(header)

    fits = {separator: fit(separator) for separator in SEPARATORS}
    several = {separator: found for separator, found in fits.items() if found[1] > 1}
    if several:
        return max(several, key=several.__getitem__)
    return next((separator for separator in reversed(SEPARATORS) if separator not in text), ",")  # one column


def _names_in_comment(lines: Sequence[str], separator: str) -> bool:
    """Whether the first of two lines is a comment that has the names of what the second is a row of."""
    if len(lines) < 2 or not lines[0].startswith(COMMENT):
        return False
    names, *rows = _records("".join(lines), separator)
    return bool(rows) and len(rows[0]) == len(names) and any(map(_is_number, rows[0]))


def _title(lines: Sequence[str]) -> str | None:
    """What to do about a first line that is no name of the one column, but a title above a table of several."""
    for separator, called in SEPARATORS.items():
        records = enumerate(_records("".join(lines), separator))
        table = [*itertools.dropwhile(lambda found: len(found[1]) < 2, records)]
        (line, names), *rows = [(line, row) for line, row in table if not is_blank(row, 2)] or [(0, [])]
        apart = any(not above.strip() for above in lines[:line])
        prose = f"{separator} " in lines[line] and not apart  # Paris, France
        words = all(name.strip() and not _is_number(name) for name in names)
        if line and rows and words and not prose and all(len(row) == len(names) for _, row in rows):
            return (
                f"the first line is {lines[0].strip()!r}, one cell, while {called} separate {len(names)} cells further "
                f"down ({', '.join(names)}); expected a row of names before all others: remove the lines above it, or "
                "begin them with #; where there is one column, name a separator that no cell has, separator='...' "
                "(--separator)"
            )
    return None


def _is_number(cell: str) -> bool:
    return plain(cell.strip().replace(",", ".")) is not None


def _decimal(rows: Sequence[Record]) -> str:
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(_comma.fullmatch(cell) is not None and _thousands.fullmatch(cell) is None for cell in cells)
    return "," if commas > sum(_point.fullmatch(cell) is not None for cell in cells) else "."
