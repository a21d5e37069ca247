"""What one column of a table becomes in X: learned from the training's rows, then written for any rows."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnxp.data.dataset import listing
from nnxp.doors.options import positive
from nnxp.errors import DataError, hint
from nnxp.printing import counted
from nnxp.tabular.encoders.scaling import Matrix
from nnxp.tabular.encoders.words import MISSING, UNKNOWN, Vocabulary
from nnxp.tabular.kinds.cells import moments_of, values_of
from nnxp.tabular.kinds.cycles import CYCLES, Parts, parts_of
from nnxp.tabular.kinds.deciding import Decision
from nnxp.tabular.table import Column, Table, words_of
from nnxp.typing import Floats

CATEGORIES = {"onehot": np.inf, "codes": 0}
"""How many words of a category have a column each, where it is said in a word."""
ONE_HOT = 100
"""So many words of a category, the most frequent ones, have a column each at most: 20,000 words would be 20,000."""


class Cells(NamedTuple):
    """The cells of a column as its kind has them.

    Attributes
    ----------
    values : numpy.ndarray, (n,)
        Numbers, NaN where one is missing; moments, NaT; or the codes of words: 0 missing, -1 not known, else from 1.
    missing : numpy.ndarray of bool, (n,)
    odd : dict of str to int
        The texts that do not fit the kind, and how many cells have each.
    """

    values: NDArray[Any]
    missing: NDArray[np.bool_]
    odd: dict[str, int]


class Names(NamedTuple):
    """The columns of X that a column of the table becomes: what a `Scaler` scales, what is as it is, and a column a
    word. X has the first of all columns, then the second, then the third."""

    scaled: list[str]
    plain: list[str]
    words: list[str]


@dataclass(frozen=True)
class Learned:
    """What a training knows of a column, and makes of it; this is all of a number, or of yes and no.

    Attributes
    ----------
    decision : Decision
    missing : bool
        Whether cells were missing: a column of X says which, 0 or 1 ("age is missing").
    """

    decision: Decision
    missing: bool

    def names(self) -> Names:
        """The columns of X, without the one that says which cells are missing."""
        name = [self.decision.name]
        return Names(name, [], []) if self.decision.kind == "number" else Names([], name, [])

    def becomes(self) -> str:
        """What the column is in X, for people."""
        return "1 number" if self.decision.kind == "number" else "1 column of -1 and 1"

    def read(self, column: Column) -> Cells:
        """The cells of any rows."""
        values, odd = values_of(column, self.decision)
        return Cells(values, np.isnan(values), odd)

    def numbers(self, cells: Cells) -> tuple[list[Floats], list[Floats]]:
        """The columns to be scaled, and those that are as they are, (n,) each, NaN where a cell is missing."""
        return ([cells.values], []) if self.decision.kind == "number" else ([], [2 * cells.values - 1])

    def write(self, X: Matrix, plain: int, words: int, cells: Cells) -> tuple[list[Floats], list[Floats]]:
        """Writes all but what is to be scaled to X, where it is 0 and these columns are the first; gives what is to be
        scaled, and the columns that are as they are, not rounded."""
        scaled, columns = self.numbers(cells)
        columns = [np.where(cells.missing, 0, column) for column in columns]
        for j, column in enumerate(columns, plain):
            X[:, j] = column
        if self.missing:
            X[:, plain + len(columns)] = cells.missing
        return scaled, columns

    def document(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return {"decision": self.decision.document(), "missing": self.missing}


@dataclass(frozen=True)
class LearnedDate(Learned):
    """A date: its trend, which is scaled, and the cycles that vary, sine and cosine, 0 where it is missing."""

    parts: Parts

    def names(self) -> Names:
        """The trend, and the cycles."""
        trend, *cycles = self.parts.names(self.decision.name)
        return Names([trend], cycles, [])

    def becomes(self) -> str:
        """Its parts."""
        return self.parts.becomes()

    def read(self, column: Column) -> Cells:
        """The moments."""
        values, odd = moments_of(column, self.decision)
        return Cells(values, np.isnat(values), odd)

    def numbers(self, cells: Cells) -> tuple[list[Floats], list[Floats]]:
        """The trend; the cycles."""
        trend, *cycles = self.parts.columns(cells.values).T
        return [trend], cycles

    def document(self) -> dict[str, Any]:
        """With its parts."""
        return super().document() | {"parts": self.parts.document()}


@dataclass(frozen=True)
class LearnedWords(Learned):
    """A category: a column a word; of two words one, +1 for the second and -1 for the first; or a column of codes."""

    vocabulary: Vocabulary
    as_codes: bool

    def names(self) -> Names:
        """A column a word, or one for all."""
        words = [f"{self.decision.name}={word}" for word in self.vocabulary.values]
        if self.as_codes:
            return Names([], [self.decision.name], [])
        return Names([], words[1:], []) if len(words) == 2 else Names([], [], words)

    def becomes(self) -> str:
        """How many columns, and how many words are gathered."""
        count, rare = len(self.vocabulary.values), len(self.vocabulary.rare)
        gathered = f', {rare:,} rare words in one ("other")' if rare else ""
        if self.as_codes:
            return f"1 column of codes, 0 to {count:,}{gathered}"
        return "1 column of -1 and 1" if count == 2 else f"{counted(count, 'column')} of 0 and 1{gathered}"

    def read(self, column: Column) -> Cells:
        """The codes of the words."""
        words = words_of(column)
        counts, codes = words.counts(), np.full(len(words.texts), MISSING, np.int32)
        there = np.flatnonzero(counts)  # a few rows have few of 20,000 words
        codes[there] = self.vocabulary.codes([words.texts[i] for i in there.tolist()])
        odd = {words.texts[i]: int(counts[i]) for i in np.flatnonzero(codes == UNKNOWN).tolist()}
        return Cells(codes[words.codes], (codes == MISSING)[words.codes], odd)

    def numbers(self, cells: Cells) -> tuple[list[Floats], list[Floats]]:
        """Nothing to be scaled; the codes, or which of two words it is."""
        if self.as_codes:
            return [], [np.maximum(cells.values, 0)]
        two = np.array([0, -1, 1, 0], dtype=np.float32)  # missing, the first, the second; -1, unknown, is the last
        return [], [two[cells.values]] if len(self.vocabulary.values) == 2 else []

    def write(self, X: Matrix, plain: int, words: int, cells: Cells) -> tuple[list[Floats], list[Floats]]:
        """A 1 in each row whose word has a column, beside what a column of any kind writes."""
        if self.names().words:
            rows = np.flatnonzero(cells.values > 0)
            X.reshape(-1)[rows * X.shape[1] + (words - 1) + cells.values[rows]] = 1
        return super().write(X, plain, words, cells)

    def document(self) -> dict[str, Any]:
        """With its words."""
        return super().document() | {"words": [*self.vocabulary.known], "rare": [*self.vocabulary.rare]}


def most(categories: str | int) -> float:
    """How many words of a category have a column each, by `Encoder`'s option; beyond, it is a column of codes."""
    if isinstance(categories, int):
        return positive("categories", categories)
    if categories not in CATEGORIES:
        raise ValueError(f"got categories={categories!r}, expected one of {', '.join(CATEGORIES)}, or how many words")
    return CATEGORIES[categories]


