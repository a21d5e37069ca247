"""What is to be said of rows that were encoded: cells that do not fit, and columns that nobody knows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from nnxp.data.dataset import listing

ODD = {
    "number": "hold what is no number, and count as missing",
    "yes/no": "hold neither of the two words, and count as missing",
    "date": "hold what is no date, and count as missing",
    "category": "hold words not seen in training",
}
"""What is said of cells that do not fit their column's kind."""


class Notes:
    """Counts what does not fit over any number of tables, and gives a sentence for each column.

    Examples
    --------
    >>> notes = Notes()
    >>> notes.take(40, ["id"], {"city": "category"}, {"city": {"Lima": 1}})
    >>> notes.take(80, ["id"], {"city": "category"}, {"city": {"Lima": 1, "Paris": 3}})
    >>> for note in notes:
    ...     print(note)
    city: 5 of 120 rows hold words not seen in training (Paris, Lima)
    id: passed over, since the training had no such column
    """

    def __init__(self) -> None:
        self.rows = 0
        self._odd: dict[str, Counter[str]] = {}
        self._kinds: dict[str, str] = {}
        self._extra: dict[str, None] = {}

    def take(
        self, rows: int, extra: Iterable[str], kinds: Mapping[str, str], odd: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Adds those of a table: its rows, the columns that are passed over, and the texts that do not fit."""
        self.rows += rows
        self._extra |= dict.fromkeys(extra)
        for name, texts in odd.items():
            if texts:
                self._kinds[name] = kinds[name]
                self._odd.setdefault(name, Counter()).update(texts)

    def __iter__(self) -> Iterator[str]:
        for name, texts in self._odd.items():
            words = listing((text for text, _ in texts.most_common()), 3)
            yield f"{name}: {texts.total():,} of {self.rows:,} rows {ODD[self._kinds[name]]} ({words})"
        if self._extra:
            yield f"{listing(self._extra)}: passed over, since the training had no such column"

    def __len__(self) -> int:
        return len(self._odd) + bool(self._extra)
