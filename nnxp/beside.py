"""Work done beside other work, where threads can be started: in WebAssembly none can."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any


class AtOnce(Executor):
    """Does what it is given where it is given it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **keywords: Any) -> "Future[Any]":
        """Its result, or what it raised, to be asked for later."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **keywords))
        except Exception as error:
            done.set_exception(error)
        return done


def has_threads() -> bool:
    """Whether a thread can be started now."""
    probe = threading.Thread(target=int)
    try:
        probe.start()
    except RuntimeError:
        return False
    probe.join()
    return True


def workers(most: int) -> Executor:
    """So many threads, or none where none can be started.

    Examples
    --------
    >>> with workers(2) as pool:
    ...     list(pool.map(abs, [-1, 2]))
    [1, 2]
    """
    return ThreadPoolExecutor(most) if has_threads() else AtOnce()
