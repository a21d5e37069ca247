"""The stages of a planned step: one layer, or several in a row that run as one, into memory that is used again.

A stage computes what its layers compute (`tests/training/test_plan.py` holds the two equal). Forward keeps what its
backward reads. Nobody else holds a gradient on its way through the stages, so that they may write over it.
"""

from collections.abc import Sequence
from typing import TypeGuard

from nnxp.activations import ACTIVATIONS, Activation, Linear, Softmax
from nnxp.doors.sparse import SparseRows
from nnxp.kernels import formulas
from nnxp.kernels.binding import bound
from nnxp.layers import Dense, Layer, Rescaling
from nnxp.layers.parts import with_parts
from nnxp.memory.buffers import Buffers
from nnxp.network.parametric import ParametricActivation
from nnxp.network.wide import BlockDense
from nnxp.training.flushing import flushes
from nnxp.training.sizes import Sized, remember
from nnxp.typing import Array

FUSED = tuple(kind for kind in ACTIVATIONS if kind not in (Linear, Softmax))
"""The activations that a dense layer before them takes into one pass, also where they are parametric."""


def is_dense(layer: Layer | None) -> TypeGuard[Dense]:
    """Whether a stage makes the products of a layer: it is dense, and no subclass of the user's own."""
    return type(layer) in (Dense, BlockDense)


def fuses(after: Layer | None) -> TypeGuard[Activation | ParametricActivation]:
    """Whether a dense layer takes what comes after it into one pass."""
    return type(after.activation if type(after) is ParametricActivation else after) in FUSED


def casts_bytes(layers: Sequence[Layer]) -> bool:
    """Whether a model's first layer takes a batch of bytes and casts it while it rescales."""
    return bool(layers) and type(layers[0]) is Rescaling and layers[0].backend.library in ("numpy", "cupy", "torch")


class Stage:
    """One or more layers from `position` on."""

    inner: "Sequence[Stage]" = ()
    """Stages inside it, in order."""
    shortcut: "Stage | None" = None
    """A stage beside them."""

    def __init__(self, layers: list[Layer], buffers: Buffers, position: int, needs_dinputs: bool) -> None:
        self.layers, self.buffers, self.position, self.needs_dinputs = layers, buffers, position, needs_dinputs

    @property
    def last(self) -> int:
        """The index of its last layer."""
        return self.position + max(0, len(self.layers) - 1)

    def begin(self, epoch: int, step: int, part: int) -> None:
        """Called before each forward of a training; `part` counts the micro-batches of a step."""

    def release(self) -> None:
        """Called after the last step of a training."""

    def forward(self, x: Array) -> Array:
        """The output, (n, n_out)."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array | None:
        """Sets the parameters' gradients and gives that of the inputs, (n, n_in), where it is needed."""
        raise NotImplementedError

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words, each one line or several."""
        raise NotImplementedError

    def _only(self) -> str:
        if not all(layer.trainable for layer in self.layers):
            return ", frozen: gradients of its inputs only"
        return "" if self.needs_dinputs else ", gradients of its parameters only"


class LayerStage(Stage):
    """One layer as it stands. A part of a layer has its place behind that of the layer, "0.layers.": `before`."""

    def __init__(self, layer: Layer, buffers: Buffers, position: int, needs_dinputs: bool, before: str = "") -> None:
        super().__init__([layer], buffers, position, needs_dinputs)
        places = [*with_parts([layer], position)]
        self.layer, self.lent = layer, [(f"{before}{place}" if before else place, part) for place, part in places]

    def begin(self, epoch: int, step: int, part: int) -> None:
        """Lends the layer and its parts the plan's memory."""
        for place, layer in self.lent:
            own = layer.__dict__
            own["buffers"], own["needs_gradients"] = self.buffers, layer.trainable
            own["moment"] = (place, epoch, step, part) if part else (place, epoch, step)
        self.layer.__dict__["needs_dinputs"] = self.needs_dinputs

    def release(self) -> None:
        """Gives the layer back to a reader: by hand it computes everything, into new memory."""
        for _, layer in self.lent:
            for name in ("buffers", "needs_dinputs", "needs_gradients", "moment"):
                layer.__dict__.pop(name, None)

    def forward(self, x: Array) -> Array:
        """The layer's own."""
        return self.layer.run_forward(x, True)

    def backward(self, dy: Array) -> Array | None:
        """The layer's own."""
        return self.layer.run_backward(dy)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        name = type(self.layer).__name__
        return f"{name}.forward", f"{name}.backward" + self._only()


