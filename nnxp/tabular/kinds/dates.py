"""How people write dates and times: from the texts of a column to moments."""

import datetime
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.datetime64]

_MONTHS = (
    "jan(?:uary)? feb(?:ruary)? mar(?:ch)? apr(?:il)? may june? july? aug(?:ust)? sep(?:t|tember)? oct(?:ober)? "
    "nov(?:ember)? dec(?:ember)?"
).split()
_NAME = rf"(?P<name>{'|'.join(_MONTHS)})\.?"
_WEEKDAY = "(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
_DAY = "(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_CLOCK = (
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"(?: ?([ap])\.?m\.?)?(?: ?(z|utc|gmt|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_NUMBERED = (
    "(?P<one>[0-9]{1,2})(?P<between>[-/.])(?P<two>[0-9]{1,2})(?P=between)(?P<year>[0-9]{4})",
    "(?P<one>[0-9]{1,2})(?P<between>/)(?P<two>[0-9]{1,2})/(?P<short>[0-9]{2})",
)
_NAMED = (
    "(?P<year>[0-9]{4})(?P<between>[-/.])(?P<month>[0-9]{1,2})(?P=between)(?P<day>[0-9]{1,2})",
    f"{_WEEKDAY}{_DAY}(?:[.] ?|[-/ ])?{_NAME}(?:, ?|[-/ ])?(?P<year>[0-9]{{4}})",
    f"{_WEEKDAY}{_NAME}[- ]{_DAY}(?:, ?|[- ])(?P<year>[0-9]{{4}})",
    "(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])",
    f"{_NAME}[- ](?P<year>[0-9]{{4}})",
    f"(?P<year>[0-9]{{4}})[- ]{_NAME}",
)


def _compiled(*forms: str) -> list[re.Pattern[str]]:
    return [re.compile(form, re.IGNORECASE | re.ASCII) for form in forms]


_numbered = _compiled(*_NUMBERED)
_dates = [*_numbered, *_compiled(*_NAMED)]
(_clock,) = _compiled(_CLOCK)

_DAY_LONG = 24 * 60 * 60 * 1_000_000
_ORDINAL_1970 = datetime.date(1970, 1, 1).toordinal()
_NAT = np.iinfo(np.int64).min  # NumPy's number for no moment


class Manner(NamedTuple):
    """How the dates of a column are written.

    Attributes
    ----------
    day_first : bool or None
        Whether 01/02/2020 is the first of February; None: where dots are between, as in 1.2.2020.
    clock : bool
        Whether they are times of day alone.
    """

    day_first: bool | None
    clock: bool

    def order(self, text: str) -> str:
        """What people are told of the order in which this date was read; nothing where it has one order only.

        Examples
        --------
        >>> Manner(True, clock=False).order("1/2/2020"), Manner(None, clock=False).order("1.2.2020")
        (', day first', ', day first')
        """
        found = next((found for form in _numbered if (found := form.fullmatch(_parted(text)[0]))), None)
        if found is None:
            return ""
        first = found["between"] == "." if self.day_first is None else self.day_first
        return ", day first" if first else ", month first"


DAYS = Manner(day_first=None, clock=False)
"""Dates of which nothing more is known."""


class Read(NamedTuple):
    """What was read.

    Attributes
    ----------
    values : numpy.ndarray of datetime64[us]
        In UTC where a zone was given; NaT of a text that is no date.
    zoned : bool
        Whether any had a zone.
    """

    values: Times
    zoned: bool


def manner_of(texts: Sequence[str], day_first: bool | None = None) -> Manner | None:
    """How the dates of a column are written, if they are dates; None where the first is none.

    A first number over 12 anywhere in the column says that the day is first, else a second one over 12 that the month
    is; where none is over 12, the day is first between dots and the month otherwise.

    Parameters
    ----------
    texts : sequence of str
        The different texts of the column that are not missing.
    day_first : bool, optional
        What is known beforehand.

    Examples
    --------
    >>> manner_of(["01/02/2020", "31/01/2020"]), manner_of(["12:30"]), manner_of(["yes"])
    (Manner(day_first=True, clock=False), Manner(day_first=None, clock=True), None)
    """
    date, clock = _parted(texts[0])
    if not date and _clock.fullmatch(clock):
        return Manner(None, clock=True)
    if not any(form.fullmatch(date) for form in _dates):
        return None
    if day_first is None:
        days = {_parted(text)[0] for text in texts}
        pairs = {found.group("one", "two") for form in _numbered for found in map(form.fullmatch, days) if found}
        if any(int(one) > 12 for one, _ in pairs):
            day_first = True
        elif any(int(two) > 12 for _, two in pairs):
            day_first = False
    return Manner(day_first, clock=False)


