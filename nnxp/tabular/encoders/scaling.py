"""What makes columns of numbers alike in size: four ways, learned from the training rows alone, in float64.

Each column is divided by a power of two near its largest magnitude first, which is exact, so that nothing overflows or
vanishes on the way, whatever units it comes in. A column that is the same in every row, but for rounding, becomes 0.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnxp.doors.units import STEPS, constant, unit_of
from nnxp.kernels import vocabulary as xp
from nnxp.kernels.error_function import polynomial
from nnxp.typing import Array, Floats

Matrix = NDArray[np.floating[Any]]

CLIP = 3.0
"""Where `robust` ends: RealMLP's smooth clip (Holzmüller et al. 2024, arXiv 2407.04491)."""
FAR = 1e9
"""Beyond it the smooth clip is at its end in float64; a square would overflow at 1e154."""
FEWEST_QUANTILES, MOST_QUANTILES, ROWS_OF_A_QUANTILE = 10, 1000, 30
"""max(min(n/30, 1000), 10) quantiles, as TabM's authors have them (Gorishniy et al. 2024, arXiv 2410.24210)."""
LEAST_SHARE = 1e-7
"""Below the least training value lies a share of 1e-7, so that `quantile` stays within ±5.2."""
BLOCK, SIDE = 2048, 32
"""Rows and columns that are scaled at once: half a megabyte of float64, which stays in the cache."""
LARGEST = float(np.finfo(np.float32).max)


def robust(x: Floats) -> tuple[float, float]:
    """The center m and factor f of ``z = (x - m) f``: m the median, f = 1/(q₇₅ - q₂₅) with linear quantiles; where that
    difference is 0, but for rounding, 2/(max - min). The smooth clip ``z / √(1 + (z/3)²)`` follows."""
    low, lower, median, upper, high = (float(q) for q in np.quantile(x, [0, 0.25, 0.5, 0.75, 1]))
    spread = upper - lower
    if spread <= STEPS * np.finfo(np.float64).eps * max(-lower, upper) or not np.isfinite(1 / spread):
        spread = (high - low) / 2
    return median, 1 / spread


def standard(x: Floats) -> tuple[float, float]:
    """The center m and factor f of ``z = (x - m) f``: m the mean, f = 1/σ, σ² the mean of (x - m)²."""
    return float(x.mean()), float(1 / x.std())


def none(x: Floats) -> tuple[float, float]:
    """The center and factor that change nothing."""
    return 0.0, 1.0


LINEAR: dict[str, Callable[[Floats], tuple[float, float]]] = {"robust": robust, "standard": standard, "none": none}
NAMES = ("median", "unit", "center", "factor")
SCALINGS = ("robust", "standard", "quantile", "none")


@dataclass(frozen=True, eq=False)
class Scaler:
    """How p columns of numbers are scaled.

    Attributes
    ----------
    name : str
        One of `SCALINGS`.
    tensors : dict of numpy.ndarray of float64
        `median`, which takes the place of missing numbers, `unit`, `center` and `factor`, (p,) each, the last two in
        units; with "quantile" `quantiles`, (q, p), in units.
    """

    name: str
    tensors: dict[str, Floats]

    @classmethod
    def fit(cls, name: str, columns: Iterable[Floats], n: int) -> "Scaler":
        """Learns from columns of n numbers each, NaN where one is missing."""
        count = quantiles_of(n)
        found = [_learn(name, x[~np.isnan(x)].astype(np.float64), count) for x in columns]
        numbers = np.array([column for column, _ in found]).reshape(len(found), 4)
        tensors = dict(zip(NAMES, np.ascontiguousarray(numbers.T), strict=True))
        if name == "quantile":
            tensors["quantiles"] = np.array([q for _, q in found]).reshape(len(found), count).T.copy()
        return cls(name, tensors)

    def check(self, count: int) -> None:
        """Raises ValueError where these are not the tensors of so many columns."""
        shapes = dict.fromkeys(NAMES, (count,))
        quantiles = self.tensors.get("quantiles", np.empty((0, 0)))
        wanted = shapes | ({"quantiles": (len(quantiles), count)} if self.name == "quantile" else {})
        if (got := {name: a.shape for name, a in self.tensors.items()}) != wanted:
            raise ValueError(f"its tensors have the shapes {got}, expected {wanted}")
        finite = all(a.dtype == np.float64 and np.isfinite(a).all() for a in self.tensors.values())
        if not finite or (self.tensors["unit"] <= 0).any():
            raise ValueError("its tensors are not all finite numbers of float64, or have a unit that is not above 0")
        if self.name == "quantile" and (len(quantiles) < 2 or (np.diff(quantiles, axis=0) < 0).any()):
            raise ValueError("its quantiles are fewer than 2, or not in order")

    def __len__(self) -> int:
        return len(self.tensors["unit"])

    def beside(self, other: "Scaler") -> "Scaler":
        """That of the columns of both."""
        pairs = ((name, (a, other.tensors[name])) for name, a in self.tensors.items())
        return Scaler(self.name, {name: np.concatenate(pair, axis=-1) for name, pair in pairs})

    def write(
        self,
        matrix: Matrix,
        columns: Sequence[NDArray[np.floating[Any]]],
        places: Sequence[int] | None = None,
    ) -> None:
        """Writes the columns, scaled, to their places in a matrix, by default the first: by blocks, so that no copy of
        all is made. A column may be what stands at its place."""
        for first in range(0, len(columns), SIDE):
            side = slice(first, min(first + SIDE, len(columns)))
            block = np.empty((side.stop - first, BLOCK))
            for start in range(0, len(matrix), BLOCK):
                rows = slice(start, min(start + BLOCK, len(matrix)))
                z = block[:, : rows.stop - start]
                for row, column in zip(z, columns[side], strict=True):
                    row[:] = column[rows]
                self.apply(z, side)
                matrix[rows, side if places is None else places[side]] = z.T

    def apply(self, z: Floats, columns: slice) -> None:
        """Scales rows of some of the columns in place: z is (columns, rows), NaN where a number is missing."""
        median, unit, center, factor = (self.tensors[name][columns, None] for name in NAMES)
        np.copyto(z, median, where=np.isnan(z))
        with np.errstate(over="ignore"):  # of numbers far beyond those of the training
            z /= unit
            if self.name == "quantile":
                for row, quantiles in zip(z, self.tensors["quantiles"].T[columns], strict=True):
                    row[:] = normal(share_below(row, quantiles))
                z *= factor
                return
            z -= center
            if not factor.all():  # of a column that was the same in every row: infinity times 0 is no number
                np.copyto(z, 0, where=factor == 0)
            z *= factor
        if self.name == "robust":
            np.clip(z, -FAR, FAR, out=z)
            square = z / CLIP
            square *= square
            square += 1
            z /= np.sqrt(square, out=square)
        else:
            np.clip(z, -LARGEST, LARGEST, out=z)


