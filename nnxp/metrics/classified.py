"""Of classes that were predicted: how often they are right, and which are taken for which."""

import numpy as np

from nnxp.metrics.pairs import classes_of, same, summed, weights_of, within
from nnxp.typing import ArrayLike, Floats, Integers


def accuracy(y_pred: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """The share of samples whose class is right.

    Parameters
    ----------
    y_pred
        Class indices (n,), or scores (n, m), of which the largest counts.
    y
        Class indices (n,), or one-hot rows (n, m).
    sample_weight
        (n,) weights from 0 up.

    Examples
    --------
    >>> accuracy([[0.9, 0.1], [0.2, 0.8]], [0, 0])
    0.5
    """
    guess, truth = classes_of(y_pred), classes_of(y)
    same(guess, truth)
    return float(np.average(guess == truth, weights=weights_of(sample_weight, len(truth))))


def balanced_accuracy(y_pred: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """The mean of the classes' recalls: 1 / classes for guessing, however unequal the classes are.

    A class without samples is left out.

    Parameters
    ----------
    y_pred, y, sample_weight
        As `accuracy`.

    Examples
    --------
    >>> balanced_accuracy([0, 0, 0, 0], [0, 0, 0, 1])
    0.5
    """
    return macro(recall(y_pred, y, sample_weight=sample_weight))


def recall(
    y_pred: ArrayLike, y: ArrayLike, n_classes: int | None = None, *, sample_weight: ArrayLike | None = None
) -> Floats:
    """Of the samples of each class, the share that was found, (n_classes,): NaN of a class without samples.

    Parameters
    ----------
    y_pred, y, sample_weight
        As `accuracy`.
    n_classes
        By default as many as the largest index says.

    Examples
    --------
    >>> recall([0, 1, 1, 1], [0, 0, 1, 1]).tolist()
    [0.5, 1.0]
    """
    counts = _tallied(y_pred, y, n_classes, sample_weight)
    return _share(np.diagonal(counts), counts.sum(axis=1))


def precision(
    y_pred: ArrayLike, y: ArrayLike, n_classes: int | None = None, *, sample_weight: ArrayLike | None = None
) -> Floats:
    """Of the samples that were taken for each class, the share that is of it, (n_classes,): NaN where there are none.

    Parameters
    ----------
    y_pred, y, n_classes, sample_weight
        As `recall`.

    Examples
    --------
    >>> precision([0, 1, 1, 1], [0, 0, 1, 1], 3).round(3).tolist()
    [1.0, 0.667, nan]
    """
    counts = _tallied(y_pred, y, n_classes, sample_weight)
    return _share(np.diagonal(counts), counts.sum(axis=0))


def f1(
    y_pred: ArrayLike, y: ArrayLike, n_classes: int | None = None, *, sample_weight: ArrayLike | None = None
) -> Floats:
    """The harmonic mean of precision and recall of each class, 2 right / (taken for it + of it), (n_classes,).

    It is NaN of a class that has no samples and was never predicted.

    Parameters
    ----------
    y_pred, y, n_classes, sample_weight
        As `recall`.

    Examples
    --------
    >>> f1([0, 1, 1, 1], [0, 0, 1, 1]).round(3).tolist()
    [0.667, 0.8]
    """
    counts = _tallied(y_pred, y, n_classes, sample_weight)
    return _share(2 * np.diagonal(counts), counts.sum(axis=0) + counts.sum(axis=1))


def macro(by_class: Floats) -> float:
    """The mean of a score by class over the classes that have one, each counting the same.

    Raises
    ------
    ValueError
        No class has one.

    Examples
    --------
    >>> macro(f1([0, 1, 1, 1], [0, 0, 1, 1], 3))
    0.7333333333333334
    """
    if np.isnan(by_class).all():
        raise ValueError("got a score of no class, expected one at least: there are no samples with a weight")
    return float(np.nanmean(by_class))


def confusion_matrix(y_pred: ArrayLike, y: ArrayLike, n_classes: int | None = None) -> Integers:
    """Counts (n_classes, n_classes), int64: row i, column j is how many samples of class i were taken for j.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 0, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    return _tallied(y_pred, y, n_classes, None).astype(np.int64)


def _tallied(y_pred: ArrayLike, y: ArrayLike, n_classes: int | None, sample_weight: ArrayLike | None) -> Floats:
    """The weights of the samples of class i that were taken for j, (n_classes, n_classes)."""
    guess, truth = classes_of(y_pred), classes_of(y)
    same(guess, truth)
    size = n_classes or 1 + int(max(guess.max(initial=0), truth.max(initial=0)))
    within("y_pred", guess, size)
    within("y", truth, size)
    tallies = summed(truth * size + guess, weights_of(sample_weight, len(truth)), size * size)
    return tallies.reshape(size, size)


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where there is nothing."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
