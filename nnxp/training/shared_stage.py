"""The stage of members that share weights: one product, and what is element-wise up to the next."""

from collections.abc import Sequence

from nnxp import kernels
from nnxp.activations import Activation
from nnxp.kernels import formulas
from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.memory.buffers import Buffers
from nnxp.network.wide import MembersDropout, MembersSharedDense
from nnxp.training.stages import FUSED, Stage
from nnxp.training.staging import may_write
from nnxp.typing import Array


def shared_stage(
    layers: Sequence[Layer], i: int, buffers: Buffers, first: int, kind: "type[SharedStage] | None" = None
) -> "SharedStage | None":
    """The stage, of a kind, that begins with layer i where that is a `MembersSharedDense` and an activation follows;
    the first layer that is trained is `first`."""
    if not _taken(layers, i):
        return None
    end = i + _taken(layers, i)
    after = layers[end] if first < end and _taken(layers, end) else None
    scaled = any(i == j + _taken(layers, j) > first for j in range(i))
    return (kind or SharedStage)([*layers[i:end]], after, scaled, may_write(layers[end:]), buffers, i, i > first)


def _taken(layers: Sequence[Layer], i: int) -> int:
    """How many layers the stage has that begins with layer i; 0 where none does."""
    kinds = [type(layer) for layer in layers[i : i + 3]]
    if len(kinds) < 2 or kinds[0] is not MembersSharedDense or kinds[1] not in FUSED:
        return 0
    return 3 if kinds[2:] == [MembersDropout] else 2


