"""Many cells turned into numbers at once, for those in the simplest spelling: up to 15 digits, and a point.

W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990: a whole number below 2⁵³ and a power of ten
up to 10²² are both exact, so that their quotient is rounded once, as `float` rounds.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIGITS = 15
"""So many digits are always below 2⁵³."""
ZERO, NINE, POINT, MINUS, NEWLINE = b"09.-\n"
_powers = np.append(10.0 ** np.arange(DIGITS), 0.0)  # the last is the newline's, whose place is -1


def parse(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """The numbers of cells, NaN of empty ones; None where one is spelled in any other way.

    Examples
    --------
    >>> parse(["0.1", "-2", ""]), parse(["007"]), parse(["1e5"]), parse([" 5"])
    (array([ 0.1, -2. ,  nan]), None, None, None)
    """
    joined = "\n".join([*cells, ""]).encode()
    if joined.translate(None, b"0123456789.-\n"):
        return None
    text = np.frombuffer(joined, np.uint8)
    ends = np.flatnonzero(text == NEWLINE)
    if len(ends) != len(cells):
        return None
    starts = np.append(0, ends[:-1] + 1)
    negative = text[starts] == MINUS
    first = text[starts + negative]
    second = text[np.minimum(starts + negative + 1, ends)]
    empty = text[starts] == NEWLINE
    begins = (first > ZERO) & (first <= NINE) | (first == ZERO) & ((second == POINT) | (second == NEWLINE)) | empty
    if not begins.all() or np.count_nonzero(text == MINUS) != np.count_nonzero(negative):
        return None
    points = np.flatnonzero(text == POINT)
    having = np.searchsorted(ends, points)
    if (having[1:] == having[:-1]).any():
        return None
    places = np.zeros(len(cells), np.int64)
    places[having] = ends[having] - points - 1

    digits = np.frombuffer(joined.translate(None, b".-"), np.uint8)
    ends = np.flatnonzero(digits == NEWLINE)
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > DIGITS + 1:
        return None
    weights = _powers[np.repeat(ends - 1, lengths) - np.arange(len(digits))]
    wholes = np.add.reduceat((digits - float(ZERO)) * weights, ends - lengths + 1)
    values: NDArray[np.float64] = wholes / _powers[places]
    values[negative] *= -1
    values[empty] = np.nan
    return values
