"""Named kernels of NumPy's own: fewer passes over memory, fewer calls and no temporaries."""

from typing import Any

import numpy as np

from nnxp.kernels import formulas
from nnxp.kernels.moments import normalization
from nnxp.kernels.numpy_blocks import BLOCKS
from nnxp.kernels.reference import reference
from nnxp.kernels.scratch import Scratch
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel

BLOCK, SMALL = 1 << 14, 1 << 15
_plain = reference(np)
_scratch = Scratch(lambda n, dtype: np.empty(n, dtype=dtype))
_ones = Scratch(lambda n, dtype: np.ones(n, dtype=dtype))
_row_starts = Scratch(lambda n, m: np.arange(0, n * m, m, dtype=np.int64))


def matmul(a: Array, b: Array, out: Array = None) -> Array:
    """a b, the matrix product. `ndarray.dot` asks less before it begins than `np.matmul`, and leaves a column by a row
    to BLAS, too; but it sets `out` to 0 first."""
    if out is None or (out.size > SMALL and a.shape[-1] > 1):
        return np.matmul(a, b, out=out)
    try:
        return a.dot(b, out)
    except ValueError:  # an `out` of several matrices, or one that is not contiguous: nothing was written
        return np.matmul(a, b, out=out)


def column_sums(a: Array, out: Array = None) -> Array:
    """Σᵢ aᵢⱼ, shape (1, m)."""
    return np.add.reduce(a, axis=0, keepdims=True, out=out)


def row_means(a: Array, out: Array = None) -> Array:
    """Σⱼ aᵢⱼ / m, shape (n,)."""
    if a.shape[1] == 1 and out is not None:
        out[...] = a[:, 0]
        return out
    return np.divide(np.add.reduce(a, axis=1, out=out), a.shape[1], out=out)


def argmax(a: Array, out: Array = None) -> Array:
    """Each row's index of the largest value, the first of equals, shape (n,)."""
    return a.argmax(1, out)


def gather(a: Array, rows: Array, out: Array = None) -> Array:
    """a's rows in the order of the indices `rows`, which the caller has checked."""
    return a.take(rows, 0, out, "clip")  # mode "raise" would go through a copy of `out`


def gather_columns(a: Array, columns: Array, out: Array = None) -> Array:
    """a's columns in the order of the indices `columns`, which the caller has checked."""
    return np.take(a, columns, axis=1, out=out, mode="clip")


def squared_norm(a: Array, out: Array = None) -> Array:
    """Σ a², 0-d: BLAS's dot product of a with itself."""
    return np.asarray(np.vdot(a, a)) if out is None else _plain["squared_norm"](a, out=out)


def clip_parts(a: Array, bound: float, out: Any = None) -> Any:
    """u, s = Σ (a / u)² and `formulas.norm_factor`, 0-d each. One pass over memory, which mostly tells that u is 1."""
    if out is None or not a.flags.c_contiguous:
        return _plain["clip_parts"](a, bound, out=out)
    unit, flat, (low, high) = 1, a.reshape(-1), formulas.SQUARED_AS_THEY_ARE
    squares = np.vdot(flat, flat)
    if not low**2 * flat.shape[0] <= squares <= high**2:
        least = float(np.finfo(a.dtype).smallest_normal)
        unit = formulas.norm_unit(np.maximum(np.max(flat), -np.min(flat)), least, low, high)
        squares = a.dtype.type(0)
        for start in range(0, flat.shape[0], BLOCK):
            part = flat[start : start + BLOCK]
            part = np.divide(part, unit, out=_scratch.take("in units", part.shape[0], a.dtype))
            squares += np.vdot(part, part)
    factor = min(bound / max(np.sqrt(squares), min(bound, 1.0)), unit)  # NaN where it comes first
    for target, value in zip(out, (unit, squares, factor), strict=True):
        target[...] = value
    return out


def absolute_sum(a: Array, out: Array = None) -> Array:
    """Σ |a|, 0-d, a block at a time."""
    if out is not None or not a.flags.c_contiguous:
        return _plain["absolute_sum"](a, out=out)
    flat, total = a.reshape(-1), 0.0
    for start in range(0, flat.shape[0], BLOCK):
        part = flat[start : start + BLOCK]
        total += float(np.add.reduce(np.absolute(part, out=_scratch.take("absolute", part.shape[0], a.dtype))))
    return np.asarray(total, dtype=a.dtype)


