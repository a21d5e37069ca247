"""How far a score would move with other rows: the infinitesimal jackknife (Jaeckel 1972; Efron 1982, chapter 6).

The influence of row i on a score T is ψᵢ = W ∂T/∂wᵢ, W = Σ w, so that Σ wψ = 0. The standard error of T is
√Σ (wψ)² / W, and that of the difference of two scores on the same rows the same of ψ - ψ': what both find hard is in
neither. Of a mean it is the textbook's, of a ratio the delta method's, of the area under the ROC curve DeLong's (1988).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from nnxp.doors.units import constant, unit_of
from nnxp.metrics.distance import quantile
from nnxp.metrics.pairs import summed
from nnxp.metrics.probability import bin_of, events, surprise
from nnxp.metrics.ranking import Ranks, area, one_by_one, step_area
from nnxp.tabular.findings.layout import Score
from nnxp.typing import Floats, Integers

BINS = 10
"""Of a calibration curve, each as wide."""
ROUNDING = 1e-12
"""What an error comes to where it is 0 but for rounding, as a share of the score."""


class Estimate(NamedTuple):
    """A score on test rows.

    Attributes
    ----------
    value : float
    influence : numpy.ndarray, (n,)
        Of each row.
    least : float
        The error of a share that is 0 or 1, where the rows show none since they all agree: 1 / rows.
    """

    value: float
    influence: Floats
    least: float = 0.0

    def error(self, w: Floats) -> float:
        """The standard error, w the weights of the rows."""
        error = float(np.linalg.norm(w * self.influence) / np.sum(w))
        if error > ROUNDING * abs(self.value):
            return error
        return self.least if abs(self.value - 0.5) + ROUNDING >= 0.5 else 0.0

    def plus(self, other: "Estimate") -> "Estimate":
        """The sum of two scores on the same rows; shares have rows of their own each, whose errors are independent."""
        least = math.hypot(self.least, other.least)
        return Estimate(self.value + other.value, self.influence + other.influence, least)

    def times(self, factor: float) -> "Estimate":
        """The score in another unit."""
        return Estimate(self.value * factor, self.influence * factor, self.least * abs(factor))


def score(estimate: Estimate | None, w: Floats) -> Score:
    """What is said of an estimate, or of a score that is not defined."""
    return Score(value=None, error=None) if estimate is None else Score(value=estimate.value, error=estimate.error(w))


def difference(a: Estimate | None, b: Estimate | None, sign: int) -> Estimate | None:
    """sign · (a - b), of two scores on the same rows."""
    return None if a is None or b is None else a.plus(b.times(-1))._replace(least=0.0).times(sign)


def ratio(a: Floats, b: Floats, w: Floats, is_share: bool = False) -> Estimate | None:
    """Σ wa / Σ wb; None where there is nothing to divide by. Of a share, b counts rows."""
    whole = float(np.sum(w * b))
    if not whole > 0:
        return None
    value = float(np.sum(w * a)) / whole
    return Estimate(value, (a - value * b) * (np.sum(w) / whole), 1 / int(np.count_nonzero(w * b)) if is_share else 0.0)


def average(a: Floats, w: Floats) -> Estimate:
    """Σ wa / Σ w."""
    value = float(np.average(a, weights=w))
    return Estimate(value, a - value)


def _means(pairs: Iterable[tuple[Estimate, Estimate]]) -> tuple[Estimate | None, Estimate | None]:
    """Those of the first and of the second of each pair."""
    total, n = None, 0
    for pair in pairs:  # one by one: classes may be many
        n += 1
        total = pair if total is None else (total[0].plus(pair[0]), total[1].plus(pair[1]))
    return (None, None) if total is None else (total[0].times(1 / n), total[1].times(1 / n))


def _mean_share(right: Floats, by: Sequence[Integers], w: Floats, k: int) -> Estimate | None:
    """The mean, over the k classes that have any, of Aₖ / Bₖ: of each class among `by`, B counts the rows of class k,
    and A the right ones. By the truth it is the recall, by truth and guess, whose A and B are sums, F1."""
    whole = np.sum([summed(group, w, k) for group in by], axis=0)
    there = np.flatnonzero(whole > 0)
    if not len(there):
        return None
    value, unit = np.zeros(k), np.zeros(k)
    value[there] = len(by) * summed(by[0], w * right, k)[there] / whole[there]
    unit[there] = np.sum(w) / whole[there]
    influence = len(by) * right * unit[by[0]] - np.sum([(value * unit)[group] for group in by], axis=0)
    seen = np.asarray(w > 0, dtype=np.float64)  # a right row is one row, though truth and guess both count it
    rows = np.sum([summed(group, seen, k) for group in by], axis=0) - (len(by) - 1) * summed(by[0], seen * right, k)
    least = float(np.linalg.norm(1 / rows[there]))
    return Estimate(float(value[there].mean()), influence / len(there), least / len(there))


def of_classes(p: Floats, truth: Integers, w: Floats, eps: float) -> dict[str, Estimate | None]:
    """The scores of probabilities (n, k) against class indices (n,), by their names in `nnxp.metrics`; eps is the
    rounding of the probabilities' dtype."""
    guess, k, one = p.argmax(axis=1), p.shape[1], np.ones(len(truth))
    right = (guess == truth) * one
    area, precision = _means((_area(ranks, w), _step_area(ranks, w)) for ranks in one_by_one(p, truth, w))
    return {
        "accuracy": ratio(right, one, w, is_share=True),
        "balanced_accuracy": _mean_share(right, (truth,), w, k),
        "log_loss": average(surprise(p, truth, eps), w),
        "roc_auc": area,
        "average_precision": precision,
        "f1": _mean_share(right, (truth, guess), w, k),
        "calibration_error": _calibration_error(*events(p, truth), w),
    }


