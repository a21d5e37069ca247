"""What several members say of how sure their mean is: their spread, intervals, and how far classifiers disagree."""

import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from nnxp.doors.options import above_zero, share
from nnxp.typing import Array, ArrayLike, Floats

MOST = 999
"""Bounds that are kept of very many held-out rows: those of the levels 0.001 to 0.999."""
AtHome = Callable[[Floats], Array]
"""Puts results where they belong: in the library and on the device of X, and in the shape of a prediction."""


class Several:
    """An estimator whose network may be several."""

    model_: Any

    def _apart(self, X: ArrayLike, method: str) -> tuple[Floats, AtHome]:
        """What each member gives, (members, n, m), in float64 on the host."""
        raise NotImplementedError

    def _known(self) -> dict[str, Any]:
        """What a file keeps of a fit: see `nnxp.estimators.written`."""
        return {}

    def _know(self, known: dict[str, Any], target: Any) -> None:
        """Takes over what `_known` gave of a fit whose y meant this."""

    def _check_several(self, method: str) -> None:
        """Raises ValueError where there is one network, which can differ from no other."""
        if self.model_.members == 1:
            name = type(self).__name__
            raise ValueError(f"got {method} of one network, expected several, which it compares: {name}(members=8)")


@dataclass(frozen=True)
class Intervals:
    """Half-widths that held-out rows have calibrated, one row of numbers for each output.

    With s(x) the members' standard deviation, ŷ their mean and σ² the mean of (y - ŷ)² over the held-out rows, the
    score of a row is |y - ŷ| / √(s² + σ²). A new row's half-width is √(s² + σ²) times the ⌈(n + 1) level⌉-th lowest
    score of n held-out rows. Papadopoulos et al. 2008, "Normalized nonconformity measures for regression conformal
    prediction"; Lei et al. 2018 (arXiv:1604.04173), section 5.2.

    Attributes
    ----------
    deviation : list of float
        σ of each output.
    bounds : list of list of float
        For each output, the scores of the levels k / (m + 1), k = 1 to m: all scores of up to `MOST` rows.
    """

    deviation: list[float]
    bounds: list[list[float]]

    @classmethod
    def of(cls, outputs: Floats, y: Floats, w: Floats | None) -> Self:
        """Those of held-out rows.

        Parameters
        ----------
        outputs : numpy.ndarray, (members, n, m)
        y : numpy.ndarray, (n, m)
        w : numpy.ndarray, (n,), optional
            How often each row counts; a new one counts as their mean.
        """
        w = np.ones(len(y)) if w is None else w
        outputs, y, w = outputs[:, w > 0], y[w > 0], w[w > 0]
        errors = np.abs(y - np.mean(outputs, axis=0))
        deviation = np.sqrt(np.average(errors**2, axis=0, weights=w))
        unit = np.hypot(spread(outputs), deviation)
        scores = np.divide(errors, unit, out=np.zeros_like(errors), where=unit > 0)
        kept = min(len(y), MOST)
        levels = np.arange(1, kept + 1) / (kept + 1)
        bounds = []
        for column in scores.T:
            order = np.argsort(column, kind="stable")
            # Of equal weights, (n + 1) level rows have to lie below: but for rounding, since k of n + 1 is no float.
            below = np.cumsum(w[order]) / (np.sum(w) + np.mean(w)) * (1 + 1e-12)
            bounds.append(column[order][np.searchsorted(below, levels)].tolist())
        return cls(deviation.tolist(), bounds)

    def around(self, outputs: Floats, level: float) -> tuple[Floats, Floats]:
        """Lower and upper ends, (n, m) each, for what each member gives, (members, n, m)."""
        kept = len(self.bounds[0])
        level = share("level", above_zero("level", level))
        k = int(np.ceil(level * (kept + 1) * (1 - 1e-12)))
        if k > kept:
            most = math.floor(1e6 * kept / (kept + 1)) / 1e6  # of 30, 30 / 31 is more than they can tell, rounded up
            raise ValueError(
                f"got level={level:g} and {kept} held-out rows to calibrate it on, expected at most {most:g}: hold "
                "more rows out, validation_fraction=, or give fit X_val and y_val"
            )
        middle = np.mean(outputs, axis=0)
        half = np.hypot(spread(outputs), self.deviation) * [bounds[k - 1] for bounds in self.bounds]
        return middle - half, middle + half

    def document(self) -> dict[str, Any]:
        """What JSON holds of them."""
        return asdict(self)

    @classmethod
    def of_document(cls, document: dict[str, Any], outputs: int | None) -> Self:
        """Those of which `document` gave this. Raises where it is of another number of outputs, or of none."""
        found = cls(**{name: np.asarray(numbers, np.float64).tolist() for name, numbers in document.items()})
        numbers = [*found.deviation, *itertools.chain.from_iterable(found.bounds)]
        if (
            np.shape(found.deviation) != (outputs,)
            or np.shape(found.bounds)[:-1] != (outputs,)
            or np.isnan(numbers).any()
        ):
            raise ValueError(f"its intervals are not of {outputs} outputs")
        return found


