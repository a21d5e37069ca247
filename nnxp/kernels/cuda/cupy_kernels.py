"""The named kernels of CuPy: those of the `.cu` files, each in one launch."""

import functools
from typing import Any

import numpy as np

from nnxp.kernels import formulas
from nnxp.kernels.cuda.embedding_kernels import embedding_kernels
from nnxp.kernels.cuda.fusion import BLOCKS, shared, sums_grid
from nnxp.kernels.cuda.launch import (
    COLUMNS,
    LARGEST_GRID,
    OPTIONS,
    ROWS,
    Launcher,
    kernel_source,
    memory_of,
    workspace,
)
from nnxp.kernels.cuda.products import gemm
from nnxp.kernels.cuda.source import C_TYPES, dropout
from nnxp.kernels.graph import trace
from nnxp.kernels.reference import reference
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel, Namespace

KINDS = {np.dtype("float32"): "float32", np.dtype("float64"): "float64"}
SMALLEST_NORMAL = {kind: float(np.finfo(kind).smallest_normal) for kind in KINDS.values()}
THREADS = 256
"""The largest block of threads that adds something up."""
SHARE = 8 * THREADS
"""Elements a block of a sum over everything, as long as there are fewer than `BLOCKS` blocks."""


@functools.cache
def launcher(file: str, name: str, kind: str, **types: str | int) -> Launcher:
    """The kernel of a file for arrays of a type."""
    return Launcher(kernel_source(file, T=C_TYPES[kind], **types), f"nnxp_{name}")


