"""Processes that train one model together, and what they say to each other: `Sequential(..., communicator=comm)`.

Every process runs the same program on the same data. A step is that of one process: each computes its rows of the
batch, and sums travel, never means. So a communicator needs few methods, and one of MPI is made of mpi4py's (the extra
`mpi`).
"""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from nnxp.backends import Backend
from nnxp.typing import Array, HostArray
from nnxp.windows import lend, window_of

PIECE = 4 * 2**20
"""Bytes of a message at most: pieces of so many were measured to be faster than one large message."""
PATIENCE = 3.0
"""Seconds that a process which fails waits for the others to fail alike, before it ends them."""
LEAVES = 4
"""Of how many parts a batch is made where sums are to be the same bits for 1, 2 and 4 processes."""
TAG = 28_019
"""What tells the message "I fail" from a user's own."""


class Communicator(Protocol):
    """What a training of several processes needs. All call each method together, but `end`.

    Attributes
    ----------
    rank, size : int
        Which of how many this process is, from 0 up.
    neighbours : int
        How many of them run on its machine, itself included: they share its cores.
    leaves : int
        Of how many parts each batch is made, whatever the number of processes: see `InOrder`; 0 where each process has
        one.
    """

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def neighbours(self) -> int: ...  # noqa: D102
    @property
    def leaves(self) -> int: ...  # noqa: D102

    def sum(self, buffer: HostArray) -> None:
        """Writes Σ over all processes into a flat array of NumPy; the same bits everywhere."""

    def lend(self, buffer: Array) -> HostArray | None:
        """Memory for what is in a flat array, where `sum` takes less time; None where there is none, or it is there."""

    def rows(self, buffer: HostArray) -> HostArray:
        """What each has in a flat array of NumPy, as rows in the order of ranks, on all of them."""

    def broadcast(self, given: Any) -> Any:
        """What process 0 gives: a small object."""

    def gather(self, given: Any) -> list[Any]:
        """What each gives, small objects, in the order of ranks, to all of them."""

    def alike(self, seconds: float) -> bool:
        """Called by a process that fails: whether all of them come here, within so many seconds."""

    def end(self, error: BaseException) -> None:
        """Says what this process failed of, and ends all of them: the others may be waiting for it."""


class Alone:
    """One process, as a communicator.

    Examples
    --------
    >>> Alone().gather("this one")
    ['this one']
    """

    rank, size, neighbours, leaves = 0, 1, 1, 0

    def sum(self, buffer: HostArray) -> None:
        """The buffer is the sum."""

    def lend(self, buffer: Array) -> HostArray | None:
        """None: nothing takes less time."""
        return None

    def rows(self, buffer: HostArray) -> HostArray:
        """The buffer, as one row."""
        return buffer[None, :]

    def broadcast(self, given: Any) -> Any:
        """What is given."""
        return given

    def gather(self, given: Any) -> list[Any]:
        """What is given."""
        return [given]

    def alike(self, seconds: float) -> bool:
        """Nobody else waits."""
        return True

    def end(self, error: BaseException) -> None:
        """Nobody else is there to be ended."""


