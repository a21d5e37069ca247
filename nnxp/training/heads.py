"""The last stage of a planned step, which has the loss."""

import copy
import functools

from nnxp.kernels import formulas
from nnxp.kernels.binding import bound
from nnxp.layers import Dense
from nnxp.losses import ELEMENTWISE, LOSSES, Loss, SoftmaxCrossentropy, StandardisedLoss
from nnxp.losses.base import ElementwiseLoss
from nnxp.memory.buffers import Buffers
from nnxp.training.sizes import Sized, remember
from nnxp.training.stages import DenseStage, Stage
from nnxp.typing import Array


class Head(Stage):
    """The last stage, which has the loss."""

    loss: Loss
    p: Array = None  # the predictions, or the logits

    def losses(self, y: Array, factors: Array, w: Array | None) -> Array:
        """Each sample's loss (n,); kept for backward, its gradient times its factor, of shape (n, 1)."""
        raise NotImplementedError

    def losses_and_scores(self, y: Array, factors: Array, w: Array | None) -> tuple[Array, Array, Array | None]:
        """`losses`, what the metric averages, (n,), and where these are the rows of one matrix (2, n), that."""
        return self.losses(y, factors, w), self.loss.scores(self.p, y), None


class LossStage(Head):
    """A loss of what the last layer gives: of several members (n, K · m), which is (n · K, m) to the loss."""

    def __init__(self, loss: Loss, buffers: Buffers, position: int, source: str, members: int) -> None:
        super().__init__([], buffers, position, True)
        self.loss, self.source, self.members = loss, source, members
        # The model's loss may be in use in another thread: one of this package writes through a twin of its own.
        self.twin = copy.copy(loss) if type(loss) in (*LOSSES, StandardisedLoss) else loss
        self.scale_rows = loss.backend.fuse(formulas.scale_rows)

    def forward(self, x: Array) -> Array:
        """The predictions themselves."""
        self.p, self.shape = x, x.shape
        if self.members > 1:
            n, width = x.shape
            self.p = self.buffers.reshaped(x, (n * self.members, width // self.members))
        return x

    def losses(self, y: Array, factors: Array, w: Array | None) -> Array:
        """Each sample's loss (n,); kept for backward, its gradient times its factor, of shape (n, 1)."""
        if self.twin is not self.loss:
            self.twin.__dict__.update(self.loss.__dict__, buffers=self.buffers)
        losses, gradient = self.twin.both(self.p, y)
        if type(self.loss).mean_gradient is not Loss.mean_gradient:
            # A copy: the stage below may write over it, and the loss may keep it.
            self.dp = self.loss.backend.asarray(self.loss.mean_gradient(gradient, w), copy=True)
        else:
            self.dp = self.scale_rows(gradient, factors, out=self.buffers.take(self, "dvalues", self.p.shape))
        return losses

    def losses_and_scores(self, y: Array, factors: Array, w: Array | None) -> tuple[Array, Array, Array | None]:
        """`losses`, and what the metric averages, in the same memory at every step."""
        return self.losses(y, factors, w), self.twin.scores(self.p, y), None

    def backward(self, dy: Array | None) -> Array | None:
        """The gradient of the weighted mean by the predictions."""
        return self.dp if self.members == 1 else self.buffers.reshaped(self.dp, self.shape)

    def lines(self) -> tuple[str, str]:
        """The loss in words."""
        return "", f"{type(self.loss).__name__} from {self.source}: loss and gradient"


class ElementwiseStage(LossStage):
    """A loss of this package that is the mean of a formula over a sample's outputs: one pass gives all of a step."""

    loss: ElementwiseLoss

    def __init__(self, loss: ElementwiseLoss, buffers: Buffers, position: int, source: str, members: int) -> None:
        super().__init__(loss, buffers, position, source, members)
        self.of_a_step, self.row_means = loss.backend.fuse(loss.step_formula()), loss.backend.kernels["row_means"]
        self.sizes: dict[int, tuple[tuple[Array, ...], Array, tuple[Array, Array, Array]]] = {}

    def sized(self, n: int) -> tuple[tuple[Array, ...], Array, tuple[Array, Array, Array]]:
        """Memory for n samples: what the kernel writes, its errors and scores, (2n, m), and what they are in the mean,
        (n,) each and (2, n)."""
        m, (take, reshaped) = self.p.shape[1], (self.buffers.take, self.buffers.reshaped)
        each = take(self, "errors and scores", (2 * n, m))
        means = reshaped(each, (2 * n,)) if m == 1 else take(self, "losses and scores", (2 * n,))
        both = reshaped(means, (2, n))
        assert each is not None
        return (each[:n, ...], take(self, "dvalues", (n, m)), each[n:, ...]), each, (both[0, ...], both[1, ...], both)

    def losses(self, y: Array, factors: Array, w: Array | None) -> Array:
        """Each sample's loss (n,); kept for backward, its gradient times its factor, of shape (n, 1)."""
        return self.losses_and_scores(y, factors, w)[0]

    def losses_and_scores(self, y: Array, factors: Array, w: Array | None) -> tuple[Array, Array, Array | None]:
        """All from the one kernel."""
        n, m = self.p.shape
        written, each, means = self.sizes.get(n) or remember(self.sizes, n, self.sized(n))
        self.of_a_step(self.p, y, *self.loss._constants(self.p), factors, 1 / m, out=written)
        if m > 1:
            self.row_means(each, out=self.buffers.reshaped(means[2], (2 * n,)))
        self.dp = written[1]
        return means


def loss_stage(loss: Loss, buffers: Buffers, position: int, source: str, members: int) -> LossStage:
    """The stage of a loss, of one network or of several members side by side."""
    if isinstance(loss, ElementwiseLoss) and type(loss) in ELEMENTWISE:
        return ElementwiseStage(loss, buffers, position, source, members)
    return LossStage(loss, buffers, position, source, members)


class DenseSoftmaxCrossentropy(DenseStage, Head):
    """The last dense layer, the softmax and the cross-entropy: its bias, the losses and the gradient by one kernel.

    In neural-tangent form the logits are multiplied by s before, and the samples' factors instead of the gradient.
    """

    loss: SoftmaxCrossentropy

    def __init__(
        self, dense: Dense, loss: SoftmaxCrossentropy, buffers: Buffers, position: int, needs_dinputs: bool
    ) -> None:
        super().__init__(dense, [dense], buffers, position, needs_dinputs, training=True)
        self.loss = loss
        self.kernel, self.column_sums = dense.kernel("bias_softmax_crossentropy"), dense.kernel("column_sums")
        if self.flushes:
            self.flush = self.backend.fuse(formulas.without_tiny, into=("dx",), column_sums=True, **self.flushes)
        self.times = self.backend.fuse(formulas.times)

    def sized(self, n: int) -> Sized:
        """Memory for n rows."""
        at, take = super().sized(n), self.buffers.take
        at.both = self.buffers.reshaped(take(self, "losses and scores", (2 * n,)), (2, n))
        at.losses, at.scores, at.dz = at.both[0, ...], at.both[1, ...], take(self, "dvalues", at.z.shape)
        at.read, at.written = (at.z, self.b), (at.losses, at.dz)
        if self.flushes:
            at.flush = bound(self.flush, at.dz, sums=self.db)
        return at

    def forward(self, x: Array) -> Array:
        """s x W, and from `losses` on the logits s x W + b, in the same array."""
        at = self.product(x)
        self.p = at.read[0]
        if self.scaled:
            self.multiply(at.z, self.scale)
        return at.z

    def losses(self, y: Array, factors: Array, w: Array | None) -> Array:
        """Each sample's loss (n,); kept for backward, its gradient times its factor, of shape (n, 1)."""
        self._computed(y, factors)
        return self.at.losses

    def losses_and_scores(self, y: Array, factors: Array, w: Array | None) -> tuple[Array, Array, Array | None]:
        """Both from the one kernel, which has the largest logit at hand."""
        if not self.at_once:
            return super().losses_and_scores(y, factors, w)
        at = self.at
        self._computed(y, factors, at.scores)
        return at.losses, at.scores, at.both

    def _computed(self, y: Array, factors: Array, *scores: Array) -> None:
        """Runs the kernel, which is bound once for the factors of a size, with scores or without."""
        at = self.at
        if self.scaled:
            factors = self.times(factors, self.scale, out=self.buffers.take(self, "factors", factors.shape))
        if factors is not at.by or at.scored is not bool(scores):
            at.by, at.scored = factors, bool(scores)
            at.backward = bound(self.kernel, *at.read, factors=factors, out=(*at.written, *scores))
        at.backward(y, smoothing=self.loss.label_smoothing)

    @functools.cached_property
    def at_once(self) -> bool:
        """Whether the kernel gives the scores too."""
        return self.backend.library in ("cupy", "numpy") and type(self.loss).score is Loss.score

    def backward(self, dy: Array | None) -> Array | None:
        """The dense layer's gradients."""
        if self.flushes:
            self.at.flush()
        elif self.trained:
            self.column_sums(self.at.dz, out=self.db)
        return self.gradients(self.at.dz)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        name = type(self.loss).__name__
        return (
            "Dense.forward without its bias",
            f"Dense's bias and {name} from logits: loss and gradient in one pass, Dense.backward" + self._only(),
        )
