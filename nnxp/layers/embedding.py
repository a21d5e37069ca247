"""Codes of categories as trained vectors."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from nnxp import random
from nnxp.backends import Backend, dtype_of
from nnxp.doors.arrays import blocks
from nnxp.doors.options import positive
from nnxp.layers.base import Layer
from nnxp.layers.columnwise import Columnwise
from nnxp.typing import Array, ArrayLike, HostArray


class Embedding(Columnwise):
    """y = W[first + code]: each column of codes becomes `width` numbers, a row of its own part of a table.

    Outputs: the other columns as they came, in order, then `width` numbers for each of `columns`, in the order in which
    they are named. Backward: dW[r] is the sum of dy over the places that took row r, 0 for the other rows; dx of a code
    is 0, of the other columns dy.

    Codes are whole numbers from 0 up to its size - 1, in columns of floats: float32 holds them to 2²⁴. `fit`,
    `evaluate` and a layer called by hand look at all of them once and refuse others, in the layers that a model begins
    with, and in a `Residual` there. Elsewhere, in `predict` say, a code counts as the whole number next to it, and one
    out of range as unknown to all: it gives NaN and no gradient. The same batch gives the same bits, on a GPU too.

    Parameters
    ----------
    n_in : int
        The number of inputs.
    sizes : sequence of int
        How many codes each of `columns` has, missing and unknown ones, often 0, among them: the values of
        `nnxp.tabular.Encoder(categories="codes").codes`, say.
    width : int
        How many numbers a code becomes.
    columns : sequence of int, optional
        Which inputs are codes; by default all.
    seed : int, optional
        For a layer on its own; a model gives its layers its own seed.
    trainable : bool
        False keeps the table as it is (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by, by the name of a parameter (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    weights : Array
        W, (Σ sizes, width), N(0, 1) at first: the rows of the first of `columns`, then those of the second, ...
    rows : Array
        The row that each code took in the last forward, (n, columns), int64; -1 for none.
    inputs, output, dinputs : Array
        (n, n_in), (n, n_in + columns · (width - 1)), (n, n_in).

    Raises
    ------
    ValueError
        At `forward` by hand, and in `fit`: a code that is not whole, or not below its size.

    Examples
    --------
    >>> layer = Embedding(3, sizes=[2, 3], width=1, columns=[0, 2])
    >>> layer.weights = [[10.0], [11.0], [20.0], [21.0], [22.0]]
    >>> layer.forward([[1.0, 0.5, 2.0], [0.0, 1.5, 2.0]]).tolist()
    [[0.5, 11.0, 22.0], [1.5, 10.0, 22.0]]
    >>> layer.backward([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).tolist()
    [[0.0, 1.0, 0.0], [0.0, 4.0, 0.0]]
    >>> layer.dweights.tolist()
    [[5.0], [2.0], [0.0], [0.0], [9.0]]
    """

    parameters = ("weights",)
    options = ("n_in", "sizes", "width", "columns", "factors")
    reads = ("inputs", "rows")
    weights: Array
    dweights: Array
    rows: Array

    def __init__(
        self,
        n_in: int,
        sizes: Iterable[int],
        width: int = 8,
        columns: Sequence[int] | None = None,
        *,
        seed: int | None = None,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(n_in, columns, seed, trainable, factors, backend, dtype)
        if isinstance(sizes, str) or not isinstance(sizes, Iterable):
            raise ValueError(f"got sizes={sizes!r}, expected how many codes each column has: [3, 12], say")
        self.sizes, self.width = [positive("sizes", size) for size in sizes], positive("width", width)
        if len(self.sizes) != self.count:
            raise ValueError(f"got {len(self.sizes)} sizes for {self.count} columns of codes, expected one for each")
        if max(self.sizes) > 2**24:
            raise ValueError(f"got sizes={self.sizes}, expected at most 2**24 = 16777216, which float32 counts up to")

    @property
    def made(self) -> int:
        """`width` for each of its columns."""
        return self.count * self.width

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """The other columns, then W's rows side by side, (n, n_out)."""
        self.inputs, places = inputs, (inputs.shape[0], self.count)
        codes = self._gathered(inputs, self._own, "codes")
        sizes = self._constant("sizes", self.sizes, dtype_of(codes))
        out = self.take("rows", places, "int64")
        self.rows = self.kernel("table_rows")(codes, sizes, self._first(), out=out)
        out = self.take("vectors", (places[0], self.made))
        self.output = self._joined(inputs, self.kernel("embedded")(self.weights, self.rows, out=out))
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets `dweights` and `dinputs` from dy, (n, n_out)."""
        if self.needs_gradients:
            dy = self._split(dvalues, len(self._others), "dvectors") if self._others else dvalues
            out = self.gradient("weights")
            self.kernel("embedded_grad")(dy, self.rows, self._first(), self.weights, out=out)
        return self._dinputs(dvalues, None)

    @functools.cached_property
    def _begins(self) -> list[int]:
        return [0, *accumulate(self.sizes)][:-1]

    def _first(self) -> Array:
        """Where each column's part of the table begins."""
        return self._constant("first", self._begins, "int64")

    def _matrix(self, x: ArrayLike, name: str = "inputs") -> Array:
        """`Layer`'s; codes that come in by hand are looked at."""
        x = super()._matrix(x, name)
        if name == "inputs" and self.moment is None and x.shape[1] == self.n_in:
            self.check(self.backend, x, self._own)
        return x

    def check(self, backend: Backend, x: Array, columns: Sequence[int | None], name: str = "inputs") -> None:
        """Raises ValueError where a code in those columns of x, an array of the backend or on the host, is not whole or
        not below its size. None stands for a column that is not of x."""
        xp: Any = np if isinstance(x, np.ndarray) else backend.xp
        for column, size in zip(columns, self.sizes, strict=True):
            for rows in blocks(x) if column is not None else ():
                codes = x[rows, column]
                good = xp.logical_and(xp.logical_and(codes >= 0, codes < size), xp.round(codes) == codes)
                if not bool(xp.all(good)):
                    row = int(xp.argmin(xp.astype(good, xp.int8)))
                    raise ValueError(
                        f"got {name} with {float(codes[row]):g} as a code at row {rows.start + row}, column {column}, "
                        f"expected a whole number from 0 to {size - 1}: 0 is for what is missing or unknown, as "
                        'Encoder(categories="codes") makes it; sizes= says how many codes there are'
                    )

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(Σ sizes, width)."""
        return {"weights": (sum(self.sizes), self.width)}

    def _declared_shape(self, name: str) -> tuple[int, ...]:
        return self.parameter_shapes()[name]

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """N(0, 1)."""
        return random.normal(key, self.parameter_shapes()[name])
