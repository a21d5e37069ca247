"""How many threads BLAS spreads NumPy's matrix products over, which is one setting for the process.

A product that is spread over threads ends when the last of them does. A small one gains little by that where every
core is free, and where another program has one, it waits until the system gives that thread its turn, which takes
longer than the product. So what a plan computes runs on one thread where its products are small: decided by sizes and
never by a clock, since one thread and two round their sums differently, and runs are to repeat.

The copies of BLAS that are set are NumPy's, and SciPy's, in which L-BFGS does its own arithmetic; never one that
another package brings, PyTorch's say, and never OpenMP's threads. Who has said how many threads there are is obeyed:
by a variable of the environment, or a limit that is active. Models that train at once, in threads of Python, share the
setting: while one of them is on one thread, all are.
"""

import functools
import itertools
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from nnxp.backends.record import Backend

SMALL = 2**27
"""From so many multiply-adds on, a matrix product may be spread over threads."""
VARIABLES = (
    "BLIS_NUM_THREADS", "GOTO_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""By which a user says how many threads there are."""
AS_IT_IS = nullcontext()


class Copy(NamedTuple):
    """A copy of BLAS: how its number of threads is read and written, and what it was when the copy was found."""

    read: Callable[[], int]
    write: Callable[[int], Any]
    most: int


class Blas:
    """The copies of BLAS that a process has loaded, and who computes on one thread of them.

    Parameters
    ----------
    find
        Gives the copies by their files, NumPy's first.
    variable
        By which the user has decided, if any: then nothing is looked for.

    Attributes
    ----------
    inside : set
        Who computes on one thread.
    lowered : list
        What puts back what was there, when nobody does.
    looking : Threads
        Those of whoever looks through values, one for all: nothing that is computed there depends on them.
    """

    def __init__(self, find: Callable[[], dict[str, Copy]], variable: str = "") -> None:
        self._find, self._variable = find, variable
        self.copies: dict[str, Copy] = {}
        self.lock, self.inside = threading.Lock(), set[object]()
        self.lowered: list[tuple[Callable[[int], Any], int]] = []
        self.look()
        self.looking = Threads(self, 0)

    def look(self) -> None:
        """Finds the copies that have been loaded since."""
        with self.lock:
            self.copies = {} if self._variable else self._find() | self.copies

    @contextmanager
    def shared(self, processes: int) -> Iterator[None]:
        """Inside, it has no more threads than the machine has cores for each of so many processes."""
        most, before = max(1, (os.cpu_count() or 1) // processes), self.copies
        with self.lock:
            lowered = [(write, threads) for read, write, _ in before.values() if (threads := read()) > most]
            self.copies = {path: copy._replace(most=min(copy.most, most)) for path, copy in before.items()}
            for write, _ in lowered:
                write(most)
        try:
            yield
        finally:
            with self.lock:
                self.copies = before
                for write, threads in lowered:
                    write(threads)

    def words(self, small: str) -> str:
        """What is chosen, where `small` says what is few enough for one thread."""
        if self._variable:
            return f"left alone, since {self._variable} is set"
        if not self.copies:
            return "left alone, since it has none that can be set"
        with self.lock:
            read, write, most = next(iter(self.copies.values()))
            threads = next((before for lowered, before in self.lowered if lowered is write), None) or read()
        if threads < most:
            return f"left alone, limited to {threads} of {most}"
        return f"1 for {small}, else {threads}" if threads > 1 else "1"


def of_process() -> Blas:
    """The process's own, made at the first plan."""
    with _MAKING:  # once: of two, neither would know who is inside the other
        return _made()


@functools.cache
def _made() -> Blas:
    return Blas(_loaded, next((name for name in VARIABLES if name in os.environ), ""))


_MAKING = threading.Lock()


class Threads:
    """The threads of one plan: `with threads(rows):` is on one, where its products of so many rows are small.

    Who enters first lowers the threads to one, who leaves last puts back what was there. A copy of BLAS that has fewer
    than when it was found is limited by somebody, and is left alone.

    Parameters
    ----------
    blas
        What is lowered; None on other backends than NumPy.
    size
        n_in · n_out of the largest layer: of n rows, its forward, dW and dx take n · n_in · n_out multiply-adds each.
    """

    def __init__(self, blas: Blas | None, size: int) -> None:
        self.blas, self.size = blas, size

    def __call__(self, rows: float) -> AbstractContextManager[None]:
        """For what is computed of so many rows at once."""
        blas = self.blas
        return self if blas is not None and blas.copies and rows * self.size < SMALL else AS_IT_IS

    def __enter__(self) -> None:
        blas = self.blas
        assert blas is not None
        try:
            with blas.lock:
                blas.inside.add(self)
                if not blas.lowered:
                    for read, write, most in blas.copies.values():
                        threads = read()
                        if threads > 1 and threads >= most:
                            blas.lowered.append((write, threads))  # before it is: what is known can be put back
                            write(1)
        except BaseException:  # an interrupt: who has not entered is not asked to leave
            self.leave()
            raise

    def leave(self, *raised: object) -> None:
        """Ends what `with` began; again, where an interrupt may have ended that."""
        blas = self.blas
        if blas is not None:
            with blas.lock:
                blas.inside.discard(self)
                if not blas.inside:
                    for write, threads in blas.lowered:
                        write(threads)
                    blas.lowered.clear()

    __exit__ = leave

    def look(self) -> None:
        """Finds the copies that have been loaded since."""
        if self.blas is not None:
            self.blas.look()

    def lines(self) -> list[str]:
        """What is chosen, in words."""
        rows = -(-SMALL // max(self.size, 1))
        return [] if self.blas is None else [f"BLAS's threads: {self.blas.words(f'fewer than {rows:,} rows')}"]


def threads_of(backend: Backend, size: int) -> Threads:
    """A plan's threads; of other libraries' nothing is set."""
    return Threads(of_process() if backend.library == "numpy" else None, size)


def shared_by(backend: Backend, processes: int) -> AbstractContextManager[None]:
    """So many processes of one machine share its cores: where there are several, each takes its part."""
    return of_process().shared(processes) if backend.library == "numpy" and processes > 1 else AS_IT_IS


def for_a_look(backend: Backend) -> AbstractContextManager[None]:
    """What looks through the values that come in: one thread, since a sum is as fast as memory."""
    return of_process().looking(1) if backend.library == "numpy" else AS_IT_IS


def _loaded() -> dict[str, Copy]:
    """The copies of BLAS that are NumPy's or SciPy's own, or no package's, by their files."""
    from pathlib import Path  # late: it loads what a first model has no use for

    from threadpoolctl import ThreadpoolController

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are two OpenMPs, of which none is set here
        libraries: list[Any] = ThreadpoolController().lib_controllers
    packages = Path(np.__path__[0]).resolve().parent
    found: dict[str, dict[str, Copy]] = {"numpy": {}, "": {}, "scipy": {}}
    for library in libraries:
        path = Path(library.filepath).resolve()
        package = path.relative_to(packages).parts[0] if path.is_relative_to(packages) else ""
        place = found.get(package.removesuffix(".libs"))
        per_thread = library.internal_api == "openblas" and library.threading_layer == "openmp"
        if library.user_api == "blas" and place is not None and not per_thread:
            read, write = _functions(library)
            place[str(path)] = Copy(read, write, read())
    return {path: copy for place in found.values() for path, copy in place.items()}


def _functions(library: Any) -> tuple[Callable[[], int], Callable[[int], Any]]:
    """What reads and what writes the number of threads. Of OpenBLAS its own functions: threadpoolctl's look them up at
    each call, and from 3.8 on do nothing in all of Python's threads but the one that was first to call them."""
    if library.internal_api == "openblas":
        for before, after in itertools.product(("", "scipy_"), ("", "64_", "_64")):
            read = getattr(library.dynlib, f"{before}openblas_get_num_threads{after}", None)
            if read is not None:
                return read, getattr(library.dynlib, f"{before}openblas_set_num_threads{after}")
    return library.get_num_threads, library.set_num_threads