def learn(column: Column, decision: Decision, rare: int, most: float) -> Learned:
    """What a training's rows say of a column; its decision says what becomes of it. Of more than `most` words, a
    category is a column of codes."""
    learned = _learn(column, decision, rare, most)
    becomes = learned.becomes() + (", 1 column of 0 and 1 (missing)" if learned.missing else "")
    return replace(learned, decision=replace(decision, becomes=becomes))


def _learn(column: Column, decision: Decision, rare: int, most: float) -> Learned:
    if decision.kind == "category":
        vocabulary, missing = Vocabulary.of(words_of(column), rare)
        if not (as_codes := len(vocabulary.values) > most):
            vocabulary, _ = Vocabulary.of(words_of(column), rare, ONE_HOT)
        return LearnedWords(decision, missing and not as_codes, vocabulary, as_codes)
    if decision.kind == "date":
        moments, _ = moments_of(column, decision)
        return LearnedDate(decision, bool(np.isnat(moments).any()), parts_of(moments))
    return Learned(decision, bool(np.isnan(values_of(column, decision).values).any()))


def _decision_from(document: dict[str, Any]) -> Decision:
    """The decision that a document describes; TypeError or ValueError where it describes none."""
    found = Decision(**document)
    texts = (found.name, found.kind, found.why, found.becomes, found.decimal, found.unit)
    flags = isinstance(found.day_first, bool | None) and isinstance(found.clock, bool)
    if not all(isinstance(text, str) for text in texts) or type(found.missing) is not int or not flags:
        raise ValueError(f"the column {found.name!r:.60} has a decision that is none")
    if found.decimal not in (".", ","):
        raise ValueError(f"the column {found.name!r:.60} has the decimal point {found.decimal!r:.20}")
    return found


