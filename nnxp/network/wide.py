"""Layers that compute K members at once, whose activations lie side by side: (n, K · width), a member's in a row.

Element-wise layers, and those whose parameters are one row, are as they are, only wider. Here is what is not.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nnxp import random
from nnxp.backends import dtype_of
from nnxp.doors.options import positive, share
from nnxp.kernels import formulas
from nnxp.layers import Dense, Dropout, Layer, SharedDense
from nnxp.typing import Array, ArrayLike


class BlockDense(Dense):
    """Dense layers side by side: yₖ = s xₖ Wₖ + bₖ, a block-diagonal matrix of which the blocks W, (K, h, m), are kept.

    Parameters
    ----------
    blocks : int
        K.
    n_in, n_out : int
        K · h and K · m.
    options
        As for `Dense`.

    Examples
    --------
    >>> layer = BlockDense(2, 4, 2)
    >>> layer.weights = [[[1.0], [1.0]], [[10.0], [10.0]]]
    >>> layer.forward([[1.0, 2.0, 3.0, 4.0]]).tolist()
    [[3.0, 70.0]]
    """

    options: ClassVar[tuple[str, ...]] = ("blocks", *Dense.options)  # type: ignore[assignment]

    def __init__(self, blocks: int, n_in: int, n_out: int, **options: Any) -> None:
        super().__init__(n_in, n_out, **options)
        self.blocks = positive("blocks", blocks)
        if n_in % blocks or n_out % blocks:
            raise ValueError(f"got {n_in} inputs and {n_out} outputs in {blocks} blocks, expected multiples")

    @property
    def scale(self) -> float:
        """s, by the inputs of one block."""
        return super().scale * (self.blocks**0.5 if self.parametrization == "ntk" else 1.0)

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """s x W + b, (n, n_out)."""
        self.inputs = inputs
        out, scale = self.take("output", (inputs.shape[0], self.n_out)), self.scale
        z = self.kernel("block_products")(inputs, self.weights, out=out)
        add_row, scales = (formulas.add_row, ()) if scale == 1 else (formulas.scaled_add_row, (scale,))
        self.output = self.backend.fuse(add_row, into=("z",))(z, self.biases, *scales)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets `dweights`, `dbiases` and `dinputs` from dy, (n, n_out)."""
        self.kernel("column_sums")(dvalues, out=self.gradient("biases"))
        if (scale := self.scale) != 1:
            dvalues = self.backend.fuse(formulas.times)(dvalues, scale, out=self.take("scaled", dvalues.shape))
        W, dW = self.weights, self.gradient("weights")
        self.kernel("block_dweights")(self.inputs, dvalues, W, out=dW)
        self.add_penalty_gradients()
        if not self.needs_dinputs:
            self.__dict__.pop("dinputs", None)
            return None
        out = self.take("dinputs", (dvalues.shape[0], self.n_in))
        self.dinputs = self.kernel("block_dinputs")(dvalues, W, out=out)
        return self.dinputs

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(K, h, m) and (1, n_out)."""
        K = self.blocks
        return {"weights": (K, self.n_in // K, self.n_out // K), "biases": (1, self.n_out)}


class MembersSharedDense(SharedDense):
    """Dense layers side by side that share W: one product over the rows of all, (n · K, h)."""

    members: int

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(h, m), (1, K · h), (1, K · m) and (1, K · m)."""
        return super().parameter_shapes() | {"weights": (self.n_in // self.members, self.n_out // self.members)}


class MembersDropout(Dropout):
    """Dropout of each member by its own seed, whatever the others drop, and by its own rate where it has one."""

    seeds: Sequence[int]
    _lent = ("_kept",)

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """x · kept / (1 - rate) while training, else x itself."""
        self.inputs = self.output = inputs
        self._mask, self.row = self.drawn(inputs) if training else (None, None)
        if self._mask is not None:
            self.output = self._drop(inputs, "output")
        return self.output

    def drawn(self, x: Array) -> tuple[tuple[Array, float] | None, Array | None]:
        """What is kept of x in a training and what that is multiplied by, or None for all; and the factor of each
        column beside it, where members have rates of their own."""
        given = self.rate if isinstance(self.rate, tuple) else (self.rate,)
        factor = 1.0 if self.schedule is None else self._factor(self.schedule)
        rates = [share("rate times its schedule", rate * factor) for rate in given]
        if not any(rates):
            return None, None
        assert self.moment is not None
        keys = [random.key(seed, "dropout", self.position, *self.moment[1:]) for seed in self.seeds]
        kept = self._kept(keys, x.shape, rates)
        if len(rates) == 1:
            return (kept, 1 / (1 - rates[0])), None
        row = np.repeat([[1 / (1 - rate) for rate in rates]], x.shape[1] // len(rates), axis=1)
        return (kept, 1.0), self.backend.asarray(row, dtype=dtype_of(x))

    def _kept(self, keys: Sequence[int], shape: tuple[int, ...], rates: Sequence[float]) -> Array:
        """The masks of all side by side, by a key of each."""
        return random.kept_beside(self.backend, keys, shape, rates, out=self.take("kept", shape, "bool"))

    @property
    def _draws_again(self) -> bool:
        return False

    def _drop(self, x: Array, name: str) -> Array:
        kept = super()._drop(x, name)
        return kept if self.row is None else self.backend.fuse(formulas.scale_columns, into=("x",))(kept, self.row)


class ByRows(Layer):
    """A layer that works on each row by itself, `Softmax` or `Shared`: on each member's rows."""

    reads = ()

    def __init__(self, layer: Layer, members: int) -> None:
        super().__init__()
        self.layer, self.members = layer, members

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """The layer's own, (n, K · m)."""
        self.inputs = inputs
        self.output = self._wide(self.layer.run_forward(self._rows(inputs), training))
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """The layer's own, likewise."""
        self.dinputs = self._wide(self.layer.run_backward(self._rows(dvalues)))
        return self.dinputs

    def _rows(self, x: Array) -> Array:
        n, width = x.shape
        return self.backend.xp.reshape(x, (n * self.members, width // self.members))

    def _wide(self, x: Array) -> Array:
        n, width = x.shape
        return self.backend.xp.reshape(x, (n // self.members, width * self.members))


class Spread(Layer):
    """Inputs that all members share, once for each of them side by side; backward adds up what comes of each."""

    reads = ()

    def __init__(self, members: int) -> None:
        super().__init__()
        self.members = members

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """x, x, ..., (n, K · m)."""
        self.inputs, (n, m) = inputs, inputs.shape
        out = self.take("output", (n, self.members * m))
        if out is None:
            out = self.backend.xp.empty((n, self.members * m), dtype=inputs.dtype, device=self.backend.device)
        for k in range(self.members):
            out[:, k * m : (k + 1) * m] = inputs
        self.output = out
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Σₖ dyₖ, (n, m)."""
        self.dinputs = together(self, dvalues, self.members)
        return self.dinputs


class OneByOne(Layer):
    """Any layer at all: each member's own, in turn.

    Parameters
    ----------
    layers : sequence of Layer
        One for each member, bound.
    shared : bool
        Whether all take the same inputs, (n, n_in), instead of (n, K · n_in).
    """

    reads = ()

    def __init__(self, layers: Sequence[Layer], shared: bool) -> None:
        super().__init__()
        self._row, self.shared = _Row(layers), shared

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """Their outputs side by side, (n, K · n_out)."""
        self.inputs, made = inputs, []
        self.lend()
        for k, layer in enumerate(self.each):
            made.append(layer.run_forward(inputs if self.shared else self._part(inputs, k, "inputs"), training))
        self.output = self._beside(made, "output")
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the gradients of all, and `dinputs`."""
        made = list[Array]()
        for k, layer in reversed([*enumerate(self.each)]):  # as all layers are: processes take part in order
            layer.__dict__["needs_dinputs"] = self.needs_dinputs
            made.insert(0, layer.run_backward(self._part(dvalues, k, "dvalues")))
        if not self.needs_dinputs:
            return None
        self.dinputs = self._beside(made, "made")
        if self.shared:
            self.dinputs = together(self, self.dinputs, len(made))
        return self.dinputs

    @property
    def each(self) -> Sequence[Layer]:
        """Each member's own."""
        return self._row.layers

    def lend(self) -> None:
        """The memory and the moment of this one, to each."""
        for part in self._row.wholes:
            part.__dict__["buffers"] = self.buffers
            if self.moment is not None:
                part.__dict__["moment"] = (part.position, *self.moment[1:])

    def _part(self, x: Array, k: int, name: str) -> Array:
        """Member k's columns, in order in memory."""
        m = x.shape[1] // len(self.each)
        part = x[:, k * m : (k + 1) * m]
        out = self.take(f"{name} {k}", (x.shape[0], m))
        if out is None:
            return self.backend.asarray(part, copy=True)
        out[...] = part
        return out

    def _beside(self, made: Sequence[Array], name: str) -> Array:
        (n, m), K = made[0].shape, len(made)
        out = self.take(name, (n, K * m))
        if out is None:
            return self.backend.xp.concat(list(made), axis=1)
        for k, part in enumerate(made):
            out[:, k * m : (k + 1) * m] = part
        return out


class _Row:
    """Layers that are nobody's parts: they have their parameters where a model's layer has them."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.wholes = [part for layer in layers for part in (layer, *layer._found().values())]


def together(layer: Layer, dvalues: Array, members: int) -> Array:
    """Σₖ dyₖ of members side by side, (n, m)."""
    n, width = dvalues.shape
    out, xp = layer.take("dinputs", (n, width // members)), layer.backend.xp
    total = xp.sum(xp.reshape(dvalues, (n, members, width // members)), axis=1)
    if out is None:
        return total
    out[...] = total
    return out
