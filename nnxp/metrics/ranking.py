"""Of scores, whatever their scale: whether a class's own samples have the higher ones."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nnxp.metrics.pairs import scores_of, summed, weights_of
from nnxp.typing import ArrayLike, Floats, HostArray, Integers


class Ranks(NamedTuple):
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
        values, group = np.unique(scores, return_inverse=True)
        return cls(group, is_own, summed(group, w * is_own, len(values)), summed(group, w * ~is_own, len(values)))

    @property
    def decides(self) -> bool:
        """Whether there are samples of the class and others."""
        return bool(self.own.sum() > 0 and self.other.sum() > 0)


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
    below = np.cumsum(ranks.other) - ranks.other / 2
    return float(np.sum(ranks.own / ranks.own.sum() * (below / ranks.other.sum())))


def step_area(ranks: Ranks) -> float:
    """The average precision."""
    above, others = from_above(ranks.own), from_above(ranks.other)
    precision = above / np.where(ranks.own > 0, above + others, 1)
    return float(np.sum(ranks.own / ranks.own.sum() * precision))


def from_above(sums: Floats) -> Floats:
    """Σ over this score and all higher ones."""
    return np.cumsum(sums[::-1])[::-1]


def one_by_one(scores: Floats, truth: Integers, w: Floats) -> list[Ranks]:
    """The second of two classes; of more, each that has samples against the rest. Empty where all are of one class."""
    columns = [(1, -1)] if scores.shape[1] <= 2 else [(k, k) for k in range(scores.shape[1])]
    found = (Ranks.of(scores[:, column], truth == k, w) for k, column in columns)
    return [ranks for ranks in found if ranks.decides]


def _mean(
    measure: Callable[[Ranks], float], y_score: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> float:
    scores, truth = scores_of(y_score, y)
    found = one_by_one(scores, truth, weights_of(sample_weight, len(truth)))
    if not found:
        raise ValueError(
            "got samples of one class only, expected others too: nothing is ranked here, use log_loss or accuracy"
        )
    return float(np.mean([measure(ranks) for ranks in found]))
