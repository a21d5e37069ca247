"""Memory of one process that the others of its machine see: MPI's windows, in which sums are added up and not sent.

What all processes write there, or read, stands between two fences of the window: each waits at one until all are there.
"""

import functools
import os
import weakref
from typing import Any

import numpy as np

from nnxp.distributed.communicator import part
from nnxp.typing import Array, HostArray

BLOCK = 2**20
"""Bytes that are added up at once: they are in a core's cache still when they are written to all."""
PAGE = 4096
"""Bytes of which each process's memory is a multiple, so that each begins at the start of a page."""
PLACE = "/dev/shm"
"""Where MPICH has such memory; it does not ask whether there is room."""


class Window:
    """A flat array of each process of one machine, of which each adds up a part for all; or one array for all.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The processes; all make a window together, call `sum` or `spread` together, and `free`.
    n, dtype
        The length of each array, and of what numbers.
    common
        Whether it is one array for all, which is process 0's.
    """

    def __init__(self, comm: Any, n: int, dtype: Any, common: bool = False) -> None:
        from mpi4py import MPI

        self.rank, self.size = rank, size = comm.Get_rank(), comm.Get_size()
        dtype = np.dtype(dtype)
        pages = 0 if common and rank else -(-n * dtype.itemsize // PAGE)
        self._window = MPI.Win.Allocate_shared(pages * PAGE, dtype.itemsize, comm=comm)
        owners = [0] * size if common else range(size)
        arrays = [np.frombuffer(self._window.Shared_query(owner)[0], dtype, n) for owner in owners]
        self._given: HostArray | None = arrays[rank]
        self.own = weakref.ref(arrays[rank])
        """This process's array, as long as somebody has it or a view of it."""
        self._arrays = [None if other == rank else array for other, array in enumerate(arrays)]

    def take(self) -> HostArray:
        """This process's array, once: who takes it keeps it alive."""
        given, self._given = self._given, None
        assert given is not None
        return given

    def sum(self, own: HostArray) -> None:
        """Writes Σ over the processes into all arrays. Each adds up its part, in the order of ranks: all have the same
        bits."""
        first, *others = [own if array is None else array for array in self._arrays]
        mine, step = part(own.shape[0], self.rank, self.size), BLOCK // own.itemsize
        self._window.Fence()  # all have written theirs
        for start in range(mine.start, mine.stop, step):
            block = slice(start, min(start + step, mine.stop))
            total: HostArray = first[block]
            for array in others:
                np.add(total, array[block], out=total)
            for array in others:
                array[block] = total
        self._window.Fence()  # all have written to all

    def spread(self, buffer: HostArray, common: HostArray) -> None:
        """Writes each process's part of an array into that of all others, by way of the common one. Between two calls
        there has to be another message to all: who is late still reads what the first has brought."""
        mine = part(buffer.shape[0], self.rank, self.size)
        common[mine] = buffer[mine]
        self._window.Fence()  # all have written theirs
        for others in (slice(mine.start), slice(mine.stop, buffer.shape[0])):
            buffer[others] = common[others]

    def free(self) -> None:
        """Gives the memory back."""
        self._window.Free()


@functools.cache
def _key() -> int:
    """By which a communicator of mpi4py keeps its windows."""
    from mpi4py import MPI

    return int(MPI.Comm.Create_keyval())


def windows_of(comm: Any) -> list[Window]:
    """The windows of a communicator of mpi4py, in the same order on all of its processes."""
    found: list[Window] | None = comm.Get_attr(_key())
    if found is None:
        comm.Set_attr(_key(), found := [])
    return found


def window_of(comm: Any, buffer: HostArray) -> Window | None:
    """The window that an array is of."""
    return next((window for window in windows_of(comm) if window.own() is buffer), None)


def lend(comm: Any, buffer: Array) -> HostArray | None:
    """Memory of a new window for what is in a flat array; None where it is in one, or where there can be none.

    All processes call it together.
    """
    wanted = isinstance(buffer, np.ndarray) and window_of(comm, buffer) is None
    return _made(comm, buffer.shape[0], buffer.dtype) if all(comm.allgather(wanted)) else None


def common(comm: Any, n: int, dtype: str) -> HostArray | None:
    """The array of a new window that is one for all; None where there can be none. All processes call it together."""
    return _made(comm, n, dtype, common=True)


def _made(comm: Any, n: int, dtype: Any, common: bool = False) -> HostArray | None:
    """This process's array of a new window.

    Those windows are freed of which nobody on any process has an array any more: where models end is no moment at which
    all meet.
    """
    windows, n_bytes = windows_of(comm), n * np.dtype(dtype).itemsize * (1 if common else comm.Get_size())
    unheld = [window.own() is None for window in windows]
    able, unheld_by = zip(*comm.allgather((_able(comm, n_bytes), unheld)), strict=True)
    for window, by in zip([*windows], zip(*unheld_by, strict=True), strict=True):
        if all(by):
            windows.remove(window)
            window.free()
    if not all(able):
        return None
    windows.append(window := Window(comm, n, dtype, common))
    return window.take()


def _able(comm: Any, n_bytes: int) -> bool:
    """Whether there can be such memory: on one machine with room for it.

    Of Open MPI there is none: where UCX finds no device, it prints an error of each process for each window (5.0.11).
    """
    from mpi4py import MPI

    here = comm.Split_type(MPI.COMM_TYPE_SHARED)  # a meeting too: what others have had before has taken its room
    size, near = comm.Get_size(), here.Get_size()
    here.Free()
    return size == near > 1 and MPI.get_vendor()[0] != "Open MPI" and _room() > 2 * n_bytes


def _room() -> int:
    """The bytes that there are in `PLACE`; 0 on a system without."""
    try:
        found = os.statvfs(PLACE)
    except (AttributeError, OSError):
        return 0
    return found.f_bavail * found.f_frsize
