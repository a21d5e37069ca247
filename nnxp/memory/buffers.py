"""The memory that a training step writes into, used again from step to step."""

from typing import Any

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
        self._whole: dict[tuple[int, str], Array] = {}
        self._parts: dict[tuple[int, str, tuple[int, ...]], Array] = {}
        self._shaped: dict[tuple[int, tuple[int, ...]], Array] = {}
        self._own: dict[int, list[Array]] = {}  # each part by its identity, and its transpose once that was asked for

    def take(self, owner: object, name: str, shape: tuple[int, ...], dtype: Any = None) -> Array | None:
        """The array that `owner` writes its `name` of this shape into, or None for a new one. `dtype` is a name, or one
        of the library's own."""
        if self._backend is None:
            return None
        part = self._parts.get((id(owner), name, shape))
        return self._part(id(owner), name, tuple(shape), dtype) if part is None else part

    def handed_out(self, x: Array) -> bool:
        """Whether x is an array that `take` gives: the same at every step of a size."""
        return id(x) in self._own

    def transposed(self, x: Array) -> Array:
        """xᵀ; of an array that was handed out, the same object each time, so that a kernel knows it again."""
        own = self._own.get(id(x))
        if own is None:
            return x.T
        if len(own) == 1:
            own.append(x.T)
        return own[1]

    def reshaped(self, x: Array, shape: tuple[int, ...]) -> Array:
        """x in another shape, likewise."""
        assert self._backend is not None
        if id(x) not in self._own:
            return self._backend.xp.reshape(x, shape)
        place = id(x), shape
        view = self._shaped.get(place)
        if view is None:
            view = self._shaped[place] = self._backend.xp.reshape(x, shape)
            self._own[id(view)] = [view]
        return view

    def _part(self, owner: int, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        """The leading slice of an array that may have to be made, or made longer."""
        assert self._backend is not None
        whole = self._whole.get((owner, name))
        if whole is None or tuple(whole.shape[1:]) != shape[1:] or whole.shape[0] < shape[0]:
            xp, dtype = self._backend.xp, dtype or self._dtype
            dtype = getattr(xp, dtype) if isinstance(dtype, str) else dtype
            whole = xp.empty(shape, dtype=dtype, device=self._backend.device)
            self._whole[owner, name] = whole
            self._parts = {place: part for place, part in self._parts.items() if place[:2] != (owner, name)}
            self._own, self._shaped = {id(part): [part] for part in self._parts.values()}, {}
        part = whole if whole.shape[0] == shape[0] else whole[: shape[0], ...]
        self._parts[owner, name, shape], self._own[id(part)] = part, [part]
        return part
