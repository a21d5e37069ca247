"""How much of the labels follows from X at all: what two learners that need no training say of rows left out."""

import numpy as np

from nnxp.teaching.diagnosis.truth import skill
from nnxp.typing import Floats

ROWS = 600
"""Both are of the rows cubed: 600 take a tenth of a second."""
NEIGHBOURS = 5
RIDGES = 10.0 ** np.arange(-6, 2)
"""The penalties that are tried, in shares of the kernel's mean eigenvalue."""


def reachable(X: Floats, Y: Floats) -> float:
    """The better `skill` of the two, each row predicted from the others: at most 1, about 0 where X says nothing.

    The first is ridge regression with the kernel of an infinitely wide layer of ReLUs (the arc-cosine kernel of degree
    1, Cho and Saul 2009, section 2), each row left out by the usual identity r / (1 - H). The second is the
    mean of the nearest neighbours.

    Parameters
    ----------
    X : (n, features)
        Standardised here.
    Y : (n, outputs)
    """
    rows = np.linspace(0, len(X) - 1, min(len(X), ROWS)).astype(np.int64)
    X, Y = X[rows], Y[rows]
    if len(X) < 2 * NEIGHBOURS or not (np.isfinite(X).all() and np.isfinite(Y).all()):
        return 0.0
    deviation = X.std(axis=0)
    X = (X - X.mean(axis=0))[:, deviation > 0] / deviation[deviation > 0]
    if not X.shape[1]:
        return 0.0
    # Y without its mean: of the rows that are left, which errs by 1/n where a row is left out.
    return max(_kernel_ridge(X, Y - Y.mean(axis=0)), _neighbours(X, Y))


def _kernel_ridge(X: Floats, Y: Floats) -> float:
    X = np.column_stack([X, np.ones(len(X))]) / np.sqrt(X.shape[1] + 1)
    norms = np.sqrt(np.sum(X * X, axis=1))
    angle = np.arccos(np.clip(X @ X.T / np.outer(norms, norms), -1, 1))
    kernel = np.outer(norms, norms) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    values, vectors = np.linalg.eigh(kernel)
    values, projected, best = np.maximum(values, 0), vectors.T @ Y, -np.inf
    for ridge in RIDGES * values.mean():
        kept = values / (values + ridge)
        leverage = np.sum(vectors**2 * kept, axis=1, keepdims=True)
        residual = (Y - vectors @ (kept[:, None] * projected)) / np.maximum(1 - leverage, 1e-9)
        best = max(best, skill(Y, Y - residual))
    return best


def _neighbours(X: Floats, Y: Floats) -> float:
    squares = np.sum(X * X, axis=1)
    distances = squares[:, None] - 2 * X @ X.T + squares
    np.fill_diagonal(distances, np.inf)
    nearest = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return skill(Y, Y[nearest].mean(axis=1))
