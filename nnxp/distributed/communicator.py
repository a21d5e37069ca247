"""What a training of several processes needs of them, what all of them do together, and one process as the others."""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from nnxp.backends import Backend
from nnxp.typing import Array, HostArray

PATIENCE = 3.0
"""Seconds that a process which fails waits for the others to fail alike, before it ends them."""


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

    def takes(self, buffer: Array) -> bool:
        """Whether `sum` takes an array: one of NumPy always, one of a device where it is added up there."""

    def sum(self, buffer: Array) -> None:
        """Writes Σ over all processes into a flat array; the same bits everywhere."""

    def lend(self, buffer: Array) -> HostArray | None:
        """Memory for what is in a flat array, where `sum` takes less time; None where there is none, or it is there, or
        `takes` from here on says that it is added up where it is."""

    def common(self, n: int, dtype: str) -> HostArray | None:
        """A flat array of so many numbers whose memory is one for all processes; None where there is none."""

    def spread(self, buffer: HostArray, common: HostArray) -> None:
        """Writes each process's `part` of a flat array of NumPy into that of all others, by way of common memory."""

    def rows(self, buffer: HostArray) -> HostArray:
        """What each has in a flat array of NumPy, as rows in the order of ranks, on all of them."""

    def broadcast(self, given: Any) -> Any:
        """What process 0 gives: a small object."""

    def gather(self, given: Any) -> list[Any]:
        """What each gives, small objects, in the order of ranks, to all of them."""

    def wait(self) -> None:
        """Until all processes are here, which may take long: the core is left to others, and signals are heard."""

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

    def takes(self, buffer: Array) -> bool:
        """Anything."""
        return True

    def sum(self, buffer: Array) -> None:
        """The buffer is the sum."""

    def lend(self, buffer: Array) -> HostArray | None:
        """None: nothing takes less time."""
        return None

    def common(self, n: int, dtype: str) -> HostArray | None:
        """None: nobody else needs it."""
        return None

    def spread(self, buffer: HostArray, common: HostArray) -> None:
        """There are no others."""

    def rows(self, buffer: HostArray) -> HostArray:
        """The buffer, as one row."""
        return buffer[None, :]

    def broadcast(self, given: Any) -> Any:
        """What is given."""
        return given

    def gather(self, given: Any) -> list[Any]:
        """What is given."""
        return [given]

    def wait(self) -> None:
        """All are here."""

    def alike(self, seconds: float) -> bool:
        """Nobody else waits."""
        return True

    def end(self, error: BaseException) -> None:
        """Nobody else is there to be ended."""


def part(n: int, rank: int, size: int) -> slice:
    """Which of n numbers are a process's, where each has a part: from number n · rank / size up to the next one's.

    Examples
    --------
    >>> part(5, 0, 2), part(5, 1, 2)
    (slice(0, 2, None), slice(2, 5, None))
    """
    return slice(n * rank // size, n * (rank + 1) // size)


def total(communicator: Communicator, backend: Backend, buffer: Array) -> None:
    """Writes Σ over all processes into a flat array of any library; one that the communicator does not take goes over
    the host, and back."""
    if communicator.takes(buffer):
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
