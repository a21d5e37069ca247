"""The cells of a column as its kind has them, in whatever form the column came.

A column of numbers in training may hold one odd word in prediction, and a column of words nothing but digits.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnxp.data.spelling import canonical, is_missing, plain, value_of
from nnxp.tabular.kinds import dates
from nnxp.tabular.kinds.deciding import MEANING, Decision
from nnxp.tabular.table import Column, Moments, Numbers, words_of


class Values(NamedTuple):
    """Numbers, and what was none.

    Attributes
    ----------
    values : numpy.ndarray of float64, (n,)
        NaN where there is no finite number.
    odd : dict of str to int
        The texts that are neither of the column's kind nor spellings of missing, and how many cells have each.
    """

    values: NDArray[np.float64]
    odd: dict[str, int]


class Times(NamedTuple):
    """Moments, and what was none.

    Attributes
    ----------
    values : numpy.ndarray of datetime64[us], (n,)
        NaT where there is none.
    odd : dict of str to int
        As of `Values`.
    """

    values: NDArray[np.datetime64]
    odd: dict[str, int]


def values_of(column: Column, decision: Decision) -> Values:
    """The numbers of a column of kind number or yes/no: 1 for yes, 0 for no.

    Parameters
    ----------
    column : Numbers, Words or Moments
        It need not have the form that it had when it was decided about.
    decision : Decision

    Examples
    --------
    >>> from nnxp.tabular.table import Words
    >>> price = Decision("price", "number", "", 0, unit="$")
    >>> values_of(Words(["$5", "cheap", "7"], np.array([0, 1, 1, 2], np.int32)), price)
    Values(values=array([ 5., nan, nan,  7.]), odd={'cheap': 2})
    """
    if decision.kind == "number" and isinstance(column, Numbers):
        return Values(column.values, {})
    words = words_of(column)
    counts = words.counts().tolist()
    values, odd = np.full(len(words.texts), np.nan), {}
    for i, (text, count) in enumerate(zip(words.texts, counts, strict=True)):
        if count and not is_missing(text):
            value = _meaning(text, decision, words.decimal)
            if value is None:
                odd[text] = count
            elif np.isfinite(value):
                values[i] = value
    return Values(values[words.codes], odd)


def moments_of(column: Column, decision: Decision) -> Times:
    """The moments of a column of kind date.

    Parameters
    ----------
    column : Numbers, Words or Moments
        As of `values_of`.
    decision : Decision

    Examples
    --------
    >>> from nnxp.tabular.table import Words
    >>> when = Decision("when", "date", "", 0, day_first=True)
    >>> moments_of(Words(["1/2/2020", "soon"], np.array([0, 1], np.int32)), when)
    Times(values=array(['2020-02-01T00:00:00.000000',                        'NaT'],
          dtype='datetime64[us]'), odd={'soon': 1})
    """
    if isinstance(column, Moments):
        return Times(column.values, {})
    words = words_of(column)
    counts = words.counts().tolist()
    values = dates.read(words.texts, dates.Manner(decision.day_first, decision.clock)).values
    odd = {
        text: count
        for text, count, none in zip(words.texts, counts, np.isnat(values).tolist(), strict=True)
        if none and count and not is_missing(text)
    }
    return Times(values[words.codes], odd)


def _meaning(text: str, decision: Decision, decimal: str) -> float | None:
    if decision.kind == "yes/no":
        number = plain(text)  # 1.0, in a column that is read as it is spelled
        return MEANING.get(text.lower() if number is None else canonical(number))
    return value_of(text, "," if "," in (decimal, decision.decimal) else ".", decision.unit)
