"""How people write numbers, and that there is none: the one place that turns the text of a cell into a number."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

MISSING = frozenset(
    ["", *"na n/a #n/a #na null none nan -nan <na> nat ? - -- . -1.#ind 1.#ind -1.#qnan 1.#qnan".split()]
)
"""What says that there is no value, in small letters."""
PLAIN = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
"""A number as programs write it. What begins with zeros (a postcode) or a plus is text until its column says more."""
EXACT = 2**53
"""Whole numbers from here on are not all numbers of float64: they stay text, since most are identifiers."""
DURATION = "h:mm:ss"
"""Stands where a unit would, of durations: their number is one of seconds."""
NEARLY = 0.95
"""From this share of numbers on among a column's different texts, people are told which of them are none."""

_BLANK = " \u00a0\u2009\u202f"  # also one that does not break, a thin one, and a narrow one
_SIGNS = r"[A-Z]{0,2}\$|[€£¥₹₽₩₺₪₫฿]|kr\.?|Rs\.?|zł"
_CURRENCIES = frozenset(
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HUF INR JPY KRW MXN NOK NZD PLN RUB SEK TRY USD ZAR".split()
)
_LETTERS = "[A-Za-zµÀ-ÖØ-öø-ʯͰ-ϿЀ-ӿ一-鿿]{1,12}(?:[²³]|\\^[23]|(?<=m)[23])?"
_UNIT = f"%|{_SIGNS}|°?{_LETTERS}(?:/{_LETTERS})?|°"


def _pattern(point: str, comma: str) -> re.Pattern[str]:
    """A number with this decimal point, and this or a blank or an apostrophe between groups of three digits."""
    return re.compile(
        rf"(?!0[xX])(?P<debit>\()?(?P<sign>[+\-−])?(?:(?P<money>{_SIGNS}|[A-Z]{{3}})[{_BLANK}]?)?(?P<inner>[+\-−])?"
        rf"(?P<whole>[1-9][0-9]{{0,2}}(?P<group>[{comma}{_BLANK}'’])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*|[0-9]*)"
        rf"(?:{re.escape(point)}(?P<part>[0-9]*))?(?P<power>[eE][+-]?[0-9]+)?"
        rf"(?:[{_BLANK}]?(?P<unit>{_UNIT}))?(?(debit)\))"
    )


_plain = re.compile(PLAIN)
_infinite = re.compile(r"([+\-−])?inf(?:inity)?", re.IGNORECASE)
_code = re.compile(r"[+-]?(?:0[0-9]+|[0-9]{16,})")
_duration = re.compile(r"([0-9]+):([0-5][0-9])(?::([0-5][0-9](?:[.,][0-9]{1,9})?))?")
_numbers = {".": _pattern(".", ","), ",": _pattern(",", ".")}


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


def is_code(text: str) -> bool:
    """Whether a text of digits is more likely a code than a number: it begins with a zero, or is beyond `EXACT`.

    Examples
    --------
    >>> [is_code(text) for text in ("007", "0", "0.5", "4012345678901", "90071992547409930")]
    [True, False, False, False, True]
    """
    return _code.fullmatch(text) is not None and (text.lstrip("+-")[0] == "0" or abs(float(text)) >= EXACT)


class Measured(NamedTuple):
    """A number and its unit, a currency among them; no unit is an empty text."""

    value: float
    unit: str


def number(text: str, decimal: str = ".") -> Measured | None:
    """The number of a text in any usual spelling, and its unit; None where the text is no number.

    A sign, ``−`` (U+2212) too; parentheses for a negative one; groups of three digits set apart by commas (dots where
    the decimal point is a comma), blanks or apostrophes; a currency before or behind; ``%``, which divides by 100, so
    that 45% is 0.45 as in a spreadsheet; one word as a unit; ``inf`` and ``infinity`` in any case. Only ASCII's
    digits, no underscore, nothing hexadecimal.

    Parameters
    ----------
    text : str
        Without blanks around it.
    decimal : "." or ","
        The decimal point.

    Examples
    --------
    >>> number("-$1,234.50"), number("45 %"), number("1.234,5 mm", decimal=",")
    (Measured(value=-1234.5, unit='$'), Measured(value=0.45, unit='%'), Measured(value=1234.5, unit='mm'))
    >>> number("(5)"), number("12,34"), number("1_000")
    (Measured(value=-5.0, unit=''), None, None)
    """
    found = _numbers[decimal].fullmatch(text)
    if found is None or not (found["whole"] or found["part"]):
        infinite = _infinite.fullmatch(text)
        return Measured(-math.inf if infinite[1] in ("-", "−") else math.inf, "") if infinite else None
    debit, outer, money, inner, whole, group, part, power, unit = found.groups()
    if bool(debit) + bool(outer) + bool(inner) > 1:
        return None
    if money and (unit or (money.isalpha() and len(money) == 3 and money not in _CURRENCIES)):
        return None
    value = float(f"{whole.replace(group, '') if group else whole}.{part or 0}{power or ''}")
    if unit == "%":
        value /= 100
    return Measured(-value if debit or (outer or inner or "+") != "+" else value, money or unit or "")


