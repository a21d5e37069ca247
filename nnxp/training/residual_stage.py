"""The stage of a residual block: its row as stages, and its shortcut beside them."""

from collections.abc import Sequence
from typing import TypeGuard

from nnxp import kernels
from nnxp.kernels import formulas
from nnxp.kernels.binding import bound
from nnxp.layers import Dense, Layer
from nnxp.memory.buffers import Buffers
from nnxp.network.residual import Residual
from nnxp.training.sizes import Sized
from nnxp.training.stages import DenseAlone, DenseStage, Stage, is_dense
from nnxp.typing import Array


def is_block(layer: Layer) -> TypeGuard[Residual]:
    """Whether a layer's parts run as stages: it is a residual block, and no subclass of the user's own."""
    return type(layer) is Residual and (layer.shortcut is None or is_dense(layer.shortcut))


class Shortcut(DenseAlone):
    """The dense layer beside a block's row. Its bias goes with the sum: s x W + b + f in one pass, over its product."""

    turn = None  # the row runs before what it gives is read

    def __init__(
        self, dense: Dense, buffers: Buffers, position: int, needs_dinputs: bool, training: bool = True
    ) -> None:
        super().__init__(dense, buffers, position, needs_dinputs, training)
        self.bias = self.backend.fuse(kernels.compose(formulas.residual, self.add_row), into=("z",))

    def sized(self, n: int) -> Sized:
        """Memory for n rows."""
        return DenseStage.sized(self, n)

    def added(self, x: Array, f: Array) -> Array:
        """s x W + b + f."""
        at = self.product(x)
        if f is at.by:
            at.forward()
        elif self.buffers.handed_out(f):
            at.by, at.forward = f, bound(self.bias, at.z, *self.addends, f)
            at.forward()
        else:  # a new array at every step
            self.bias(at.z, *self.addends, f)
        return at.z

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        forward = "Dense.forward of the shortcut, its bias and the sum in one pass"
        return forward, "Dense.backward of the shortcut" + self._only()


class ResidualStage(Stage):
    """A block, y = s(x) + f(x): the stages of f, those from layer `first` on in a backward, and s beside them.

    What the row gives away as the gradient of its inputs is summed into memory that no other stage writes to.
    """

    shortcut: Shortcut | None

    def __init__(
        self,
        block: Residual,
        row: Sequence[Stage],
        first: int,
        buffers: Buffers,
        position: int,
        needs_dinputs: bool,
        training: bool = True,
    ) -> None:
        super().__init__([block], buffers, position, needs_dinputs)
        self.inner, self.back = row, [stage for stage in row if stage.last >= first][::-1]
        own, fuse = block.shortcut, block.backend.fuse
        self.shortcut = None if own is None else Shortcut(own, buffers, position, needs_dinputs, training)
        self.sum, self.sum_in_place = fuse(formulas.residual), fuse(formulas.residual, into=("x",))

    def begin(self, epoch: int, step: int, part: int) -> None:
        """Of each of the row."""
        for stage in self.inner:
            stage.begin(epoch, step, part)

    def release(self) -> None:
        """Of each, and of the shortcut."""
        for stage in self.inner:
            stage.release()
        if self.shortcut is not None:
            self.shortcut.release()

    def forward(self, x: Array) -> Array:
        """s(x) + f(x)."""
        f = x
        for stage in self.inner:
            f = stage.forward(f)
        if self.shortcut is not None:
            return self.shortcut.added(x, f)
        return self.sum(x, f, out=self.buffers.take(self, "output", f.shape))

    def backward(self, dy: Array) -> Array | None:
        """s'(dy) + f'(dy): s' first, since the row may write over dy where that has read it."""
        beside = dy if self.shortcut is None else self.shortcut.backward(dy)
        for stage in self.back:
            dy = stage.backward(dy)
        if not self.needs_dinputs:
            return None
        if self.shortcut is None:
            return self.sum(beside, dy, out=self.buffers.take(self, "dinputs", dy.shape))
        return self.sum_in_place(beside, dy)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words, those of the row among them."""
        up, down = [stage.lines()[0] for stage in self.inner], [stage.lines()[1] for stage in self.back]
        added, first = "sum with the inputs", list[str]()
        if self.shortcut is not None:
            added, backward = self.shortcut.lines()
            first = [backward]
        return _within(*up, added), _within(*first, *down, *["sum of both gradients"] * self.needs_dinputs)


def _within(*texts: str) -> str:
    """Lines that say whose they are."""
    return "\n".join(f"Residual: {line}" for text in texts for line in text.splitlines())
