"""Probabilities that are as often right as they say: one temperature for all rows (Guo et al., arXiv 1706.04599)."""

import copy

import numpy as np

from nnxp.activations import Softmax
from nnxp.layers import Rescaling
from nnxp.sequential import Sequential
from nnxp.typing import Floats, HostArray, Integers

FURTHEST = 20.0
"""Temperatures are held within 1/20 and 20: of rows that are all right, the best would be 0."""
HALVINGS = 50
"""Of an interval of ln 20 on either side: to 1e-14."""


def temperature(probabilities: HostArray, y: Integers, sample_weight: Floats | None = None) -> float:
    """T that minimises the mean log loss of softmax(z / T), z the logarithms of probabilities; of several members, of
    the mean of theirs.

    The derivative by β = 1/T, the mean of Σ p z - z_y with p = softmax(βz), rises with β: its root is found by halving.
    Of members it is the mean over these, each by its share of what they say of the truth, p_y / Σ p_y; a root where it
    rises is then a minimum, though there may be others.

    Parameters
    ----------
    probabilities : numpy.ndarray, (n, classes) or (members, n, classes)
    y : numpy.ndarray, (n,)
        Class indices.
    sample_weight : numpy.ndarray, (n,), optional

    Examples
    --------
    >>> p = np.array([[0.1, 0.9]] * 4)
    >>> T = temperature(p, np.array([1, 1, 1, 0]))  # right in 3 of 4
    >>> sharpened = p ** (1 / T)
    >>> (sharpened / sharpened.sum(axis=1, keepdims=True))[0].round(6).tolist()
    [0.25, 0.75]
    """
    z = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    z, rows = z.reshape(-1, *z.shape[-2:]), np.arange(len(y))
    truth = z[:, rows, y]

    def slope(beta: float) -> float:
        highest = z.max(axis=2, keepdims=True)
        e = np.exp(beta * (z - highest))
        total = e.sum(axis=2)
        said = beta * (truth - highest[..., 0]) - np.log(total)  # ln p_y
        shares = np.exp(said - said.max(axis=0))
        rises = (shares * ((e * z).sum(axis=2) / total - truth)).sum(axis=0) / shares.sum(axis=0)
        return float(np.average(rises, weights=sample_weight))

    low, high = -np.log(FURTHEST), np.log(FURTHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(float(np.exp(middle))) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def tempered(model: Sequential, T: float) -> Sequential:
    """The model whose last outputs are divided by T before they become probabilities; it is as far in its training."""
    assert isinstance(model.layers[-1], Softmax)
    result = Sequential(
        [*copy.deepcopy(model.layers[:-1]), Rescaling(1 / T), Softmax()],
        model.loss,
        copy.deepcopy(model.optimizer),
        backend=model.backend,
        dtype=model.dtype,
        seed=model.seed,
        members=model.members,
    )
    result.epoch, result.step, result.history = model.epoch, model.step, model.history
    return result
