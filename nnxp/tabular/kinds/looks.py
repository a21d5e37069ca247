"""A look at a column: of words its different texts, and where they are; of numbers, whether they are the rows'."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnxp.data.spelling import DURATION, Spelling, duration, is_missing, plain, spelling_of, value_of
from nnxp.errors import DataError
from nnxp.tabular.table import Indices, Table, words_of

MOST_ABOVE = 3
"""Rows of a source that may stand above the first, numbered 0: one that says the separator, and the names."""
_ambiguous = re.compile(r"[^0-9.,]*[1-9][0-9]{0,2}\.[0-9]{3}[^0-9.,]*")
"""A point before three digits, where others write one between groups of them."""


class Look:
    """The different texts of a column, the spellings of missing set aside.

    Attributes
    ----------
    texts : list of str
        Those that at least one cell has, in the order in which they come first.
    counts : numpy.ndarray of int64
        How many cells have each.
    decimal : {".", ","}
        How the source writes numbers.
    known, missing : int
        How many cells have a value, and how many have none.
    """

    def __init__(self, table: Table, name: str) -> None:
        self.table = table
        self.name = name
        self._words = words_of(table.columns[name])
        self.decimal = self._words.decimal
        counts = self._words.counts().tolist()
        self._places = [i for i, text in enumerate(self._words.texts) if counts[i] and not is_missing(text)]
        self.texts = [self._words.texts[i] for i in self._places]
        self.counts = np.array([counts[i] for i in self._places], dtype=np.int64)
        self.known = int(self.counts.sum())
        self.missing = len(self._words) - self.known

    def spelling(self) -> Spelling:
        """How they are spelled as numbers; where the first is a duration, as durations."""
        if self.texts and duration(self.texts[0]) is not None:
            odd = [i for i, text in enumerate(self.texts) if duration(text) is None]
            return Spelling(self.decimal, DURATION, odd, [])
        return spelling_of(self.texts, self.decimal)

    def said(self, spelling: Spelling) -> str:
        """What people are told of numbers that are spelled so."""
        like = next((text for text in self.texts if plain(text) is None), None)
        if spelling.unit == DURATION:
            return f"durations like {like!r}, in seconds"
        why = f"numbers{f' like {like!r}' if like else ''}{f', all in {spelling.unit}' if spelling.unit else ''}"
        why += ", with a decimal comma" if spelling.decimal == "," else ""
        if spelling.decimal == "." and all(map(_ambiguous.fullmatch, self.texts)):
            value, other = (value_of(self.texts[0], decimal, spelling.unit) for decimal in (".", ","))
            why += f"; {self.texts[0]!r} is read as {value:g}: --decimal , reads {other:g}"
        return why

    def row(self, i: int) -> int:
        """The row of the table, the first being 0, that has this one of the texts first."""
        return int((self._words.codes == self._places[i]).argmax())

    def named(self, i: int) -> str:
        """What people are told of one of the texts: itself, and the row of the source."""
        return f"{self.texts[i]!r} (row {self.table.lines[self.row(i)]})"

    def complaint(self, i: int, what: str) -> DataError:
        """The error about one of the texts."""
        return self.table.complaint(self.row(i), self.name, f"{self.texts[i]!r} {what}")


def counts_rows(values: NDArray[np.float64], lines: Sequence[int] | Indices) -> bool:
    """Whether numbers are those of the rows, from 0 or 1: of all rows, or of some that were drawn from a source.

    Parameters
    ----------
    values : numpy.ndarray of float64, (n,)
    lines : sequence of int
        `Table.lines`.

    Examples
    --------
    >>> counts_rows(np.array([7.0, 2, 4]), [8, 3, 5]), counts_rows(np.array([1990.0, 1991]), [2, 3])
    (True, False)
    """
    above = np.asarray(lines) - values  # the rows that stand above the first: one of names, or further ones
    drawn = above[0] in range(MOST_ABOVE + 1) and bool((above == above[0]).all())
    return drawn or (values[0] in (0, 1) and np.array_equal(values, values[0] + np.arange(len(values))))
