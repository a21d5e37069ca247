"""The doors around the two methods of a layer, those of a user's own class too."""

import functools
from collections.abc import Callable
from typing import Any

from nnxp.backends import dtype_of
from nnxp.typing import Array, ArrayLike


def forward_door(forward: Callable[..., Array], run: Callable[..., Array]) -> Callable[..., Array]:
    """A layer's `forward` as a user calls it: `run` is the same, with `training` in its place."""

    @functools.wraps(forward)
    def door(self: Any, inputs: ArrayLike, training: bool = False) -> Array:
        x = self._matrix(inputs)
        self.output_width(x.shape[1])
        with self.backend.context():
            return self._forwarded(x, run(self, x, training))

    # A class's own says what `training` is without being told.
    door.__defaults__ = (forward.__defaults__ or (False,))[-1:]  # type: ignore[attr-defined]  # it is a function
    return door


def backward_door(backward: Callable[..., Array]) -> Callable[..., Array]:
    """A layer's `backward` as a user calls it: `dvalues`, and what it reads, are looked at first."""

    @functools.wraps(backward)
    def door(self: Any, dvalues: ArrayLike) -> Array | None:
        dvalues = self._matrix(dvalues, "dvalues")
        for name in self.reads:
            value = getattr(self, name)
            if not self.backend.owns(value) or value.ndim != 2:
                setattr(self, name, self._matrix(value, name))
        for name in self.reads[:1]:  # a gradient has the dtype of what it is the gradient of
            dvalues = self.backend.asarray(dvalues, dtype=dtype_of(getattr(self, name)))
        rows = [getattr(self, name).shape[0] for name in self.reads]
        if any(n != dvalues.shape[0] for n in rows):
            raise ValueError(
                f"got dvalues with {dvalues.shape[0]} rows, expected {rows[0]}, as many as the last forward had"
            )
        with self.backend.context():
            return self._backwarded(backward(self, dvalues))

    return door


def no_array(layer: object, method: str, attribute: str) -> ValueError:
    """What a layer's method that returns None ends in."""
    return ValueError(
        f"got None from {type(layer).__name__}.{method}, expected an array: end it with `return self.{attribute}`"
    )
