"""Of scores, whatever their scale: whether a class's own samples have the higher ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnxp.metrics.pairs import scores_of, summed, weights_of
from nnxp.typing import ArrayLike, Floats, HostArray, Integers


@dataclass(frozen=True, eq=False)
class Ranks:
    """The samples of one class among all, by their different scores in ascending order."""

    group: Integers
    """Which of the different scores each sample has, (n,)."""
    is_own: HostArray
    """Whether it is of the class, (n,)."""
    own: Floats
    """Σ w of the class's samples with each score."""
    other: Floats
    """Σ w of the others with it."""

    @classmethod
    def of(cls, scores: Floats, is_own: HostArray, w: Floats) -> "Ranks":
        """From scores, whether a sample is of the class, and weights, all (n,)."""
        order = np.argsort(scores)
        ascending = scores[order]
        group = np.empty(len(scores), dtype=np.int64)
        group[order] = np.cumsum(np.append(False, ascending[1:] != ascending[:-1]))
        size = int(group[order[-1]]) + 1
        return cls(group, is_own, summed(group, w * is_own, size), summed(group, w * ~is_own, size))

    @property
    def decides(self) -> bool:
        """Whether there are samples of the class and others."""
        return bool(self.own.sum() > 0 and self.other.sum() > 0)

    @cached_property
    def others_below(self) -> Floats:
        """Σ w of the others with a lower score, those with the same counting half."""
        return np.cumsum(self.other) - self.other / 2

    @cached_property
    def own_above(self) -> Floats:
        """Σ w of the class's samples with each score or a higher one."""
        return from_above(self.own)

    @cached_property
    def others_above(self) -> Floats:
        """Σ w of the others with it or a higher one."""
        return from_above(self.other)


def roc_auc(y_score: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """The probability that a sample of the class has a higher score than one of another, ties counting half: the area
    under the ROC curve (Hanley and McNeil 1982). 1/2 is guessing.

    Of more than two classes, each against the rest, and the mean over those that have samples.

    Parameters
    ----------
    y_score
        Scores or probabilities (n, classes), or (n,) of the second of two classes.
    y
        Class indices (n,), or one-hot rows (n, classes).
    sample_weight
        (n,) weights from 0 up.

    Raises
    ------
    ValueError
        All samples are of one class.

    Examples
    --------
    >>> roc_auc([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
    0.875
    """
    return _mean(area, y_score, y, sample_weight)


def average_precision(y_score: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Σ (Rₖ - Rₖ₋₁) Pₖ: recall R and precision P where the samples from the k-th highest different score up are taken
    for the class. Guessing gives the share of the class.

    Of more than two classes, each against the rest, and the mean over those that have samples.

    Parameters
    ----------
    y_score, y, sample_weight
        As `roc_auc`.

    Raises
    ------
    ValueError
        All samples are of one class.

    Examples
    --------
    >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 3)
    0.833
    """
    return _mean(step_area, y_score, y, sample_weight)


def area(ranks: Ranks) -> float:
    """The area under the ROC curve."""
    return float(np.sum(ranks.own / ranks.own.sum() * (ranks.others_below / ranks.other.sum())))


def step_area(ranks: Ranks) -> float:
    """The average precision."""
    precision = ranks.own_above / np.where(ranks.own > 0, ranks.own_above + ranks.others_above, 1)
    return float(np.sum(ranks.own / ranks.own.sum() * precision))


def from_above(sums: Floats) -> Floats:
    """Σ over this score and all higher ones."""
    return np.cumsum(sums[::-1])[::-1]


def one_by_one(scores: Floats, truth: Integers, w: Floats) -> Iterator[Ranks]:
    """The second of two classes; of more, each that has samples against the rest. Nothing where all are of one class.

    One after the other: of 100 classes and 60,000 samples they would take 200 MB together.
    """
    by_class = np.ascontiguousarray(scores.T)
    columns = [(1, -1)] if scores.shape[1] <= 2 else [(k, k) for k in range(scores.shape[1])]
    found = (Ranks.of(by_class[column], truth == k, w) for k, column in columns)
    return (ranks for ranks in found if ranks.decides)


def _mean(
    measure: Callable[[Ranks], float], y_score: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> float:
    scores, truth = scores_of(y_score, y)
    found = over_classes(measure, scores, truth, weights_of(sample_weight, len(truth)))
    if found is None:
        raise ValueError(
            "got samples of one class only, expected others too: nothing is ranked here, use log_loss or accuracy"
        )
    return found


def over_classes(measure: Callable[[Ranks], float], scores: Floats, truth: Integers, w: Floats) -> float | None:
    """The mean of a measure over `one_by_one`; None where there is nothing to rank."""
    found = [measure(ranks) for ranks in one_by_one(scores, truth, w)]
    return float(np.mean(found)) if found else None