def cupy_kernels(cupy: Any, xp: Namespace) -> dict[str, Kernel]:
    """The table for the package `cupy`, whose standard namespace is `xp`. What a kernel does not take, the reference
    does: arrays that are not contiguous, or of another type than float32 and float64."""
    plain, product = reference(xp), functools.cache(gemm)

    def kind_of(*arrays: Array) -> str | None:
        """The type of contiguous arrays that are all "float32" or all "float64"; those to be made are None."""
        kind = None
        for x in arrays:
            if x is not None:
                known = memory_of(x)
                if known is None or (kind is not None and known.dtype != kind):
                    return None
                kind = known.dtype
        return KINDS.get(kind)

    def matmul(a: Array, b: Array, out: Array = None) -> Array:
        """a b, the matrix product: of two dimensions by cuBLAS itself where that can be, else by CuPy."""
        if out is None or not a.ndim == b.ndim == out.ndim == 2:
            return cupy.matmul(a, b, out=out)
        return out if product()(a, b, out) else a.dot(b, out)

    def column_sums(a: Array, out: Array = None) -> Array:
        """Σᵢ aᵢⱼ, shape (1, m)."""
        kind = kind_of(a, out)
        if kind is None or a.ndim != 2 or shape_of(out, (1, a.shape[1])) != (1, a.shape[1]):
            return plain["column_sums"](a, out=out)
        n, m = a.shape
        out = cupy.empty((1, m), a.dtype) if out is None else out
        if m:
            launch = launcher("column_sums", "column_sums", kind)
            launch(sums_grid(n, m), (COLUMNS, ROWS), a, out, *shared(kind, n, m), n, m)
        return out

    def total(name: str, a: Array, *numbers: float, before: tuple[Array, ...] = (), out: Array = None) -> Array:
        """A sum over all of a, 0-d."""
        if kind_of(*before, a, out) is None or any(shape_of(x, ()) for x in (*before, out)):
            return plain[name](*before, a, *numbers, out=out)
        out = cupy.empty((), a.dtype) if out is None else out
        over_all(name, *before, a, out, numbers=numbers)
        return out

    def over_all(name: str, *arrays: Array, numbers: tuple[float, ...] = ()) -> None:
        """A kernel of `sums.cu` over all elements of the last array but one, and into the last."""
        kind, n = KINDS[arrays[-2].dtype], arrays[-2].size
        blocks = max(1, min(-(-n // SHARE), BLOCKS))
        common = (None, None) if blocks == 1 else workspace.take(kind, blocks, 1)
        launcher("sums", name, kind)((blocks,), (THREADS,), *arrays, *common, n, *numbers)

    def squared_norm(a: Array, out: Array = None) -> Array:
        """Σ a², 0-d."""
        return total("squared_norm", a, out=out)

    def absolute_sum(a: Array, out: Array = None) -> Array:
        """Σ |a|, 0-d."""
        return total("absolute_sum", a, out=out)

    def clip_parts(a: Array, bound: float, out: Any = None) -> Any:
        """u, s = Σ (a / u)² and `formulas.norm_factor`, 0-d each: two launches."""
        if kind_of(a, *(out or ())) is None or not a.size or any(x.shape for x in out or ()):
            return plain["clip_parts"](a, bound, out=out)
        unit, squares, factor = out = out or tuple(cupy.empty((), a.dtype) for _ in range(3))
        over_all("norm_unit", a, unit, numbers=(SMALLEST_NORMAL[KINDS[a.dtype]], *formulas.SQUARED_AS_THEY_ARE))
        over_all("clip_factor", unit, factor, a, squares, numbers=(bound,))
        return out

    def add_penalty(loss: Array, w: Array, l1: float, l2: float, out: Array = None) -> Array:
        """loss + l1 Σ|w| + l2 Σw², 0-d; `out` may be the loss."""
        return total("add_penalty", w, l1, l2, before=(loss,), out=out)

    def weighted_sum(a: Array, w: Array, out: Array = None) -> Array:
        """Σᵢ wᵢaᵢ of a vector, 0-d; of vectors (k, n), shape (k,), with weights (n,) or (k, n)."""
        kind = kind_of(a, w, out)
        fits = a.ndim in (1, 2) and w.shape in (a.shape, a.shape[-1:]) and shape_of(out, a.shape[:-1]) == a.shape[:-1]
        if kind is None or not fits:
            return plain["weighted_sum"](a, w, out=out)
        out = cupy.empty(a.shape[:-1], a.dtype) if out is None else out
        if out.size:
            n, step = a.shape[-1], a.shape[-1] if w.ndim > 1 else 0
            launcher("sums", "weighted_sum", kind)((out.size,), (_threads(n),), a, w, out, n, step)
        return out

    def shares(w: Array, out: Array = None) -> Array:
        """wᵢ / Σ w of a vector; 0 where Σ w is 0."""
        kind = kind_of(w, out)
        if kind is None or w.ndim != 1 or shape_of(out, w.shape) != w.shape:
            return plain["shares"](w, out=out)
        out = cupy.empty_like(w) if out is None else out
        launcher("sums", "shares", kind)((1,), (_threads(w.size),), w, out, w.size)
        return out

    def softmax(x: Array, out: Array = None) -> Array:
        """exp(xᵢⱼ - maxⱼ xᵢⱼ) / Σⱼ exp(xᵢⱼ - maxⱼ xᵢⱼ)."""
        kind = kind_of(x, out)
        if kind is None or x.ndim != 2 or shape_of(out, x.shape) != x.shape:
            return plain["softmax"](x, out=out)
        out = cupy.empty(x.shape, x.dtype) if out is None else out
        if x.size:
            launcher("softmax", "softmax", kind)(*_rows(*x.shape), x, out, *x.shape)
        return out

    def softmax_grad(y: Array, dy: Array, out: Array = None) -> Array:
        """yᵢⱼ (dyᵢⱼ - Σₖ dyᵢₖ yᵢₖ), softmax's Jacobian-vector product."""
        kind = kind_of(y, dy, out)
        if kind is None or y.ndim != 2 or not y.shape == dy.shape == shape_of(out, y.shape):
            return plain["softmax_grad"](y, dy, out=out)
        out = cupy.empty(y.shape, y.dtype) if out is None else out
        if y.size:
            launcher("softmax", "softmax_grad", kind)(*_rows(*y.shape), y, dy, out, *y.shape)
        return out

    def column_moments(a: Array, epsilon: float, out: Any = None) -> Any:
        """μⱼ = Σᵢ aᵢⱼ / n, σ²ⱼ = Σᵢ (aᵢⱼ - μⱼ)² / n and 1 / √(σ²ⱼ + ε), each of shape (1, m)."""
        outs = rooms(out, a, 3, (1, *a.shape[1:]))
        if outs is None or not a.size:
            return plain["column_moments"](a, epsilon, out=out)
        (n, m), kind = a.shape, KINDS[a.dtype]
        grid = sums_grid(n, m)
        common = (None, None) if grid[1] == 1 else workspace.take(kind, 3 * grid[1] * m, grid[0])
        launcher("normalization", "column_moments", kind)(grid, (COLUMNS, ROWS), a, *outs, *common, n, m, epsilon)
        return outs

    def row_moments(a: Array, epsilon: float, out: Any = None) -> Any:
        """The same along each row, each of shape (n, 1)."""
        outs = rooms(out, a, 3, (*a.shape[:1], 1))
        if outs is None:
            return plain["row_moments"](a, epsilon, out=out)
        if a.size:
            launcher("normalization", "row_moments", KINDS[a.dtype])(*_rows(*a.shape), a, *outs, *a.shape, epsilon)
        return outs

    def affine_grads(x: Array, dy: Array, out: Any = None) -> Any:
        """Σᵢ dyᵢⱼxᵢⱼ and Σᵢ dyᵢⱼ, each of shape (1, m): the gradients of γ and β in γx + β."""
        outs = rooms(out, x, 2, (1, *x.shape[1:]), dy)
        if outs is None or dy.shape != x.shape:
            return plain["affine_grads"](x, dy, out=out)
        (n, m), kind = x.shape, KINDS[x.dtype]
        if m:
            grid = sums_grid(n, m)
            common = (None, None) if grid[1] == 1 else workspace.take(kind, 2 * grid[1] * m, 2 * grid[0])
            launcher("normalization", "affine_grads", kind)(grid, (COLUMNS, ROWS), x, dy, *outs, *common, n, m)
        return outs

    def row_products(x: Array, dy: Array, gain: Array, out: Any = None) -> Any:
        """Σⱼ γⱼdyᵢⱼ / m and Σⱼ γⱼdyᵢⱼxᵢⱼ / m, each of shape (n, 1)."""
        outs = rooms(out, x, 2, (*x.shape[:1], 1), dy, gain)
        if outs is None or dy.shape != x.shape or gain.shape != (1, *x.shape[1:]):
            return plain["row_products"](x, dy, gain, out=out)
        if x.size:
            launcher("normalization", "row_products", KINDS[x.dtype])(*_rows(*x.shape), x, dy, gain, *outs, *x.shape)
        return outs

    def rooms(out: Any, a: Array, count: int, shape: tuple[int, ...], *others: Array) -> tuple[Array, ...] | None:
        """`count` results of a shape, given or made; None where a kernel does not take them with the matrix a and the
        others."""
        if kind_of(a, *others, *(out or ())) is None or a.ndim != 2 or any(x.shape != shape for x in out or ()):
            return None
        return tuple(cupy.empty(shape, a.dtype) for _ in range(count)) if out is None else tuple(out)

    def softmax_crossentropy(z: Array, labels: Array, smoothing: float = 0.0, out: Any = None) -> Any:
        """log Σⱼ exp(zᵢⱼ) - Σⱼ tᵢⱼ zᵢⱼ, shape (n,), and its gradient softmax(z)ᵢⱼ - tᵢⱼ."""
        made = (cupy.empty(z.shape[:1], z.dtype), cupy.empty(z.shape, z.dtype)) if out is None else out
        if not crossentropy_into(z, None, labels, None, smoothing, made):
            return plain["softmax_crossentropy"](z, labels, smoothing, out=out)
        return made

    def bias_softmax_crossentropy(
        z: Array, b: Array, labels: Array, factors: Array, smoothing: float = 0.0, out: Any = None
    ) -> Any:
        """`softmax_crossentropy` of z + b, which `z` then holds, and each row's gradient times its factor."""
        if out is None or not crossentropy_into(z, b, labels, factors, smoothing, out):
            return plain["bias_softmax_crossentropy"](z, b, labels, factors, smoothing, out=out)
        return out

    def crossentropy_into(
        z: Array, b: Array | None, labels: Array, factors: Array | None, smoothing: float, out: Any
    ) -> bool:
        """Whether the kernel took it."""
        losses, dz, hits = (*out, None)[:3]
        kind, known = kind_of(z, b, factors, *out), memory_of(labels)
        indices = labels.ndim == 1
        if kind is None or known is None or (known.dtype != "int64" if indices else known.dtype != z.dtype):
            return False
        if z.ndim != 2:
            return False
        (n, m), k = z.shape, 1 if b is None else b.shape[0]
        each = 1 if labels.shape[:1] == (n,) else k
        if n % each or labels.shape != ((n // each,) if indices else (n // each, m)):
            return False
        shapes = ((b, (k, m)), (factors, (n, 1)), (losses, (n,)), (dz, (n, m)), (hits, (n,)))
        if any(shape_of(x, shape) != shape for x, shape in shapes):
            return False
        if n:
            label = "long long" if indices else C_TYPES[kind]
            launch = launcher("softmax_crossentropy", "softmax_crossentropy", kind, Label=label, INDICES=int(indices))
            launch(*_rows(*z.shape), z, b, labels, factors, losses, dz, hits, n, m, k, each, smoothing)
        return True

    def dropped(x: Array, key: int, threshold: int, scale: float, out: Array = None) -> Array:
        """x · scale where the bits of `nnxp.random` keep it, else 0."""
        out = cupy.empty(x.shape, x.dtype) if out is None else out
        _dropout(cupy)(x, key, threshold, scale, out)
        return out

    return embedding_kernels(cupy, xp, launcher, kind_of) | table(
        matmul,
        column_sums,
        squared_norm,
        absolute_sum,
        clip_parts,
        add_penalty,
        weighted_sum,
        shares,
        softmax,
        softmax_grad,
        column_moments,
        row_moments,
        affine_grads,
        row_products,
        softmax_crossentropy,
        bias_softmax_crossentropy,
        dropped,
    )


def shape_of(x: Array | None, otherwise: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an array; of one that was not given, what it would be."""
    return otherwise if x is None else x.shape


def _threads(n: int) -> int:
    """Whole warps, one thread an element up to `THREADS`."""
    return max(32, min(-(-n // 32) * 32, THREADS))


@functools.lru_cache(256)
def _rows(n: int, m: int) -> tuple[tuple[int], tuple[int]]:
    """The grid and the block of a kernel that takes a block for a row."""
    return (min(n, LARGEST_GRID[0]),), (_threads(m),)


@functools.cache
def _dropout(cupy: Any) -> Any:
    kept, drop = trace(formulas.kept, {}, {}), trace(formulas.dropout, {}, {})  # CUDA lacks none of their words
    return cupy.ElementwiseKernel(*dropout(kept, drop), "nnxp_dropout", options=OPTIONS, no_return=True)
