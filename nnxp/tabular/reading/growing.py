"""A column that is read block by block: numbers until a cell is neither a number nor missing, words from then on.

So what a column is depends on its cells alone, never on where a block ends or on who cut the cells.
"""

import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nnxp.data.spelling import canonical, is_missing, plain
from nnxp.tabular.reading.parsing import parse
from nnxp.tabular.table import Numbers, Words

Values = NDArray[np.float64]

_grouped = re.compile(r"-?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]*)?")


def number(text: str, decimal: str) -> float | None:
    """The number of a text, without the blanks around it, that has a decimal point or comma.

    In a file of decimal commas, points stand between groups of three digits, or the text is none.

    Examples
    --------
    >>> number("1.5", "."), number("1,5", ","), number("1.234,5", ","), number("1.5", ",")
    (1.5, 1.5, 1234.5, None)
    """
    if decimal == ",":
        if "." in text and _grouped.fullmatch(text) is None:
            return None
        text = text.replace(".", "").replace(",", ".")
    return plain(text)


def values_of(cells: Iterable[str], decimal: str) -> dict[str, float] | None:
    """The number of each different cell, NaN where it is missing; None where one is neither."""
    found: dict[str, float] = {}
    for cell in cells:
        text = cell.strip()
        value = number(text, decimal)
        if value is None:
            if not is_missing(text):
                return None
            value = np.nan
        found[cell] = value
    return found


class Codes(dict[str, int]):
    """The code of each different cell, given when it is first asked for.

    Attributes
    ----------
    texts : dict of str to int
        The code of each text: a cell without its blanks, and a number in its one spelling, but where cells stay as
        they are spelled.
    """

    def __init__(self, decimal: str, as_spelled: bool) -> None:
        super().__init__()
        self.texts: dict[str, int] = {}
        self.decimal = decimal
        self._spelled = decimal if as_spelled else "."  # how numbers are written in the texts
        self._first = frozenset("" if as_spelled else "-0123456789")  # what a number begins with

    def __missing__(self, cell: str) -> int:
        text = cell.strip()
        if text[:1] in self._first and (value := number(text, self.decimal)) is not None:
            text = canonical(value)
        code = self[cell] = self.texts.setdefault(text, len(self.texts))
        return code

    def of(self, cells: Sequence[str]) -> NDArray[np.int32]:
        """The codes of some cells."""
        return np.fromiter(map(self.__getitem__, cells), np.int32, len(cells))

    def words(self, codes: NDArray[np.int32]) -> Words:
        """The column of these codes."""
        return Words(list(self.texts), codes, self._spelled)

    def of_texts(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """The codes of texts that are in their one spelling already."""
        return np.fromiter((self.texts.setdefault(text, len(self.texts)) for text in texts), np.int32, len(texts))


class Growing:
    """A column to which cells are added.

    Parameters
    ----------
    decimal : {".", ","}
    as_spelled : bool
        The column is one of words, and its cells stay as they are spelled.

    Attributes
    ----------
    parses : bool
        Whether the last cells that came alone were numbers in a spelling that `parse` knows.
    """

    def __init__(self, decimal: str = ".", as_spelled: bool = False) -> None:
        self.decimal, self.parses = decimal, False
        self._codes = Codes(decimal, as_spelled)
        self._values: list[Values] | None = None if as_spelled else []
        self._gaps: list[str] = []  # how the missing ones among the values are spelled
        self._parts: list[NDArray[np.int32]] = []

    def add(self, cells: Sequence[str], values: Values | None = None) -> None:
        """More cells, as they stand in the file; and their numbers, where `parse` has found them to be some."""
        if self._values is not None:
            values = self._numbers(cells) if values is None else values
            if values is not None:
                self._values.append(values)
                self._gaps += [cells[i].strip() for i in np.flatnonzero(np.isnan(values)).tolist()]
                return
            self._turn(self._values)
            self.parses = False
        self._parts.append(self._codes.of(cells))

    def column(self) -> Numbers | Words:
        """The column of all cells that were added."""
        if self._values is not None:
            if sum(map(len, self._values)) > len(self._gaps):
                return Numbers(np.concatenate(self._values))
            self._turn(self._values)
        return self._codes.words(np.concatenate([np.zeros(0, np.int32), *self._parts]))

    def _turn(self, parts: list[Values]) -> None:
        """From numbers to words."""
        gaps = iter(self._gaps)
        for values in parts:
            texts = [canonical(value) if value == value else next(gaps) for value in values.tolist()]
            self._parts.append(self._codes.of_texts(texts))
        self._values, self._gaps = None, []

    def _numbers(self, cells: Sequence[str]) -> Values | None:
        """The numbers of the cells, NaN where one is missing; None where one is neither."""
        values = parse(cells) if self.decimal == "." else None
        self.parses = values is not None
        if values is None:
            absent = {cell for cell in set(cells) if not cell[-1:].isdigit() and is_missing(cell.strip())}
            values = parse(["" if cell in absent else cell for cell in cells]) if absent else None
        if values is None or self.decimal != ".":
            found = values_of(set(cells), self.decimal)
            if found is None:
                return None
            values = np.fromiter(map(found.__getitem__, cells), np.float64, len(cells))
        return values


def add(columns: Sequence[Growing], blocks: Sequence[Sequence[str]]) -> None:
    """More cells of several columns, each of as many; their numbers are parsed in one go, where that can be."""
    parsing = [place for place, column in enumerate(columns) if column.parses]
    values = parse(list(itertools.chain.from_iterable(blocks[place] for place in parsing))) if parsing else None
    found = {} if values is None else dict(zip(parsing, values.reshape(len(parsing), -1), strict=True))
    for place, (column, cells) in enumerate(zip(columns, blocks, strict=True)):
        column.add(cells, found.get(place))
