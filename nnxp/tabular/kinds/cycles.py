"""What moments become: a trend, and their places in the day, the week and the year."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnxp.printing import counted
from nnxp.typing import Floats

Times: TypeAlias = NDArray[np.datetime64]

_DAY = np.timedelta64(1, "D")


def _time_of_day(moments: Times) -> Floats:
    return np.asarray((moments - moments.astype("datetime64[D]")) / _DAY, dtype=np.float64)


def _day_of_week(moments: Times) -> Floats:
    days = moments.astype("datetime64[D]") - np.datetime64("1970-01-05", "D")  # a Monday
    return np.asarray(days / _DAY % 7 / 7, dtype=np.float64)


def _day_of_year(moments: Times) -> Floats:
    years = moments.astype("datetime64[Y]")
    first, after = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
    return np.asarray((moments.astype("datetime64[D]") - first) / (after - first), dtype=np.float64)


CYCLES: dict[str, Callable[[Times], Floats]] = {
    "time of day": _time_of_day,
    "day of week": _day_of_week,
    "day of year": _day_of_year,
}
"""The part of each cycle that is over, from 0 to below 1: of 24 hours, of the week from Monday on, of the year."""


@dataclass(frozen=True)
class Parts:
    """How moments become numbers, as it was found in the training's.

    The trend is days since `origin`; of a cycle, of which the part p is over, come sin 2πp and cos 2πp, so that its
    end is beside its beginning.

    Attributes
    ----------
    origin : int
        The first moment, in microseconds since 1970.
    cycles : tuple of str
        Those of `CYCLES` in which the moments differ.
    """

    origin: int
    cycles: tuple[str, ...]

    def names(self, column: str) -> list[str]:
        """The names of the numbers.

        Examples
        --------
        >>> Parts(0, ("day of week",)).names("when")
        ['when: days', 'when: day of week (sin)', 'when: day of week (cos)']
        """
        return [f"{column}: days", *(f"{column}: {cycle} ({wave})" for cycle in self.cycles for wave in ("sin", "cos"))]

    def becomes(self) -> str:
        """How many numbers these are and what they say, for people: of times of one day nothing but the time of day.

        Examples
        --------
        >>> Parts(0, ("day of week",)).becomes(), Parts(0, ("time of day",)).becomes(), Parts(0, ()).becomes()
        ('3 numbers: days, day of week', '3 numbers: time of day', '1 number: days')
        """
        said = self.cycles if self.cycles == ("time of day",) else ("days", *self.cycles)
        return f"{counted(1 + 2 * len(self.cycles), 'number')}: {', '.join(said)}"

    def columns(self, moments: Times) -> Floats:
        """The numbers of moments, (n, 1 + 2·cycles); NaN where there is none."""
        moments = moments.astype("datetime64[us]")
        trend = (moments - np.datetime64(self.origin, "us")) / _DAY
        angles = [2 * np.pi * CYCLES[cycle](moments) for cycle in self.cycles]
        return np.stack([trend, *(wave(angle) for angle in angles for wave in (np.sin, np.cos))], axis=1)

    def document(self) -> dict[str, Any]:
        """As JSON has it: `Parts.of` is the way back."""
        return asdict(self) | {"cycles": list(self.cycles)}

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Parts":
        """From `document`."""
        return cls(document["origin"], tuple(document["cycles"]))


def parts_of(moments: Times) -> Parts:
    """Which numbers moments become: the trend, and of each cycle in which they differ its place.

    Parameters
    ----------
    moments : numpy.ndarray of datetime64[us], (n,)
        The training's; NaT is passed over.

    Examples
    --------
    >>> parts_of(np.array(["2020-01-01T12", "2020-01-02T12", "NaT"], dtype="datetime64[us]")).cycles
    ('day of week', 'day of year')
    """
    known = moments[~np.isnat(moments)].astype("datetime64[us]")
    origin = int(known.min().astype(np.int64)) if len(known) else 0
    return Parts(origin, tuple(name for name, over in CYCLES.items() if len(known) and np.ptp(over(known)) > 0))
