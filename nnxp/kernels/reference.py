"""The named kernels: what is not element-wise, in functions of the array API standard alone.

`reference(xp)` is the table for one namespace. A backend may replace single entries by faster ones:
tables merge as dictionaries, so that a missing entry is slower, never wrong. Every kernel is called as
`kernel(*arrays, *floats, out=None) -> out`; `out` is an array, or a tuple where there are two results.
"""

import math
from typing import Any

from nnxp.kernels import formulas
from nnxp.typing import Array, Kernel, Namespace


def _deliver(out: Any, *results: Array) -> Any:
    """The results, written into `out` where it is given."""
    if out is not None:
        for target, result in zip(out if isinstance(out, tuple) else (out,), results, strict=True):
            target[...] = result
        return out
    return results if len(results) > 1 else results[0]


def reference(xp: Namespace) -> dict[str, Kernel]:
    """The table of named kernels on namespace `xp`: n samples, m features or classes."""

    def matmul(a: Array, b: Array, out: Array = None) -> Array:
        """a b, the matrix product."""
        return _deliver(out, xp.matmul(a, b))

    def column_sums(a: Array, out: Array = None) -> Array:
        """Σᵢ aᵢⱼ, shape (1, m)."""
        return _deliver(out, xp.sum(a, axis=0, keepdims=True))

    def row_means(a: Array, out: Array = None) -> Array:
        """Σⱼ aᵢⱼ / m, shape (n,)."""
        return _deliver(out, xp.mean(a, axis=1))

    def weighted_mean(a: Array, w: Array | None, out: Array = None) -> Array:
        """Σᵢ wᵢaᵢ / Σᵢ wᵢ of a vector, 0-d; the plain mean where w is None; 0 where Σ w is 0."""
        if w is None:
            return _deliver(out, xp.asarray(xp.mean(a)))
        total = xp.sum(w)
        return _deliver(out, xp.asarray(xp.sum(w * a) / xp.where(total > 0, total, 1)))

    def weighted_sum(a: Array, w: Array, out: Array = None) -> Array:
        """Σᵢ wᵢaᵢ of a vector, 0-d; of vectors (k, n), shape (k,), with weights (n,) or (k, n)."""
        return _deliver(out, xp.asarray(xp.sum(w * a, axis=-1)))

    def shares(w: Array, out: Array = None) -> Array:
        """wᵢ / Σ w of a vector; 0 where Σ w is 0."""
        total = xp.sum(w)
        return _deliver(out, w / xp.where(total > 0, total, 1))

    def squared_norm(a: Array, out: Array = None) -> Array:
        """Σ a², 0-d."""
        return _deliver(out, xp.asarray(xp.sum(a * a)))

    def absolute_sum(a: Array, out: Array = None) -> Array:
        """Σ |a|, 0-d."""
        return _deliver(out, xp.asarray(xp.sum(xp.abs(a))))

    def add_penalty(loss: Array, w: Array, l1: float, l2: float, out: Array = None) -> Array:
        """loss + l1 Σ|w| + l2 Σw², 0-d; `out` may be the loss."""
        return _deliver(out, xp.asarray(loss + l1 * absolute_sum(w) + l2 * squared_norm(w)))

    def clip_parts(a: Array, bound: float, out: Any = None) -> Any:
        """u of `formulas.norm_unit`, s = Σ (a / u)² and `formulas.norm_factor`, 0-d each: ‖a‖ = u √s, also where its
        square is beyond the dtype, and a/u · factor is as long as the bound, or a where that is shorter."""
        least = float(xp.finfo(a.dtype).smallest_normal)
        unit = xp.asarray(formulas.norm_unit(xp.max(xp.abs(a)), least, *formulas.SQUARED_AS_THEY_ARE))
        squares = squared_norm(a / unit)
        return _deliver(out, unit, squares, xp.asarray(formulas.norm_factor(unit, squares, bound)))

    def dropped(x: Array, key: int, threshold: int, scale: float, out: Array = None) -> Array:
        """x · scale where `formulas.kept` keeps it by its place in row-major order, else 0: dropout without a mask in
        memory, the same again for the same key."""
        counter = xp.arange(1, math.prod(x.shape) + 1, dtype=xp.int64, device=x.device) * formulas.GAMMA
        kept = xp.reshape(formulas.kept(counter, key, threshold), x.shape)
        return _deliver(out, xp.where(kept, x * scale, 0))

    def gather(a: Array, rows: Array, out: Array = None) -> Array:
        """a's rows in the order of the indices `rows`, which the caller has checked."""
        return _deliver(out, xp.take(a, rows, axis=0))

    def gather_columns(a: Array, columns: Array, out: Array = None) -> Array:
        """a's columns in the order of the indices `columns`, which the caller has checked."""
        return _deliver(out, xp.take(a, columns, axis=1))

    def argmax(a: Array, out: Array = None) -> Array:
        """Each row's index of the largest value, the first of equals, shape (n,)."""
        return _deliver(out, xp.argmax(a, axis=1))

    def softmax(x: Array, out: Array = None) -> Array:
        """exp(xᵢⱼ - maxⱼ xᵢⱼ) / Σⱼ exp(xᵢⱼ - maxⱼ xᵢⱼ)."""
        e = xp.exp(x - xp.max(x, axis=1, keepdims=True))
        return _deliver(out, e / xp.sum(e, axis=1, keepdims=True))

    def softmax_grad(y: Array, dy: Array, out: Array = None) -> Array:
        """yᵢⱼ (dyᵢⱼ - Σₖ dyᵢₖ yᵢₖ), softmax's Jacobian-vector product."""
        return _deliver(out, y * (dy - xp.sum(dy * y, axis=1, keepdims=True)))

    def moments(a: Array, axis: int, epsilon: float) -> tuple[Array, Array, Array]:
        """Mean, biased variance and `formulas.inverse_deviation` along an axis. The mean's own rounding error, found as
        the mean of what it leaves, is taken off: a large mean costs no accuracy (Chan et al. 1983, "corrected two-pass
        algorithm")."""
        mean = xp.mean(a, axis=axis, keepdims=True)
        d = a - mean
        error = xp.mean(d, axis=axis, keepdims=True)
        d = d - error
        variance = xp.mean(d * d, axis=axis, keepdims=True)
        return mean + error, variance, formulas.inverse_deviation(variance, epsilon)

    def column_moments(a: Array, epsilon: float, out: Any = None) -> Any:
        """μⱼ = Σᵢ aᵢⱼ / n, σ²ⱼ = Σᵢ (aᵢⱼ - μⱼ)² / n and 1 / √(σ²ⱼ + ε), each of shape (1, m)."""
        return _deliver(out, *moments(a, 0, epsilon))

    def row_moments(a: Array, epsilon: float, out: Any = None) -> Any:
        """The same along each row, each of shape (n, 1)."""
        return _deliver(out, *moments(a, 1, epsilon))

    def affine_grads(x: Array, dy: Array, out: Any = None) -> Any:
        """Σᵢ dyᵢⱼxᵢⱼ and Σᵢ dyᵢⱼ, each of shape (1, m): the gradients of γ and β in γx + β."""
        return _deliver(out, column_sums(dy * x), column_sums(dy))

    def row_products(x: Array, dy: Array, gain: Array, out: Any = None) -> Any:
        """Σⱼ γⱼdyᵢⱼ / m and Σⱼ γⱼdyᵢⱼxᵢⱼ / m, each of shape (n, 1)."""
        g = dy * gain
        return _deliver(out, xp.mean(g, axis=1, keepdims=True), xp.mean(g * x, axis=1, keepdims=True))

    def in_blocks(x: Array, d: int) -> Array:
        """(n, d k) as d matrices (n, k): columns k at a time."""
        return xp.permute_dims(xp.reshape(x, (x.shape[0], d, x.shape[1] // d)), (1, 0, 2))

    def in_rows(blocks: Array) -> Array:
        """d matrices (n, k) side by side, (n, d k)."""
        d, n, k = blocks.shape
        return xp.reshape(xp.permute_dims(blocks, (1, 0, 2)), (n, d * k))

    def block_products(x: Array, w: Array, out: Array = None) -> Array:
        """xⱼ wⱼ side by side, (n, d k): x, (n, d h), is d blocks of h columns, w, (d, h, k), a matrix for each."""
        return _deliver(out, in_rows(xp.matmul(in_blocks(x, w.shape[0]), w)))

    def block_dinputs(dy: Array, w: Array, out: Array = None) -> Array:
        """dyⱼ wⱼᵀ side by side, (n, d h): the gradient of x in `block_products`."""
        return _deliver(out, in_rows(xp.matmul(in_blocks(dy, w.shape[0]), xp.permute_dims(w, (0, 2, 1)))))

    def block_dweights(x: Array, dy: Array, like: Array, out: Array = None) -> Array:
        """xⱼᵀ dyⱼ, (d, h, k), as w is, which `like` has the shape of: the gradient of w in `block_products`."""
        x, dy = in_blocks(x, like.shape[0]), in_blocks(dy, like.shape[0])
        return _deliver(out, xp.matmul(xp.permute_dims(x, (0, 2, 1)), dy))

    def table_rows(codes: Array, sizes: Array, first: Array, out: Array = None) -> Array:
        """firstⱼ + the whole number next to codesᵢⱼ, int64, where that is from 0 to sizesⱼ - 1; else -1, no row. Where
        each column's part of a table begins, and how long it is, are vectors; the sizes have the codes' dtype."""
        near = xp.round(codes)
        valid = xp.logical_and(near >= 0, near < sizes)
        return _deliver(out, xp.where(valid, xp.astype(xp.where(valid, near, 0), xp.int64) + first, -1))

    def embedded(table: Array, rows: Array, out: Array = None) -> Array:
        """The table's rows side by side, (n, d k), for rows (n, d) and a table (R, k); NaN for row -1."""
        (n, d), k = rows.shape, table.shape[1]
        flat = xp.reshape(rows, (-1,))
        found = xp.take(table, xp.where(flat < 0, 0, flat), axis=0)
        return _deliver(out, xp.reshape(xp.where(flat[:, None] < 0, xp.nan, found), (n, d * k)))

    def embedded_grad(dy: Array, rows: Array, first: Array, like: Array, out: Array = None) -> Array:
        """The gradient of the table in `embedded`, which `like` has the shape of: the sum of dy over the places that a
        row was taken to, 0 for one that was not, nothing for row -1. Here Hᵀ dy, H having a 1 where a place took a row;
        `first`, where each column's part of the table begins, is for those that add up part by part."""
        flat = xp.reshape(rows, (-1,))
        every = xp.arange(like.shape[0], dtype=flat.dtype, device=flat.device)
        hot = xp.astype(flat[:, None] == every[None, :], dy.dtype)
        dy = xp.where(flat[:, None] < 0, 0, xp.reshape(dy, (flat.shape[0], like.shape[1])))
        return _deliver(out, xp.matmul(hot.T, dy))

    def targets(labels: Array, like: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
        """Rows t of the classes' shares, smoothed to (1 - s) t + s / m, and where a row's label is within range, shape
        (n, 1)."""
        t, valid = shares_of(labels, like)
        return (t * (1 - smoothing) + smoothing / like.shape[1] if smoothing else t), valid

    def shares_of(labels: Array, like: Array) -> tuple[Array, Array]:
        """The same, not smoothed."""
        n, m = like.shape
        if labels.ndim == 2:
            return labels, xp.ones((n, 1), dtype=xp.bool, device=like.device)
        classes = xp.arange(m, dtype=labels.dtype, device=like.device)
        hot = xp.astype(labels[:, None] == classes[None, :], like.dtype)
        return hot, xp.logical_and(labels >= 0, labels < m)[:, None]

    def probability_error(p: Array, labels: Array, smoothing: float = 0.0, out: Array = None) -> Array:
        """pᵢⱼ - tᵢⱼ, the gradient of `softmax_crossentropy` from probabilities that were kept."""
        t, valid = targets(labels, p, smoothing)
        return _deliver(out, xp.where(valid, p - t, 0))

    def crossentropy(p: Array, labels: Array, floor: float, smoothing: float = 0.0, out: Any = None) -> Any:
        """-Σⱼ tᵢⱼ log pᵢⱼ, shape (n,), and its gradient -tᵢⱼ / pᵢⱼ, p no smaller than `floor`. Labels are
        class indices (n,) or rows t (n, m); one out of range makes that loss NaN and its gradient 0."""
        t, valid = targets(labels, p, smoothing)
        p = xp.maximum(p, floor)
        losses = -xp.sum(t * xp.log(p), axis=1)
        return _deliver(out, xp.where(valid[:, 0], losses, xp.nan), xp.where(valid, -t / p, 0))

    def softmax_crossentropy(z: Array, labels: Array, smoothing: float = 0.0, out: Any = None) -> Any:
        """`crossentropy` of softmax(z), computed from z: log Σⱼ exp(zᵢⱼ) - Σⱼ tᵢⱼ zᵢⱼ, shape (n,), and its
        gradient softmax(z)ᵢⱼ - tᵢⱼ, for rows t that sum to 1."""
        t, valid = targets(labels, z, smoothing)
        z = z - xp.max(z, axis=1, keepdims=True)
        e = xp.exp(z)
        total = xp.sum(e, axis=1, keepdims=True)
        losses = xp.log(total[:, 0]) - xp.sum(xp.where(t != 0, t * z, 0), axis=1)
        return _deliver(out, xp.where(valid[:, 0], losses, xp.nan), xp.where(valid, e / total - t, 0))

    def bias_softmax_crossentropy(
        z: Array, b: Array, labels: Array, factors: Array, smoothing: float = 0.0, out: Any = None
    ) -> Any:
        """`softmax_crossentropy` of z + b, and each row's gradient times its factor, of shape (n, 1). With `out`, z
        then holds z + b. The bias is (1, m), or (k, m): rows that are added in turn, of k networks; a label may then
        be that of k rows in turn."""
        k, m = b.shape
        biased = z + b if k == 1 else xp.reshape(xp.reshape(z, (z.shape[0] // k, k, m)) + b, z.shape)
        if out is None:
            z = biased
        else:
            z[...] = biased
        labels = labels if labels.shape[0] == z.shape[0] else xp.repeat(labels, k, axis=0)
        losses, gradient = softmax_crossentropy(z, labels, smoothing)
        return _deliver(out, losses, gradient * factors)

    return {
        "matmul": matmul,
        "column_sums": column_sums,
        "row_means": row_means,
        "weighted_mean": weighted_mean,
        "weighted_sum": weighted_sum,
        "shares": shares,
        "squared_norm": squared_norm,
        "absolute_sum": absolute_sum,
        "add_penalty": add_penalty,
        "clip_parts": clip_parts,
        "dropped": dropped,
        "gather": gather,
        "gather_columns": gather_columns,
        "argmax": argmax,
        "softmax": softmax,
        "softmax_grad": softmax_grad,
        "column_moments": column_moments,
        "row_moments": row_moments,
        "affine_grads": affine_grads,
        "row_products": row_products,
        "block_products": block_products,
        "block_dinputs": block_dinputs,
        "block_dweights": block_dweights,
        "table_rows": table_rows,
        "embedded": embedded,
        "embedded_grad": embedded_grad,
        "probability_error": probability_error,
        "crossentropy": crossentropy,
        "softmax_crossentropy": softmax_crossentropy,
        "bias_softmax_crossentropy": bias_softmax_crossentropy,
    }
