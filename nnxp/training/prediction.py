"""A model's forward pass for results alone: nothing is kept for a backward, and each thread has its own."""

import copy
from collections.abc import Sequence

import numpy as np

from nnxp.activations import Linear, Softmax
from nnxp.backends import blas
from nnxp.layers import Dense, Dropout, Layer, Rescaling
from nnxp.memory.buffers import Buffers
from nnxp.network.model import Model
from nnxp.network.wide import MembersDropout
from nnxp.training.parametric_stage import dense_and
from nnxp.training.residual_stage import ResidualStage, is_block
from nnxp.training.stages import DenseAlone, Stage, casts_bytes, fuses, is_dense
from nnxp.typing import Array

BATCH = 2048
"""Rows that are computed at once, so that memory does not grow with X and hidden layers stay in the cache."""
OF_MANY = 256
"""Likewise of members that share weights, each of which is as wide as a network by itself."""


class Prediction:
    """The layers as stages that write into memory of their own; results are new arrays.

    Parameters
    ----------
    model : Model
        A bound model.
    layers : list of Layer
        Its layers, or the first of them.
    apart : bool
        Whether the outputs of several members are given side by side, (n, members · n_out), as those of the first
        layers are; else, of all layers, their mean.
    """

    def __init__(self, model: Model, layers: list[Layer], apart: bool = False) -> None:
        self.averages = model.members if len(layers) == len(model.layers) and not apart else 1
        layers = _without_passing(model.running(layers))
        self.rows = OF_MANY if model.members > 1 and model.store.common else BATCH
        self.backend, self.dtype, self.takes_bytes = model.backend, model.dtype, casts_bytes(layers)
        self.empty, self.number = model.backend.xp.empty, getattr(model.backend.xp, model.dtype)
        self.threads = blas.threads_of(model.backend, model.store.largest)
        self.stages = _stages_of(layers, Buffers(model.backend, model.dtype))

    def __call__(self, x: Array) -> Array:
        """The last layer's output for x, (n, m) of the model's dtype or uint8, in a new array."""
        n = x.shape[0]
        # What overflows is seen in the result, and underflow is harmless.
        with self.threads(min(n, self.rows)), np.errstate(all="ignore"):
            if n <= self.rows:
                return self.backend.xp.asarray(self._batch(x), copy=True)
            return self._batches(x, n)

    def _batches(self, x: Array, n: int) -> Array:
        """The output for more rows than are computed at once."""
        result = None
        for start in range(0, n, self.rows):
            stop = min(n, start + self.rows)
            part = self._batch(x[start:stop, ...])
            if result is None:
                result = self.empty((n, part.shape[1]), dtype=self.number, device=self.backend.device)
            result[start:stop, ...] = part
        return result

    def _batch(self, x: Array) -> Array:
        """The output of one batch, in memory that the next one uses again."""
        if x.dtype != self.number and not self.takes_bytes:
            x = self.backend.asarray(x, dtype=self.dtype)
        for stage in self.stages:
            x = stage.forward(x)
        if self.averages == 1:
            return x
        xp = self.backend.xp
        return xp.mean(xp.reshape(x, (x.shape[0], self.averages, x.shape[1] // self.averages)), axis=1)


def prediction(model: Model, layers: list[Layer], apart: bool = False) -> Prediction:
    """This thread's forward pass through a model's layers, or the first of them, made when first asked for."""
    made: dict[str, Prediction] = model._predictions.__dict__
    name = f"{len(layers)}{' apart' * apart}"
    if name not in made:
        made[name] = Prediction(model, layers, apart)
    return made[name]


def _stages_of(layers: Sequence[Layer], buffers: Buffers) -> list[Stage]:
    """Layers as the stages of a prediction, that write into these buffers."""
    stages: list[Stage] = []
    i, layers = 0, _without_passing(layers)
    while i < len(layers):
        layer, after = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        if i == 0 and type(layer) is Rescaling:
            stages.append(Rescaled(layer, buffers))
        elif is_block(layer):
            row = _stages_of(layer.layers, buffers)
            stages.append(ResidualStage(layer, row, len(row), buffers, i, False, training=False))
        elif not is_dense(layer):
            stages.append(Apart(layer, i))
        elif fuses(after):
            stages.append(dense_and(layer, after, buffers, i, False, training=False))
        elif type(after) is Softmax:
            stages.append(DenseSoftmax(layer, after, buffers, i))
        else:
            stages.append(DenseAlone(layer, buffers, i, False, training=False))
        i += len(stages[-1].layers)
    return stages


def _without_passing(layers: Sequence[Layer]) -> list[Layer]:
    """Those that do something in a prediction."""
    return [layer for layer in layers if type(layer) not in (Linear, Dropout, MembersDropout)]


class Rescaled(Stage):
    """A rescaling of the inputs."""

    def __init__(self, rescaling: Rescaling, buffers: Buffers) -> None:
        super().__init__([rescaling], buffers, 0, False)
        self.rescaled = rescaling.rescaled

    def forward(self, x: Array) -> Array:
        """x · scale + offset."""
        return self.rescaled(x, self.buffers.take(self, "output", x.shape))


class Apart(Stage):
    """Any other layer, as a copy for the call: its inputs and output are not seen by other threads."""

    def __init__(self, layer: Layer, position: int) -> None:
        super().__init__([layer], Buffers(), position, False)

    def forward(self, x: Array) -> Array:
        """The layer's own."""
        twin = copy.copy(self.layers[0])
        twin.buffers = self.buffers
        return twin.run_forward(x, False)


class DenseSoftmax(DenseAlone):
    """softmax(x W + b)."""

    def __init__(self, dense: Dense, softmax: Softmax, buffers: Buffers, position: int) -> None:
        super().__init__(dense, buffers, position, False, training=False)
        self.layers, self.softmax = [dense, softmax], softmax.kernel("softmax")

    def forward(self, x: Array) -> Array:
        """softmax(x W + b)."""
        z = super().forward(x)
        return self.softmax(z, out=self.buffers.take(self, "probabilities", z.shape))
