"""What one step takes, and what of it one of several processes does."""

import itertools
from typing import Any, NamedTuple

import numpy as np

from nnxp.backends import Backend
from nnxp.distributed import Communicator
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


def cut(rows: slice, communicator: Communicator) -> list[slice]:
    """This process's portions of rows: of n those from n · rank / size on; several, where sums are to be the same bits
    for any number of processes."""
    parts = max(1, communicator.leaves // communicator.size)
    first, of = communicator.rank * parts, communicator.size * parts
    n = rows.stop - rows.start
    return [slice(a, b) for a, b in itertools.pairwise(rows.start + n * (first + k) // of for k in range(parts + 1))]


def own_rows(batch: Batch, communicator: Communicator, backend: Backend) -> tuple[list[Portion], Batch]:
    """This process's portions of a whole batch, and their rows; its sums and its heft stay those of the whole."""
    n, portions = int(batch.x.shape[0]), []
    places = cut(slice(0, n), communicator)
    for place in places:
        count = place.stop - place.start
        weight = count / n
        if batch.w is not None and batch.total:
            weight = float(backend.to_numpy(batch.w[place]).sum(dtype=np.float64)) / batch.total
        portions.append(Portion(n, place.start, count, count / n, weight))
    rows = slice(places[0].start, places[-1].stop)
    w, v = [None if a is None else a[rows] for a in (batch.w, batch.v)]
    return portions, batch._replace(x=batch.x[rows, ...], y=batch.y[rows, ...], w=w, v=v)