def duration(text: str) -> float | None:
    """The seconds of a duration, hours and minutes, and perhaps seconds; None of any other text.

    Examples
    --------
    >>> duration("39:05:12"), duration("01:30"), duration("0:00:07.5"), duration("1:75"), duration("90")
    (140712.0, 5400.0, 7.5, None, None)
    """
    found = _duration.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def value_of(text: str, decimal: str, unit: str) -> float | None:
    """The number of a cell in a column whose spelling is known; None where the cell is no such number.

    A bare number has the column's unit, but for %: 45 and 45% are different numbers.

    Examples
    --------
    >>> value_of("5 mm", ".", "mm"), value_of("5", ".", "mm"), value_of("5 cm", ".", "mm"), value_of("45", ".", "%")
    (5.0, 5.0, None, None)
    """
    if unit == DURATION:
        return duration(text)
    found = number(text, decimal)
    return found.value if found and _fits(found.unit, unit) else None


class Spelling(NamedTuple):
    """How the numbers of a column are spelled.

    Attributes
    ----------
    decimal : "." or ","
    unit : str
        Their common unit, or none.
    odd : list of int
        Which texts are no numbers in this spelling; not all of them where they are more than the share 1 - `NEARLY`.
    infinite : list of int
        Which are infinite numbers.
    """

    decimal: str
    unit: str
    odd: list[int]
    infinite: list[int]

    def nearly(self, count: int) -> bool:
        """Whether nearly all of this many texts are numbers."""
        return len(self.odd) <= (1 - NEARLY) * count


def spelling_of(texts: Sequence[str], decimal: str = ".") -> Spelling:
    """How the numbers of a column are spelled: with a decimal comma only where a point does not fit all of them.

    So "1,234" alone is 1234. Where dots stand between groups of three digits, each number has to show by a comma, or a
    second dot, that they do.

    Parameters
    ----------
    texts : sequence of str
        The different texts of the column that are not missing.
    decimal : {".", ","}
        What the source writes elsewhere: it is the one that is tried first.

    Examples
    --------
    >>> spelling_of(["3,5 mm", "7", "inf"]), spelling_of(["1,234", "x"])[:3]
    (Spelling(decimal=',', unit='mm', odd=[], infinite=[2]), ('.', '', [1]))
    """
    usual = _spelling(texts, decimal)
    if not usual.odd:
        return usual
    other = _spelling(texts, "," if decimal == "." else ".")
    return other if len(other.odd) < len(usual.odd) else usual


def _spelling(texts: Sequence[str], decimal: str) -> Spelling:
    """The spelling with this decimal point."""
    found: list[Measured | None] = []
    unread = 0
    for text in texts:
        found.append(number(text, decimal))
        unread += found[-1] is None
        if unread > (1 - NEARLY) * len(texts):
            break
    read = list(zip(texts, found, strict=False))
    grouped = decimal == "," and any(one and "." in text for text, one in read)
    units = Counter(one.unit for one in found if one)
    unit = max(units, key=lambda unit: sum(n for own, n in units.items() if _fits(own, unit)), default="")
    odd = [
        i
        for i, (text, one) in enumerate(read)
        if one is None or not _fits(one.unit, unit) or (grouped and _plain.fullmatch(text))
    ]
    return Spelling(decimal, unit, odd, [i for i, one in enumerate(found) if one and math.isinf(one.value)])


def _fits(own: str, unit: str) -> bool:
    """Whether a number's own unit is the column's."""
    return own == unit or (not own and unit != "%")
