"""What the first process of a launcher has read, handed to the others: nobody else opens the data."""

import contextlib
import mmap
import pickle
import platform
import tempfile
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

from nnxp.distributed import PIECE, Communicator
from nnxp.errors import DataError

T = TypeVar("T")
ALIGNED = 64
"""An array begins in the file at a multiple of so many bytes."""


def from_the_first(communicator: Communicator | None, make: Callable[[], T], sent: Callable[[T], T]) -> T:
    """What process 0 makes; the others get what is `sent` of it, its arrays in memory maps.

    One file on each machine holds the arrays, and is gone as soon as all have mapped it: the system keeps one copy for
    all processes there, as far as it has room, and a process has what it writes to by itself. (MPI's own shared memory
    lies in /dev/shm, where containers have little room.)

    Raises
    ------
    DataError
        On the others, where `make` raises on process 0, which says why.
    OSError
        The file cannot be written.
    """
    if communicator is None or communicator.size == 1:
        return make()
    made: list[T] = []
    refusal = None
    if communicator.rank == 0:
        try:
            made.append(make())
        except Exception as error:
            refusal = error
    communicator.wait()
    if communicator.broadcast(refusal is not None):
        raise refusal or DataError("process 0 could not prepare the training")
    handed: T = _handed(communicator, sent(made[0]) if made else None)
    return made[0] if made else handed


def _handed(communicator: Communicator, given: Any) -> Any:
    """What process 0 gives, as the others have it."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(given, protocol=5, buffer_callback=buffers.append)
    arrays = [buffer.raw() for buffer in buffers]
    pickled, sizes = communicator.broadcast((pickled, [array.nbytes for array in arrays]))
    if not sizes:
        return pickle.loads(pickled)
    starts = [0, *accumulate(n + -n % ALIGNED for n in sizes)]
    machines = communicator.gather(platform.node())
    first = machines.index(machines[communicator.rank])
    with _explained(), contextlib.ExitStack() as stack:
        file = None
        if first == communicator.rank:
            # Windows does not remove a file that is mapped.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nnxp-", ignore_cleanup_errors=True))
            file = stack.enter_context(open(Path(folder, "arrays"), "wb"))
        for number, start, size in zip(range(len(sizes)), starts, sizes, strict=False):
            for at in range(0, size, PIECE):
                piece = b"" if communicator.rank else arrays[number][at : at + PIECE]
                if len({*machines}) > 1:
                    piece = communicator.broadcast(bytes(piece))
                if file is not None:
                    file.seek(start + at)
                    file.write(piece)
        if file is not None:
            file.close()
        path = communicator.gather(None if file is None else file.name)[first]
        mapped = _mapped(path)
        communicator.gather(None)  # until then the file is there
    return pickle.loads(pickled, buffers=[mapped[a : a + n] for a, n in zip(starts, sizes, strict=False)])


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Says what a file was for that cannot be written or read."""
    try:
        yield
    except OSError as error:
        raise OSError(
            "the data cannot be handed to the other processes of this machine by a file in "
            f"{tempfile.gettempdir()} ({error.strerror}): the variable TMPDIR names another folder"
        ) from error


def _mapped(path: str) -> memoryview:
    """The bytes of a file, copied where they are written to."""
    with open(path, "rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