def quantiles_of(n: int) -> int:
    """How many quantiles n training rows give."""
    return max(min(n // ROWS_OF_A_QUANTILE, MOST_QUANTILES), FEWEST_QUANTILES)


def _learn(name: str, x: Floats, count: int) -> tuple[tuple[float, ...], Floats]:
    """Median, unit, center and factor of a column's known numbers, and its quantiles if they are asked for."""
    if name == "none":
        return (float(np.median(x)) if len(x) else 0.0, 1.0, *none(x)), np.empty(0)
    same = len(x) == 0 or bool(constant(x[:, None])[0])
    unit = float(unit_of(x[:, None])[0]) if len(x) else 1.0
    relative = x / unit
    median = float(np.median(relative)) if len(x) else 0.0
    if name == "quantile":
        quantiles = np.zeros(count) if same else np.quantile(relative, np.linspace(0, 1, count))
        return (median * unit, unit, 0.0, float(not same)), np.maximum.accumulate(quantiles)
    center, factor = (median, 0.0) if same else LINEAR[name](relative)
    return (median * unit, unit, center, factor), np.empty(0)


def share_below(x: Floats, quantiles: Floats) -> Floats:
    """Which share of the training rows lies below each number, by linear interpolation; of numbers that several
    quantiles equal, the middle of their shares, also of the least and the greatest (scikit-learn's QuantileTransformer
    gives these 0 and 1 however many there are)."""
    shares = np.linspace(0, 1, len(quantiles))
    from_left = np.interp(x, quantiles, shares)
    from_right = np.interp(-x, -quantiles[::-1], -shares[::-1])
    return 0.5 * (from_left - from_right)


# --- the normal distribution -----------------------------------------------------------------------------

# M. J. Wichura, Algorithm AS 241, Applied Statistics 37 (1988), 477: PPND16, exact to about 1e-16. Coefficients of his
# three quotients of polynomials, highest power first.
CENTRAL_P = (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
             1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2,
             3.3871328727963666080e0)  # fmt: skip
CENTRAL_Q = (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
             5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0)  # fmt: skip
TAIL_P = (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
          3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0,
          1.42343711074968357734e0)  # fmt: skip
TAIL_Q = (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
          6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0)  # fmt: skip
CENTRAL = 0.425
"""How far from one half a share is in the first of the quotients."""


def normal(share: Array) -> Array:
    """z of which a share of the standard normal distribution lies below, shares held within 1e-7 and 1 - 1e-7: a
    formula, which exports trace.

    Wichura's algorithm AS 241 of 1988. Its third quotient is for shares below e⁻²⁵, which do not occur here.
    """
    share = xp.minimum(xp.maximum(share, LEAST_SHARE), 1 - LEAST_SHARE)
    q = share - 0.5
    nearer = xp.minimum(xp.abs(q), CENTRAL)
    r = 0.180625 - nearer * nearer
    central = q * polynomial(r, CENTRAL_P) / polynomial(r, CENTRAL_Q)
    r = xp.sqrt(-xp.log(xp.minimum(share, 1 - share))) - 1.6
    tail = xp.sign(q) * polynomial(r, TAIL_P) / polynomial(r, TAIL_Q)
    return xp.where(xp.abs(q) <= CENTRAL, central, tail)
