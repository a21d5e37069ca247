"""Products of blocks of columns, and a table's rows by codes: the named kernels of `embedding.cu`, and for wide blocks
cuBLAS, all blocks in one launch as well. No sum depends on the order of threads."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.kernels.cuda.launch import LARGEST_GRID
from nnxp.kernels.cuda.products import Part, blockwise
from nnxp.kernels.reference import reference
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel, Namespace

THREADS = 256
NARROW = 16
"""Blocks of fewer rows or columns would leave most of a tile of cuBLAS's empty. (By its tiles; no GPU was measured.)"""


def embedding_kernels(
    cupy: Any, xp: Namespace, launcher: Callable[[str, str, str], Any], kind_of: Callable[..., str | None]
) -> dict[str, Kernel]:
    """The table for the package `cupy`, whose standard namespace is `xp`; `launcher` gives a file's kernel for a type,
    `kind_of` the type of contiguous arrays."""
    plain, by_cublas = reference(xp), functools.cache(blockwise)

    def launch(name: str, kind: str, count: int, *arguments: Any, threads: int = THREADS) -> None:
        """`count` threads' work, or, of one thread less, blocks'."""
        if count:
            launcher("embedding", name, kind)((min(-(-count // threads), LARGEST_GRID[0]),), (THREADS,), *arguments)

    def room(out: Array, shape: tuple[int, ...], kind: Any) -> Array:
        return cupy.empty(shape, kind) if out is None else out

    def blocks(x: Array, d: int) -> int:
        """The columns of each of d blocks; 0 where there are no d blocks of equal width."""
        return x.shape[1] // d if x.ndim == 2 and x.shape[1] % d == 0 else 0

    def lying(w: Array) -> Part:
        """How matrices, (d, h, k), lie in memory: one after the other, or side by side, as (h, d, k)."""
        d, h, k = w.shape
        return Part(w, k, h * k) if w.flags.c_contiguous else Part(w.transpose(1, 0, 2), d * k, k)

    def wide(n: int, h: int, k: int) -> bool:
        """Whether n rows of blocks (h, k) are cuBLAS's work."""
        return n > 0 and min(h, k) >= NARROW

    def block_products(x: Array, w: Array, out: Array = None) -> Array:
        """xⱼ wⱼ side by side, (n, d k), for x (n, d h) and w (d, h, k)."""
        (d, h, k), n, part = w.shape, x.shape[0], lying(w)
        kind, shape = kind_of(x, part.array, out), (n, d * k)
        if kind is None or blocks(x, d) != h or (out is not None and out.shape != shape):
            return plain["block_products"](x, w, out=out)
        out = room(out, shape, x.dtype)
        if not (wide(n, h, k) and by_cublas()(d, (n, h, k), Part(x, d * h, h), part, Part(out, d * k, k))):
            launch("block_products", kind, out.size, x, part.array, out, n, d, h, k, *part[1:])
        return out

    def block_dinputs(dy: Array, w: Array, out: Array = None) -> Array:
        """dyⱼ wⱼᵀ side by side, (n, d h): the gradient of x in `block_products`."""
        (d, h, k), n, part = w.shape, dy.shape[0], lying(w)
        kind, shape = kind_of(dy, part.array, out), (n, d * h)
        if kind is None or blocks(dy, d) != k or (out is not None and out.shape != shape):
            return plain["block_dinputs"](dy, w, out=out)
        out = room(out, shape, dy.dtype)
        parts = Part(dy, d * k, k), part, Part(out, d * h, h)
        if not (wide(n, h, k) and by_cublas()(d, (n, k, h), *parts, (False, True))):
            launch("block_dinputs", kind, out.size, dy, part.array, out, n, d, h, k, *part[1:])
        return out

    def block_dweights(x: Array, dy: Array, like: Array, out: Array = None) -> Array:
        """xⱼᵀ dyⱼ, (d, h, k): the gradient of w in `block_products`."""
        (d, h, k), part = like.shape, None if out is None else lying(out)
        kind = kind_of(x, dy, part and part.array)
        fits = blocks(x, d) == h and blocks(dy, d) == k and len(x) == len(dy)
        if kind is None or not fits or (out is not None and out.shape != like.shape):
            return plain["block_dweights"](x, dy, like, out=out)
        out, n = room(out, like.shape, x.dtype), len(x)
        part = part or lying(out)
        if not (
            wide(n, h, k) and by_cublas()(d, (h, n, k), Part(x, d * h, h), Part(dy, d * k, k), part, (True, False))
        ):
            launch("block_dweights", kind, out.size, x, dy, part.array, n, d, h, k, *part[1:], threads=1)
        return out

    def table_rows(codes: Array, sizes: Array, first: Array, out: Array = None) -> Array:
        """firstⱼ + the whole number next to codesᵢⱼ, int64, where that is from 0 to sizesⱼ - 1; else -1."""
        kind = kind_of(codes, sizes)
        if kind is None or not whole(first, out) or codes.shape[1:] != sizes.shape or sizes.shape != first.shape:
            return plain["table_rows"](codes, sizes, first, out=out)
        out = room(out, codes.shape, "int64")
        launch("table_rows", kind, out.size, codes, sizes, first, out, *codes.shape)
        return out

    def embedded(table: Array, rows: Array, out: Array = None) -> Array:
        """The table's rows side by side, (n, d k), for rows (n, d) and a table (R, k); NaN for row -1."""
        (n, d), k, kind = rows.shape, table.shape[1], kind_of(table, out)
        if kind is None or not whole(rows) or (out is not None and out.shape != (n, d * k)):
            return plain["embedded"](table, rows, out=out)
        out = room(out, (n, d * k), table.dtype)
        launch("embedded", kind, out.size, table, rows, out, n * d, k)
        return out

    def embedded_grad(dy: Array, rows: Array, first: Array, like: Array, out: Array = None) -> Array:
        """The sum of dy over the places that each row of the table was taken to, by rows of the batch; nothing for
        -1."""
        (n, d), (count, k), kind = rows.shape, like.shape, kind_of(dy, out)
        fits = whole(rows, first) and dy.shape == (n, d * k) and first.shape == (d,)
        if kind is None or not fits or (out is not None and out.shape != like.shape):
            return plain["embedded_grad"](dy, rows, first, like, out=out)
        out = room(out, like.shape, dy.dtype)
        launch("embedded_grad", kind, out.size, dy, rows, first, out, n, d, k, count)
        return out

    def whole(*arrays: Array) -> bool:
        """Whether arrays, those to be made aside, are contiguous and of int64."""
        return all(a is None or (a.dtype == np.int64 and a.flags.c_contiguous) for a in arrays)

    return table(block_products, block_dinputs, block_dweights, table_rows, embedded, embedded_grad)
