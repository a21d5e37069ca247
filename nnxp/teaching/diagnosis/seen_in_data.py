"""What the rows and their labels show before any network sees them."""

import hashlib
import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from nnxp.backends import library_of
from nnxp.layers import Rescaling
from nnxp.losses import Poisson, StandardisedLoss, units_of, unresolved
from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis.evidence import Columns, Data
from nnxp.teaching.diagnosis.reachable import reachable
from nnxp.teaching.diagnosis.sampling import ROWS, Sample, as_floats, positions, rows_of
from nnxp.teaching.diagnosis.truth import class_indices, skill
from nnxp.typing import ArrayLike, Floats

Pair: TypeAlias = tuple[ArrayLike, ArrayLike]
COMPARED, NUMBERS = 10_000, 4_000_000
"""So many rows of each part at most, and so many numbers, are compared for twins."""
ALONE, WORK = 200, 20_000_000
"""So many columns at most, those that correlate most with the labels, are tried alone, and so many labels compared."""


def data_of(model: Sequential, sample: Sample) -> Data:
    """The measures of a sample."""
    X, truth = sample.columns, sample.truth
    is_class = truth.classes is not None
    counts = np.bincount(truth.classes, minlength=truth.of) if truth.classes is not None else None
    return Data(
        rows=len(X),
        total=sample.total,
        width=X.shape[1],
        targets=None if is_class or not _in_units(model) else _targets(model, truth.matrix),
        offsets=tuple(_offsets(model, X, truth.matrix)),
        counts=counts,
        is_constant=bool((truth.matrix == truth.matrix[0]).all()),
        leak=_leak(X, truth.matrix),
        reachable=reachable(X, truth.matrix),
        chance=_chance(X, truth.matrix),
        sortedness=_sortedness(truth.matrix),
    )


def columns(X: Floats) -> Columns:
    """Mean and deviation of each column."""
    return Columns(X.mean(axis=0), X.std(axis=0))


def twins(model: Sequential, given: Pair, held_out: Pair) -> tuple[float, float]:
    """The share of validation rows that are rows of X, labels included, and that of rows of X with a twin in X."""
    ours, theirs = (_fingerprints(model, *part) for part in (given, held_out))
    _, index, counts = np.unique(ours, return_inverse=True, return_counts=True)
    return float(np.isin(theirs, ours).mean()), float((counts[index] > 1).mean())


def _fingerprints(model: Sequential, X: ArrayLike, y: ArrayLike) -> Floats:
    """A number for each row, as the model takes it, and its label, whatever dtype and layout they are given in."""
    assert model.loss is not None
    x, backend = model._checked(X), model.backend
    y = np.asarray(y) if library_of(y) == "numpy" else y
    index = positions(int(x.shape[0]), min(COMPARED, max(ROWS, NUMBERS // max(1, int(x.shape[1])))))
    with backend.context():
        rows = as_floats(backend, rows_of(backend, x, index)).astype(model.dtype)
        labels = model.loss._on(backend, model.dtype).prepare(rows_of(backend, y, index), model.n_out, model.dtype)
        given = as_floats(backend, labels)
    classes = class_indices(model.loss, given)
    labelled = np.column_stack([rows, given.reshape(len(rows), -1) if classes is None else classes])
    whole = np.ascontiguousarray(labelled) + 0.0  # -0 is 0
    digests = [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "big") for row in whole]
    return np.array(digests, dtype=np.uint64)


def _in_units(model: Sequential) -> bool:
    """Whether outputs are in the target's units: of `Poisson` they are logarithms, and counts are what it takes."""
    return not (model.loss is None or model.loss.classifies or isinstance(model.loss, Poisson))


def _targets(model: Sequential, Y: Floats) -> Columns:
    """Values as the layers before the last `Rescaling`, or a loss that standardises, have to give them."""
    found = columns(Y)
    last = model.layers[-1]
    if isinstance(last, Rescaling):
        scale, offset = (np.asarray(numbers, dtype=np.float64) for numbers in (last.scale, last.offset))
        return Columns((found.mean - offset) / scale, found.deviation / abs(scale))
    sigma = np.asarray(model.loss.sigma) if isinstance(model.loss, StandardisedLoss) else 1.0
    return Columns(found.mean / sigma, found.deviation / sigma)


def _offsets(model: Sequential, X: Floats, Y: Floats) -> Iterator[tuple[int | None, float, int, int]]:
    """Columns so far from 0 that the model's dtype rounds their differences away: see `nnxp.losses.unresolved`."""
    targets = [(False, Y)] if model.loss is not None and not model.loss.classifies else []
    for is_input, matrix in [(True, X), *targets]:
        sigma, mu = units_of(matrix)
        for i in np.flatnonzero(sigma > 0):
            if found := unresolved([mu[i] / sigma[i]], model.dtype):
                column = matrix[:, i]
                left = len(np.unique(column.astype(model.dtype)))
                yield int(i) if is_input else None, found[1], left, len(np.unique(column))


def _leak(X: Floats, Y: Floats) -> tuple[int, float]:
    """The column that says most of the label alone: each row's is predicted by that of the nearest in the column. A row
    that is there several times counts once: it says its own label, in whichever column."""
    if len(X) < 3 or X.shape[1] < 2:
        return 0, 0.0
    distinct = np.unique(np.column_stack([X, Y]), axis=0, return_index=True)[1]
    X, Y = X[distinct], Y[distinct]
    if len(X) < 3:
        return 0, 0.0
    best, mixed = (0, 0.0), np.random.default_rng(0).permutation(len(X))
    X, Y = X[mixed], Y[mixed]  # of rows with equal cells, those that stand together in the data are no nearer
    most = min(ALONE, WORK // Y.size + 1)
    for j in np.argsort(-_correlations(X, Y).max(axis=1), kind="stable")[:most]:
        order = np.argsort(X[:, j], kind="stable")
        gap = np.diff(X[order, j])
        nearest = np.where(gap[:-1] < gap[1:], order[:-2], order[2:])
        best = max(best, (int(j), skill(Y[order[1:-1]], Y[nearest])), key=lambda pair: pair[1])
    return best


def _correlations(X: Floats, Y: Floats) -> Floats:
    """Magnitudes, (columns, outputs); 0 of what is the same in every row."""
    X, Y = ((a - a.mean(axis=0)) / np.where(a.std(axis=0) > 0, a.std(axis=0), np.inf) for a in (X, Y))
    return abs(X.T @ Y) / len(X)


def _chance(X: Floats, Y: Floats) -> float:
    """By P(|Z| > z) ≤ 2 exp(-z²/2), z = |r| √n of each correlation r, and the sum over all of them."""
    r = _correlations(X, Y)
    return min(1.0, 2 * r.size * math.exp(-len(X) * float(r.max()) ** 2 / 2)) if r.size else 1.0


def _sortedness(Y: Floats) -> float:
    """1 - the mean square of neighbours' differences, over that of rows drawn by chance."""
    variance = float(Y.var(axis=0).sum())
    return 1 - float(np.sum(np.diff(Y, axis=0) ** 2)) / (max(1, len(Y) - 1) * 2 * variance) if variance > 0 else 0.0
