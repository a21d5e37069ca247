"""A fixed rescaling of the inputs, part of the model and of its file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnxp.backends import dtype_of
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.typing import Array, ArrayLike


class Rescaling(Layer):
    """y = x · scale + offset, with numbers that are not trained.

    `Rescaling(1 / 255)` takes bytes to [0, 1]; with one number a feature it standardises: scale = 1/σ,
    offset = -μ/σ.

    Parameters
    ----------
    scale, offset : float or sequence of float
        One number for all features, or one for each; in a model of several members, also a row of these for each of
        them.
    trainable : bool
        As on every layer; there is nothing to train.
    backend, dtype
        See `nnxp.get_backend`.

    Examples
    --------
    >>> Rescaling(scale=[0.5, 1.0], offset=-1.0).forward([[4.0, 4.0]]).tolist()
    [[1.0, 3.0]]
    """

    options = ("scale", "offset")
    reads = ()
    initializer_before = None

    def __init__(
        self,
        scale: float | Sequence[float] | Sequence[Sequence[float]],
        offset: float | Sequence[float] | Sequence[Sequence[float]] = 0.0,
        *,
        trainable: bool = True,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend, dtype, trainable)
        self.scale, self.offset = _numbers("scale", scale), _numbers("offset", offset)
        first = [value[0] if isinstance(value, tuple) else value for value in (self.scale, self.offset)]
        widths = {len(value) for value in first if isinstance(value, list)}
        if len(widths) > 1:
            raise ValueError(f"got scale and offset for {sorted(widths)} features, expected the same number for both")
        self.width = widths.pop() if widths else None
        self._rows: dict[tuple[str, str], tuple[Array, Array]] = {}

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """x · scale + offset."""
        self.inputs, self.output = inputs, self.rescaled(inputs, self.take("output", inputs.shape))
        return self.output

    def rescaled(self, x: Array, out: Array | None) -> Array:
        """x · scale + offset; bytes are cast on the way, where `out` says to what."""
        scale, offset = self._as_rows(x if out is None else out)
        return self.backend.fuse(formulas.rescale)(x, scale, offset, out=out)

    def backward(self, dvalues: ArrayLike) -> Array:
        """dy · scale."""
        scale, _ = self._as_rows(dvalues)
        out = self.take("dinputs", dvalues.shape)
        self.dinputs = self.backend.fuse(formulas.rescale_grad)(dvalues, scale, out=out)
        return self.dinputs

    def __getstate__(self) -> dict[str, Any]:
        """A copy, which may get other numbers, makes rows of its own."""
        return super().__getstate__() | {"_rows": {}}

    def output_width(self, n_in: int | None) -> int | None:
        """n_in; raises ValueError where there are numbers for another count of features."""
        if None not in (n_in, self.width) and n_in != self.width:
            raise ValueError(
                f"got {n_in} features a sample, expected {self.width}: this Rescaling has one number for each"
            )
        return self.width if n_in is None else n_in

    def of_members(self, members: int) -> dict[str, Any]:
        """What it is to several members side by side: its numbers a feature once for each, or each one's own."""
        made: dict[str, Any] = {"width": self.width and self.width * members, "_rows": {}}
        for name in ("scale", "offset"):
            if isinstance(value := getattr(self, name), list | tuple):
                each = value if isinstance(value, tuple) else [value] * members
                made[name] = [number for row in each for number in row]
        return made

    def _as_rows(self, like: Array) -> tuple[Any, Any]:
        """Scale and offset as floats, or as (1, m) arrays of `like`'s dtype, made once."""
        if self.width is None:
            return self.scale, self.offset
        for value in (self.scale, self.offset):
            if isinstance(value, tuple):
                raise ValueError(f"got numbers for each of {len(value)} members by itself, expected a model of several")
        place = (self.backend.name, dtype_of(like))
        if place not in self._rows:
            self._rows[place] = (self._as_row(self.scale, place[1]), self._as_row(self.offset, place[1]))
        return self._rows[place]

    def _as_row(self, value: Any, dtype: str) -> Any:
        return self.backend.asarray([value], dtype=dtype) if isinstance(value, list) else value


def _numbers(name: str, value: Any) -> float | list[float] | tuple[list[float], ...]:
    try:
        numbers = np.asarray(value)
    except ValueError:  # rows of unequal lengths
        numbers = np.empty(0, dtype=object)
    if numbers.dtype.kind not in "fiu" or numbers.ndim > 2 or not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"got {name}={value!r}, expected a finite number, or a sequence with one for each feature")
    if numbers.ndim == 2:
        return tuple(numbers.astype(float).tolist())
    return [float(number) for number in numbers] if numbers.ndim else float(numbers)
