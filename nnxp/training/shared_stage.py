"""The stage of members that share weights: one product, and what is element-wise up to the next."""

from collections.abc import Sequence
from typing import Any

from nnxp import kernels
from nnxp.activations import Activation
from nnxp.kernels import formulas
from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.memory.buffers import Buffers
from nnxp.network.wide import MembersDropout, MembersSharedDense
from nnxp.training.stages import FUSED, Stage
from nnxp.training.staging import may_write
from nnxp.typing import Array, Kernel


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
        self.times = fuse(formulas.times)
        self._fuse()

    def _fuse(self) -> None:
        self.functions = self.activation.functions()
        self.reads_z = "inputs" in self.activation.reads
        self.again = self.functions[0] is not formulas.relu
        """Whether backward computes f once for all that needs it; ReLU's costs no more than to read what it gives."""
        self.activate = self.backend.fuse(kernels.compose(self.functions[0], formulas.rescale))
        self.made: dict[tuple[bool, bool], tuple[Kernel, Kernel, Kernel]] = {}

    def _kernels(self, drops: bool, scales: bool) -> tuple[Kernel, Kernel, Kernel]:
        """What follows each product in one pass, with dropout and factors c of columns or without: y = drop(f(z s + b))
        c in forward; drop(f) · g, whose sums are the gradient of r; and dz, of g in the place of y."""
        if (drops, scales) not in self.made:
            compose, fuse, (function, gradient) = kernels.compose, self.backend.fuse, self.functions
            f = compose(function, formulas.rescale)
            forward = compose(formulas.dropout, f) if drops else f
            seen = forward if not self.again else formulas.dropout if drops else None
            product = formulas.product if seen is None else compose(formulas.product, seen)
            forward = compose(formulas.scale_columns, forward) if scales else forward
            of_z = formulas.rescale if self.reads_z else None if self.again else f
            dz, dy = gradient if of_z is None else compose(gradient, of_z), "dy"
            for before in [formulas.dropout] * drops + [formulas.scale_columns] * scales:
                dz, dy = compose(dz, before, dy), "x"
            made = fuse(forward), fuse(product, column_sums=True), fuse(dz, into=(dy,), column_sums=True)
            self.made[drops, scales] = made
        return self.made[drops, scales]

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
        forward, *_ = self._kernels(self.mask is not None, (c := self._factors()) is not None)
        return forward(*self._read(), *(self.mask or ()), *_given(c), out=take(self, "output", z.shape))

    def _read(self) -> tuple[Any, ...]:
        """What f is of."""
        return self.z, self.s, self.b, *self.activation.constants()

    def _factors(self) -> Array | None:
        """Those of the columns that follow dropout: the next one's r, and each member's, of its own rate."""
        r = None if self.after is None else self.after.input_factors
        return self.row if r is None else r if self.row is None else r * self.row

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
        c, mask, constants = self._factors(), self.mask or (), self.activation.constants()
        _, products, differentiate = self._kernels(self.mask is not None, c is not None)
        y, other = (self.buffers.take(SharedStage, name, self.z.shape) for name in ("again", "products"))  # of all
        read = self._read()
        if self.again and (self.after is not None or not self.reads_z):
            self.activate(*read, out=y)
        if self.after is not None:
            dr = self.after.gradient("input_factors")
            products(*((y,) if self.again else read), *mask, g, out=other, sums=dr)
            if self.row is not None:
                self.scale_in_place(dr, self.row)
        of = (self.z, self.s, self.b) if self.reads_z or not self.again else (y,)
        g = differentiate(*of, g, *_given(c), *mask, *constants, sums=self.db)
        self.sum_products(self.z, g, sums=self.ds)
        return self.scale_in_place(g, self.s)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        names = [type(layer).__name__ for layer in self.layers]
        forward, backward = (f"{name}.forward" for name in names), (f"{name}.backward" for name in names[::-1])
        return ", ".join(forward), ", ".join(backward) + self._only()


def _given(c: Array | None) -> tuple[Array, ...]:
    return () if c is None else (c,)
