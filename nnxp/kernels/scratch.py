"""Small vectors that a kernel computes in, one set a thread, used again from call to call."""

import threading
from collections.abc import Callable
from typing import Any

from nnxp.typing import Array


class Scratch(threading.local):
    """Vectors by name, each sized for the longest that was asked for; `make(n, *kind)` makes one."""

    def __init__(self, make: Callable[..., Array]) -> None:
        self._make = make
        self._whole: dict[tuple[Any, ...], Array] = {}

    def take(self, name: str, n: int, *kind: Any) -> Array:
        """A vector (n,) of that kind (dtype, device), whatever it last held."""
        place = (name, *kind)
        whole = self._whole.get(place)
        if whole is None or whole.shape[0] < n:
            whole = self._whole[place] = self._make(n, *kind)
        return whole if whole.shape[0] == n else whole[:n]