def shares(w: Array, out: Array = None) -> Array:
    """wᵢ / Σ w of a vector; 0 where Σ w is 0."""
    total = np.add.reduce(w)
    return np.divide(w, total if total > 0 else total.dtype.type(1), out=out)


def weighted_sum(a: Array, w: Array, out: Array = None) -> Array:
    """Σᵢ wᵢaᵢ of a vector, 0-d; of vectors (k, n), shape (k,), with weights (n,) or (k, n)."""
    if a.ndim > 1:
        return np.vecdot(a, w, out=out)
    if out is None:
        return np.asarray(np.vdot(w, a))
    out[...] = np.vdot(w, a)
    return out


def add_penalty(loss: Array, w: Array, l1: float, l2: float, out: Array = None) -> Array:
    """loss + l1 Σ|w| + l2 Σw², 0-d; `out` may be the loss."""
    penalty = l2 * np.vdot(w, w) + (l1 * absolute_sum(w) if l1 else 0)
    return np.add(loss, penalty, out=np.empty((), loss.dtype) if out is None else out)


def softmax_grad(y: Array, dy: Array, out: Array = None) -> Array:
    """yᵢⱼ (dyᵢⱼ - Σₖ dyᵢₖ yᵢₖ), softmax's Jacobian-vector product."""
    if out is None:
        return _plain["softmax_grad"](y, dy)
    column = np.vecdot(y, dy, out=_scratch.take("column", y.shape[0], y.dtype))[:, None]
    return np.multiply(np.subtract(dy, column, out=out), y, out=out)


def softmax(x: Array, out: Array = None) -> Array:
    """exp(xᵢⱼ - maxⱼ xᵢⱼ) / Σⱼ exp(xᵢⱼ - maxⱼ xᵢⱼ)."""
    out = np.empty_like(x) if out is None else out
    column = _column(x)
    np.maximum.reduce(x, axis=1, keepdims=True, out=column)
    np.subtract(x, column, out=out)
    np.exp(out, out=out)
    np.add.reduce(out, axis=1, keepdims=True, out=column)
    return np.divide(out, column, out=out)


def softmax_crossentropy(z: Array, labels: Array, smoothing: float = 0.0, out: Any = None) -> Any:
    """log Σⱼ exp(zᵢⱼ) - Σⱼ tᵢⱼ zᵢⱼ, shape (n,), and its gradient softmax(z)ᵢⱼ - tᵢⱼ."""
    if out is None:
        return _plain["softmax_crossentropy"](z, labels, smoothing)
    ones = _ones.take("factors", z.shape[0], z.dtype)[:, None]
    return _crossentropy(z, labels, ones, smoothing, out)


def bias_softmax_crossentropy(
    z: Array, b: Array, labels: Array, factors: Array, smoothing: float = 0.0, out: Any = None
) -> Any:
    """`softmax_crossentropy` of z + b, which `z` then holds, and each row's gradient times its factor. Where `out` has
    a third, (n,), it is 1 where the largest logit is at the label, else 0."""
    if out is None:
        return _plain["bias_softmax_crossentropy"](z, b, labels, factors, smoothing)
    if labels.shape[0] != z.shape[0]:
        turns = _scratch.take("labels", labels.size * b.shape[0], labels.dtype)
        every = turns.reshape(labels.shape[0], b.shape[0], *labels.shape[1:])
        every[...] = labels[:, None]
        labels = every.reshape(z.shape[0], *labels.shape[1:])
    rows = z if b.shape[0] == 1 else z.reshape(-1, *b.shape)
    np.add(rows, b, out=rows)
    _crossentropy(z, labels, factors, smoothing, out[:2])
    for hits in out[2:]:
        np.equal(argmax(z), labels if labels.ndim == 1 else argmax(labels), out=hits)
    return out


