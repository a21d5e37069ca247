"""Sums on devices. There is no NCCL for CuPy over host memory: what stands in for `cupy.cuda.nccl` adds up that memory,
of threads of one process; the code that asks for it is that of several GPUs."""

import ctypes
import os
import threading
from typing import Any

import numpy as np
import pytest

from nnxp.distributed import OverMPI, over_nccl, windows
from nnxp.training import portion_plan
from tests.distributed.cases import WEIGHTS, Case, gentle, nested, outcome, same_bits
from tests.helpers.crew import Member, together

if "NNXP_HOSTCUDA" not in os.environ:
    pytest.skip("needs CuPy over host memory: nox -s cupy_on_host", allow_module_level=True)

HERE = threading.local()
"""This thread's `member`."""


class Comm:
    """What is asked of a communicator of mpi4py."""

    def __init__(self, member: Member) -> None:
        kept: dict[str, Any] = {}
        self.Get_attr, self.Set_attr = kept.get, kept.__setitem__
        self.allgather, self.bcast = member.gather, member.broadcast
        self.Get_rank, self.Get_size = lambda: member.rank, lambda: member.size
        self.Allreduce = lambda place, buffer: member.sum(buffer)


class NCCL:
    """Stands in for `cupy.cuda.nccl`, of which it has what is asked for."""

    NCCL_FLOAT32, NCCL_FLOAT64, NCCL_SUM, available = 7, 8, 0, True

    def __init__(self) -> None:
        self.names, self.sums = 0, 0

    def get_unique_id(self) -> tuple[int, ...]:
        self.names += 1
        return (self.names, *[0] * 127)

    def NcclCommunicator(self, size: int, name: tuple[int, ...], rank: int) -> Any:
        assert (size, rank) == (HERE.member.size, HERE.member.rank)
        assert HERE.member.gather(name) == [(self.names, *[0] * 127)] * size
        return self

    def allReduce(self, send: int, into: int, count: int, kind: int, op: int, stream: int) -> None:
        assert send == into and op == self.NCCL_SUM and isinstance(stream, int)
        number = {self.NCCL_FLOAT32: ctypes.c_float, self.NCCL_FLOAT64: ctypes.c_double}[kind]
        self.sums += 1
        HERE.member.sum(np.ctypeslib.as_array((number * count).from_address(into)))


@pytest.fixture
def nccl(monkeypatch: pytest.MonkeyPatch) -> NCCL:
    """A device for each thread, as far as anyone is told."""
    made = NCCL()
    monkeypatch.setattr(portion_plan, "FEW", 0)
    monkeypatch.setattr(over_nccl, "_nccl", lambda: made)
    monkeypatch.setattr(over_nccl, "_place", lambda device: ("a machine", f"device {HERE.member.rank}"))
    monkeypatch.setattr(over_nccl, "_key", lambda: "of NCCL")
    monkeypatch.setattr(windows, "_key", lambda: "of windows")
    monkeypatch.setattr(windows, "_able", lambda comm, n_bytes: False)
    return made


def over_mpi(member: Member) -> OverMPI:
    """One that mpi4py has not made."""
    HERE.member, made = member, object.__new__(OverMPI)
    vars(made).update(comm=Comm(member), rank=member.rank, size=member.size, neighbours=1)
    vars(made).update(_in_place=None, _on_devices=None)
    return made


def test_a_training_is_that_over_the_host(nccl: NCCL) -> None:
    case = Case(nested, gentle, {"batch_size": 33, "epochs": 2, "sample_weight": WEIGHTS})
    host = together(3, lambda comm: outcome(case, "float32", comm, "cupy"))
    assert nccl.sums == 0
    found = together(3, lambda comm: outcome(case, "float32", over_mpi(comm), "cupy"))
    assert all(same_bits(one, host[0]) for one in found)
    # Of each of 8 steps: gradients, means, and of the batch's norm two forward and one backward.
    assert nccl.sums == 3 * 8 * 5


def test_the_device_is_joined_once(nccl: NCCL) -> None:
    import cupy

    def job(member: Member) -> Any:
        comm, buffer = over_mpi(member), cupy.full((5,), member.rank + 1.0)
        assert not comm.takes(buffer) and comm.lend(buffer) is None and comm.takes(buffer)
        first = comm._on_devices
        assert comm.lend(buffer) is None and comm._on_devices is first
        comm.sum(buffer)
        assert comm.lend(np.ones(3)) is None and comm.takes(np.ones(3)) and not comm.takes(buffer)
        return buffer.tolist()

    assert together(2, job) == [[3.0] * 5] * 2 and nccl.names == 1


@pytest.mark.parametrize("missing", ["NCCL", "device", "CuPy"])
def test_one_without_a_device_of_its_own_has_all_go_over_the_host(
    nccl: NCCL, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cupy

    if missing == "NCCL":
        monkeypatch.setattr(over_nccl, "_nccl", lambda: nccl if HERE.member.rank else None)
    if missing == "device":
        monkeypatch.setattr(over_nccl, "_place", lambda device: ("a machine", f"device {HERE.member.rank // 2}"))

    def job(member: Member) -> bool:
        comm = over_mpi(member)
        buffer = (np if missing == "CuPy" and member.rank == 1 else cupy).ones(5)
        comm.lend(buffer)
        return comm.takes(cupy.ones(5))

    assert together(3, job) == [False] * 3 and nccl.names == 0
