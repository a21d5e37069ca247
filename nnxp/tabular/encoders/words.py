"""The words of a column: their order, which of them a training knows, and which are too rare to be told apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnxp.data.spelling import is_missing, plain
from nnxp.tabular.table import Words

MISSING, UNKNOWN = 0, -1
"""The codes of a cell without a word, and of one whose word the training has not seen."""


def in_order(texts: Iterable[str]) -> list[str]:
    """The texts by value where all are numbers, else by code point.

    Examples
    --------
    >>> in_order(["10", "9", "-1"]), in_order(["10", "9", "b", "B"])
    (['-1', '9', '10'], ['10', '9', 'B', 'b'])
    """
    texts = sorted(texts)
    values = [plain(text) for text in texts]
    if any(value is None for value in values):
        return texts
    return [text for _, text in sorted(zip(values, texts, strict=True))]


@dataclass(frozen=True)
class Vocabulary:
    """The words of a column that a training knows.

    Attributes
    ----------
    known : tuple of str
        In order; the i-th has the code 1 + i.
    rare : tuple of str
        Those with fewer rows than are told apart, in order: they share the code after the last known one's. None, or
        two and more.
    """

    known: tuple[str, ...]
    rare: tuple[str, ...]

    @classmethod
    def of(cls, words: Words, rare: int, most: int | None = None) -> tuple["Vocabulary", bool]:
        """The vocabulary of a training's rows, of so many words at most, and whether a cell has no word."""
        counts = {text: int(n) for text, n in zip(words.texts, words.counts(), strict=True) if n}
        there = in_order(text for text in counts if not is_missing(text))
        told = {*sorted(there, key=counts.__getitem__, reverse=True)[:most]}
        few = [text for text in there if counts[text] < rare or text not in told]
        gathered = {*few} if len(few) > 1 else set()
        known = tuple(text for text in there if text not in gathered)
        return cls(known, tuple(few) if gathered else ()), any(map(is_missing, counts))

    @property
    def values(self) -> tuple[str, ...]:
        """What the codes from 1 on are called."""
        return (*self.known, "other") if self.rare else self.known

    @cached_property
    def _codes(self) -> tuple[dict[str, int], dict[float | None, int]]:
        """The codes by text, and by the number of a text that is one."""
        exact = {text: 1 + i for i, text in enumerate(self.known)}
        exact |= dict.fromkeys(self.rare, 1 + len(self.known))
        equal: dict[float | None, int] = {}
        for text, code in exact.items():
            if (value := plain(text)) is not None:
                equal.setdefault(value, code)
        return exact, equal

    def codes(self, texts: list[str]) -> NDArray[np.int32]:
        """The code of each text. One that is spelled as no word of the training is the word of the same number, "3.0"
        the word "3", if there is one."""
        exact, equal = self._codes
        found = [MISSING if is_missing(text) else exact.get(text, UNKNOWN) for text in texts]
        if equal:
            found = [
                equal.get(plain(text), UNKNOWN) if code == UNKNOWN else code
                for text, code in zip(texts, found, strict=True)
            ]
        return np.array(found, dtype=np.int32)
