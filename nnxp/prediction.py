"""A model's forward pass for results alone: nothing is kept for a backward, and each thread has its own."""

import copy
from typing import TYPE_CHECKING

from nnxp.activations import Activation, Softmax
from nnxp.buffers import Buffers
from nnxp.kernels import formulas
from nnxp.layers import Dense, Layer, Rescaling
from nnxp.stages import FUSED, DenseActivation, DenseStage, Stage, casts_bytes
from nnxp.typing import Array

if TYPE_CHECKING:
    from nnxp.sequential import Sequential

BATCH = 2048
"""Rows that are computed at once, so that memory does not grow with X and hidden layers stay in the cache."""


class Prediction:
    """The layers as stages that write into memory of their own; results are new arrays.

    Parameters
    ----------
    model : Sequential
        A bound model.
    layers : list of Layer
        Its layers, or the first of them.
    """

    def __init__(self, model: "Sequential", layers: list[Layer]) -> None:
        self.backend, self.dtype, self.takes_bytes = model.backend, model.dtype, casts_bytes(layers[0])
        self.empty, self.number = model.backend.xp.empty, getattr(model.backend.xp, model.dtype)
        buffers = Buffers(model.backend, model.dtype)
        self.stages: list[Stage] = []
        i = 0
        while i < len(layers):
            layer, after = layers[i], layers[i + 1] if i + 1 < len(layers) else None
            if i == 0 and type(layer) is Rescaling:
                self.stages.append(Rescaled(layer, buffers))
            elif type(layer) is not Dense:
                self.stages.append(Apart(layer, buffers, i))
            elif isinstance(after, Activation) and type(after) in FUSED:
                self.stages.append(DenseActivation(layer, after, buffers, i, False, training=False))
            elif type(after) is Softmax:
                self.stages.append(DenseSoftmax(layer, after, buffers, i))
            else:
                self.stages.append(DenseAlone(layer, buffers, i))
            i += len(self.stages[-1].layers)
        self.hidden = self.stages[:-1]

    def __call__(self, x: Array) -> Array:
        """The last layer's output for x, (n, m) of the model's dtype or uint8."""
        n, last = x.shape[0], self.stages[-1]
        if isinstance(last, DenseStage):
            result = self.empty((n, last.dense.n_out), dtype=self.number, device=self.backend.device)
            if n <= BATCH:
                return last.forward(self._hidden(x), result)
            for start in range(0, n, BATCH):
                rows = slice(start, min(n, start + BATCH))
                last.forward(self._hidden(x[rows, ...]), result[rows, ...])
            return result
        # Copies: a layer may return its input, and that is memory to be used again.
        batches = [slice(start, min(n, start + BATCH)) for start in range(0, max(1, n), BATCH)]
        parts = [self.backend.asarray(last.forward(self._hidden(x[rows, ...])), copy=True) for rows in batches]
        return parts[0] if len(parts) == 1 else self.backend.xp.concat(parts, axis=0)

    def _hidden(self, x: Array) -> Array:
        """What the last stage takes."""
        if x.dtype != self.number and not self.takes_bytes:
            x = self.backend.asarray(x, dtype=self.dtype)
        for stage in self.hidden:
            x = stage.forward(x)
        return x


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

    def __init__(self, layer: Layer, buffers: Buffers, position: int) -> None:
        super().__init__([layer], buffers, position, False)

    def forward(self, x: Array) -> Array:
        """The layer's own."""
        twin = copy.copy(self.layers[0])
        twin.buffers = Buffers()
        return twin.run_forward(x, False)


class DenseAlone(DenseStage):
    """x W + b."""

    def __init__(self, dense: Dense, buffers: Buffers, position: int) -> None:
        super().__init__(dense, [dense], buffers, position, False)
        self.add_row = self.backend.fuse(formulas.add_row, into=("z",))

    def forward(self, x: Array, out: Array | None = None) -> Array:
        """x W + b."""
        return self.add_row(self.product(x, out), self.b)


class DenseSoftmax(DenseAlone):
    """softmax(x W + b)."""

    def __init__(self, dense: Dense, softmax: Softmax, buffers: Buffers, position: int) -> None:
        super().__init__(dense, buffers, position)
        self.layers, self.softmax = [dense, softmax], softmax.kernel("softmax")

    def forward(self, x: Array, out: Array | None = None) -> Array:
        """softmax(x W + b)."""
        z = super().forward(x)
        return self.softmax(z, out=self.buffers.take(self, "probabilities", z.shape) if out is None else out)
