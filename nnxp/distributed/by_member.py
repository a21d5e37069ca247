"""Processes that share a model's members, not its rows."""

from typing import Any

from nnxp.distributed.communicator import Alone
from nnxp.distributed.over_mpi import as_communicator


class ByMember:
    """A communicator whose processes share a model's members, not its rows: `Sequential(..., members=8,
    communicator=ByMember(MPI.COMM_WORLD))`. Each trains its own members, on all rows.

    Parameters
    ----------
    communicator
        One of mpi4py, or another `Communicator`.
    """

    leaves = 0

    def __init__(self, communicator: Any) -> None:
        inner = as_communicator(communicator)
        self.rank, self.size, self.neighbours = inner.rank, inner.size, inner.neighbours
        self.takes, self.sum, self.rows = inner.takes, inner.sum, inner.rows
        self.broadcast, self.gather = inner.broadcast, inner.gather
        self.wait, self.alike, self.end = inner.wait, inner.alike, inner.end
        alone = Alone()
        self.lend, self.common, self.spread = alone.lend, alone.common, alone.spread  # no gradients travel

    def own(self, members: int) -> range:
        """Which of so many this process trains: from number members · rank / size up to the next one's."""
        return range(members * self.rank // self.size, members * (self.rank + 1) // self.size)
