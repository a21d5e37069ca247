"""What the rows and their labels show before any network sees them."""

import hashlib
from collections.abc import Iterator

import numpy as np

from nnxp.layers import Rescaling
from nnxp.losses import StandardisedLoss, units_of, unresolved
from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis.evidence import Columns, Data
from nnxp.teaching.diagnosis.reachable import reachable
from nnxp.teaching.diagnosis.sampling import Sample, as_floats, positions, rows_of
from nnxp.teaching.diagnosis.truth import skill
from nnxp.typing import ArrayLike, Floats

COMPARED = 10_000
"""So many rows of each part at most are compared for twins."""
ALONE = 200
"""So many columns, those that correlate most with the labels, are tried alone."""


def data_of(model: Sequential, sample: Sample) -> Data:
    """The measures of a sample."""
    X, truth = sample.columns, sample.truth
    is_class = truth.classes is not None
    counts = np.bincount(truth.classes, minlength=truth.count) if truth.classes is not None else None
    return Data(
        rows=len(X),
        total=sample.total,
        given=columns(X),
        targets=None if is_class or model.loss is None or model.loss.classifies else _targets(model, truth.matrix),
        offsets=tuple(_offsets(model, X, truth.matrix)),
        counts=counts,
        is_constant=bool((truth.matrix == truth.matrix[0]).all()),
        leak=_leak(X, truth.matrix),
        reachable=reachable(X, truth.matrix),
        sortedness=_sortedness(truth.matrix),
    )


def columns(X: Floats) -> Columns:
    """Mean and deviation of each column."""
    return Columns(X.mean(axis=0), X.std(axis=0))


def twins(model: Sequential, given: tuple[ArrayLike, ArrayLike], held_out: tuple[ArrayLike, ArrayLike]) -> tuple[float, float]:  # fmt: skip
    """The share of validation rows that are rows of X, labels included, and that of rows of X with a twin in X."""
    ours, theirs = (_fingerprints(model, *part) for part in (given, held_out))
    _, index, counts = np.unique(ours, return_inverse=True, return_counts=True)
    return float(np.isin(theirs, ours).mean()), float((counts[index] > 1).mean())


def _fingerprints(model: Sequential, X: ArrayLike, y: ArrayLike) -> Floats:
    x, y = model._checked(X), np.asarray(y) if isinstance(y, list | tuple) else y
    index = positions(int(x.shape[0]), COMPARED)
    with model.backend.context():
        rows, labels = (as_floats(model.backend, rows_of(model.backend, a, index)) for a in (x, y))
    whole = np.ascontiguousarray(np.column_stack([rows, labels.reshape(len(rows), -1)])) + 0.0  # -0 is 0
    digests = [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "big") for row in whole]
    return np.array(digests, dtype=np.uint64)


def _targets(model: Sequential, Y: Floats) -> Columns:
    """Values as the layers before the last `Rescaling`, or a loss that standardises, have to give them."""
    found = columns(Y)
    last = model.layers[-1]
    if isinstance(last, Rescaling):
        scale, offset = (np.asarray(numbers, dtype=np.float64) for numbers in (last.scale, last.offset))
        return Columns((found.mean - offset) / scale, found.deviation / abs(scale))
    sigma = np.asarray(model.loss.sigma) if isinstance(model.loss, StandardisedLoss) else 1.0
    return Columns(found.mean / sigma, found.deviation / sigma)


def _offsets(model: Sequential, X: Floats, Y: Floats) -> Iterator[tuple[str, float, int, int]]:
    """Columns so far from 0 that the model's dtype rounds their differences away: see `nnxp.losses.unresolved`."""
    values = [("the target", Y)] if model.loss is not None and not model.loss.classifies else []
    for name, matrix in [("", X), *values]:
        sigma, mu = units_of(matrix)
        for i in np.flatnonzero(sigma > 0):
            if found := unresolved([mu[i] / sigma[i]], model.dtype):
                column = matrix[:, i]
                left = len(np.unique(column.astype(model.dtype)))
                yield name or f"column {i + 1}", found[1], left, len(np.unique(column))


def _leak(X: Floats, Y: Floats) -> tuple[int, float]:
    """The column that says most of the label alone: each row's is predicted by that of the nearest in the column."""
    if len(X) < 3 or X.shape[1] < 2:
        return 0, 0.0
    centred, deviation = Y - Y.mean(axis=0), X.std(axis=0)
    with np.errstate(all="ignore"):
        alike = np.nan_to_num(abs((X - X.mean(axis=0)).T @ centred) / deviation[:, None])
    best = (0, 0.0)
    for j in np.argsort(-np.max(alike / np.maximum(centred.std(axis=0), 1e-300), axis=1), kind="stable")[:ALONE]:
        order = np.argsort(X[:, j], kind="stable")
        gap = np.diff(X[order, j])
        nearest = np.where(gap[:-1] < gap[1:], order[:-2], order[2:])
        best = max(best, (int(j), skill(Y[order[1:-1]], Y[nearest])), key=lambda pair: pair[1])
    return best


def _sortedness(Y: Floats) -> float:
    """1 - the mean square of neighbours' differences, over that of rows drawn by chance."""
    variance = float(Y.var(axis=0).sum())
    return 1 - float(np.sum(np.diff(Y, axis=0) ** 2)) / (max(1, len(Y) - 1) * 2 * variance) if variance > 0 else 0.0
