"""Layers that have to know which rows of a batch a process computes, while several train together."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeAlias

from nnxp import random
from nnxp.kernels import formulas
from nnxp.layers import BatchNorm, Dropout, Layer
from nnxp.layers.parts import with_parts
from nnxp.network.wide import ByRows, MembersDropout, OneByOne
from nnxp.training.batch import Portion
from nnxp.training.shared_stage import SharedStage
from nnxp.training.stages import LayerStage, Stage
from nnxp.typing import Array


class PortionDropout:
    """Draws a process's rows of the mask that one process would draw: an element's number in the whole batch counts."""

    def __init__(self, layer: Dropout, portion: Callable[[], Portion]) -> None:
        self.layer, self.portion = layer, portion

    def lent(self) -> dict[str, Any]:
        """What stands in for the layer's own."""
        return {"_draw": self.draw}

    def draw(self, key: int, shape: tuple[int, ...], rate: float) -> tuple[Any, ...]:
        """The mask, or what it follows from."""
        layer, portion = self.layer, self.portion()
        if portion.at is None:
            return type(layer)._draw(layer, random.ahead(key, portion.first * math.prod(shape[1:])), shape, rate)
        (mask,) = type(layer)._draw(layer, key, (portion.batch, *shape[1:]), rate)
        return (layer.backend.xp.take(mask, layer.backend.asarray(portion.at, dtype="int64"), axis=0),)