class OverMPI:
    """Processes that a launcher has started (`mpirun -n 4 python script.py`), as a communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        `mpi4py.MPI.COMM_WORLD`, or another.
    """

    leaves = 0

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        self.comm, self._in_place = comm, MPI.IN_PLACE
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.neighbours = comm.allgather(here := MPI.Get_processor_name()).count(here)

    def sum(self, buffer: HostArray) -> None:
        """Σ over all processes, in place: in the memory that they share, or in pieces."""
        if (window := window_of(self.comm, buffer)) is not None:
            window.sum(buffer)
            return
        step = PIECE // buffer.itemsize
        for start in range(0, buffer.shape[0], step):
            self.comm.Allreduce(self._in_place, buffer[start : start + step])

    def lend(self, buffer: Array) -> HostArray | None:
        """Memory of a window, where all processes are on one machine: see `nnxp.windows`."""
        return lend(self.comm, buffer)

    def rows(self, buffer: HostArray) -> HostArray:
        """What each has."""
        found = np.empty((self.size, buffer.shape[0]), dtype=buffer.dtype)
        self.comm.Allgather(buffer, found)
        return found

    def broadcast(self, given: Any) -> Any:
        """What process 0 gives."""
        return self.comm.bcast(given)

    def gather(self, given: Any) -> list[Any]:
        """What each gives."""
        return list(self.comm.allgather(given))

    def alike(self, seconds: float) -> bool:
        """Whether all processes come here: each tells the others, who do not answer while they wait in a sum."""
        missing = [rank for rank in range(self.size) if rank != self.rank]
        self._told = [self.comm.isend(None, rank, TAG) for rank in missing]
        last = time.monotonic() + seconds
        while missing and time.monotonic() < last:
            time.sleep(0.01)
            for rank in [rank for rank in missing if self.comm.iprobe(rank, TAG)]:
                self.comm.recv(source=rank, tag=TAG)
                missing.remove(rank)
        return not missing

    def end(self, error: BaseException) -> None:
        """Prints the traceback, and aborts all."""
        traceback.print_exception(error)
        print(f"process {self.rank} of {self.size} failed: all are ended", file=sys.stderr)
        self.abort(exit_code(error))

    def abort(self, code: int) -> None:
        """Ends all processes, with an exit code."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a closed pipe: nobody reads it
                stream.flush()
        self.comm.Abort(code)


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
        self.alike, self.end, self.lend = self.inner.alike, self.inner.end, Alone().lend
        if LEAVES % self.size:
            raise ValueError(
                f"got reproducible=True on {self.size} processes, expected 1, 2 or {LEAVES}: a batch is computed in "
                f"{LEAVES} parts, of which each process has as many"
            )

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
    >>> in_pairs(np.array([1.0, 2.0, 3.0, 4.0])).item()
    10.0
    """
    while parts.shape[0] > 1:
        parts = parts[::2] + parts[1::2]
    return parts[0, ...]


def exit_code(error: BaseException) -> int:
    """What a process ends with: 130 after Ctrl-C, as shells have it."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def as_communicator(given: Any) -> Communicator:
    """A `Communicator`, or one of mpi4py's as one."""
    if hasattr(given, "Allreduce") and hasattr(given, "Get_rank"):
        return OverMPI(given)
    wanted = ("rank", "size", "neighbours", "leaves", "sum", "lend", "rows", "broadcast", "gather", "alike", "end")
    if missing := [name for name in wanted if not hasattr(given, name)]:
        raise TypeError(
            f"got {given!r} as communicator, expected one of mpi4py, or a nnxp.distributed.Communicator, which has "
            f"{missing[0]}: from mpi4py import MPI; Sequential(..., communicator=MPI.COMM_WORLD)"
        )
    return given  # type: ignore[no-any-return]


def total(communicator: Communicator, backend: Backend, buffer: Array) -> None:
    """Writes Σ over all processes into a flat array of any library; one of a device goes over the host, and back."""
    if isinstance(buffer, np.ndarray):
        communicator.sum(buffer)
        return
    staged = np.array(backend.to_numpy(buffer))
    communicator.sum(staged)
    buffer[...] = backend.asarray(staged, dtype=staged.dtype.name)


@contextlib.contextmanager
def together(communicator: Communicator | None) -> Iterator[None]:
    """Around what all processes do: what all refuse alike raises as ever, what only some do ends all of them."""
    try:
        yield
    except BaseException as error:
        if communicator is not None and not communicator.alike(PATIENCE):
            communicator.end(error)
        raise


@contextlib.contextmanager
def by_the_first(communicator: Communicator | None) -> Iterator[bool]:
    """Whether this process does what one alone is to do, such as to write a file; the others wait until it is done."""
    try:
        yield communicator is None or communicator.rank == 0
    finally:
        if communicator is not None:
            communicator.broadcast(None)


def check_alike(communicator: Communicator, own: dict[str, Any]) -> None:
    """Raises ValueError on every process where one has something else than process 0."""
    found = communicator.gather(own)
    for rank, theirs in enumerate(found):
        for name, expected in found[0].items():
            if theirs.get(name) != expected:
                raise ValueError(
                    f"got {name} {theirs.get(name)} on process {rank}, expected {expected} as on process 0: every "
                    "process is given the same model and options, and all of the data or its Shard of them"
                )
