"""Where predicted values are beside the true ones, counted in cells: what is drawn of however many rows."""

from typing import TypedDict

import numpy as np

from nnxp.typing import HostArray

CELLS = 28
"""Along each axis."""
DECADES = 2
"""Positive values over more than so many get cells of equal ratio."""


class Density(TypedDict):
    """How many rows have a true value between two edges and a predicted one between two."""

    edges: list[float]
    """Of both axes."""
    is_log: bool
    """Whether neighbouring edges have one ratio, not one difference."""
    counts: list[list[int]]
    """Row i, column j: the true value is above edge j, the predicted one above edge i."""


def density(prediction: HostArray, truth: HostArray) -> Density | None:
    """Counts of pairs in square cells; None where there is no range: one value, or none.

    Parameters
    ----------
    prediction, truth : numpy.ndarray, (n,)
        Finite.

    Examples
    --------
    >>> import numpy as np
    >>> found = density(np.array([1.0, 2.0, 2.0]), np.array([1.0, 1.0, 2.0]))
    >>> found["edges"][0], found["edges"][-1], found["counts"][0][0], found["counts"][-1][0], found["is_log"]
    (1.0, 2.0, 1, 1, False)
    """
    both = np.concatenate([prediction, truth]).astype(np.float64)
    if both.size == 0 or both.min() == both.max():
        return None
    low, high = float(both.min()), float(both.max())
    is_log = low > 0 and high > 10**DECADES * low
    edges = np.geomspace(low, high, CELLS + 1) if is_log else np.linspace(low, high, CELLS + 1)
    counts, _, _ = np.histogram2d(both[: len(prediction)], both[len(prediction) :], [edges, edges])
    return {"edges": edges.tolist(), "is_log": is_log, "counts": counts.astype(np.int64).tolist()}