class SharedStage(Stage):
    """A `MembersSharedDense`, an activation, and dropout where it follows: drop(f((x ⊙ r) W ⊙ s + b)).

    Where another one comes next, this one multiplies by that one's r, and computes the gradient of it. Forward keeps
    z = (x ⊙ r) W, of which backward computes the rest again: that costs no more than to keep it.

    Parameters
    ----------
    layers
        The dense one first.
    after
        What comes next.
    scaled
        Whether the stage before has multiplied the inputs by r.
    in_place
        Whether backward may write over its argument.
    """

    x: Array = None  # of the last forward
    rows: Array = None
    mask: tuple[Array, float] | None
    row: Array | None

    def __init__(
        self,
        layers: list[Layer],
        after: Layer | None,
        scaled: bool,
        in_place: bool,
        buffers: Buffers,
        position: int,
        needs_dinputs: bool,
    ) -> None:
        super().__init__(layers, buffers, position, needs_dinputs)
        dense, activation = layers[:2]
        assert isinstance(dense, MembersSharedDense) and isinstance(activation, Activation)
        self.dense, self.activation, self.scaled, self.in_place = dense, activation, scaled, in_place
        self.after = after if isinstance(after, MembersSharedDense) else None
        self.dropout = next((layer for layer in layers if isinstance(layer, MembersDropout)), None)
        self.backend = dense.backend
        self.lent = [(place, part.__dict__) for place, part in with_parts(layers, position)]
        self.matmul, self.W = dense.kernel("matmul"), dense.weights
        self.s, self.b, self.r = dense.output_factors, dense.biases, dense.input_factors
        self.ds, self.db = dense.gradient("output_factors"), dense.gradient("biases")
        fuse = self.backend.fuse
        self.scale, self.scale_in_place = fuse(formulas.scale_columns), fuse(formulas.scale_columns, into=("x",))
        self.sum_products = fuse(formulas.product, into=("x",), column_sums=True)
        self.products = fuse(formulas.product, column_sums=True)
        self.drop, self.drop_in_place = fuse(formulas.dropout), fuse(formulas.dropout, into=("x",))
        self.times = fuse(formulas.times)
        self._fuse()

    def _fuse(self) -> None:
        fuse, activation = self.backend.fuse, self.activation
        self.functions = activation.functions()
        self.activate = fuse(kernels.compose(self.functions[0], formulas.rescale))
        self.reads_z = "inputs" in activation.reads
        gradient = kernels.compose(self.functions[1], formulas.rescale) if self.reads_z else self.functions[1]
        self.differentiate = fuse(gradient, into=("dy",), column_sums=True)

    def begin(self, epoch: int, step: int, part: int) -> None:
        """Lends the layers the plan's memory."""
        for place, own in self.lent:
            own["buffers"] = self.buffers
            own["moment"] = (place, epoch, step, part) if part else (place, epoch, step)

    def release(self) -> None:
        """Gives the layers back to a reader."""
        for _, own in self.lent:
            for name in ("buffers", "moment"):
                own.pop(name, None)
        self.x = self.rows = None

    def forward(self, x: Array) -> Array:
        """x for the next: multiplied by its r, where it is another one of these."""
        if self.activation.functions() != self.functions:
            self._fuse()  # an option that chooses the formula was changed
        take, reshape, (n, _), (h, m) = self.buffers.take, self.backend.xp.reshape, x.shape, self.W.shape
        self.x = x
        if not self.scaled:
            x = self.scale(x, self.r, out=take(self, "scaled", x.shape))
        self.rows = reshape(x, (-1, h))
        z = self.matmul(self.rows, self.W, out=take(self, "z", (self.rows.shape[0], m)))
        self.z = z = reshape(z, (n, -1))
        self.mask, self.row = (None, None) if self.dropout is None else self.dropout.drawn(z)
        x = self.activate(z, self.s, self.b, *self.activation.constants(), out=take(self, "output", z.shape))
        if self.mask is not None:
            x = self._scaled(self.drop_in_place(x, *self.mask))
        return x if self.after is None else self.scale_in_place(x, self.after.input_factors)

    def backward(self, dy: Array) -> Array | None:
        """The gradients of all parameters, of the next one's r, and of the inputs."""
        take, reshape, dense, n = self.buffers.take, self.backend.xp.reshape, self.dense, dy.shape[0]
        if not self.in_place:
            dy = self.times(dy, 1.0, out=take(self, "dz", dy.shape))
        rows = reshape(self._differentiated(dy), (-1, self.W.shape[1]))
        self.matmul(self.rows.T, rows, out=dense.gradient("weights"))
        u = reshape(self.matmul(rows, self.W.T, out=take(self, "u", self.rows.shape)), (n, -1))
        if self.scaled:
            return u
        self.products(self.x, u, out=take(SharedStage, "products", u.shape), sums=dense.gradient("input_factors"))
        return self.scale_in_place(u, self.r) if self.needs_dinputs else None

    def _differentiated(self, g: Array) -> Array:
        """dz over dy; the gradients of s and b, and of the next one's r."""
        z, read = self.z, (self.z, self.s, self.b)
        y, other = (self.buffers.take(SharedStage, name, z.shape) for name in ("again", "products"))  # of all stages
        if self.after is not None or not self.reads_z:
            y = self.activate(*read, *self.activation.constants(), out=y)
        if self.after is not None:
            dr = self.after.gradient("input_factors")
            if self.mask is None:
                self.products(y, g, out=other, sums=dr)
            else:
                self.sum_products(self._scaled(self.drop(y, *self.mask, out=other)), g, sums=dr)
            g = self.scale_in_place(g, self.after.input_factors)
        if self.mask is not None:
            g = self._scaled(self.drop_in_place(g, *self.mask))
        g = self.differentiate(*(read if self.reads_z else (y,)), g, *self.activation.constants(), sums=self.db)
        self.sum_products(z, g, sums=self.ds)
        return self.scale_in_place(g, self.s)

    def _scaled(self, kept: Array) -> Array:
        """What dropout left, by the factor of each member, where these have rates of their own."""
        return kept if self.row is None else self.scale_in_place(kept, self.row)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        names = [type(layer).__name__ for layer in self.layers]
        forward, backward = (f"{name}.forward" for name in names), (f"{name}.backward" for name in names[::-1])
        return ", ".join(forward), ", ".join(backward) + self._only()