class SeveralOfNumbers(Several):
    """What regressors of several members have beside their predictions."""

    _intervals: Intervals | None = None  # pickles of before do not have it

    @property
    def _calibrates(self) -> str:
        """What a fit needs to calibrate intervals."""
        raise NotImplementedError

    def _in_units(self, outputs: Floats) -> Floats:
        """Outputs (..., n, m) in the units of y; rises with them."""
        return outputs

    def _known(self) -> dict[str, Any]:
        intervals = {} if self._intervals is None else {"intervals": self._intervals.document()}
        return super()._known() | intervals

    def _know(self, known: dict[str, Any], target: Any) -> None:
        super()._know(known, target)
        if "intervals" in known:
            self._intervals = Intervals.of_document(known["intervals"], self.model_.n_out)

    def predict_std(self, X: ArrayLike) -> Array:
        """The standard deviation of the members' predictions, in y's units, shaped like a prediction.

        With K members √(Σ (ŷₖ - ȳ)² / (K - 1)): how far another network of another seed would be from these, which is
        large where the data say little. It is not the error of a prediction: the noise of y is not in it, nor what all
        members get wrong alike.

        Raises
        ------
        ValueError
            The estimator has one member.
        """
        outputs, at_home = self._apart(X, "predict_std")
        return at_home(spread(self._in_units(outputs)))

    def predict_interval(self, X: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper ends of an interval around each prediction, in y's units, shaped like predictions.

        As wide as the rows that the fit held out say, and wider where the members differ: split conformal prediction,
        whose equation `nnxp.estimators.uncertainty.Intervals` has. Of new rows from where the held-out ones came from,
        a share of `level` lies within, on average over all of them, whatever the noise; not for each kind of row by
        itself, and not of rows from elsewhere. Where the held-out rows chose the epoch too, the intervals are a little
        narrow: rows that choose nothing are given as `X_val`, without early stopping. Of several outputs each has its
        own.

        Parameters
        ----------
        X
            As `predict` takes it.
        level : float
            Above 0 and below 1; n held-out rows can tell levels up to n / (n + 1).

        Raises
        ------
        ValueError
            The estimator has one member, or its fit held no rows out, or too few for the level.
        """
        outputs, at_home = self._apart(X, "predict_interval")
        if self._intervals is None:
            raise ValueError(
                f"got predict_interval after a fit that calibrated no intervals, expected one with {self._calibrates}"
            )
        low, high = self._intervals.around(outputs, level)
        return at_home(self._in_units(low)), at_home(self._in_units(high))


class SeveralOfClasses(Several):
    """What classifiers of several members have beside their predictions."""

    def _told_apart(self, outputs: Floats) -> Floats:
        """Probabilities (members, n, ..., classes) of outputs (members, n, m)."""
        return outputs

    def disagreement(self, X: ArrayLike) -> Array:
        """How much the members disagree about each row, (n,), or about each label of it, (n, labels), from 0 up.

        The mutual information between the label and the member, in nats: the entropy of the mean probabilities less
        the mean entropy of each member's. 0 where all give the same probabilities, however unsure these are; at most
        ln of the number of classes. Houlsby et al. 2011 (arXiv:1112.5745), equation 2.

        Raises
        ------
        ValueError
            The estimator has one member.
        """
        outputs, at_home = self._apart(X, "disagreement")
        return at_home(mutual_information(self._told_apart(outputs)))


def spread(outputs: Floats) -> Floats:
    """The standard deviation over members, (n, m), of outputs (members, n, m)."""
    return np.asarray(np.std(outputs, axis=0, ddof=1))


def mutual_information(p: Floats) -> Floats:
    """Between label and member, in nats, of probabilities (members, ..., classes).

    Examples
    --------
    >>> certain, unsure = np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), np.full((2, 1, 2), 0.5)
    >>> mutual_information(certain).round(4).tolist(), mutual_information(unsure).tolist()
    ([0.6931], [0.0])
    """
    found = _entropy(np.mean(p, axis=0)) - np.mean(_entropy(p), axis=0)
    return np.asarray(np.maximum(found, 0.0))  # below 0 is rounding


def _entropy(p: Floats) -> Floats:
    return np.asarray(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1))
