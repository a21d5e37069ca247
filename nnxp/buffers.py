"""The memory that a training step writes into, used again from step to step."""

from nnxp.backends import Backend
from nnxp.typing import Array


class Buffers:
    """Hands out arrays to write results into.

    Unbound (no backend), it hands out None, and a kernel then makes a new array, so that earlier outputs
    stay valid. Bound, it hands out the same memory each time, sized for the largest batch seen; a shorter
    batch gets a leading slice.
    """

    def __init__(self, backend: Backend | None = None, dtype: str = "float32") -> None:
        self._backend, self._dtype = backend, dtype
        self._arrays: dict[tuple[int, str], Array] = {}

    def take(self, owner: object, name: str, shape: tuple[int, ...]) -> Array | None:
        """The array that `owner` writes its `name` of this shape into, or None for a new one."""
        if self._backend is None:
            return None
        place = (id(owner), name)
        array = self._arrays.get(place)
        if array is None or tuple(array.shape[1:]) != tuple(shape[1:]) or array.shape[0] < shape[0]:
            xp = self._backend.xp
            array = xp.empty(shape, dtype=getattr(xp, self._dtype), device=self._backend.device)
            self._arrays[place] = array
        return array if array.shape[0] == shape[0] else array[: shape[0], ...]