class DenseStage(Stage):
    """The products of a dense layer. Its bias, and the bias's gradient, are left to what follows it. Without
    `training`, nothing is kept for a backward.

    In neural-tangent form, s x W + b, the factor s costs no pass of its own: it goes with the bias, and with the pass
    that makes s dz, of which both products are. Σᵢ s dzᵢ then becomes db by one operation on a row.
    """

    x: Array = None
    at: Sized
    """What there is for the batch that runs."""
    turn: int | None = 0
    """Which memory the gradient of its inputs is written to: that of the next dense stage is in another. None: its own
    alone."""
    passing = False
    """Whether nobody needs the product once its stage's forward is over: all such stages then share its memory."""

    def __init__(
        self, dense: Dense, layers: list[Layer], buffers: Buffers, position: int, needs_dinputs: bool, training: bool
    ) -> None:
        super().__init__(layers, buffers, position, needs_dinputs)
        self.dense, self.backend, self.blocks = dense, dense.backend, type(dense) is BlockDense
        self.matmul = dense.kernel("block_products" if self.blocks else "matmul")
        self.down = dense.kernel("block_dinputs") if self.blocks else self.matmul
        self.training, self.trained = training, dense.trainable
        self.W, self.b, self.into_blocks = dense.weights, dense.biases, dense.kernel("block_dweights")
        self.across = self.W if self.blocks else self.W.T
        self.dW, self.db = dense.gradient("weights"), dense.gradient("biases")
        self.sizes: dict[int, Sized] = {}
        self.scaled, self.scale = dense.scale != 1, dense.scale
        self.add_row = formulas.scaled_add_row if self.scaled else formulas.add_row
        self.scales = (self.scale,) * self.scaled  # what `scaled_add_row` takes beside z and b
        self.addends = self.b, *self.scales
        self.multiply = self.backend.fuse(formulas.times, into=("x",))
        self.flushes = flushes(self.backend, dense.dtype)

    def release(self) -> None:
        """Lets go of the batch, which may be a view of something large."""
        self.x = None

    def sized(self, n: int) -> Sized:
        """Memory for n rows, and calls on it."""
        take, (h, m) = self.buffers.take, (self.dense.n_in, self.dense.n_out)
        whose = self if self.turn is None else DenseStage
        dinputs = take(whose, f"dinputs {h}, {self.turn}", (n, h)) if self.needs_dinputs else None
        z = take(DenseStage, f"product {m}", (n, m)) if self.passing else take(self, "output", (n, m))
        return Sized(z, dinputs)

    def product(self, x: Array) -> Sized:
        """x W, into `z` of what it gives; x is kept for backward."""
        n = x.shape[0]
        self.at = at = self.sizes.get(n) or remember(self.sizes, n, self.sized(n))
        if self.training:
            self.x = x
        if type(x) is SparseRows:
            x.product(self.W, at.z)
        else:
            self.matmul(x, self.W, out=at.z)
        return at

    def gradients(self, dz: Array) -> Array | None:
        """dW = xᵀ dz, of a layer that is trained, and dx = dz Wᵀ. In neural-tangent form dz has the factor s in it,
        and so has db, which is freed from it."""
        if self.trained:
            x = self.x
            if self.scaled:
                self.multiply(self.db, 1 / self.scale)
            if type(x) is SparseRows:
                x.gradient(dz, self.dW)
            elif self.blocks:
                self.into_blocks(x, dz, self.W, out=self.dW)
            else:
                self.matmul(self.buffers.transposed(x), dz, out=self.dW)
        if not self.needs_dinputs:
            return None
        return self.down(dz, self.across, out=self.at.dinputs)


class DenseAlone(DenseStage):
    """A dense layer that nothing is fused with: s x W + b."""

    def __init__(
        self, dense: Dense, buffers: Buffers, position: int, needs_dinputs: bool, training: bool = True
    ) -> None:
        super().__init__(dense, [dense], buffers, position, needs_dinputs, training)
        self.bias = self.backend.fuse(self.add_row, into=("z",))
        self.column_sums = dense.kernel("column_sums")
        self.sums = {"sums": self.db} if self.trained else {}
        self.times = self.backend.fuse(formulas.times, column_sums=self.trained)

    def sized(self, n: int) -> Sized:
        """Memory for n rows, and calls on it."""
        at = super().sized(n)
        at.forward = bound(self.bias, at.z, *self.addends)
        return at

    def forward(self, x: Array) -> Array:
        """s x W + b."""
        at = self.product(x)
        at.forward()
        return at.z

    def backward(self, dy: Array) -> Array | None:
        """The dense layer's gradients."""
        if self.scaled:
            out = self.buffers.take(self, "dz", dy.shape)
            return self.gradients(self.times(dy, self.scale, out=out, **self.sums))
        if self.trained:
            self.column_sums(dy, out=self.db)
        return self.gradients(dy)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        return "Dense.forward", "Dense.backward" + self._only()
