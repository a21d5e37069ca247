"""The units that numbers come in: whether they vary at all, and what they are divided by before they are squared."""

import numpy as np

from nnxp.typing import Floats, HostArray

STEPS = 4
"""Numbers that differ by so many roundings of the largest are one number, computed in different ways."""


def constant(columns: HostArray) -> HostArray:
    """Which columns of numbers (n, m) are the same in every row, but for the rounding of their dtype; n > 0."""
    rounding = float(np.finfo(columns.dtype).eps) if columns.dtype.kind == "f" else 0.0
    low, high = (np.asarray(ends, dtype=np.float64) / 2 for ends in (columns.min(axis=0), columns.max(axis=0)))
    return high - low <= STEPS * rounding * np.maximum(-low, high)  # halves: their difference does not overflow


def unit_of(columns: Floats) -> Floats:
    """A power of two near each column's largest magnitude, (m,), or 1 where that is 0. Quotients by it are exact, and
    their squares neither overflow nor vanish."""
    largest = np.abs(columns).max(axis=0)
    return np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0)
