"""The stage of a dense layer and an activation."""

from collections.abc import Callable
from typing import Any

from nnxp import kernels
from nnxp.activations import Activation
from nnxp.kernels import formulas
from nnxp.kernels.binding import bound
from nnxp.kernels.composing import with_slope
from nnxp.layers import Dense
from nnxp.memory.buffers import Buffers
from nnxp.network.parametric import ParametricActivation
from nnxp.training.sizes import Sized
from nnxp.training.stages import DenseStage
from nnxp.typing import Array


class DenseActivation(DenseStage):
    """A dense layer and an activation: f(z + b) in one pass over z = x W, and dz = f'(z + b) dy in one pass over
    dy, the bias's gradient Σᵢ dzᵢ with it. Where f' is of z, forward computes it and keeps s f' for backward, of which
    it shares the greater part, on NumPy and PyTorch; CuPy, which waits for its memory, computes it again.

    Parameters
    ----------
    in_place
        Whether backward may write over its argument.
    """

    beside: tuple[str, ...] = ()
    """What forward computes beside the activation, for a backward."""

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
        backward = self.trained or needs_dinputs or bool(activation.parameters)
        self.passing = self.keeps_slope = self.keeps_z and backward and self.backend.library in ("numpy", "torch")
        self.results = ["activation", *self.beside, *["slope"] * self.keeps_slope] if self.keeps_z else []
        self.slope_of = (self.scale,) * self.keeps_slope
        self.optional, self.constants = bool(activation.options), list[Any]()
        self._fuse()

    def _fuse(self) -> None:
        self.sizes.clear()
        self.functions = self.activation.functions()
        function, gradient = self._forward_formula(), self.functions[1]
        if self.keeps_slope:
            function, gradient = with_slope(function, gradient), formulas.product
        else:
            gradient = kernels.compose(gradient, self.add_row) if self.keeps_z else gradient
            gradient = kernels.compose(formulas.times, gradient) if self.scaled else gradient
        flushes = {} if self.functions[0] is formulas.relu else self.flushes  # a slope of 0 or 1 makes nothing small
        gradient = kernels.compose(formulas.without_tiny, gradient) if flushes else gradient
        self.activate = self.backend.fuse(kernels.compose(function, self.add_row), into=() if self.keeps_z else ("z",))
        into = ("dy",) if self.in_place else ()
        self.differentiate = self.backend.fuse(gradient, into=into, column_sums=True, **flushes)

    def _forward_formula(self) -> Callable[..., Any]:
        return self.functions[0]

    def sized(self, n: int) -> Sized:
        """Memory for n rows, and calls on it: of the activation's constants alone."""
        at = super().sized(n)
        at.read, at.a, written = (at.z,), at.z, {}
        if self.results:
            out = tuple(self.buffers.take(self, name, at.z.shape) for name in self.results)
            at.read, at.a = out[-1:] if self.keeps_slope else (at.z, *self.addends), out[0]
            written = {"out": out if len(out) > 1 else at.a}
        at.forward = bound(self.activate, at.z, *self.addends, **written)
        if not self.in_place:
            at.dz = self.buffers.take(self, "dz", at.z.shape)
        return at

    def forward(self, x: Array) -> Array:
        """f(s x W + b)."""
        if self.optional:
            if self.activation.functions() != self.functions:  # an option that chooses the formula was changed
                self._fuse()
            self.constants = self.activation.constants()
        at = self.product(x)
        at.forward(*self.constants, *self.slope_of)
        return at.a

    def backward(self, dy: Array) -> Array | None:
        """The gradients of f(s x W + b)."""
        at, numbers = self.at, () if self.keeps_slope else (*self.constants, *self.scales)
        if dy is not at.by:
            out = {} if self.in_place else {"out": at.dz}
            if not self.buffers.handed_out(dy):  # a new array at every step
                self.differentiate(*at.read, dy, *numbers, sums=self.db, **out)
                return self.gradients(dy if self.in_place else at.dz)
            at.by, at.backward = dy, bound(self.differentiate, *at.read, dy, sums=self.db, **out)
        at.backward(*numbers)
        return self.gradients(dy if self.in_place else at.dz)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        name = type(self.activation).__name__
        forward = f"Dense.forward, its bias and {name}.forward in one pass"
        return forward, f"{name}.backward and Dense.dbiases in one pass, Dense.backward" + self._only()
