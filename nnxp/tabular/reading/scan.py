"""What readers disagree on, found by a quick look at the bytes: such files are left to the reader of `plaintext`.

These are blank lines, rows of other lengths, a carriage return alone, and quotes at other places than the two ends of a
cell, or without an end.
"""

import mmap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnxp.tabular.reading.textform import Form

CHUNK = 1 << 18
QUOTE, NEWLINE, ZERO, POINT, MINUS, PLUS = b'"\n0.-+'
BOM = b"\xef\xbb\xbf"
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Plain:
    """A file that every reader cuts into the same cells.

    Attributes
    ----------
    rows : int
    odd : frozenset of int
        The columns with a cell that begins as a number does that is text here: 007, +5 and .5.
    """

    rows: int
    odd: frozenset[int]


def look(whole: bytes | mmap.mmap, form: Form) -> Plain | None:
    """Look at a UTF-8 text; None where readers may cut it differently.

    As many separators as the rows should have are counted outside quotes, not row by row: a row that has fewer cannot
    be, where no row has more. So a reader has to refuse longer rows.
    """
    width = len(form.names)
    if not form.first_line or width < 2 or not form.separator.isascii():
        return None
    data = np.frombuffer(whole, np.uint8)[len(BOM) if whole[: len(BOM)] == BOM else 0 :]
    separator, cells, newlines, inside = ord(form.separator), 0, 0, False
    odd: set[int] = set()
    for start in range(0, len(data), CHUNK):
        chunk = data[start : start + CHUNK]
        ends, cuts = chunk == NEWLINE, chunk == separator
        begins = ends | cuts
        text = chunk.tobytes()
        if b"\r" in text and _lone_return(data, start, chunk):
            return None
        if inside or b'"' in text:
            quoted = chunk == QUOTE
            if not _at_ends(data, np.flatnonzero(quoted) + start, inside, separator):
                return None
            outside = np.cumsum(quoted) % 2 == inside
            begins |= quoted
            ends &= outside
            cuts &= outside
            inside ^= bool(np.count_nonzero(quoted) % 2)
        if len(places := _odd(begins, data, start)):
            before = np.cumsum(ends | cuts)[places]
            odd.update(np.unique((cells + before + form.unnamed) % width).tolist())
        newlines += int(np.count_nonzero(ends))
        cells += int(np.count_nonzero(ends)) + int(np.count_nonzero(cuts))
    lines = newlines + (data[-1] != NEWLINE)
    if inside or cells + (data[-1] != NEWLINE) != width * lines - form.unnamed:
        return None
    return Plain(int(lines) - 1, frozenset(odd))


def _odd(begins: Mask, data: Bytes, start: int) -> NDArray[np.intp]:
    """Where a cell begins as a number that is text: with 0 and a digit, a plus or a point, perhaps after a minus."""
    first = data[start + 1 : start + 1 + len(begins)]
    signs = begins[: len(first)] & (first - PLUS <= ZERO - PLUS)  # all that may: the signs and the digit 0
    places = np.flatnonzero(signs)
    one, two, three = (data[np.minimum(start + places + k, len(data) - 1)] for k in (1, 2, 3))
    after = one == MINUS
    one, two = np.where(after, two, one), np.where(after, three, two)
    found: NDArray[np.intp] = places[(one == PLUS) | (one == POINT) | ((one == ZERO) & (two - ZERO < 10))]
    return found


def _lone_return(data: Bytes, start: int, chunk: Bytes) -> bool:
    returns = np.flatnonzero(chunk == ord("\r")) + start
    return len(returns) > 0 and (returns[-1] + 1 == len(data) or bool((data[returns + 1] != NEWLINE).any()))


def _at_ends(data: Bytes, quotes: NDArray[np.intp], inside: bool, separator: int) -> bool:
    """Whether quotes open where a cell begins and close where it ends; two in a row within one close and open it."""
    opening, closing = quotes[int(inside) :: 2], quotes[1 - int(inside) :: 2]
    before = data[np.maximum(opening - 1, 0)]
    after = data[np.minimum(closing + 1, len(data) - 1)]
    opens = (before == separator) | (before == NEWLINE) | (before == QUOTE) | (opening == 0)
    closes = (after == separator) | (after == NEWLINE) | (after == ord("\r")) | (after == QUOTE)
    return bool(opens.all() and (closes | (closing == len(data) - 1)).all())