def _crossentropy(z: Array, labels: Array, factors: Array, smoothing: float, out: Any) -> Any:
    losses, dz = out
    if smoothing and labels.ndim == 2:
        rows = _scratch.take("targets", z.size, z.dtype).reshape(z.shape)
        labels = np.multiply(labels, 1 - smoothing, out=rows)
        labels += smoothing / z.shape[1]
        smoothing = 0.0
    column = _column(z)
    np.maximum.reduce(z, axis=1, keepdims=True, out=column)
    np.subtract(z, column, out=dz)
    if labels.ndim == 1:
        within = np.maximum.reduce(labels.view(np.uint64), initial=0) < z.shape[1]  # below 0: beyond 2⁶³
        flat = dz.reshape(-1)
        index = np.add(_row_starts.take("starts", *z.shape), labels, out=_scratch.take("index", z.shape[0], np.int64))
        flat.take(index, out=losses, mode="clip")
        if smoothing:
            losses *= 1 - smoothing
            losses += smoothing * np.mean(dz, axis=1)
    else:
        np.vecdot(labels, dz, out=losses)
        within = bool(np.isfinite(losses).all())  # 0 · -inf, the logit of a class that is masked, is to be 0
    if not within:
        losses[...], gradient = _plain["softmax_crossentropy"](z, labels, smoothing)
        np.multiply(gradient, factors, out=dz)
        return out
    np.exp(dz, out=dz)
    np.add.reduce(dz, axis=1, keepdims=True, out=column)
    np.subtract(np.log(column[:, 0], out=_scratch.take("log", z.shape[0], z.dtype)), losses, out=losses)
    if labels.ndim == 1:
        np.multiply(dz, np.divide(factors, column, out=column), out=dz)
        if smoothing:
            dz -= factors * (smoothing / z.shape[1])
            factors = factors * (1 - smoothing)
        chosen = flat.take(index, out=column[:, 0], mode="clip")
        flat[index] = np.subtract(chosen, factors[:, 0], out=chosen)
    else:
        np.divide(dz, column, out=dz)
        np.subtract(dz, labels, out=dz)
        np.multiply(dz, factors, out=dz)
    return out


def table_rows(codes: Array, sizes: Array, first: Array, out: Array = None) -> Array:
    """firstⱼ + the whole number next to codesᵢⱼ, int64, where that is from 0 to sizesⱼ - 1; else -1."""
    out = np.empty(codes.shape, np.int64) if out is None else out
    n = codes.size
    near = np.rint(codes, out=_scratch.take("near", n, codes.dtype).reshape(codes.shape))
    valid = np.less(near, sizes, out=_scratch.take("valid", n, np.bool_).reshape(codes.shape))
    valid &= np.greater_equal(near, 0, out=_scratch.take("from 0", n, np.bool_).reshape(codes.shape))
    if not valid.all():
        return _plain["table_rows"](codes, sizes, first, out=out)
    np.copyto(out, near, casting="unsafe")
    return np.add(out, first, out=out)


def embedded(table: Array, rows: Array, out: Array = None) -> Array:
    """The table's rows side by side, (n, d k), for rows (n, d) and a table (R, k); NaN for row -1."""
    (n, d), k = rows.shape, table.shape[1]
    out = np.empty((n, d * k), table.dtype) if out is None else out
    places = out.reshape(n * d, k)
    np.take(table, rows.reshape(-1), axis=0, out=places, mode="clip")
    if np.minimum.reduce(rows, axis=None, initial=0) < 0:
        places[rows.reshape(-1) < 0] = np.nan
    return out


def embedded_grad(dy: Array, rows: Array, first: Array, like: Array, out: Array = None) -> Array:
    """The sum of dy over the places that each row of the table was taken to, one after the other; nothing for -1."""
    k, places = like.shape[1], rows.size
    out = np.empty(like.shape, dy.dtype) if out is None else out
    index = _scratch.take("index", places * k, np.int64).reshape(places, k)
    np.multiply(rows.reshape(-1, 1), k, out=index)
    index += _row_starts.take("starts", k, 1)
    if np.minimum.reduce(rows, axis=None, initial=0) < 0:
        dy = np.where(rows.reshape(-1, 1) < 0, 0, dy.reshape(places, k))
        np.maximum(index, 0, out=index)
    out.fill(0)
    np.add.at(out.reshape(-1), index.reshape(-1), dy.reshape(-1))  # of one dimension: as fast as a loop of C
    return out


def _column(like: Array) -> Array:
    """Scratch of shape (n, 1) for an (n, m) array."""
    return _scratch.take("column", like.shape[0], like.dtype)[:, None]


NORMALIZATION = normalization(np, np, lambda a: _scratch.take("whole", a.size, a.dtype).reshape(a.shape))
NUMPY: dict[str, Kernel] = NORMALIZATION | table(
    matmul,
    argmax,
    column_sums,
    row_means,
    gather,
    gather_columns,
    squared_norm,
    clip_parts,
    absolute_sum,
    add_penalty,
    shares,
    weighted_sum,
    softmax,
    softmax_grad,
    softmax_crossentropy,
    bias_softmax_crossentropy,
    table_rows,
    embedded,
    embedded_grad,
)
NUMPY |= BLOCKS
