"""The stages of a planned step: one layer, or several in a row that run as one, into memory that is used again.

A stage computes what its layers compute (`tests/training/test_plan.py` holds the two equal). Forward keeps what its
backward reads. Nobody else holds a gradient on its way through the stages, so that they may write over it.
"""

from collections.abc import Sequence

from nnxp import kernels
from nnxp.activations import ACTIVATIONS, Activation, Linear, Softmax
from nnxp.doors.sparse import SparseRows
from nnxp.kernels import formulas
from nnxp.layers import Dense, Layer, Rescaling
from nnxp.layers.parts import with_parts
from nnxp.memory.buffers import Buffers
from nnxp.typing import Array

FUSED = tuple(kind for kind in ACTIVATIONS if kind not in (Linear, Softmax))
"""The activations that a dense layer before them takes into one pass."""


def casts_bytes(layers: Sequence[Layer]) -> bool:
    """Whether a model's first layer takes a batch of bytes and casts it while it rescales."""
    return bool(layers) and type(layers[0]) is Rescaling and layers[0].backend.library in ("numpy", "cupy", "torch")


class Stage:
    """One or more layers from `position` on."""

    def __init__(self, layers: list[Layer], buffers: Buffers, position: int, needs_dinputs: bool) -> None:
        self.layers, self.buffers, self.position, self.needs_dinputs = layers, buffers, position, needs_dinputs

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
        """Forward and backward in words."""
        raise NotImplementedError

    def _only(self) -> str:
        if not all(layer.trainable for layer in self.layers):
            return ", frozen: gradients of its inputs only"
        return "" if self.needs_dinputs else ", gradients of its parameters only"


class LayerStage(Stage):
    """One layer as it stands."""

    def __init__(self, layer: Layer, buffers: Buffers, position: int, needs_dinputs: bool) -> None:
        super().__init__([layer], buffers, position, needs_dinputs)
        self.layer, self.lent = layer, [(place, part.__dict__) for place, part in with_parts([layer], position)]

    def begin(self, epoch: int, step: int, part: int) -> None:
        """Lends the layer and its parts the plan's memory."""
        for place, own in self.lent:
            own["buffers"] = self.buffers
            own["moment"] = (place, epoch, step, part) if part else (place, epoch, step)
        self.layer.__dict__["needs_dinputs"] = self.needs_dinputs

    def release(self) -> None:
        """Gives the layer back to a reader: by hand it computes everything, into new memory."""
        for _, own in self.lent:
            for name in ("buffers", "needs_dinputs", "moment"):
                own.pop(name, None)

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
    """The products of a dense layer. Its bias, and the bias's gradient, are left to what follows it.

    Parameters
    ----------
    training
        False keeps nothing for a backward.
    """

    x: Array = None

    def __init__(
        self,
        dense: Dense,
        layers: list[Layer],
        buffers: Buffers,
        position: int,
        needs_dinputs: bool,
        training: bool = True,
    ) -> None:
        super().__init__(layers, buffers, position, needs_dinputs)
        self.dense, self.backend, self.matmul = dense, dense.backend, dense.kernel("matmul")
        self.training, self.trained = training, dense.trainable
        self.W, self.b, self.across = dense.weights, dense.biases, dense.weights.T
        self.dW, self.db = dense.gradient("weights"), dense.gradient("biases")

    def release(self) -> None:
        """Lets go of the batch, which may be a view of something large."""
        self.x = None

    def product(self, x: Array) -> Array:
        """x W; x is kept for backward."""
        if self.training:
            self.x = x
        out = self.buffers.take(self, "output", (x.shape[0], self.dense.n_out))
        return x.product(self.W, out) if type(x) is SparseRows else self.matmul(x, self.W, out=out)

    def gradients(self, dz: Array) -> Array | None:
        """dW = xᵀ dz, of a layer that is trained, and dx = dz Wᵀ."""
        x = self.x if self.trained else None
        if type(x) is SparseRows:
            x.gradient(dz, self.dW)
        elif x is not None:
            self.matmul(self.buffers.transposed(x), dz, out=self.dW)
        if not self.needs_dinputs:
            return None
        return self.matmul(dz, self.across, out=self.buffers.take(self, "dinputs", (dz.shape[0], self.dense.n_in)))


class DenseAlone(DenseStage):
    """A dense layer that nothing is fused with: x W + b."""

    def __init__(
        self, dense: Dense, buffers: Buffers, position: int, needs_dinputs: bool, training: bool = True
    ) -> None:
        super().__init__(dense, [dense], buffers, position, needs_dinputs, training)
        self.add_row = self.backend.fuse(formulas.add_row, into=("z",))
        self.column_sums = dense.kernel("column_sums")

    def forward(self, x: Array) -> Array:
        """x W + b."""
        return self.add_row(self.product(x), self.b)

    def backward(self, dy: Array) -> Array | None:
        """The dense layer's gradients."""
        if self.trained:
            self.column_sums(dy, out=self.db)
        return self.gradients(dy)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        return "Dense.forward", "Dense.backward" + self._only()


class DenseActivation(DenseStage):
    """A dense layer and an activation: f(z + b) in one pass over z = x W, and dz = f'(z + b) dy in one pass over
    dy, the bias's gradient Σᵢ dzᵢ with it.

    Parameters
    ----------
    in_place
        Whether backward may write over its argument.
    """

    def __init__(
        self,
        dense: Dense,
        activation: Activation,
        buffers: Buffers,
        position: int,
        needs_dinputs: bool,
        training: bool = True,
        in_place: bool = True,
    ) -> None:
        super().__init__(dense, [dense, activation], buffers, position, needs_dinputs, training)
        self.activation, self.in_place = activation, in_place
        self.keeps_z = training and activation.reads == ("inputs",)  # else the output is all that backward reads
        self._fuse()

    def _fuse(self) -> None:
        self.functions = self.activation.functions()
        biased, gradient = kernels.compose(self.functions[0], formulas.add_row), self.functions[1]
        gradient = kernels.compose(gradient, formulas.add_row) if self.keeps_z else gradient
        self.activate = self.backend.fuse(biased, into=() if self.keeps_z else ("z",))
        self.differentiate = self.backend.fuse(gradient, into=("dy",) if self.in_place else (), column_sums=True)

    def forward(self, x: Array) -> Array:
        """f(x W + b)."""
        if self.activation.functions() != self.functions:  # an option that chooses the formula was changed
            self._fuse()
        z, constants = self.product(x), self.activation.constants()
        if self.keeps_z:
            self.read: tuple[Array, ...] = (z, self.b)
            return self.activate(z, self.b, *constants, out=self.buffers.take(self, "activation", z.shape))
        self.read = (z,)
        return self.activate(z, self.b, *constants)

    def backward(self, dy: Array) -> Array | None:
        """The gradients of f(x W + b)."""
        constants = self.activation.constants()
        if self.in_place:
            return self.gradients(self.differentiate(*self.read, dy, *constants, sums=self.db))
        out = self.buffers.take(self, "dz", dy.shape)
        return self.gradients(self.differentiate(*self.read, dy, *constants, out=out, sums=self.db))

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        name = type(self.activation).__name__
        return (
            f"Dense.forward, its bias and {name}.forward in one pass",
            f"{name}.backward and Dense.dbiases in one pass, Dense.backward" + self._only(),
        )
