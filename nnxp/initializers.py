"""How a dense layer's weights and biases begin. All draw on the host, in float64, from `nnxp.random`.

n_in and n_out are the numbers of inputs and outputs. The uniform kind has the same variance as the normal:
its limit is √3 times the standard deviation.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nnxp import random
from nnxp.doors.describing import described
from nnxp.doors.naming import lookup
from nnxp.typing import Floats

Weights = Floats


class Initializer:
    """Draws normal weights of shape (n_in, n_out): a subclass gives `deviation`, or a `draw` of its own. Biases are 0,
    where it has no `draw_biases` of its own."""

    __repr__ = described

    def deviation(self, n_in: int, n_out: int) -> float:
        """The standard deviation of the weights."""
        raise NotImplementedError(f"{type(self).__name__} defines no deviation(self, n_in, n_out)")

    def draw(self, key: int, shape: tuple[int, int]) -> Weights:
        """Weights (n_in, n_out), float64, for a key of `nnxp.random`."""
        return self.deviation(*shape) * random.normal(key, shape)

    def draw_biases(self, key: int, shape: tuple[int, int]) -> Weights:
        """Biases (1, n_out), likewise."""
        return np.zeros(shape, dtype=np.float64)


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


class RandomSigns(Initializer):
    """1 or -1, each with probability ½: for factors that tell networks apart. Wen et al. 2020 (arXiv:2002.06715)."""

    def draw(self, key: int, shape: tuple[int, int]) -> Weights:
        """Signs."""
        return np.where(random.uniform(key, shape) < 0.5, 1.0, -1.0)


class StandardNormal(Initializer):
    """W, b ~ N(0, 1): what the neural-tangent form of a dense layer takes. Jacot et al. 2018 (arXiv:1806.07572),
    section 2."""

    def deviation(self, n_in: int, n_out: int) -> float:
        """1, whatever the shape."""
        return 1.0

    def draw_biases(self, key: int, shape: tuple[int, int]) -> Weights:
        """Standard normal too."""
        return random.normal(key, shape)


class DataVariance(StandardNormal):
    """W, b ~ N(0, 1) until there are data, and then what gives the layer outputs of variance 1 for them.

    With z the outputs for the training rows without a bias, z = x W / √n_in in neural-tangent form (z = x W in the
    standard one), each column of W is divided by its deviation, σⱼ² = Σᵢ (zᵢⱼ - z̄ⱼ)² / n, and
    bⱼ = -Σₖ wₖⱼ zₖⱼ / σⱼ, over 5 random rows for each output j, with replacement, and wⱼ ~ Dirichlet(1): somewhere
    within the data each output is 0. Where an output is the same for all rows, its column stays.
    Holzmüller et al. 2024 (arXiv:2407.04491), RealMLP.

    `model.draw(X)` does it layer by layer, and so does a `fit` of arrays where the weights are still those of the seed.
    """

    rows = 5

    def from_outputs(self, key: int | Sequence[int], z: Iterable[Floats], n: int) -> tuple[Weights, Weights]:
        """What the columns of W are divided by, and the biases, (1, n_out) each.

        Parameters
        ----------
        key
            A key of `nnxp.random`; of several layers, whose outputs stand side by side, one for each.
        z
            Outputs for W ~ N(0, 1) and b = 0, some rows at a time, in float64.
        n
            How many rows there are altogether.
        """
        start, mean, squares, chosen = 0, np.zeros(1), np.zeros(1), np.zeros(1)
        keys = [key] if isinstance(key, int) else [*key]
        for part in z:
            if start == 0:
                own = (2, self.rows, part.shape[1] // len(keys))
                numbers = np.concatenate([random.uniform(one, own) for one in keys], axis=2)
                places, chosen = np.floor(numbers[0] * n).astype(np.int64), np.zeros(numbers[0].shape)
                shares = -np.log1p(-numbers[1])  # exponential ones, by their sum: Dirichlet(1)
                shares /= np.sum(shares, axis=0)
            stop = start + len(part)
            here = (start <= places) & (places < stop)
            chosen[here] = part[places[here] - start, np.nonzero(here)[1]]
            # Chan et al. 1983, equations 2.1a and b: moments of what was and of what is new.
            mean_here = np.mean(part, axis=0, keepdims=True)
            away = mean_here - mean
            squares = squares + np.sum((part - mean_here) ** 2, axis=0, keepdims=True)
            squares = squares + away**2 * (start * len(part) / stop)
            mean, start = mean + away * (len(part) / stop), stop
        deviation = np.sqrt(squares / n)
        # What is the same for all rows is so but for the rounding of float32.
        typical = np.sqrt(np.mean(np.reshape(mean, (len(keys), -1)) ** 2, axis=1))
        typical = np.repeat(typical, mean.size // len(keys))
        deviation = np.where(deviation > 1e-5 * typical, deviation, 1.0)
        return deviation, -np.sum(shares * chosen, axis=0, keepdims=True) / deviation


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
    RandomSigns,
    StandardNormal,
    DataVariance,
)


def get_initializer(spec: Any) -> Initializer:
    """An initializer from an object, a class, or a name such as "he_normal"."""
    return lookup(spec, Initializer, INITIALIZERS, "initializer")