class PortionMembersDropout:
    """Likewise, of the masks of members side by side."""

    def __init__(self, layer: MembersDropout, portion: Callable[[], Portion]) -> None:
        self.layer, self.portion = layer, portion

    def lent(self) -> dict[str, Any]:
        """What stands in for the layer's own."""
        return {"_kept": self.kept}

    def kept(self, keys: Sequence[int], shape: tuple[int, ...], rates: Sequence[float]) -> Array:
        """The masks."""
        layer, portion = self.layer, self.portion()
        if portion.at is None:
            before = portion.first * (shape[1] // len(keys))
            return type(layer)._kept(layer, [random.ahead(key, before) for key in keys], shape, rates)
        whole = type(layer)._kept(layer, keys, (portion.batch, *shape[1:]), rates)
        return layer.backend.xp.take(whole, layer.backend.asarray(portion.at, dtype="int64"), axis=0)


class PortionBatchNorm:
    """Takes the moments of all rows of a batch, those of the other processes too.

    μ = Σ Σᵢ xᵢ / n and σ² = Σ Σᵢ (xᵢ - μ)² / n, the outer sums over processes, n the rows of the batch. Backward needs
    Σ dy and Σ dy x̂ over all rows, of which each process has a part, in its own scale: a step multiplies its gradients
    by s. The layer divides by its rows, ρ n with ρ its share of all: ρ / s Σ s (dβ + x̂ dγ) / (ρ n).
    """

    def __init__(
        self,
        layer: BatchNorm,
        portion: Callable[[], Portion],
        scale: Callable[[], float],
        add: Callable[[Array], None],
    ) -> None:
        self.layer, self.portion, self.scale, self.add = layer, portion, scale, add
        self._takes_part = False

    def lent(self) -> dict[str, Any]:
        """What stands in for the layer's own."""
        return {"_has_variance": self.has_variance, "_moments": self.moments, "affine_grads": self.affine_grads}

    def has_variance(self, rows: int) -> bool:
        """Whether the batch of all processes has several rows."""
        self._takes_part = type(self.layer)._has_variance(self.layer, self.portion().batch)
        return self._takes_part

    def moments(self, x: Array | None) -> tuple[Array, Array]:
        """The batch's μ and 1 / √(σ² + ε), of rows of this process, or of none; the running ones follow."""
        layer, n = self.layer, self.portion().batch
        out = layer.room((1, layer.n), "mean", "variance", "scale")
        assert out is not None
        mean, variance, scale = out
        if x is None:
            mean[...], variance[...] = 0, 0
        else:
            layer.kernel("column_sums")(x, out=mean)
        self.add(mean[0, ...])
        mean /= n
        if x is not None:
            deviation = layer.backend.fuse(formulas.squared_deviation, column_sums=True)
            deviation(x, mean, out=layer.take("normalized", x.shape), sums=variance)
        self.add(variance[0, ...])
        variance /= n
        layer.backend.fuse(formulas.inverse_deviation)(variance, layer.epsilon, out=scale)
        layer._follow(mean, variance, n)
        return mean, scale

    def affine_grads(self, dvalues: Array) -> tuple[Array, Array]:
        """Sets this process's dγ and dβ, and gives the sums over all."""
        own = type(self.layer).affine_grads(self.layer, dvalues)
        return self.sums(own) if self._takes_part else own

    def sums(self, own: tuple[Array, Array] | None) -> tuple[Array, Array]:
        """ρ / s Σ s dγ and ρ / s Σ s dβ, (1, n) each, of a process with rows or with none."""
        both, rows, scale = self.layer.take("sums over processes", (2, self.layer.n)), self.portion().rows, self.scale()
        assert both is not None
        for k in (0, 1):
            both[k, ...] = 0 if own is None else own[k][0, ...] * scale
        self.add(self.layer.backend.xp.reshape(both, (-1,), copy=False))
        if rows != scale:
            both *= rows / scale
        return both[:1, ...], both[1:, ...]

    def join(self) -> None:
        """A forward of no rows: the other processes' sums want a part of each."""
        if self.has_variance(0):
            self.moments(None)

    def join_backward(self) -> None:
        """A backward of no rows."""
        if self._takes_part:
            self.sums(None)


Lent: TypeAlias = PortionDropout | PortionMembersDropout | PortionBatchNorm
"""What lends methods to a layer."""


class _Lending(Stage):
    """Lends methods to layers for the time of a training."""

    methods: list[tuple[dict[str, Any], dict[str, Any]]]

    def lend(self, lent: Sequence[Lent]) -> Self:
        """The stage that lends these."""
        self.methods = [(one.layer.__dict__, one.lent()) for one in lent]
        return self

    def begin(self, epoch: int, step: int, part: int) -> None:
        """Lends them."""
        super().begin(epoch, step, part)
        for own, methods in self.methods:
            own.update(methods)

    def release(self) -> None:
        """Takes them back."""
        super().release()
        for own, methods in self.methods:
            for name in methods:
                own.pop(name, None)


class PortionStage(_Lending, LayerStage):
    """A layer, with or without parts, of which some are lent methods."""

    def begin(self, epoch: int, step: int, part: int) -> None:
        """Lends them, and memory also to those that this process may have no rows for."""
        super().begin(epoch, step, part)
        for _, layer in self.lent:
            if isinstance(layer, OneByOne):
                layer.lend()


class PortionSharedStage(_Lending, SharedStage):
    """Layers of members that share weights, of which the dropout is lent methods."""


def found(
    layer: Layer, portion: Callable[[], Portion], scale: Callable[[], float], add: Callable[[Array], None]
) -> list[Lent]:
    """What a layer and its parts are lent, in the order in which they run."""
    lent: list[Lent] = []
    for one in _whole([layer]):
        if isinstance(one, MembersDropout):
            lent.append(PortionMembersDropout(one, portion))
        elif isinstance(one, Dropout):
            lent.append(PortionDropout(one, portion))
        elif isinstance(one, BatchNorm) and one.trainable:
            lent.append(PortionBatchNorm(one, portion, scale, add))
    if lent and isinstance(layer, ByRows):
        raise ValueError(
            f"got {type(lent[0].layer).__name__} in a Shared that runs on the rows of all members, with a "
            "communicator, expected layers there that take row by row: put it outside, or train in one process"
        )
    return lent


def _whole(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Layers and their parts; of what runs each member's own in turn, also those."""
    for _, part in with_parts(layers):
        yield part
        if isinstance(part, OneByOne):
            yield from _whole(part.each)
