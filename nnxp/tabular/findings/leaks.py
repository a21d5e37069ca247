"""How well each column predicts the target by itself: one that does so perfectly is, often, the target."""

import numpy as np

from nnxp import metrics, random
from nnxp.doors.units import constant
from nnxp.metrics.pairs import summed
from nnxp.metrics.ranking import area, over_classes
from nnxp.tabular.table import Column, Moments, Table, Words
from nnxp.typing import Floats, HostArray, Integers

ROWS = 20_000
"""The most rows that are looked at: half to learn from, half to score."""
GROUPS, ROWS_A_GROUP = 256, 4
"""Into how many groups of as many rows a column of numbers is cut, at most, and how many rows each has, at least."""


def alone(table: Table, y: HostArray, n_classes: int | None = None, groups: Integers | None = None) -> dict[str, float]:
    """How well each column predicts the target by itself, on rows that it did not learn from: its ROC AUC, or R².

    The rows, 20,000 by chance at most, are halved. The prediction for a row of the second half is the mean of the
    target over the rows of the first that have the same word or number, or, where a column has more than 256 different
    numbers, lie in the same of up to 256 groups by size; missing cells are a group of their own. Of numbers a straight
    line is tried too, and the better of the two counts.

    Parameters
    ----------
    table : Table
        Columns of the training part.
    y : numpy.ndarray, (n,)
        Class indices, or values.
    n_classes : int, optional
        Of a classification.
    groups : numpy.ndarray of int64, (n,), optional
        Rows of one number, a patient's say, are in one half: to know them again is not to predict.

    Returns
    -------
    dict of str to float
        By column; without those of which nothing can be said, since the second half has one class or value only.

    Examples
    --------
    >>> from nnxp.tabular.table import Numbers
    >>> x = np.arange(400.0)
    >>> found = alone(Table("t.csv", {"x": Numbers(x), "same": Numbers(0 * x)}, range(400)), (x > 99).astype(int), 2)
    >>> found["x"] > 0.99, found["same"]
    (True, 0.5)
    """
    chosen, n = _halves(len(y), groups)
    truth = y[chosen]
    targets = truth.astype(np.float64)[:, None] if n_classes is None else np.eye(n_classes)[truth]
    found = dict[str, float]()
    if n == len(truth) or constant(truth[n:, None])[0]:
        return found
    ones = np.ones(len(truth) - n)
    for name, column in table.columns.items():
        for guess in _guesses(column.take(chosen), targets[:n]):
            is_number = n_classes is None
            score = metrics.r2(guess, truth[n:]) if is_number else over_classes(area, guess, truth[n:], ones)
            if score is not None:
                found[name] = max(score, found.get(name, score))
    return found


def _halves(rows: int, groups: Integers | None) -> tuple[Integers, int]:
    """Rows by chance, those of a group beside each other, and how many of them are the first half."""
    order = random.permutation(random.key(0, "split"), rows)
    if groups is None:
        return order[:ROWS], min(rows, ROWS) // 2
    place = random.permutation(random.key(0, "split", 1), int(groups.max()) + 1)[groups[order]]
    chosen = order[np.argsort(place, kind="stable")][:ROWS]
    place = np.sort(place)[: len(chosen)]
    half = place[len(chosen) // 2]  # the group that the middle is in goes to the second half, but for the first group
    return chosen, int(np.searchsorted(place, half, side="left" if half > place[0] else "right"))


def _guesses(column: Column, targets: Floats) -> list[Floats]:
    """Predictions for the rows after those whose targets are given, (rows, k) each."""
    n = len(targets)
    if isinstance(column, Words):
        return [_by_group(np.unique(column.codes, return_inverse=True)[1], targets)]
    values = _numbers(column)
    edges = np.unique(values[:n][~np.isnan(values[:n])])
    if len(edges) > GROUPS:
        bins = max(1, min(GROUPS, n // ROWS_A_GROUP))
        edges = np.unique(np.quantile(values[:n][~np.isnan(values[:n])], np.arange(1, bins) / bins))
    group = np.where(np.isnan(values), 0, 1 + np.searchsorted(edges, values))
    return [_by_group(group, targets), _by_line(values, targets)]


def _numbers(column: Column) -> Floats:
    """The cells as numbers, NaN where they are missing."""
    if isinstance(column, Moments):
        seconds = column.values.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(column.values), np.nan, seconds)
    return column.values  # type: ignore[union-attr]


def _by_group(group: Integers, targets: Floats) -> Floats:
    """The means by group; that of all rows where a group has none."""
    n, size = len(targets), int(group.max()) + 1
    rows = np.bincount(group[:n], minlength=size)[:, None]
    sums = np.stack([summed(group[:n], column, size) for column in targets.T], axis=1)
    means = np.where(rows > 0, sums / np.maximum(rows, 1), targets.mean(axis=0))
    return np.asarray(means[group[n:]])


def _by_line(values: Floats, targets: Floats) -> Floats:
    """The least-squares line; the mean where a cell is missing."""
    n = len(targets)
    known = ~np.isnan(values)
    x = np.where(known, values - np.mean(values[:n], where=known[:n]), 0) if known[:n].any() else np.zeros(len(values))
    x = x / (np.abs(x).max() or 1)  # squares neither overflow nor vanish
    mean = targets.mean(axis=0)
    slope = x[:n] @ (targets - mean) / (x[:n] @ x[:n] or 1)
    return np.asarray(mean + x[n:, None] * slope)
