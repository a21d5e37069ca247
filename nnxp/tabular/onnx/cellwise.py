"""The columns of a table as operators: cells in, as our parser leaves them, and the columns of X that they become.

Numbers and yes (1) and no (0) come as float64, NaN where one is missing; dates as int64, microseconds since 1970; words
as texts. All is in float64. What depends on a word alone is a row of a table that the encoder itself has written.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnxp.data.spelling import MISSING as SPELLINGS
from nnxp.data.spelling import canonical, plain
from nnxp.export.elementwise import formula
from nnxp.export.operators import Operators
from nnxp.tabular.encoders.columns import Cells, Learned, LearnedDate, LearnedWords
from nnxp.tabular.encoders.words import MISSING, UNKNOWN, Vocabulary

NO_DATE = -(2**63)
"""A date that is missing: `numpy.datetime64("NaT")`."""
DAY = 86_400_000_000
LARGEST = float(np.finfo(np.float64).max)


class Made(NamedTuple):
    """Values (rows, k) of float64: what is scaled, what is as it is, and a column a word; see `Names`."""

    scaled: list[str]
    plain: list[str]
    words: list[str]


def dtype_of(learned: Learned) -> str:
    """What a column's cells are of."""
    return {"date": "int64", "category": "str"}.get(learned.decision.kind, "float64")


def column(graph: Operators, learned: Learned, x: str, dtype: str) -> Made:
    """What a column's cells, (rows, 1), become, in an encoder of a dtype; the graph's floats are float64."""
    if isinstance(learned, LearnedDate):
        return _date(graph, learned, x, dtype)
    if isinstance(learned, LearnedWords):
        return _words(graph, learned, x)
    return _number(graph, learned, x) if learned.decision.kind == "number" else _yes_or_no(graph, learned, x)


def _number(graph: Operators, learned: Learned, x: str) -> Made:
    """An infinite number is missing, as the parser has it."""
    known = graph.node("LessOrEqual", graph.node("Abs", x), graph.constant(LARGEST))
    return Made([graph.node("Where", known, x, graph.constant(np.nan))], _flag(graph, learned, known), [])


def _flag(graph: Operators, learned: Learned, known: str) -> list[str]:
    """1 where a cell is missing, if the training had such cells."""
    return [graph.cast(graph.node("Not", known), "float64")] if learned.missing else []


def _yes_or_no(graph: Operators, learned: Learned, x: str) -> Made:
    """Rows for missing, no and yes; what is neither 0 nor 1 is missing."""
    no, yes = (graph.cast(graph.node("Equal", x, graph.constant(value)), "int64") for value in (0.0, 1.0))
    index = graph.node("Add", no, graph.node("Mul", yes, graph.constant(2)))
    return _by_row(graph, learned, np.array([np.nan, 0.0, 1.0]), graph.node("Squeeze", index, graph.constant([1])))


def _words(graph: Operators, learned: LearnedWords, x: str) -> Made:
    """Rows for missing, each word, and what is not known."""
    codes = np.array([MISSING, *range(1, 1 + len(learned.vocabulary.values)), UNKNOWN])
    texts = [*keys(learned.vocabulary)]
    index = graph.node(
        "LabelEncoder",
        graph.node("Squeeze", x, graph.constant([1])),
        domain="ai.onnx.ml",
        keys_strings=texts,
        values_int64s=learned.vocabulary.codes(texts).tolist(),
        default_int64=len(codes) - 1,
    )
    return _by_row(graph, learned, codes, index)


def keys(vocabulary: Vocabulary) -> dict[str, None]:
    """All texts that are not unknown: the words, those that are numbers in their one spelling too, and what says that
    there is none, in any case of letters."""
    words = (*vocabulary.known, *vocabulary.rare)
    numbers = [canonical(value) for word in words if (value := plain(word)) is not None]
    cases = (itertools.product(*({c.lower(): None, c.upper(): None} for c in text)) for text in sorted(SPELLINGS))
    return dict.fromkeys([*words, *numbers, *("".join(letters) for one in cases for letters in one)])


def _by_row(graph: Operators, learned: Learned, codes: Any, index: str) -> Made:
    """A row of the encoder's for each value that a cell may have."""
    names = learned.names()
    count = len(names.plain) + learned.missing
    X = np.zeros((len(codes), count + len(names.words)))
    absent = np.isnan(codes) if codes.dtype.kind == "f" else codes == MISSING
    learned.write(X, 0, count, Cells(codes, absent, {}))
    parts = [
        [graph.node("Gather", graph.constant(part), index, axis=0)] if part.shape[1] else []
        for part in (X[:, :count], X[:, count:])
    ]
    return Made([], *parts)


