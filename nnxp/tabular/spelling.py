"""How people write numbers, and that there is none: the one place that turns the text of a cell into a number."""

import re

MISSING = frozenset(
    ["", *"na n/a #n/a #na null none nan -nan <na> nat ? - -- . -1.#ind 1.#ind -1.#qnan 1.#qnan".split()]
)
"""What says that there is no value, in small letters."""
PLAIN = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?"
"""A number as programs write it. What begins with zeros (a postcode) or a plus is text until its column says more."""
EXACT = 2**53
"""Whole numbers from here on are not all numbers of float64: they stay text, since most are identifiers."""

_plain = re.compile(PLAIN)


def is_missing(text: str) -> bool:
    """Whether the text of a cell, without the blanks around it, says that there is no value.

    Examples
    --------
    >>> [is_missing(text) for text in ("", "N/A", "NaN", "?", "0", "no")]
    [True, True, True, True, False, False]
    """
    return text.lower() in MISSING


def plain(text: str) -> float | None:
    """The number of a text in its usual spelling; None of any other text.

    Examples
    --------
    >>> plain("-1.50"), plain("2e3"), plain("007"), plain("1_000"), plain("1e999"), plain("90071992547409930")
    (-1.5, 2000.0, None, None, None, None)
    """
    if _plain.fullmatch(text) is None:
        return None
    value = float(text)
    return value if abs(value) < EXACT or (not text.lstrip("-").isdigit() and abs(value) != float("inf")) else None


def canonical(value: float) -> str:
    """The one text of a number, where a column of numbers is read as words.

    Examples
    --------
    >>> canonical(3.0), canonical(0.1), canonical(1e300)
    ('3', '0.1', '1e+300')
    """
    return str(int(value)) if abs(value) < EXACT and value == int(value) else repr(value)
