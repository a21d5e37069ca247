"""Memory of one process that the others of its machine see: MPI's windows, in which sums are added up and not sent."""

import functools
import os
import weakref
from typing import Any

import numpy as np

from nnxp.typing import Array, HostArray

BLOCK = 2**20
"""Bytes that are added up at once: they are in a core's cache still when they are written to all."""
PAGE = 4096
"""Bytes of which each process's memory is a multiple, so that each begins at the start of a page."""
PLACE = "/dev/shm"
"""Where MPICH has such memory; it does not ask whether there is room."""


class Window:
    """A flat array of each process of one machine, of which each adds up a part for all.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The processes; all make a window together, call `sum` together, and `free`.
    n, dtype
        The length of each array, and of what numbers.
    """

    def __init__(self, comm: Any, n: int, dtype: Any) -> None:
        from mpi4py import MPI

        rank, size = comm.Get_rank(), comm.Get_size()
        dtype = np.dtype(dtype)
        pages = -(-n * dtype.itemsize // PAGE)
        self._window = MPI.Win.Allocate_shared(pages * PAGE, dtype.itemsize, comm=comm)
        arrays = [np.frombuffer(self._window.Shared_query(other)[0], dtype, n) for other in range(size)]
        self._given: HostArray | None = arrays[rank]
        self.own = weakref.ref(arrays[rank])
        """This process's array, as long as somebody has it or a view of it."""
        self._arrays = [None if other == rank else array for other, array in enumerate(arrays)]
        self._part = range(n * rank // size, n * (rank + 1) // size, BLOCK // dtype.itemsize)

    def take(self) -> HostArray:
        """This process's array, once: who takes it keeps it alive."""
        given, self._given = self._given, None
        assert given is not None
        return given

    def sum(self, own: HostArray) -> None:
        """Writes Σ over the processes into all arrays. Each adds up its part, in the order of ranks: all have the same
        bits."""
        first, *others = [own if array is None else array for array in self._arrays]
        self._window.Fence()  # all have written theirs
        for start in self._part:
            block = slice(start, min(start + self._part.step, self._part.stop))
            total: HostArray = first[block]
            for array in others:
                np.add(total, array[block], out=total)
            for array in others:
                array[block] = total
        self._window.Fence()  # all have written to all

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

    All processes call it together. Those windows are freed of which nobody on any process has an array any more: where
    models end is no moment at which all meet.
    """
    windows = windows_of(comm)
    unheld = [window.own() is None for window in windows]
    able, inside, unheld_by = zip(
        *comm.allgather((_able(comm, buffer), window_of(comm, buffer) is not None, unheld)), strict=True
    )
    for window, by in zip([*windows], zip(*unheld_by, strict=True), strict=True):
        if all(by):
            windows.remove(window)
            window.free()
    if all(inside) or not all(able):
        return None
    windows.append(window := Window(comm, buffer.shape[0], buffer.dtype))
    return window.take()


def _able(comm: Any, buffer: Array) -> bool:
    """Whether there can be such memory: of NumPy, on one machine with room for it.

    Of Open MPI there is none: where UCX finds no device, it prints an error of each process for each window (5.0.11).
    """
    from mpi4py import MPI

    here = comm.Split_type(MPI.COMM_TYPE_SHARED)
    size, near = comm.Get_size(), here.Get_size()
    here.Free()
    return (
        size == near > 1
        and isinstance(buffer, np.ndarray)
        and MPI.get_vendor()[0] != "Open MPI"
        and _room() > 2 * size * buffer.nbytes
    )


def _room() -> int:
    """The bytes that there are in `PLACE`; 0 on a system without."""
    try:
        found = os.statvfs(PLACE)
    except (AttributeError, OSError):
        return 0
    return found.f_bavail * found.f_frsize
