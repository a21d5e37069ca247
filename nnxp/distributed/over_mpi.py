"""The processes of a launcher, by mpi4py."""

import contextlib
import sys
import time
import traceback
from typing import Any

import numpy as np

from nnxp.distributed.communicator import Communicator
from nnxp.distributed.over_nccl import OverNCCL, joined
from nnxp.distributed.windows import common, lend, window_of
from nnxp.typing import Array, HostArray

PIECE = 4 * 2**20
"""Bytes of a message at most: pieces of so many were measured to be faster than one large message."""
TAG = 28_019
"""What tells the message "I fail" from a user's own."""


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
        self._on_devices: OverNCCL | None = None
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.neighbours = comm.allgather(here := MPI.Get_processor_name()).count(here)

    def takes(self, buffer: Array) -> bool:
        """One of NumPy, or of this process's device, where each has its own: see `nnxp.distributed.over_nccl`."""
        return isinstance(buffer, np.ndarray) or (self._on_devices is not None and self._on_devices.takes(buffer))

    def sum(self, buffer: Array) -> None:
        """Σ over all processes, in place: on their devices, in the memory that they share, or in pieces."""
        if not isinstance(buffer, np.ndarray):
            assert self._on_devices is not None
            self._on_devices.sum(buffer)
            return
        if (window := window_of(self.comm, buffer)) is not None:
            window.sum(buffer)
            return
        step = PIECE // buffer.itemsize
        for start in range(0, buffer.shape[0], step):
            self.comm.Allreduce(self._in_place, buffer[start : start + step])

    def lend(self, buffer: Array) -> HostArray | None:
        """Memory of a window, where all processes are on one machine: see `nnxp.distributed.windows`. A device's array
        stays where it is."""
        self._on_devices = joined(self.comm, buffer)
        return lend(self.comm, buffer)

    def common(self, n: int, dtype: str) -> HostArray | None:
        """Memory of a window, likewise."""
        return common(self.comm, n, dtype)

    def spread(self, buffer: HostArray, common: HostArray) -> None:
        """Each writes, waits for all, and reads what the others have written."""
        window = window_of(self.comm, common)
        assert window is not None
        window.spread(buffer, common)

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

    def wait(self) -> None:
        """A barrier that is looked at from time to time: MPI's own waits keep the core busy."""
        request = self.comm.Ibarrier()
        while not request.Test():
            time.sleep(0.01)

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


def exit_code(error: BaseException) -> int:
    """What a process ends with: 130 after Ctrl-C, as shells have it."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def as_communicator(given: Any) -> Communicator:
    """A `Communicator`, or one of mpi4py's as one."""
    if hasattr(given, "Allreduce") and hasattr(given, "Get_rank"):
        return OverMPI(given)
    wanted = "rank size neighbours leaves takes sum lend common spread rows broadcast gather wait alike end".split()
    if missing := [name for name in wanted if not hasattr(given, name)]:
        raise TypeError(
            f"got {given!r} as communicator, expected one of mpi4py, or a nnxp.distributed.Communicator, which has "
            f"{missing[0]}: from mpi4py import MPI; Sequential(..., communicator=MPI.COMM_WORLD)"
        )
    return given  # type: ignore[no-any-return]