def read(texts: Sequence[str], manner: Manner) -> Read:
    """The moments of texts in any usual spelling.

    Year, month and day with dashes, slashes or dots; day or month first, with a year of four digits, or of two after
    slashes (69 to 99 are of the last century); months by their English name; a year and a month alone, which is its
    first day; behind each a time, after a blank, a comma or T, with seconds and their fractions, AM or PM and a zone.

    Parameters
    ----------
    texts : sequence of str
    manner : Manner
        As of `manner_of`.

    Examples
    --------
    >>> texts = ["2020-01-02 3:04 PM", "Jan 2, 2020", "1.2.2020", "soon"]
    >>> read(texts, DAYS).values.astype("datetime64[m]").astype(str).tolist()
    ['2020-01-02T15:04', '2020-01-02T00:00', '2020-02-01T00:00', 'NaT']
    """
    parted = list(map(_parted, texts))  # few dates have many times, and many dates few times: each is read once
    days = {date: _day(date, manner) for date in {date for date, _ in parted}}
    times = {clock: _time(clock) for clock in {clock for _, clock in parted}}
    if not manner.clock:
        times[""] = _Time(0, zoned=False)  # a date alone is its midnight
    whole = [
        _NAT if (day := days[date]) is None or (time := times[clock]) is None else day * _DAY_LONG + time.micro
        for date, clock in parted
    ]
    values = np.array(whole, dtype=np.int64).view("datetime64[us]")
    return Read(values, any(time is not None and time.zoned for time in times.values()))


class _Time(NamedTuple):
    """Microseconds since midnight, of UTC where there is a zone."""

    micro: int
    zoned: bool


def _parted(text: str) -> tuple[str, str]:
    """The date and the time of a text, either of which may be empty, without what is between."""
    colon = text.find(":")
    if colon < 0:
        return text, ""
    start = colon - 2 if text[max(colon - 2, 0) : colon].isdigit() and colon >= 2 else max(colon - 1, 0)
    date, clock = text[:start], text[start:]
    if not date or date[-1] in "Tt":
        return date[:-1], clock
    return (date[:-1].removesuffix(","), clock) if date[-1] == " " else (text, "")


def _day(date: str, manner: Manner) -> int | None:
    """Days since 1970 of the text of a date; None of any other text, and 0 of none where times of day are expected."""
    if manner.clock:
        return None if date else 0
    found = next((found for form in _dates if (found := form.fullmatch(date))), None)
    if found is None:
        return None
    parts = found.groupdict()
    year = int(parts["year"]) if "year" in parts else int(parts["short"])
    if "short" in parts:
        year += 1900 if year >= 69 else 2000  # as POSIX has it
    if "one" in parts:
        first = parts["between"] == "." if manner.day_first is None else manner.day_first
        day, month = (parts["one"], parts["two"]) if first else (parts["two"], parts["one"])
    else:
        day, month = parts.get("day", 1), parts.get("month") or _month(parts["name"])
    try:
        return datetime.date(year, int(month), int(day)).toordinal() - _ORDINAL_1970
    except ValueError:  # no such day
        return None


def _month(name: str) -> int:
    """The number of the month of a name."""
    return [month[:3] for month in _MONTHS].index(name[:3].lower()) + 1


def _time(clock: str) -> _Time | None:
    """The time of day of a text; None of any other."""
    found = _clock.fullmatch(clock)
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.group(1, 2, 3))
    fraction, half, zone = found.group(4, 5, 6)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    seconds = (hour * 60 + minute - _offset(zone or "")) * 60 + second
    return _Time(seconds * 1_000_000 + int(f"{fraction or 0:0<6}"[:6]), bool(zone))


def _offset(zone: str) -> int:
    """Minutes before UTC: 60 of "+01:00"."""
    if zone[:1] not in ("+", "-"):
        return 0
    digits = zone[1:].replace(":", "")
    return int(f"{zone[0]}1") * (int(digits[:2]) * 60 + int(digits[2:] or 0))
