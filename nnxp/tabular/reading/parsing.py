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
_powers = 10.0 ** np.arange(DIGITS + 1)


def parse(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """The numbers of cells, NaN of empty ones; None where one is spelled in any other way.

    Examples
    --------
    >>> parse(["0.1", "-2", ""]), parse(["007"]), parse(["1e5"]), parse([" 5"])
    (array([ 0.1, -2. ,  nan]), None, None, None)
    """
    joined = "\n".join(cells).encode() + b"\n"
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
    digits = np.frombuffer(joined.translate(None, b".-"), np.uint8)
    last = np.flatnonzero(digits == NEWLINE)
    lengths = np.diff(last, prepend=-1)  # with the newline
    points = ends - starts + 1 - negative - lengths
    most = int(lengths.max()) - 1
    if points.max() > 1 or most > DIGITS:
        return None

    values = np.zeros(len(cells))
    for place in range(most, 0, -1):  # the digits of all cells at a place counted from their ends, by Horner's rule
        values *= 10
        values += np.where(lengths > place, digits[last - place] - ZERO, 0)
    having = points > 0
    values[having] /= _powers[ends[having] - np.flatnonzero(text == POINT) - 1]
    values[negative] *= -1
    values[empty] = np.nan
    return values