# --- dates ----------------------------------------------------------------------------------------------


def _date(graph: Operators, learned: LearnedDate, x: str, dtype: str) -> Made:
    """Whole numbers as far as they go, so that nothing is rounded before the last division. Waves that are not exact
    are rounded to the encoder's dtype, in which they may be scaled."""
    known = graph.node("Not", graph.node("Equal", x, graph.constant(NO_DATE)))
    moments = graph.node("Where", known, x, graph.constant(learned.parts.origin))
    since = graph.node("Sub", moments, graph.constant(learned.parts.origin))
    days = graph.node("Where", known, _share(graph, since, graph.constant(DAY)), graph.constant(np.nan))
    waves = []
    for cycle in learned.parts.cycles:
        turn = CYCLES[cycle](graph, moments)
        both = [formula(graph, wave, turn)[0] for wave in learned.parts.waves]
        if not learned.parts.exact:
            both = [graph.cast(graph.cast(wave, dtype), "float64") for wave in both]
        waves += [graph.node("Where", known, wave, graph.constant(0.0)) for wave in both]
    return Made([days], [*waves, *_flag(graph, learned, known)], [])


def _share(graph: Operators, a: str, b: str) -> str:
    """a / b of whole numbers."""
    return graph.node("Div", graph.cast(a, "float64"), graph.cast(b, "float64"))


def _whole(graph: Operators, op: str, a: str, b: int) -> str:
    """Of whole numbers: a quotient of such from 0 up, a remainder that is from 0 up, ..."""
    return graph.node(op, a, graph.constant(b))


def _days(graph: Operators, moments: str) -> str:
    """Since 1970, also before it: the operator's quotient is cut towards 0."""
    return _whole(graph, "Div", graph.node("Sub", moments, _whole(graph, "Mod", moments, DAY)), DAY)


def _time_of_day(graph: Operators, moments: str) -> str:
    return _share(graph, _whole(graph, "Mod", moments, DAY), graph.constant(DAY))


def _day_of_week(graph: Operators, moments: str) -> str:
    """1970-01-05 was a Monday."""
    return _share(graph, _whole(graph, "Mod", _whole(graph, "Sub", _days(graph, moments), 4), 7), graph.constant(7))


def _day_of_year(graph: Operators, moments: str) -> str:
    """Days since the first of January, of the days of the year.

    By the calendar of 400 years, 146,097 days, that begins on the first of March of the year 0, so that the day that
    only leap years have is the last of its year. H. Hinnant, chrono-Compatible Low-Level Date Algorithms,
    `civil_from_days`.
    """

    def of(op: str, a: str, b: int) -> str:
        return _whole(graph, op, a, b)

    day = of("Mod", of("Add", _days(graph, moments), 719_468), 146_097)
    leaps = graph.node("Sub", of("Div", day, 36_524), graph.node("Add", of("Div", day, 1_460), of("Div", day, 146_096)))
    year = of("Div", graph.node("Add", day, leaps), 365)
    before = graph.node("Sub", graph.node("Add", of("Mul", year, 365), of("Div", year, 4)), of("Div", year, 100))
    since_march = graph.node("Sub", day, before)
    in_new_year = graph.node("GreaterOrEqual", since_march, graph.constant(306))
    year = graph.node("Add", year, graph.cast(in_new_year, "int64"))
    fourth, hundredth, last = (
        graph.cast(graph.node("Equal", of("Mod", year, n), graph.constant(0)), "int64") for n in (4, 100, 400)
    )
    leap = graph.node("Add", graph.node("Sub", fourth, hundredth), last)
    later = graph.node("Add", of("Add", since_march, 59), leap)
    place = graph.node("Where", in_new_year, of("Sub", since_march, 306), later)
    return _share(graph, place, of("Add", leap, 365))


CYCLES: dict[str, Callable[[Operators, str], str]] = {
    "time of day": _time_of_day,
    "day of week": _day_of_week,
    "day of year": _day_of_year,
}
"""The part of each cycle that is over: `nnxp.tabular.kinds.cycles.CYCLES` as operators."""
