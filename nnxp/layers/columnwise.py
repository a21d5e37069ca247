"""What the embeddings share: they work on some columns of their inputs and hand the others on."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nnxp.doors.options import positive
from nnxp.layers.base import Layer
from nnxp.typing import Array


class Constants(dict[Any, Array]):
    """Arrays that are made of a layer's options, by backend and dtype; made again in a copy, not copied."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Constants, ()


class Columnwise(Layer):
    """A layer of n_in inputs that works on `columns` of them, all by default, each for itself.

    Its outputs are the other columns as they came, in order, and then what it makes of its own.
    """

    options: ClassVar[tuple[str, ...]] = ("n_in", "columns", "factors")
    initializer_before = None

    def __init__(
        self,
        n_in: int,
        columns: Sequence[int] | None,
        seed: int | None,
        trainable: bool,
        factors: Mapping[str, float] | None,
        backend: Any,
        dtype: str | None,
    ) -> None:
        super().__init__(backend, dtype, trainable, factors)
        self.n_in, self.seed = positive("n_in", n_in), seed
        self.columns = None if columns is None else _places(columns, self.n_in)
        self._constants = Constants()

    # Lists of columns are made where they are used: a file may say any n_in.

    @functools.cached_property
    def _own(self) -> tuple[int, ...]:
        """The columns that it works on."""
        return tuple(range(self.n_in)) if self.columns is None else tuple(self.columns)

    @functools.cached_property
    def _others(self) -> tuple[int, ...]:
        """Those that it hands on."""
        return tuple(sorted({*range(self.n_in)} - {*self._own}))

    @functools.cached_property
    def _back(self) -> tuple[int, ...]:
        """Where each input is among the others and its own, one after the other."""
        return tuple(np.argsort((*self._others, *self._own)).tolist())

    @property
    def count(self) -> int:
        """How many columns it works on."""
        return self.n_in if self.columns is None else len(self.columns)

    @property
    def made(self) -> int:
        """How many outputs come of its own columns."""
        raise NotImplementedError

    @property
    def handed(self) -> tuple[int, ...]:
        """Which inputs the outputs begin with, as they came."""
        return self._others

    @property
    def sources(self) -> tuple[int, ...]:
        """The input that each output is of."""
        each = (self.n_out - len(self.handed)) // self.count
        return (*self.handed, *(c for c in self._own for _ in range(each)))

    @property
    def n_out(self) -> int:
        """The number of outputs: the other columns, and what is made of its own."""
        return self.n_in - self.count + self.made

    def output_width(self, n_in: int | None) -> int:
        """n_out; raises ValueError where the inputs are not n_in wide."""
        if n_in not in (None, self.n_in):
            raise ValueError(
                f"got {n_in} features a sample, expected {self.n_in}: this {type(self).__name__} has n_in={self.n_in}"
            )
        return self.n_out

    # --- forward and backward, but for the columns' own ---------------------------------------------

    def _gathered(self, x: Array, columns: tuple[int, ...], name: str) -> Array:
        """Those columns of x, (n, len(columns)): x itself where they are all of them in order."""
        return x if columns == _in_order(x.shape[1]) else self._spread(x, columns, name)

    def _spread(self, x: Array, columns: tuple[int, ...], name: str) -> Array:
        """Those columns of x, some of them more than once, in memory of its own."""
        index = self._constant(f"places of {name}", columns, "int64")
        out = self.take(name, (x.shape[0], len(columns)))
        return self.kernel("gather_columns")(x, index, out=out)

    def _joined(self, x: Array, *parts: Array) -> Array:
        """The output: x's other columns, then the parts."""
        if not self._others and len(parts) == 1:
            return parts[0]
        blocks = (self._gathered(x, self._others, "others"), *parts) if self._others else parts
        out, start = self._room("output", x, self.n_out), 0
        for block in blocks:
            out[:, start : start + block.shape[1]] = block
            start += block.shape[1]
        return out

    def _split(self, dvalues: Array, start: int, name: str) -> Array:
        """dy of the outputs from one on, a copy that may be written over."""
        part = self._room(name, dvalues, dvalues.shape[1] - start)
        part[...] = dvalues[:, start:]
        return part

    def _dinputs(self, dvalues: Array, down: Array | None) -> Array | None:
        """Sets and returns `dinputs`: dy of the other columns, and of its own what came down to them, (n, columns), or
        0."""
        if not self.needs_dinputs:
            self.__dict__.pop("dinputs", None)
            return None
        passed = len(self._others)
        parts = self._room("dinputs by parts", dvalues, self.n_in)
        parts[:, :passed] = dvalues[:, :passed]
        parts[:, passed:] = 0 if down is None else down
        self.dinputs = self._gathered(parts, self._back, "dinputs")
        return self.dinputs

    def _room(self, name: str, like: Array, width: int) -> Array:
        """Memory (n, width) of the dtype of an array of n rows."""
        shape = like.shape[0], width
        out = self.take(name, shape)
        if out is None:
            out = self.backend.xp.empty(shape, dtype=like.dtype, device=self.backend.device)
        return out

    def _constant(self, name: str, values: Any, dtype: str) -> Array:
        """An array of numbers that stay, made once for a backend and a dtype."""
        place = name, self.backend.name, dtype
        if place not in self._constants:
            self._constants[place] = self.backend.asarray(np.asarray(values), dtype=dtype)
        return self._constants[place]


@functools.lru_cache(64)
def _in_order(n: int) -> tuple[int, ...]:
    return tuple(range(n))


def _places(columns: Any, n_in: int) -> list[int]:
    """Indices of columns, if they are whole numbers from 0 up to n_in - 1, each once."""
    places = columns if isinstance(columns, list | tuple | range | np.ndarray) else None
    whole = places is not None and all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in places)
    if places is None or not whole or not len(places) or not all(0 <= c < n_in for c in places):
        raise ValueError(
            f"got columns={columns!r:.80}, expected indices of the inputs' columns, from 0 to {n_in - 1}: at least "
            "one, or None for all"
        )
    if len({*places}) < len(places):
        raise ValueError(f"got columns={columns!r:.80}, expected each of them once")
    return [int(c) for c in places]
