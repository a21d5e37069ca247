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
        if out is None:
            return plain["bias_softmax_crossentropy"](z, b, labels, factors, smoothing)
        return crossentropy_into(z.add_(b), labels, factors, smoothing, out)

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

    return normalization(torch, xp, whole) | table(
        gather,
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
    )