def of_class(guess: Integers, truth: Integers, w: Floats, k: int) -> dict[str, Estimate | None]:
    """Recall, precision and F1 of class k."""
    taken, there = np.asarray(guess == k, dtype=np.float64), np.asarray(truth == k, dtype=np.float64)
    right = taken * there
    return {
        "recall": ratio(right, there, w, is_share=True),
        "precision": ratio(right, taken, w, is_share=True),
        "f1": ratio(2 * right, taken + there, w, is_share=True),
    }


def of_numbers(p: Floats, y: Floats, w: Floats) -> dict[str, Estimate | None]:
    """The scores of values (n,) against the truth (n,), by their names in `nnxp.metrics`, and the "bias", the mean of
    p - y."""
    off = p - y
    unit = float(unit_of(np.stack([off, y], axis=1)).max())  # so that squares neither overflow nor vanish
    off, t = off / unit, y / unit
    centred = t - np.sum(w * t) / np.sum(w)
    varies = not constant(y[w > 0][:, None])[0]
    unexplained = ratio(off**2, centred**2, w) if varies else None
    return {
        "r2": None if unexplained is None else Estimate(1 - unexplained.value, -unexplained.influence),
        "rmse": _root(average(off**2, w)).times(unit),
        "mean_absolute_error": average(np.abs(off), w).times(unit),
        "median_absolute_error": _median(np.abs(off), w).times(unit),
        "bias": average(off, w).times(unit),
    }


def _root(squares: Estimate) -> Estimate:
    """√T: ψ / 2√T."""
    root = float(np.sqrt(squares.value))
    return Estimate(root, squares.influence / (2 * root) if root else squares.influence)


def _median(x: Floats, w: Floats) -> Estimate:
    """The median: ± 1/2 over the density there, which is that between the values one standard error of the rank below
    and above (Siddiqui 1960)."""
    value, rows = quantile(x, 0.5, w), float(np.sum(w) ** 2 / np.sum(w**2))
    rank = min(0.5, 0.5 / rows**0.5)
    spread = quantile(x, 0.5 + rank, w) - quantile(x, 0.5 - rank, w)
    return Estimate(value, np.sign(x - value) / 2 * (spread / (2 * rank)))


def _area(ranks: Ranks, w: Floats) -> Estimate:
    """The area under the ROC curve: of a row of the class, the share of the others below it, less the area; of another,
    the share of the class above it, less the area; each over its part of the weights."""
    own, other, total = ranks.own.sum(), ranks.other.sum(), np.sum(w)
    below, above = ranks.others_below / other, (ranks.own_above - ranks.own / 2) / own
    value = area(ranks)
    at_own, at_other = (below - value) * (total / own), (above - value) * (total / other)
    return _by_group(value, ranks, at_own, at_other)


def _step_area(ranks: Ranks, w: Floats) -> Estimate:
    """The average precision Σ own · P / Σ own, P = A / (A + B), the class's and the others' weights from there up: a
    row moves its own P, and through A or B those of all scores up to its own."""
    own, value = ranks.own.sum(), step_area(ranks)
    a, b = ranks.own_above, ranks.others_above
    both = np.where(a + b > 0, a + b, 1)
    through_a, through_b = np.cumsum(ranks.own * b / both**2), np.cumsum(-ranks.own * a / both**2)
    scale = np.sum(w) / own
    return _by_group(value, ranks, (a / both - value + through_a) * scale, through_b * scale)


def _by_group(value: float, ranks: Ranks, at_own: Floats, at_other: Floats) -> Estimate:
    influence = at_other[ranks.group]
    influence[ranks.is_own] = at_own[ranks.group[ranks.is_own]]  # few, where classes are many
    return Estimate(value, influence, 1 / len(influence))


def _calibration_error(p: Floats, came_true: Floats, w: Floats) -> Estimate:
    """The expected calibration error Σ |Sₖ| / W, Sₖ = Σ w (p - came true) over bin k."""
    bin, off = bin_of(p, BINS), p - came_true
    sums, total = summed(bin, w * off, BINS), np.sum(w)
    value = float(np.abs(sums).sum() / total)
    return Estimate(value, np.sign(sums)[bin] * off - value)
