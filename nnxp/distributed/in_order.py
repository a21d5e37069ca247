"""Sums of the same bits on 1, 2 and 4 processes."""

import os

import numpy as np

from nnxp.distributed.communicator import Alone, Communicator
from nnxp.distributed.over_mpi import PIECE
from nnxp.typing import Array, HostArray

LEAVES = 4
"""Of how many parts a batch is made where sums are to be the same bits for 1, 2 and 4 processes."""


class InOrder:
    """A communicator whose sums are the same bits for 1, 2 and 4 processes: `Sequential(..., reproducible=True)`.

    A batch is computed as four parts, each by itself, whichever process does it: ((1 + 2) + (3 + 4)) is the order in
    which all that they find is added up. What MPI adds up has an order of the library's own, so rows are gathered, and
    added here.

    Parameters
    ----------
    communicator : Communicator, optional
        By which it gathers; that of one process by default.

    Raises
    ------
    ValueError
        The number of processes does not divide the parts.
    """

    leaves = LEAVES

    def __init__(self, communicator: "Communicator | None" = None) -> None:
        self.inner: Communicator = Alone() if communicator is None else communicator
        self.rank, self.size = self.inner.rank, self.inner.size
        # As if each core had a process: a product on several threads may be rounded otherwise than on one.
        self.neighbours = max(self.inner.neighbours, os.cpu_count() or 1)
        self.rows, self.broadcast, self.gather = self.inner.rows, self.inner.broadcast, self.inner.gather
        self.wait, self.alike, self.end = self.inner.wait, self.inner.alike, self.inner.end
        self.lend, self.common, self.spread = (alone := Alone()).lend, alone.common, alone.spread
        if LEAVES % self.size:
            raise ValueError(
                f"got reproducible=True on {self.size} processes, expected 1, 2 or {LEAVES}: a batch is computed in "
                f"{LEAVES} parts, of which each process has as many"
            )

    def takes(self, buffer: Array) -> bool:
        """Rows are gathered on the host."""
        return isinstance(buffer, np.ndarray)

    def sum(self, buffer: HostArray) -> None:
        """Σ over all processes, in pieces, in pairs of pairs."""
        step = PIECE // buffer.itemsize
        for start in range(0, buffer.shape[0] if self.size > 1 else 0, step):
            piece = buffer[start : start + step]
            piece[...] = in_pairs(self.inner.rows(piece))


def in_pairs(parts: HostArray) -> HostArray:
    """The sum over the first axis, of a power of two: of neighbours first, then of these sums.

    Examples
    --------
    >>> import numpy as np
    >>> in_pairs(np.array([1.0, 2.0, 3.0, 4.0])).item()
    10.0
    """
    while parts.shape[0] > 1:
        parts = parts[::2] + parts[1::2]
    return parts[0, ...]
