"""How a dense layer's weights begin. All draw on the host, in float64, from `nnxp.random`.

n_in and n_out are the numbers of inputs and outputs. The uniform kind has the same variance as the normal:
its limit is √3 times the standard deviation.
"""

import math
from typing import Any

import numpy as np

from nnxp import random
from nnxp.doors.describing import described
from nnxp.doors.naming import lookup
from nnxp.typing import Floats

Weights = Floats


class Initializer:
    """Draws normal weights of shape (n_in, n_out): a subclass gives `deviation`, or a `draw` of its own."""

    __repr__ = described

    def deviation(self, n_in: int, n_out: int) -> float:
        """The standard deviation of the weights."""
        raise NotImplementedError(f"{type(self).__name__} defines no deviation(self, n_in, n_out)")

    def draw(self, key: int, shape: tuple[int, int]) -> Weights:
        """Weights (n_in, n_out), float64, for a key of `nnxp.random`."""
        return self.deviation(*shape) * random.normal(key, shape)


class _Uniform(Initializer):
    def draw(self, key: int, shape: tuple[int, int]) -> Weights:
        weights = random.uniform(key, shape)
        weights *= 2  # in place: there may be a million inputs
        weights -= 1
        weights *= math.sqrt(3) * self.deviation(*shape)
        return weights


class HeNormal(Initializer):
    """σ = √(2 / n_in), for the ReLU family. He et al. 2015 (arXiv:1502.01852), equation 10."""

    def deviation(self, n_in: int, n_out: int) -> float:
        """√(2 / n_in)."""
        return math.sqrt(2 / n_in)


class HeUniform(_Uniform, HeNormal):
    """Uniform with the variance of `HeNormal`."""


class GlorotNormal(Initializer):
    """σ = √(2 / (n_in + n_out)), for sigmoid, tanh and softmax. Glorot and Bengio 2010, equation 12."""

    def deviation(self, n_in: int, n_out: int) -> float:
        """√(2 / (n_in + n_out))."""
        return math.sqrt(2 / (n_in + n_out))


class GlorotUniform(_Uniform, GlorotNormal):
    """Uniform with the variance of `GlorotNormal`: Glorot and Bengio 2010, equation 16."""


class LecunNormal(Initializer):
    """σ = √(1 / n_in), for SELU. LeCun et al. 1998, "Efficient BackProp", equation 16."""

    def deviation(self, n_in: int, n_out: int) -> float:
        """√(1 / n_in)."""
        return math.sqrt(1 / n_in)


class LecunUniform(_Uniform, LecunNormal):
    """Uniform with the variance of `LecunNormal`."""


class Orthogonal(Initializer):
    """Orthonormal rows or columns, whichever are fewer. Saxe et al. 2014 (arXiv:1312.6120), section 3:
    Q of a normal matrix's QR decomposition, signs set so that R's diagonal is positive."""

    def draw(self, key: int, shape: tuple[int, int]) -> Weights:
        """An orthogonal factor of a normal matrix."""
        tall = random.normal(key, (max(shape), min(shape)))
        q, r = np.linalg.qr(tall)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.ascontiguousarray(q if shape[0] >= shape[1] else q.T)


class Book(Initializer):
    """σ = 0.01, as in Kinsley and Kukieła, "Neural Networks from Scratch in Python", chapter 3."""

    def deviation(self, n_in: int, n_out: int) -> float:
        """0.01, whatever the shape."""
        return 0.01


class Zeros(Initializer):
    """All zero: for biases, and for weights that symmetry need not break."""

    def draw(self, key: int, shape: tuple[int, int]) -> Weights:
        """0 everywhere; nothing is drawn."""
        return np.zeros(shape, dtype=np.float64)


INITIALIZERS = (
    HeNormal,
    HeUniform,
    GlorotNormal,
    GlorotUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    Book,
    Zeros,
)


def get_initializer(spec: Any) -> Initializer:
    """An initializer from an object, a class, or a name such as "he_normal"."""
    return lookup(spec, Initializer, INITIALIZERS, "initializer")
