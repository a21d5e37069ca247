"""Processes that train one model together, and what they say to each other: `Sequential(..., communicator=comm)`.

Every process runs the same program on the same data. A step is that of one process: each computes its rows of the
batch, and sums travel, never means. So a communicator needs few methods, and one of MPI is made of mpi4py's (the extra
`mpi`).
"""

from nnxp.distributed.by_member import ByMember
from nnxp.distributed.communicator import PATIENCE, Alone, Communicator, by_the_first, part, together, total
from nnxp.distributed.in_order import InOrder, in_pairs
from nnxp.distributed.over_mpi import PIECE, OverMPI, as_communicator

__all__ = [
    "PATIENCE",
    "PIECE",
    "Alone",
    "ByMember",
    "Communicator",
    "InOrder",
    "OverMPI",
    "as_communicator",
    "by_the_first",
    "in_pairs",
    "part",
    "together",
    "total",
]
