"""Several processes that train together, as threads of one: the same code, without a launcher."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.distributed import part


class Crew:
    """What the members of a crew share; a wait for one that has failed ends at once."""

    def __init__(self, size: int) -> None:
        self.size, self.given = size, [None] * size
        self.barrier, self.failing = threading.Barrier(size, timeout=60), threading.Barrier(size)
        self.ended: list[BaseException] = []


class Member:
    """A `nnxp.distributed.Communicator` of one thread; it counts what is asked of it."""

    neighbours, leaves = 1, 0

    def __init__(self, rank: int, crew: Crew) -> None:
        self.rank, self.size, self.crew, self.sums = rank, crew.size, crew, 0
        self.lent: list[np.ndarray] = []
        self.in_common: list[np.ndarray] = []

    def gather(self, given: Any) -> list[Any]:
        self.crew.given[self.rank] = given
        self.crew.barrier.wait()
        found = [*self.crew.given]
        self.crew.barrier.wait()
        return found

    def broadcast(self, given: Any) -> Any:
        return self.gather(given)[0]

    def wait(self) -> None:
        self.crew.barrier.wait()

    def takes(self, buffer: Any) -> bool:
        return isinstance(buffer, np.ndarray)

    def sum(self, buffer: np.ndarray) -> None:
        assert buffer.ndim == 1 and buffer.flags.c_contiguous
        self.sums += 1
        parts = self.gather(buffer.copy())
        assert len({part.shape for part in parts}) == 1  # else they are not at the same place of the program
        buffer[...] = sum(parts[1:], parts[0])

    def lend(self, buffer: np.ndarray) -> np.ndarray | None:
        """Once: then it is there."""
        if not isinstance(buffer, np.ndarray) or any(buffer is one for one in self.lent):
            return None
        self.lent.append(np.zeros_like(buffer))
        return self.lent[-1]

    def common(self, n: int, dtype: str) -> np.ndarray | None:
        self.in_common += self.gather(np.full(n, np.nan, dtype=dtype))[:1]
        return self.in_common[-1]

    def spread(self, buffer: np.ndarray, common: np.ndarray) -> None:
        own = part(len(buffer), self.rank, self.size)
        common[own] = buffer[own]
        self.crew.barrier.wait()
        buffer[: own.start], buffer[own.stop :] = common[: own.start], common[own.stop : len(buffer)]

    def rows(self, buffer: np.ndarray) -> np.ndarray:
        self.sums += 1
        return np.stack(self.gather(buffer.copy()))

    def alike(self, seconds: float) -> bool:
        try:
            self.crew.failing.wait(timeout=seconds / 3)
        except threading.BrokenBarrierError:
            return False
        return True

    def end(self, error: BaseException) -> None:
        self.crew.ended.append(error)
        self.crew.barrier.abort()


def together(size: int, job: Callable[[Member], Any], raises: bool = True) -> list[Any]:
    """What a job gives to each of so many, or raises."""
    crew, found = Crew(size), [None] * size

    def work(rank: int) -> None:
        try:
            found[rank] = job(Member(rank, crew))
        except BaseException as error:
            found[rank] = error
            crew.barrier.abort()

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [
        one for one in found if isinstance(one, BaseException) and not isinstance(one, threading.BrokenBarrierError)
    ]
    if failed and raises:
        raise failed[0]
    return found
