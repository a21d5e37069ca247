"""The stages of a planned step: one layer, or several in a row that run as one, into memory that is used again.

A stage computes what its layers compute (`tests/training/test_plan.py` holds the two equal). Forward keeps what its
backward reads. Nobody else holds a gradient on its way through the stages, so that they may write over it.
"""

from collections.abc import Sequence
from typing import Any, TypeGuard

from nnxp import kernels
from nnxp.activations import ACTIVATIONS, Activation, Linear, Softmax
from nnxp.doors.sparse import SparseRows
from nnxp.kernels import formulas
from nnxp.layers import Dense, Layer, Rescaling
from nnxp.layers.parts import with_parts
from nnxp.memory.buffers import Buffers
from nnxp.network.parametric import ParametricActivation
from nnxp.network.wide import BlockDense
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
        self.layer, self.lent = layer, [*with_parts([layer], position)]

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
        self.scaled, self.scale = dense.scale != 1, dense.scale
        self.add_row = formulas.scaled_add_row if self.scaled else formulas.add_row
        self.scales = (self.scale,) * self.scaled  # what `scaled_add_row` takes beside z and b
        self.addends = self.b, *self.scales
        self.multiply = self.backend.fuse(formulas.times, into=("x",))

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
        return self.down(dz, self.across, out=self.buffers.take(self, "dinputs", (dz.shape[0], self.dense.n_in)))


class DenseAlone(DenseStage):
    """A dense layer that nothing is fused with: s x W + b."""

    def __init__(
        self, dense: Dense, buffers: Buffers, position: int, needs_dinputs: bool, training: bool = True
    ) -> None:
        super().__init__(dense, [dense], buffers, position, needs_dinputs, training)
        self.bias = self.backend.fuse(self.add_row, into=("z",))
        self.column_sums = dense.kernel("column_sums")
        self.scale_and_sum = self.backend.fuse(formulas.times, column_sums=True)

    def forward(self, x: Array) -> Array:
        """s x W + b."""
        return self.bias(self.product(x), *self.addends)

    def backward(self, dy: Array) -> Array | None:
        """The dense layer's gradients."""
        if self.scaled:
            out = self.buffers.take(self, "dz", dy.shape)
            return self.gradients(self.scale_and_sum(dy, self.scale, out=out, sums=self.db))
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
        activation: Activation | ParametricActivation,
        buffers: Buffers,
        position: int,
        needs_dinputs: bool,
        training: bool = True,
        in_place: bool = True,
    ) -> None:
        super().__init__(dense, [dense, activation], buffers, position, needs_dinputs, training)
        self.activation, self.in_place = activation, in_place
        self.keeps_z = training and "inputs" in activation.reads  # else the output is all that backward reads
        self._fuse()

    def _fuse(self) -> None:
        self.functions = self.activation.functions()
        biased, gradient = kernels.compose(self.functions[0], self.add_row), self.functions[1]
        gradient = kernels.compose(gradient, self.add_row) if self.keeps_z else gradient
        gradient = kernels.compose(formulas.times, gradient) if self.scaled else gradient
        self.activate = self.backend.fuse(biased, into=() if self.keeps_z else ("z",))
        self.differentiate = self.backend.fuse(gradient, into=("dy",) if self.in_place else (), column_sums=True)

    def forward(self, x: Array) -> Array:
        """f(s x W + b)."""
        if self.activation.functions() != self.functions:  # an option that chooses the formula was changed
            self._fuse()
        z = self.product(x)
        self.constants = constants = self.activation.constants()
        if self.keeps_z:
            self.read = z, *self.addends
            return self._activated(*self.read, *constants)
        self.read = (z,)
        return self.activate(z, *self.addends, *constants)

    def _activated(self, z: Array, *others: Any) -> Array:
        """The output beside z, which backward reads."""
        return self.activate(z, *others, out=self.buffers.take(self, "activation", z.shape))

    def backward(self, dy: Array) -> Array | None:
        """The gradients of f(s x W + b)."""
        arguments = *self.read, dy, *self.constants, *self.scales
        if self.in_place:
            return self.gradients(self.differentiate(*arguments, sums=self.db))
        out = self.buffers.take(self, "dz", dy.shape)
        return self.gradients(self.differentiate(*arguments, out=out, sums=self.db))

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        name = type(self.activation).__name__
        forward = f"Dense.forward, its bias and {name}.forward in one pass"
        return forward, f"{name}.backward and Dense.dbiases in one pass, Dense.backward" + self._only()


class DenseParametric(DenseActivation):
    """A dense layer and a parametric activation that is trained, likewise: forward keeps f(z + b) - (z + b) beside the
    output, and dα is the one thing more that backward computes, of that and dy."""

    activation: ParametricActivation

    def _fuse(self) -> None:
        super()._fuse()
        self.activate = self.backend.fuse(kernels.compose(self.activation.with_difference(), self.add_row))
        self.sum_products = self.backend.fuse(formulas.product, into=("x",), column_sums=True)

    def _activated(self, z: Array, *others: Any) -> Array:
        out = [self.buffers.take(self, name, z.shape) for name in ("activation", "difference")]
        output, self.difference = self.activate(z, *others, out=tuple(out))
        return output

    def backward(self, dy: Array) -> Array | None:
        """The gradients of a(s x W + b)."""
        self.sum_products(self.difference, dy, sums=self.activation.gradient("alpha"))
        return super().backward(dy)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        forward, backward = super().lines()
        return forward, "ParametricActivation.dalpha, " + backward


def dense_and(
    dense: Dense,
    activation: Activation | ParametricActivation,
    buffers: Buffers,
    position: int,
    needs_dinputs: bool,
    training: bool = True,
    in_place: bool = True,
) -> DenseActivation:
    """The stage of a dense layer and an activation that it takes in."""
    learns = training and isinstance(activation, ParametricActivation) and activation.trainable
    kind = DenseParametric if learns else DenseActivation
    return kind(dense, activation, buffers, position, needs_dinputs, training, in_place)
