"""Rows of a table as an ONNX file takes them: those of a user's table, and made-up ones to check a file with."""

import numpy as np

from nnxp.tabular.encoders.columns import Learned, LearnedDate, LearnedWords, used
from nnxp.tabular.encoders.encoder import Encoder
from nnxp.tabular.onnx.cellwise import DAY, NO_DATE, dtype_of, keys
from nnxp.tabular.table import Column, Moments, Numbers, Table, Words, words_of
from nnxp.typing import HostArray

ROWS = 64
ABSENT = 7
"""Every so many of the made-up cells of a column one is missing, and of words one is not known."""


def feeds(encoder: Encoder, table: Table) -> dict[str, HostArray]:
    """The cells of a table, (rows, 1) by column, as the encoder reads them: numbers, 1 and 0 for yes and no, with NaN;
    microseconds since 1970, with -2⁶³; words as they are spelled, but for numbers among them, in the training's
    spelling."""
    columns = zip(encoder._learned, used(encoder._learned, table), strict=True)
    return {learned.decision.name: _fed(learned, column)[:, None] for learned, column in columns}


def _fed(learned: Learned, column: Column) -> HostArray:
    if not isinstance(learned, LearnedWords):
        return learned.read(column).values.astype(dtype_of(learned))
    words, vocabulary = words_of(column), learned.vocabulary
    there, known = keys(vocabulary), (*vocabulary.known, *vocabulary.rare)
    codes = vocabulary.codes(words.texts).tolist()
    texts = [t if t in there or k < 1 else known[k - 1] for t, k in zip(words.texts, codes, strict=True)]
    return np.array(texts, dtype=object)[words.codes]


def read_back(encoder: Encoder, fed: dict[str, HostArray]) -> Table:
    """The table of such cells."""
    columns = {
        learned.decision.name: _column(learned, fed[learned.decision.name][:, 0]) for learned in encoder._learned
    }
    return Table("the rows to check with", columns, range(1, 1 + len(next(iter(fed.values())))))


def _column(learned: Learned, cells: HostArray) -> Column:
    if isinstance(learned, LearnedDate):
        return Moments(cells.view("datetime64[us]"))
    if isinstance(learned, LearnedWords):
        texts, codes = np.unique(cells.astype(str), return_inverse=True)
        return Words(texts.tolist(), codes.astype(np.int32))
    return Numbers(cells)


def made_up(encoder: Encoder) -> dict[str, HostArray]:
    """Rows such as the training's, as far as the encoder knows it: numbers and dates about where its were, each word in
    turn, and cells that are missing, or words that are not known."""
    rng, median, scaled = np.random.default_rng(0), encoder._scaler.tensors["median"], iter(range(encoder.numbers))
    found = {}
    for place, learned in enumerate(encoder._learned):
        absent = np.arange(place, place + ROWS) % ABSENT == 0
        if isinstance(learned, LearnedWords):
            words = [*learned.vocabulary.known, *learned.vocabulary.rare, _unknown(learned)]
            cells = np.array(words, dtype=object)[np.arange(place, place + ROWS) % len(words)]
            cells[absent] = ""
        elif learned.decision.kind == "yes/no":
            cells = np.where(absent, np.nan, rng.integers(2, size=ROWS).astype(np.float64))
        else:
            j = next(scaled)
            numbers = median[j] + _spread(encoder, j) * rng.standard_normal(ROWS)
            if isinstance(learned, LearnedDate):
                moments = learned.parts.origin + (numbers * DAY).astype(np.int64)
                cells = np.where(absent, NO_DATE, moments)
            else:
                cells = np.where(absent, np.nan, numbers)
        found[learned.decision.name] = cells[:, None]
    return found


def _unknown(learned: LearnedWords) -> str:
    text = "not known"
    while text in keys(learned.vocabulary):
        text += "'"
    return text


def _spread(encoder: Encoder, j: int) -> float:
    """About how far a scaled column's numbers are from their median."""
    scaler = encoder._scaler
    if scaler.name == "quantile":
        return float(np.ptp(scaler.tensors["quantiles"][:, j]) * scaler.tensors["unit"][j] / 4)
    factor = float(scaler.tensors["factor"][j])
    return float(scaler.tensors["unit"][j] / factor) if factor else abs(float(scaler.tensors["median"][j])) or 1.0
