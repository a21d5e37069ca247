"""A command that a launcher has started several times: `mpirun -n 4 nnxp train ...` is one training."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from nnxp.cli.parser import UsageError

VARIABLES = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")
"""By which a launcher says which of how many a process is: Open MPI's, then MPICH's and Intel's."""
Command = Callable[[list[str], Any], int]
"""Runs a command's words, with a communicator or None, says what went wrong, and gives the exit code."""


def launched() -> tuple[int, int]:
    """Which of how many processes this one is; (0, 1) without a launcher."""
    for names in VARIABLES:
        rank, size = (os.environ.get(name, "") for name in names)
        if rank.isdigit() and size.isdigit():
            return int(rank), int(size)
    return 0, 1


def run_together(words: list[str], command: Command) -> int:
    """The command on all processes, of which the first speaks.

    One that fails where the others do not says why, with its number, and ends them all: they may be waiting for it.
    """
    rank, size = launched()
    communicator = None
    if not {"-h", "--help", "--version"}.intersection(words):
        if words[:1] not in (["train"], ["doctor"]):
            why = f"got nnxp {' '.join(words[:1])} on {size} processes, expected one: only train and doctor share"
            return _refuse(rank, why)
        if "-" in words:  # neither MPICH's launcher (5.0.2) nor Open MPI's (5.0.11) gives process 0 all of it
            why = f"got -, standard input, on {size} processes, expected a file: launchers do not pass it on reliably"
            return _refuse(rank, why)
        try:
            communicator = _communicator(size)
        except (ImportError, RuntimeError) as error:  # no MPI library raises RuntimeError
            return _refuse(rank, " ".join(str(error).split()))
    said = io.StringIO()
    with contextlib.ExitStack() as stack:
        if rank:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
            stack.enter_context(contextlib.redirect_stderr(said))
        code = command(words, communicator)
    if code and communicator is not None and not communicator.fails_alike():
        sys.stderr.write("".join(f"process {rank} of {size}: {line}\n" for line in said.getvalue().splitlines()))
        communicator.abort(code)
    return code


def communicator_of(args: argparse.Namespace) -> Any:
    """By which the processes of a training share it, as its options say; None for one process."""
    from nnxp.distributed import ByMember, InOrder

    if args.spread != "members":
        return InOrder(args.communicator) if args.reproducible else args.communicator
    if args.members in (None, 1):
        raise UsageError(
            "--spread members: got no --members, expected several networks to spread over processes: --members 8"
        )
    if args.reproducible:
        raise UsageError(
            "--reproducible computes each batch in parts of its rows, and --spread members has each network take all "
            "rows: leave one of them out"
        )
    if args.communicator is None:
        raise UsageError(
            "--spread members: got one process, expected several of a launcher: mpirun -n 2 nnxp train ..., or leave "
            "it out"
        )
    return ByMember(args.communicator)


def _refuse(rank: int, why: str) -> int:
    """Says once what all processes refuse."""
    if rank == 0:
        print(f"nnxp: error: {why}", file=sys.stderr)
    return 2


def _communicator(size: int) -> Any:
    """That of all processes; a failure within a fit is left to the command, which says it in one line."""
    try:
        from mpi4py import MPI
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"got {size} processes of a launcher without mpi4py, by which they would train one model: "
            'pip install "nnxp[mpi]", or start one process'
        ) from None
    if MPI.COMM_WORLD.Get_size() != size:
        raise RuntimeError(
            f"got {size} processes of a launcher, of which MPI sees {MPI.COMM_WORLD.Get_size()}: the launcher is of "
            "another MPI than the library that mpi4py loads; install one of the two alone"
        )
    from nnxp.distributed import PATIENCE, OverMPI

    class Launched(OverMPI):
        """Those of a launcher."""

        alone = False
        """Whether this process has failed while the others went on."""

        def end(self, error: BaseException) -> None:
            """Leaves it to the command."""
            self.alone = True

        def fails_alike(self) -> bool:
            """Whether all processes fail."""
            return not self.alone and self.alike(PATIENCE)

    return Launched(MPI.COMM_WORLD)
