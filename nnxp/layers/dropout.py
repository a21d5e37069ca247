"""Dropout."""

from typing import Any

from nnxp import random
from nnxp.doors.options import share
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.typing import Array, ArrayLike


class Dropout(Layer):
    """While training, sets each value to 0 with probability `rate` and divides the others by 1 - rate.

    y = x · kept / (1 - rate): inverted dropout, so that the expected output is the input and nothing is
    left to do afterwards (Srivastava et al. 2014, section 10). The mask of each step follows from the seed
    alone, the same on every backend. Backward after a forward with `training=False` is the identity.

    Parameters
    ----------
    rate : float
        The share that is dropped, from 0 up to but not including 1.
    seed : int, optional
        For a layer on its own, which counts its own calls; a model gives its layers its seed, epoch and step.
    trainable : bool
        As on every layer; there is nothing to train, and a frozen layer drops as any other.
    backend, dtype
        See `nnxp.get_backend`; by default those of the inputs.
    """

    options = ("rate",)
    reads = ()
    initializer_before = None

    def __init__(
        self,
        rate: float,
        *,
        seed: int | None = None,
        trainable: bool = True,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend, dtype, trainable)
        self.rate = share("rate", rate)
        self.seed = random.fresh_seed() if seed is None else seed
        self.calls = 0
        self._mask: tuple[Any, ...] | None = None

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """x · kept / (1 - rate) while training, else x itself."""
        self.inputs, self.output, self._mask = inputs, inputs, None
        if training and self.rate > 0:
            moment = (0, 0, self.calls) if self.moment is None else self.moment
            self.calls += 1
            assert self.seed is not None
            self._mask = self._draw(random.key(self.seed, "dropout", *moment), inputs.shape)
            self.output = self._drop(inputs, "output")
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """dy · kept / (1 - rate), with the last forward's mask."""
        self.dinputs = dvalues if self._mask is None else self._drop(dvalues, "dinputs")
        return self.dinputs

    @property
    def _draws_again(self) -> bool:
        """On CuPy a kernel draws the bits itself, forward and backward: one launch each, and no mask in memory."""
        return self.backend.library == "cupy"

    def _draw(self, key: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """The mask, or what it follows from."""
        if self._draws_again:
            return key, random.threshold(self.rate)
        return (random.kept(self.backend, key, shape, self.rate, out=self.take("kept", shape, "bool")),)

    def _drop(self, x: Array, name: str) -> Array:
        """x · kept / (1 - rate)."""
        assert self._mask is not None
        drop = self.kernel("dropped") if self._draws_again else self.backend.fuse(formulas.dropout)
        return drop(x, *self._mask, 1 / (1 - self.rate), out=self.take(name, x.shape))
