"""Sums of CuPy's arrays on their devices, by NCCL; what is small, and who takes part, the processes tell by mpi4py."""

import functools
from typing import Any

from nnxp.backends import library_of
from nnxp.typing import Array


class OverNCCL:
    """NCCL's communicator of one device of each process.

    Parameters
    ----------
    nccl
        `cupy.cuda.nccl`.
    comm : mpi4py.MPI.Intracomm
        The processes; all make it together.
    device : cupy.cuda.Device
        This process's.
    """

    def __init__(self, nccl: Any, comm: Any, device: Any) -> None:
        rank, self.device = comm.Get_rank(), device
        name = comm.bcast(nccl.get_unique_id() if rank == 0 else None)
        with device:
            self._comm = nccl.NcclCommunicator(comm.Get_size(), name, rank)
        self._sum, self._types = nccl.NCCL_SUM, {"float32": nccl.NCCL_FLOAT32, "float64": nccl.NCCL_FLOAT64}

    def takes(self, buffer: Array) -> bool:
        """Whether an array is on the device."""
        return bool(device_of(buffer) == self.device)

    def sum(self, buffer: Array) -> None:
        """Writes Σ over all processes into a flat array, on the current stream, which is not waited for."""
        from cupy.cuda import get_current_stream

        with self.device:
            place, stream = buffer.data.ptr, get_current_stream().ptr
            self._comm.allReduce(place, place, buffer.size, self._types[buffer.dtype.name], self._sum, stream)


def joined(comm: Any, buffer: Array) -> OverNCCL | None:
    """What adds up arrays on the device that a buffer is on; None where a process has its on none of CuPy's, or has no
    NCCL, or where two processes have one device: then they are added up on the host.

    All processes call it together. A communicator of mpi4py keeps what is made: NCCL wants it ended by all at once, and
    that is with the processes.
    """
    made, device = _made_for(comm), device_of(buffer)
    nccl = None if device is None else _nccl()
    mine = None if nccl is None else (_place(device), device.id in made)
    told = comm.allgather(mine)
    if mine is None or None in told or len({place for place, _ in told}) < len(told):
        return None
    if not all(there for _, there in told):
        made[device.id] = OverNCCL(nccl, comm, device)
    found: OverNCCL = made[device.id]
    return found


def device_of(buffer: Array) -> Any:
    """The device of an array of CuPy; None of any other array."""
    return buffer.device if library_of(buffer) == "cupy" else None


def _nccl() -> Any:
    """CuPy's module for NCCL, None where CuPy finds no library."""
    try:
        from cupy.cuda import nccl
    except ImportError:
        return None
    return nccl if nccl.available else None


def _place(device: Any) -> tuple[str, str]:
    """Which device it is, of which machine."""
    from mpi4py import MPI

    return MPI.Get_processor_name(), device.pci_bus_id


@functools.cache
def _key() -> int:
    """By which a communicator of mpi4py keeps those of NCCL."""
    from mpi4py import MPI

    return int(MPI.Comm.Create_keyval())


def _made_for(comm: Any) -> dict[int, OverNCCL]:
    """Those of a communicator of mpi4py, by the devices' numbers."""
    found: dict[int, OverNCCL] | None = comm.Get_attr(_key())
    if found is None:
        comm.Set_attr(_key(), found := {})
    return found
