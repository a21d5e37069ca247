"""Numbers as shares of the bins between edges."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from nnxp import random
from nnxp.backends import dtype_of, get_backend
from nnxp.doors.options import held, not_negative, positive
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.layers.columnwise import Columnwise
from nnxp.typing import Array, ArrayLike, HostArray

NARROWEST = 8
"""How many roundings of float32 a bin is wide at least."""


class PiecewiseLinearEmbedding(Columnwise):
    """t = (x - eₖ) / (eₖ₊₁ - eₖ), held within [0, 1], for each bin k between the edges of a column; x beside them.

    Without `width`, outputs are the other columns as they came, in order, then `columns`, held as below, in the order
    in which they are named, then the bins of the first of them, those of the second, ...; there are no parameters. With
    it, they are the other columns, and then `width` numbers for each of `columns`, y = (x, t) W + c: linear in x, and
    the slope changes at each edge.

    `beyond` holds x within so many widths of the outermost bins beyond the edges, in which the first t may fall below 0
    and the last rise above 1: what lies far outside the training's data counts as a value there. None holds nothing, as
    published: a prediction may then be as far outside as x. A column of one edge has no bins, and is that value.

    Backward: dt = dy Wᵀ, dW = (x, t)ᵀ dy, dc = Σᵢ dyᵢ, dx = Σₖ dtₖ / (eₖ₊₁ - eₖ) over those that are not held.

    Gorishniy et al. 2022 (arXiv:2203.05556), equation 1; with `width` version B of TabM's authors, Gorishniy et al.
    2024 (arXiv:2410.24210), whose weights of t are 0 at first.

    Parameters
    ----------
    n_in : int
        The number of inputs.
    edges : sequence of sequences of float
        For each of `columns`, its bins' edges, ascending; `of` finds them in the training's rows.
    width : int, optional
        How many numbers a column becomes; None gives the bins themselves.
    columns : sequence of int, optional
        Which inputs to work on; by default all.
    beyond : float or None
        How many bins' widths x may lie outside its edges, from 0 up.
    seed : int, optional
        For a layer on its own; a model gives its layers its own seed.
    trainable : bool
        False keeps the parameters as they are (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by, by the name of a parameter (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; with `width`, parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    weights : Array
        W, (columns, 1 + bins, width): x's are U(±1/√width) at first, those of t are 0. Of a column with fewer bins than
        the one with most, the last rows stay as they are.
    biases : Array
        c, (1, columns · width), U(±1/√width) at first.
    pieces : Array
        x and t of the last forward: as in the output without `width`, with it (n, columns · (1 + bins)), column by
        column.
    inputs, output, dinputs : Array
        (n, n_in), (n, n_out), (n, n_in).

    Examples
    --------
    >>> layer = PiecewiseLinearEmbedding(1, [[0.0, 1.0, 4.0]])
    >>> layer.forward([[0.5], [2.5], [-7.0]]).tolist()
    [[0.5, 0.5, 0.0], [2.5, 1.0, 0.5], [-2.0, -2.0, 0.0]]
    >>> PiecewiseLinearEmbedding.of([[1.0], [2.0], [3.0], [4.0], [5.0]], bins=2, width=16).edges
    [[1.0, 3.0, 5.0]]
    """

    parameters = ("weights", "biases")
    options = ("n_in", "edges", "width", "columns", "beyond", "factors")
    reads = ("inputs", "pieces")
    weights: Array
    biases: Array
    dweights: Array
    dbiases: Array
    pieces: Array

    def __init__(
        self,
        n_in: int,
        edges: Sequence[Sequence[float]],
        width: int | None = None,
        columns: Sequence[int] | None = None,
        beyond: float | None = 2.0,
        *,
        seed: int | None = None,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(n_in, columns, seed, trainable, factors, backend, dtype)
        self.edges = _edges(edges)
        if len(self.edges) != self.count:
            raise ValueError(f"got edges of {len(self.edges)} columns for {self.count}, expected some for each")
        self.width = None if width is None else positive("width", width)
        self.beyond = None if beyond is None else not_negative("beyond", beyond)
        if self.width is None:
            self.__dict__["parameters"] = ()  # this one has none

    @classmethod
    def of(
        cls,
        X: ArrayLike,
        bins: int = 48,
        width: int | None = None,
        columns: Sequence[int] | None = None,
        **options: Any,
    ) -> Self:
        """A layer for inputs like X, (n, n_in): the training's rows, and none of those that it is tested on.

        A column's edges are its `bins` + 1 quantiles, each value once, from its least to its greatest number. Edges
        less than 8 · 2⁻²³ of the column's largest magnitude apart are one: so much may be the rounding of float32, of
        values that are meant to be equal, and a prediction would change by bounds and leaps in a bin of that width. A
        column of no larger range has no bins.

        Parameters
        ----------
        X
            Numbers, all finite.
        bins : int
            How many bins a column has at most.
        width, columns, options
            As for the class.
        """
        host = get_backend(X).to_numpy(get_backend(X).asarray(X)).astype(np.float64) if hasattr(X, "dtype") else None
        host = np.asarray(X, dtype=np.float64) if host is None else host
        if host.ndim != 2 or not host.shape[0]:
            raise ValueError(f"got X of shape {host.shape}, expected (samples, features), and at least one sample")
        if not np.isfinite(host).all():
            raise ValueError("got X with NaN or infinity, expected finite numbers: fill or drop such rows first")
        own = range(host.shape[1]) if columns is None else columns
        shares = np.linspace(0, 1, positive("bins", bins) + 1)
        edges = [_apart(np.unique(np.quantile(host[:, c], shares))) for c in own]
        return cls(int(host.shape[1]), edges, width, columns, **options)

    @property
    def made(self) -> int:
        """`width` for each of its columns; without, one for each and one for each bin."""
        return sum(map(len, self.edges)) if self.width is None else self.count * self.width

    @property
    def sources(self) -> tuple[int, ...]:
        """The input that each output is of."""
        return super().sources if self.width is not None else (*self._others, *self._pieces[0])

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """The other columns, then x and its bins, or what is made of them, (n, n_out)."""
        self.inputs, n, fuse = inputs, inputs.shape[0], self.backend.fuse
        spread = self._spread(inputs, self._pieces[0], "pieces")
        self.pieces = made = fuse(formulas.piece, into=("x",))(spread, *self._rows(spread))
        if self.width is not None:
            out = self.take("numbers", (n, self.made))
            z = self.kernel("block_products")(self.pieces, self.weights, out=out)
            made = fuse(formulas.add_row, into=("z",))(z, self.biases)
        self.output = self._joined(inputs, made)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the parameters' gradients and `dinputs` from dy, (n, n_out)."""
        dt = self._split(dvalues, len(self._others), "dnumbers")
        if self.width is not None and self.needs_gradients:
            self.kernel("column_sums")(dt, out=self.gradient("biases"))
            self.kernel("block_dweights")(self.pieces, dt, self.weights, out=self.gradient("weights"))
        down = None
        if self.needs_dinputs:
            if self.width is not None:
                out = self.take("dpieces", tuple(self.pieces.shape))
                dt = self.kernel("block_dinputs")(dt, self.weights, out=out)
            _, *rows = self._rows(dt)
            dt = self.backend.fuse(formulas.piece_grad, into=("dy",))(self.pieces, dt, *rows)
            sums, out = self._constant("sums", self._sums, dtype_of(dt)), self.take("down", (dt.shape[0], self.count))
            down = self.kernel("matmul")(dt, sums, out=out)
        return self._dinputs(dvalues, down)

    @functools.cached_property
    def _pieces(self) -> tuple[tuple[int, ...], list[float], list[float], list[float], list[float]]:
        """Of each of the pieces its input, and start, slope, least and most of `formulas.piece`: with `width`, column
        by column, as many for each."""
        most = max(map(len, self.edges))
        columns = [_pieces_of(edges, self.beyond) for edges in self.edges]
        if self.width is None:
            placed = [(c, pieces[0]) for c, pieces in zip(self._own, columns, strict=True)]
            placed += [(c, piece) for c, pieces in zip(self._own, columns, strict=True) for piece in pieces[1:]]
        else:
            empty = [(0.0, 0.0, 0.0, 0.0)]
            columns = [pieces + empty * (most - len(pieces)) for pieces in columns]
            placed = [(c, piece) for c, pieces in zip(self._own, columns, strict=True) for piece in pieces]
        source, pieces = zip(*placed, strict=True)
        start, slope, low, high = (list(row) for row in zip(*pieces, strict=True))
        return source, start, slope, low, high

    @functools.cached_property
    def _sums(self) -> HostArray:
        """(pieces, columns): 1 where a piece is of a column."""
        return np.equal.outer(self._pieces[0], self._own)

    def _rows(self, like: Array) -> list[Array]:
        """`formulas.piece`'s start, slope, least and most of each piece, as rows."""
        named = zip(("start", "slope", "least", "most"), self._pieces[1:], strict=True)
        return [self._constant(name, [row], dtype_of(like)) for name, row in named]

    def _check_options(self, dtype: str) -> None:
        super()._check_options(dtype)
        held("edges", [edge for edges in self.edges for edge in edges], dtype)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(columns, 1 + bins, width) and (1, columns · width); none without `width`."""
        if self.width is None:
            return {}
        pieces = max(map(len, self.edges))
        return {"weights": (self.count, pieces, self.width), "biases": (1, self.made)}

    def _declared_shape(self, name: str) -> tuple[int, ...] | None:
        return self.parameter_shapes().get(name)

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """U(±1/√width); of t the weights are 0."""
        assert self.width is not None
        values = (2 * random.uniform(key, self.parameter_shapes()[name]) - 1) / math.sqrt(self.width)
        if name == "weights":
            values[:, 1:] = 0
        return values


def _pieces_of(edges: list[float], beyond: float | None) -> list[tuple[float, float, float, float]]:
    """Start, slope, least and most of x itself and of each bin."""
    widths = np.diff(edges).tolist()
    if beyond is None:
        low, high = -math.inf, math.inf
        itself = (0.0, 1.0, low, high)
    else:
        low, high = -beyond, 1 + beyond
        first, last = (widths[0], widths[-1]) if widths else (0.0, 0.0)
        itself = (0.0, 1.0, edges[0] - beyond * first, edges[-1] + beyond * last)
    end = len(widths) - 1
    return [itself] + [
        (edge, 1 / width, low if k == 0 else 0.0, high if k == end else 1.0)
        for k, (edge, width) in enumerate(zip(edges, widths, strict=False))
    ]


def _apart(values: HostArray) -> list[float]:
    """Ascending values without those that lie closer to the one before than `NARROWEST` roundings of float32; the last
    stays."""
    least = NARROWEST * 2.0**-23 * float(np.max(np.abs(values)))
    kept = [float(values[0])]
    for value in values[1:].tolist():
        if value - kept[-1] >= least:
            kept.append(value)
    if len(kept) > 1:
        kept[-1] = float(values[-1])
    return kept


def _edges(edges: Any) -> list[list[float]]:
    """Edges of each column, if they are finite numbers that ascend."""
    try:
        columns = [[float(edge) for edge in column] for column in edges]
    except (TypeError, ValueError):
        columns = []
    ascend = all(column and np.isfinite(column).all() and np.all(np.diff(column) > 0) for column in columns)
    if not columns or not ascend:
        raise ValueError(
            f"got edges={edges!r:.80}, expected for each column a list of finite numbers, each above the one before: "
            "PiecewiseLinearEmbedding.of(X) finds them"
        )
    return columns