def _learned_from(document: dict[str, Any], decision: Decision, most: float) -> Learned:
    """What a document says of a column; ValueError, or what Python raises, where it says nothing that can be used."""
    missing, name = document["missing"], f"the column {decision.name!r:.60}"
    if not isinstance(missing, bool):
        raise ValueError(f"{name} says of missing cells neither true nor false")
    if decision.kind == "category":
        known, rare = tuple(document["words"]), tuple(document["rare"])
        if not all(isinstance(word, str) for word in (*known, *rare)) or len({*known, *rare}) < len(known) + len(rare):
            raise ValueError(f"{name} has words that are no texts, or one twice")
        vocabulary = Vocabulary(known, rare)
        return LearnedWords(decision, missing, vocabulary, len(vocabulary.values) > most)
    if decision.kind == "date":
        parts = Parts.of(document["parts"])
        if type(parts.origin) is not int or abs(parts.origin) >= 2**63 or not {*parts.cycles} <= {*CYCLES}:
            raise ValueError(f"{name} has a first moment that is none, or a cycle that is not known")
        if type(parts.exact) is not bool:
            raise ValueError(f"{name} says of its cycles neither true nor false")
        return LearnedDate(decision, missing, parts)
    return Learned(decision, missing)


def blank(n: int, m: int, dtype: str) -> Matrix:
    """A matrix of 0; MemoryError, which says how large it would be, where it does not fit."""
    try:
        return np.zeros((n, m), dtype)
    except MemoryError:
        size = n * m * np.dtype(dtype).itemsize / 1e9
        raise MemoryError(
            f"{n:,} rows of {m:,} columns take {size:.1f} GB, more than there is: encode fewer rows at a time"
        ) from None


def read_back(documents: list[dict[str, Any]], most: float) -> tuple[list[Decision], list[Learned]]:
    """What a file says of columns, `most` as in `learn`; ValueError, or what Python raises, where it says nothing."""
    columns = [(_decision_from(entry["decision"]), entry) for entry in documents]
    learned = [_learned_from(entry, decision, most) for decision, entry in columns if decision.used]
    return [decision for decision, _ in columns], learned


def used(learned: list[Learned], table: Table) -> list[Column]:
    """The table's columns that are used, in the training's order; DataError where one is not there."""
    names = [one.decision.name for one in learned]
    if lacking := [name for name in names if name not in table.columns]:
        meant = hint(lacking[0], [name for name in table.columns if name not in names])
        what = f"the column {lacking[0]!r}" if len(lacking) == 1 else f"the columns {listing(lacking)}"
        raise DataError(
            f"{table.source} lacks {what}, which the training had{meant}; expected {listing(names)}, in any order"
        )
    return [table.columns[name] for name in names]


def layout(columns: list[Learned]) -> tuple[list[str], list[tuple[int, int]]]:
    """The names of all columns of X, and where those of each column of the table begin in its second and third part."""
    names = [column.names() for column in columns]
    marked = [one.plain + [f"{c.decision.name} is missing"] * c.missing for one, c in zip(names, columns, strict=True)]
    scaled = [name for one in names for name in one.scaled]
    plain = np.cumsum([len(scaled), *map(len, marked)]).tolist()
    words = np.cumsum([plain[-1], *(len(one.words) for one in names)]).tolist()
    every = [*scaled, *(name for one in marked for name in one), *(word for one in names for word in one.words)]
    return every, list(zip(plain[:-1], words[:-1], strict=True))


def written(
    columns: list[Learned], table: Table, places: list[tuple[int, int]], X: Matrix
) -> tuple[list[Floats], dict[int, Floats], dict[str, dict[str, int]]]:
    """Writes a table's columns to their places in X, where it is 0, but for what is to be scaled. Gives that; cycles of
    dates by their places in X, not rounded; and the texts that do not fit, by column."""
    scaled, precise, odd = list[Floats](), dict[int, Floats](), dict[str, dict[str, int]]()
    for learned, column, (plain, words) in zip(columns, used(columns, table), places, strict=True):
        cells = learned.read(column)
        numbers, others = learned.write(X, plain, words, cells)
        scaled += numbers
        if isinstance(learned, LearnedDate) and learned.parts.exact:
            precise |= dict(enumerate(others, plain))
        odd[learned.decision.name] = cells.odd
    return scaled, precise, odd
