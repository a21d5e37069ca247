"""What one step takes."""

from typing import Any, NamedTuple

from nnxp.typing import Array, Integers


class Batch(NamedTuple):
    """What one step or one evaluation takes, valid until the next.

    Attributes
    ----------
    x, y : Array
        Inputs (n, m) and prepared labels.
    w, v : Array or None
        Each sample's weight in the loss, and in the metric, (n,); 1 each where None. They differ by class weights.
        Those of several members may be their own, (n, members), as are then the numbers below, (members,) on the host.
    total, scored : float
        Σ w and Σ v.
    heft : float
        Σ w / (rows · w̄), w̄ the mean weight of all rows that are trained on. The gradient of the batch's weighted mean
        times this is Σ w ∇ℓ / (rows · w̄), whose expectation is the same for batches of every size; without it, weights
        would cancel in a batch of one row.
    """

    x: Array
    y: Array
    w: Array | None
    v: Array | None
    total: Any
    scored: Any
    heft: Any = 1.0


class Portion(NamedTuple):
    """Which rows of a batch a process computes, of several that train together (see `nnxp.distributed`).

    Attributes
    ----------
    batch : int
        How many rows the batch has, those of all processes.
    first, n : int
        The number of its first row in the batch, and how many it has.
    rows, weight : float
        Its share of the rows, and of Σ w. Where all weigh 0, the latter is the former.
    at : numpy.ndarray or None
        (n,), the numbers of its rows in the batch, where they do not follow each other.
    """

    batch: int
    first: int
    n: int
    rows: float
    weight: float
    at: Integers | None = None
