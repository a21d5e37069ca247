"""The step of several members side by side: what differs is where the loss is, which each has its own of."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnxp.kernels import formulas
from nnxp.layers import Dense, Layer
from nnxp.layers.parts import with_parts
from nnxp.memory.buffers import Buffers
from nnxp.network.members import check_optimizer
from nnxp.network.model import Model
from nnxp.network.sharing import share
from nnxp.training.batch import Batch
from nnxp.training.heads import DenseSoftmaxCrossentropy
from nnxp.training.measuring import Measuring, averages
from nnxp.training.member_penalties import MemberPenalties
from nnxp.training.plan import Plan
from nnxp.training.shared_stage import shared_stage
from nnxp.training.sizes import Sized, remember
from nnxp.training.stages import Stage
from nnxp.typing import Array


class MembersDenseSoftmaxCrossentropy(DenseSoftmaxCrossentropy):
    """The last dense layers of all members: the logits (n, K · m) are (n · K, m) to the kernel.

    Labels are those of K rows in turn where the kernel gives the scores, else of each."""

    def sized(self, n: int) -> Sized:
        """Memory for n rows, as the kernel takes it."""
        at, take, reshaped = super().sized(n), self.buffers.take, self.buffers.reshaped
        K, m = self.rows.shape
        at.both = reshaped(take(self, "losses and scores of members", (2 * n * K,)), (2, n * K))
        at.losses, at.scores = at.both[0, ...], at.both[1, ...]
        at.read, at.written = (reshaped(at.z, (n * K, m)), self.rows), (at.losses, reshaped(at.dz, (n * K, m)))
        return at

    @functools.cached_property
    def rows(self) -> Array:
        """The biases, a member's in a row, (K, m)."""
        members = self.dense.model.members
        return self.backend.xp.reshape(self.b, (members, self.dense.n_out // members))


class MembersMeasuring(Measuring):
    """Loss and metric of what all predict together, and each one's loss: a column for each, and one for all."""

    def __init__(self, plan: Any) -> None:
        super().__init__(plan)
        self.members: int = plan.members
        self.columns = (plan.members + 1,)
        self.penalties = MemberPenalties(plan.own, plan.members, plan.backend)

    def predict(self) -> Callable[[Array], Array]:
        """What all give, side by side, as the model's own loss takes it."""
        return self.plan.model.prediction(self.plan.model.layers, True)

    def losses(self, out: Array, y: Array) -> Array:
        """Each row's by each member, (n · K,)."""
        xp = self.plan.backend.xp
        rows = xp.reshape(out, (self.members * out.shape[0], -1))
        return self.plan.loss.losses(rows, xp.repeat(y, self.members, axis=0))

    def measured(self, out: Array, batch: Batch) -> tuple[Array, Array]:
        """The sums of each member, then those of what they give together."""
        xp, loss, (n, width), K = self.plan.backend.xp, self.plan.model.loss, out.shape, self.members
        assert loss is not None
        rows, y = xp.reshape(out, (n * K, width // K)), xp.repeat(batch.y, K, axis=0)
        together = xp.mean(xp.reshape(out, (n, K, width // K)), axis=1)
        found = []
        for measure, w in ((loss.losses, batch.w), (loss.scores, batch.v)):
            each, all_together = xp.reshape(measure(rows, y), (n, K)), measure(together, batch.y)
            columns = xp.concat([each, all_together[:, None]], axis=1)
            if w is not None:  # those of each one's own are of no rows that are held out from all
                w = w[:, None] if w.ndim == 1 else xp.concat([w, xp.full_like(w[:, :1], xp.nan)], axis=1)
            found.append(xp.sum(columns if w is None else w * columns, axis=0))
        return found[0], found[1]

    def sizes(self, batch: Batch) -> tuple[Any, Any]:
        """Σ w and Σ v, for each member and for all of them together."""
        total, scored = [a if np.ndim(a) == 0 else np.append(a, np.mean(a)) for a in (batch.total, batch.scored)]
        return total, scored

    def record(self, total: Any, score: Any, weight: Any, count: Any) -> dict[str, Any]:
        """Loss and metric of what they predict together, or where rows weigh for each by themselves the means of
        theirs, and "member_loss"."""
        model = self.plan.model
        assert model.loss is not None
        sums = [np.broadcast_to(a, self.columns) for a in (total, score, weight, count)]
        found = averages(model.loss, *(a[:-1] for a in sums))
        if not np.isnan(total[-1]):
            found |= averages(model.loss, *(a[-1] for a in sums))
        penalties = self.penalties.each(model.dtype)
        found["loss"] += float(np.mean(penalties))
        return found | {"member_loss": [a + b for a, b in zip(found["member_loss"], penalties.tolist(), strict=True)]}


class MembersPlan(Plan):
    """One training step of all members. Losses and scores of a step are (K,)."""

    _dense_head = MembersDenseSoftmaxCrossentropy
    measuring = MembersMeasuring

    def __init__(self, model: Model) -> None:
        self.members, self.shares = model.members, share(model.layers)
        self.columns = (self.members,)
        super().__init__(model)
        self.each_penalised = MemberPenalties(self.own, self.members, self.backend)
        fuse = self.backend.fuse
        self.sum_products = fuse(formulas.product, into=("x",), column_sums=True)
        self.scale_columns, self.column_sums = fuse(formulas.scale_columns), self.backend.kernels["column_sums"]
        self.invert = fuse(formulas.inverse_or_one, into=("x",))
        for position, layer in with_parts(model.layers):
            if hasattr(layer, "penalty") and getattr(type(layer), "penalty", None) is not Dense.penalty:
                raise ValueError(
                    f"got a penalty of layer {position}, {type(layer).__name__}, for {self.members} members, expected "
                    "penalties of dense layers alone: l1= and l2="
                )
            if self.shares and isinstance(layer, Dense) and layer._penalised:
                raise ValueError(
                    f"got penalties of layer {position} in a model whose members share weights, expected none: take "
                    "the optimizer's weight_decay"
                )

    def _own_stage(self, layers: Sequence[Layer], i: int, buffers: Buffers, first: int) -> Stage | None:
        """That of layers whose members share weights."""
        return shared_stage(layers, i, buffers, first)

    def _first_trained(self) -> int:
        """Likewise; before a layer that is there once for each member, its inputs may be spread."""
        own = super()._first_trained()
        return len(self._running(self.own[: own + 1])) - 1 if self.owners else len(self.layers)

    def lines(self) -> list[str]:
        """Likewise, of all members."""
        return [f"{self.members} members side by side, (rows, {self.members} · width)", *super().lines()]

    def update(self) -> None:
        """One update of all, each by its own gradients."""
        check_optimizer(self.model.optimizer, self.members, self.shares)  # an option may have been set since
        super().update()

    def _mean(self, y: Array, w: Array | None, v: Array | None, n: int, means: Array, heft: float) -> Array:
        """Each member's mean loss, (K,); where `means` is given, the weighted sums of their scores beside it."""
        K, head, take, reshape = self.members, self.head, self.buffers.take, self.buffers.reshaped
        equal, shares, column, rows = self._equal(n)
        y = self._labels(y)
        w, v = self._apart(w, "weights"), self._apart(v, "counts")
        if w is not None:  # shares of their sum first: weighted losses may be beyond the dtype
            inverse = self.column_sums(w, out=take(self, "1 / Σ w", (1, K)))
            shares = self.scale_columns(w, self.invert(inverse), out=take(self, "shares", (n, K)))
            column, w = reshape(shares, (n * K, 1)), reshape(w, (n * K,))
        factor = heft / K if self.shares else heft  # their loss is the mean of the members'
        if not _is_one(heft if w is None else factor):  # without weights, the column has the rest already
            row = take(self, "row", (1, K))  # the same memory each time, which a kernel knows again
            assert row is not None
            device = not (isinstance(factor, float) or self.backend.library == "numpy")
            row[...] = self.backend.asarray(factor, dtype=self.model.dtype) if device else factor
            column = reshape(self.scale_columns(shares, row, out=take(self, "factors", (n, K))), (n * K, 1))
        if means is None:
            return self._sums(head.losses(y, column, w), shares, None)
        losses, scores, both = head.losses_and_scores(y, column, w)
        if self.backend.xp is np and both is not None and w is None and v is None:
            np.matmul(rows, reshape(both, (2, n, K)), out=means[:, None, :])
            return means[0, ...]
        loss = self._sums(losses, shares, means[0, ...])
        self._sums(scores, equal if v is None else v, means[1, ...])
        return loss

    def _labels(self, y: Array) -> Array:
        """The labels of n rows as the head takes them."""
        at_once = isinstance(self.head, MembersDenseSoftmaxCrossentropy) and self.head.at_once
        return y if at_once else self._repeated(y, "labels")

    def _apart(self, w: Array | None, name: str) -> Array | None:
        """Weights (n, K): those that are each member's own as they are, those of all once for each."""
        if w is None or w.ndim == 2:
            return w
        return self.buffers.reshaped(self._repeated(w, name), (w.shape[0], self.members))

    def _equal(self, n: int) -> tuple[Array, ...]:
        """What each of n samples without weights counts for each member: 1 in a sum, (n, K), and 1 / n in a mean; its
        gradient's factor as a column (n · K, 1); and as rows of a product 1 / n and 1, (2, 1, n)."""
        if n not in self._uniform:
            xp = self.backend.xp
            ones = xp.ones((n, self.members), dtype=getattr(xp, self.model.dtype), device=self.backend.device)
            shares = ones * (1 / n)
            column = xp.reshape(shares / self.members if self.shares else shares, (-1, 1))
            rows = xp.stack([shares[:, 0], ones[:, 0]])[:, None, :]
            remember(self._uniform, n, (ones, shares, column, rows))
        return self._uniform[n]

    def _repeated(self, a: Array, name: str) -> Array:
        """Each row once for each member: (n,) to (n · K,), (n, m) to (n · K, m)."""
        n, *rest = a.shape
        out = self.buffers.take(self, name, (n, self.members, *rest), a.dtype)
        assert out is not None
        out[...] = a[:, None, ...]
        return self.buffers.reshaped(out, (n * self.members, *rest))

    def _sums(self, values: Array, weights: Array, out: Array) -> Array:
        """Σᵢ wᵢₖ aᵢₖ, (K,), of values (n · K,), which may be written over, and weights (n, K)."""
        xp, (n, K) = self.backend.xp, weights.shape
        if out is None:
            out = xp.empty((K,), dtype=values.dtype, device=self.backend.device)
        products = self.buffers.reshaped(values, (n, K))
        if xp is np:  # whose own is one call, for what the fused one has to look at anew at each step
            self.backend.kernels["weighted_sum"](products.T, weights.T, out=out)
        else:
            self.sum_products(products, weights, sums=xp.reshape(out, (1, K)))
        return out

    def _penalised(self, loss: Array) -> Array:
        """The losses with each member's own penalties."""
        return self.each_penalised.add(loss)


def _is_one(factor: Any) -> bool:
    """Whether a factor, or each member's, is 1; of a number NumPy is not asked."""
    return factor == 1 if isinstance(factor, float) else bool(np.all(factor == 1))
