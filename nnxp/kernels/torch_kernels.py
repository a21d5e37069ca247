"""Named kernels of PyTorch's own, which write where they are told and never wait for a device."""

from typing import Any

from nnxp.kernels import formulas
from nnxp.kernels.moments import normalization
from nnxp.kernels.reference import reference
from nnxp.kernels.scratch import Scratch
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel, Namespace


def torch_kernels(torch: Any, xp: Namespace) -> dict[str, Kernel]:
    """The table for the package `torch`, whose standard namespace is `xp`."""
    plain = reference(xp)
    scratch = Scratch(lambda n, dtype, device: torch.empty(n, dtype=dtype, device=device))

    def whole(a: Array) -> Array:
        return scratch.take("whole", a.numel(), a.dtype, a.device).reshape(a.shape)

    def gather(a: Array, rows: Array, out: Array = None) -> Array:
        """a's rows in the order of the indices `rows`, which the caller has checked."""
        return torch.index_select(a, 0, rows, out=out)

    def gather_columns(a: Array, columns: Array, out: Array = None) -> Array:
        """a's columns in the order of the indices `columns`, which the caller has checked."""
        return torch.index_select(a, 1, columns, out=out)

    def squared_norm(a: Array, out: Array = None) -> Array:
        """Σ a², 0-d: BLAS's dot product of a with itself."""
        return plain["squared_norm"](a, out=out) if out is not None else torch.dot(a.reshape(-1), a.reshape(-1))

    def clip_parts(a: Array, bound: float, out: Any = None) -> Any:
        """u, s = Σ (a / u)² and `formulas.norm_factor`, 0-d each. On the host s tells that u is 1, mostly; a device
        would have to be waited for."""
        if out is None or not a.is_contiguous():
            return plain["clip_parts"](a, bound, out=out)
        (unit, squares, factor), flat, (low, high) = out, a.reshape(-1), formulas.SQUARED_AS_THEY_ARE
        unit.fill_(1)
        torch.dot(flat, flat, out=squares)
        if not (a.is_cpu and low**2 * flat.shape[0] <= squares.numpy() <= high**2):
            torch.maximum(torch.amax(flat), torch.amin(flat).neg_(), out=unit).clamp_(min=torch.finfo(a.dtype).tiny)
            torch.div(unit, torch.clamp(unit, low, high), out=unit)
            in_units = torch.div(flat, unit, out=whole(flat))
            torch.dot(in_units, in_units, out=squares)
        factor.copy_(squares).sqrt_().clamp_(min=min(bound, 1.0)).reciprocal_().mul_(bound)
        torch.minimum(unit, factor, out=factor)
        return out

    def absolute_sum(a: Array, out: Array = None) -> Array:
        """Σ |a|, 0-d."""
        return torch.linalg.vector_norm(a, 1, out=out)

    def add_penalty(loss: Array, w: Array, l1: float, l2: float, out: Array = None) -> Array:
        """loss + l1 Σ|w| + l2 Σw², 0-d; `out` may be the loss."""
        total = torch.add(loss, squared_norm(w), alpha=l2, out=out)
        return total.add_(absolute_sum(w), alpha=l1) if l1 else total

    def shares(w: Array, out: Array = None) -> Array:
        """wᵢ / Σ w of a vector; 0 where Σ w is 0."""
        total = torch.sum(w)
        return torch.div(w, torch.where(total > 0, total, 1.0), out=out)

    def weighted_sum(a: Array, w: Array, out: Array = None) -> Array:
        """Σᵢ wᵢaᵢ of a vector, 0-d; of vectors (k, n), shape (k,), with weights (n,) or (k, n)."""
        return torch.matmul(a, w, out=out) if w.ndim == 1 else torch.linalg.vecdot(a, w, out=out)

    def softmax_grad(y: Array, dy: Array, out: Array = None) -> Array:
        """yᵢⱼ (dyᵢⱼ - Σₖ dyᵢₖ yᵢₖ), softmax's Jacobian-vector product."""
        if out is None:
            return plain["softmax_grad"](y, dy)
        column = scratch.take("column", y.shape[0], y.dtype, y.device)
        torch.bmm(y[:, None, :], dy[:, :, None], out=column[:, None, None])
        return torch.mul(torch.sub(dy, column[:, None], out=out), y, out=out)

    def softmax(x: Array, out: Array = None) -> Array:
        """exp(xᵢⱼ - maxⱼ xᵢⱼ) / Σⱼ exp(xᵢⱼ - maxⱼ xᵢⱼ)."""
        return torch.softmax(x, 1) if out is None else torch.softmax(x, 1, out=out)

    def bias_softmax_crossentropy(
        z: Array, b: Array, labels: Array, factors: Array, smoothing: float = 0.0, out: Any = None
    ) -> Any:
        """`softmax_crossentropy` of z + b, which `z` then holds, and each row's gradient times its factor."""
        if out is None or labels.shape[0] != z.shape[0]:
            return plain["bias_softmax_crossentropy"](z, b, labels, factors, smoothing, out=out)
        z.view(-1, *b.shape).add_(b)
        return crossentropy_into(z, labels, factors, smoothing, out)

    def softmax_crossentropy(z: Array, labels: Array, smoothing: float = 0.0, out: Any = None) -> Any:
        """log Σⱼ exp(zᵢⱼ) - Σⱼ tᵢⱼ zᵢⱼ, shape (n,), and its gradient softmax(z)ᵢⱼ - tᵢⱼ."""
        if out is None:
            return plain["softmax_crossentropy"](z, labels, smoothing)
        ones = scratch.take("ones", z.shape[0], z.dtype, z.device)[:, None].fill_(1)
        return crossentropy_into(z, labels, ones, smoothing, out)

    def crossentropy_into(z: Array, labels: Array, factors: Array, smoothing: float, out: Any) -> Any:
        losses, dz = out
        n, m = z.shape
        torch.log_softmax(z, 1, out=dz)
        if labels.ndim == 2:
            if smoothing:
                rows = scratch.take("targets", n * m, z.dtype, z.device).reshape(n, m)
                labels = torch.mul(labels, 1 - smoothing, out=rows).add_(smoothing / m)
            dz.clamp_(min=torch.finfo(dz.dtype).min)  # 0 · log 0, of a class that is masked, is to be 0
            torch.bmm(labels[:, None, :], dz[:, :, None], out=losses[:, None, None])
            losses.neg_()
            dz.exp_().sub_(labels).mul_(factors)
            return out
        index, outside = (scratch.take("index", n, dtype, z.device) for dtype in (torch.int64, torch.bool))
        torch.clamp(labels, 0, m - 1, out=index)
        torch.ne(labels, index, out=outside)
        torch.gather(dz, 1, index[:, None], out=losses[:, None])
        if smoothing:
            means = torch.mean(dz, 1, out=scratch.take("means", n, z.dtype, z.device))
            losses.mul_(1 - smoothing).add_(means, alpha=smoothing)
        losses.neg_().masked_fill_(outside, float("nan"))
        dz.exp_().mul_(factors)
        if smoothing:
            dz.sub_(factors, alpha=smoothing / m)
        negative = torch.mul(factors, smoothing - 1, out=scratch.take("factors", n, z.dtype, z.device)[:, None])
        dz.scatter_add_(1, index[:, None], negative).masked_fill_(outside[:, None], 0.0)
        return out

    def in_blocks(x: Array, d: int) -> Array:
        """(n, d k) as d matrices (n, k), the same memory."""
        return x.reshape(x.shape[0], d, x.shape[1] // d).permute(1, 0, 2)

    def block_products(x: Array, w: Array, out: Array = None) -> Array:
        """xⱼ wⱼ side by side, (n, d k), for x (n, d h) and w (d, h, k)."""
        if out is None:
            return plain["block_products"](x, w)
        n, (d, _, k) = x.shape[0], w.shape
        blocks = scratch.take("blocks", n * d * k, x.dtype, x.device).reshape(d, n, k)
        in_blocks(out, d).copy_(torch.bmm(in_blocks(x, d), w, out=blocks))  # into `out` as it lies: twice as slow
        return out

    def block_dinputs(dy: Array, w: Array, out: Array = None) -> Array:
        """dyⱼ wⱼᵀ side by side, (n, d h): the gradient of x in `block_products`."""
        return block_products(dy, w.permute(0, 2, 1), out)

    def block_dweights(x: Array, dy: Array, like: Array, out: Array = None) -> Array:
        """xⱼᵀ dyⱼ, (d, h, k): the gradient of w in `block_products`."""
        d = like.shape[0]
        return torch.bmm(in_blocks(x, d).permute(0, 2, 1), in_blocks(dy, d), out=out)

    def table_rows(codes: Array, sizes: Array, first: Array, out: Array = None) -> Array:
        """firstⱼ + the whole number next to codesᵢⱼ, int64, where that is from 0 to sizesⱼ - 1; else -1."""
        out = torch.empty(codes.shape, dtype=torch.int64, device=codes.device) if out is None else out
        taken = [scratch.take(str(i), out.numel(), torch.bool, out.device).reshape(out.shape) for i in (0, 1)]
        near = torch.round(codes, out=whole(codes))
        valid = torch.ge(near, 0, out=taken[0]).logical_and_(torch.lt(near, sizes, out=taken[1]))
        outside = valid.logical_not_()
        return out.copy_(near.masked_fill_(outside, 0)).add_(first).masked_fill_(outside, -1)

    def embedded(table: Array, rows: Array, out: Array = None) -> Array:
        """The table's rows side by side, (n, d k), for rows (n, d) and a table (R, k); NaN for row -1."""
        (n, d), k = rows.shape, table.shape[1]
        out = torch.empty((n, d * k), dtype=table.dtype, device=table.device) if out is None else out
        index, outside = taken_rows(rows)
        torch.index_select(table, 0, index, out=out.view(n * d, k)).masked_fill_(outside[:, None], float("nan"))
        return out

    def embedded_grad(dy: Array, rows: Array, first: Array, like: Array, out: Array = None) -> Array:
        """The sum of dy over the places that each row of the table was taken to; nothing for -1. The same bits each
        time, on a GPU too, where `index_add_` would add in any order."""
        out = torch.empty(like.shape, dtype=dy.dtype, device=dy.device) if out is None else out
        index, outside = taken_rows(rows)
        places = whole(dy).copy_(dy).view(rows.numel(), like.shape[1]).masked_fill_(outside[:, None], 0)
        if dy.is_cpu:
            return out.zero_().index_add_(0, index, places)
        return out.copy_(torch.ops.aten.embedding_dense_backward(places, index, like.shape[0], -1, False))

    def taken_rows(rows: Array) -> tuple[Array, Array]:
        """Rows as a vector, 0 for -1, and where those are."""
        flat, (index, outside) = rows.reshape(-1), [
            scratch.take("index", rows.numel(), dtype, rows.device) for dtype in (torch.int64, torch.bool)
        ]  # fmt: skip
        return torch.clamp(flat, min=0, out=index), torch.lt(flat, 0, out=outside)

    return normalization(torch, xp, whole) | table(
        gather,
        gather_columns,
        squared_norm,
        clip_parts,
        absolute_sum,
        add_penalty,
        weighted_sum,
        shares,
        softmax_crossentropy,
        softmax,
        softmax_grad,
        bias_softmax_crossentropy,
        block_products,
        block_dinputs,
        block_dweights,
        table_rows,
        embedded,
        embedded_grad,
    )
