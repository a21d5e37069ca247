"""A look at a column of words: its different texts, and where they are."""

import numpy as np

from nnxp.data.spelling import is_missing
from nnxp.errors import DataError
from nnxp.tabular.table import Table, words_of


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

    def row(self, i: int) -> int:
        """The row of the table, the first being 0, that has this one of the texts first."""
        return int((self._words.codes == self._places[i]).argmax())

    def named(self, i: int) -> str:
        """What people are told of one of the texts: itself, and the row of the source."""
        return f"{self.texts[i]!r} (row {self.table.lines[self.row(i)]})"

    def complaint(self, i: int, what: str) -> DataError:
        """The error about one of the texts."""
        return self.table.complaint(self.row(i), self.name, f"{self.texts[i]!r} {what}")
