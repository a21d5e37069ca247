"""A table as it was read: named columns of numbers, of words, or of moments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnxp.data.spelling import canonical
from nnxp.errors import DataError

Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Cells that are numbers in their usual spelling, or missing.

    Attributes
    ----------
    values : numpy.ndarray of float64, (n,)
        NaN where the cell is missing, finite elsewhere.
    """

    values: NDArray[np.float64]

    def take(self, rows: Indices | slice) -> "Numbers":
        """Some of the cells."""
        return Numbers(self.values[rows])

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Words:
    """Cells of any text.

    Attributes
    ----------
    texts : list of str
        The different cells, without the blanks around them, in the order in which they come first; a text that no cell
        has (any more) may be among them.
    codes : numpy.ndarray of int32, (n,)
        The index in `texts` of each cell.
    decimal : {".", ","}
        How the source writes numbers, where the texts are as they are spelled there.
    """

    texts: list[str]
    codes: NDArray[np.int32]
    decimal: str = "."

    def take(self, rows: Indices | slice) -> "Words":
        """Some of the cells."""
        return replace(self, codes=self.codes[rows])

    def counts(self) -> NDArray[np.int64]:
        """How many cells have each text."""
        return np.bincount(self.codes, minlength=len(self.texts))

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class Moments:
    """Dates and times of a source that has such a type: Parquet, Excel, a frame.

    Attributes
    ----------
    values : numpy.ndarray of datetime64[us], (n,)
        NaT where the cell is missing. A time of day is one of 1970-01-01.
    """

    values: NDArray[np.datetime64]

    def take(self, rows: Indices | slice) -> "Moments":
        """Some of the cells."""
        return Moments(self.values[rows])

    def __len__(self) -> int:
        return len(self.values)


Column: TypeAlias = Numbers | Words | Moments


def words_of(column: Column) -> Words:
    """A column of any form as words: numbers by their one text, moments as in ISO 8601, and "" for a missing one.

    Examples
    --------
    >>> words_of(Numbers(np.array([3.0, np.nan]))).texts
    ['3', '']
    """
    if isinstance(column, Words):
        return column
    different, codes = np.unique(column.values, return_inverse=True)
    if isinstance(column, Numbers):
        texts = ["" if value != value else canonical(value) for value in different.tolist()]
    else:
        texts = ["" if moment is None else moment.isoformat() for moment in different.tolist()]
        texts = [text.removesuffix("T00:00:00") for text in texts]
    return Words(texts, codes.astype(np.int32))


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of named cells.

    Attributes
    ----------
    source : str
        What errors call it: the name of the file.
    columns : mapping of str to Numbers, Words or Moments
        In the order of the source; all of one length.
    lines : sequence of int
        The row of the source where each row was, the first being 1: a header counts, and so do blank lines.
    notes : tuple of str
        What was found out about the source, a sentence each: its separator, its encoding, what was passed over.
    """

    source: str
    columns: Mapping[str, Column]
    lines: Sequence[int] | Indices
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, rows: Indices | slice) -> "Table":
        """Some of the rows."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        return replace(self, columns=columns, lines=np.asarray(self.lines)[rows])

    def complaint(self, row: int, name: str, what: str) -> DataError:
        """The error about one cell of a row of this table, the first being 0."""
        return DataError(f"{self.source}, row {self.lines[row]}, column {name!r}: {what}")
