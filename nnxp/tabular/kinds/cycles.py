"""What moments become: a trend, and their places in the day, the week and the year."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnxp.kernels import vocabulary as xp
from nnxp.kernels.error_function import polynomial
from nnxp.printing import counted
from nnxp.typing import Array, Floats

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

SINE = tuple((-1) ** k * math.tau ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(10, -1, -1))
"""Taylor's coefficients of sin 2πx, those of x²¹, x¹⁹, ..., x: within a quarter turn the next is below 2e-18."""


def sine(turn: Array) -> Array:
    """sin 2πp of a part p of a cycle, to 4 roundings of 1: a formula, which exports trace.

    Of sums and products alone, so that it is the same in every bit wherever it is computed: a quantile that many rows
    share lies below all of them, or above.
    """
    return _within_a_quarter(xp.where(turn < 0.25, turn, xp.where(turn > 0.75, turn - 1, 0.5 - turn)))


def cosine(turn: Array) -> Array:
    """cos 2πp, likewise."""
    return _within_a_quarter(xp.abs(turn - 0.5) - 0.25)


def _within_a_quarter(x: Array) -> Array:
    """sin 2πx for x from -1/4 to 1/4."""
    return x * polynomial(x * x, SINE)


def library_sine(turn: Array) -> Array:
    """sin 2πp by the library's own sine, as files of before have it."""
    return xp.sin(2 * math.pi * turn)


def library_cosine(turn: Array) -> Array:
    """cos 2πp, likewise."""
    return xp.cos(2 * math.pi * turn)


EXACT, LIBRARYS = (sine, cosine), (library_sine, library_cosine)


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
    exact : bool
        Whether sine and cosine are those of `EXACT`, and are scaled before they are rounded, where they are scaled. A
        file of before does not say so: its are the library's, rounded to the encoder's dtype first.
    """

    origin: int
    cycles: tuple[str, ...]
    exact: bool = True

    @property
    def waves(self) -> tuple[Callable[[Array], Array], ...]:
        """Sine and cosine of a part of a cycle."""
        return EXACT if self.exact else LIBRARYS

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
        turns = [CYCLES[cycle](moments) for cycle in self.cycles]
        return np.stack([trend, *(wave(turn) for turn in turns for wave in self.waves)], axis=1)

    def document(self) -> dict[str, Any]:
        """As JSON has it: `Parts.of` is the way back."""
        return asdict(self) | {"cycles": list(self.cycles)}

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Parts":
        """From `document`."""
        return cls(document["origin"], tuple(document["cycles"]), document.get("exact", False))


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
