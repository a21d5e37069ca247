"""The regressor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from nnxp.backends import get_backend
from nnxp.callbacks import Callback
from nnxp.doors.options import LARGEST, beyond
from nnxp.doors.units import constant
from nnxp.errors import DataError
from nnxp.estimators import inputs
from nnxp.estimators.base import MLP
from nnxp.estimators.convergence import Score
from nnxp.estimators.inputs import Part
from nnxp.estimators.keywords import stochastic
from nnxp.estimators.uncertainty import Intervals, SeveralOfNumbers
from nnxp.layers import Dense, Layer, Rescaling
from nnxp.losses import Loss, Poisson, StandardisedLoss, units_of, unresolved
from nnxp.typing import Array, ArrayLike, Floats, HostArray

STANDARDISED = {"squared_error": "mean_squared_error", "absolute_error": "mean_absolute_error", "huber": "huber"}
"""Losses of errors in standard deviations of y, by the names of ours."""
POWERS = {"squared_error": 2, "absolute_error": 1}
"""Those of them that a larger unit divides by a power of it."""


class MLPRegressor(RegressorMixin, SeveralOfNumbers, MLP):
    """A regressor of dense layers, for one output or several, on the arrays that X is of.

    y is scaled inside: the network learns targets of mean 0 and standard deviation 1 (weighted, over the rows of the
    first fit), and a last fixed layer gives predictions in y's units. Learning rates, `alpha`,
    `tol` and losses therefore do not depend on the units. (Not so with `loss="poisson"`.)

    Parameters
    ----------
    loss : str
        "squared_error", "absolute_error" or "huber", of errors in standard deviations of y, averaged over the
        outputs. (scikit-learn halves the first, of errors in y's units, and has no others of these. `alpha` weighs
        against it as there.) "poisson" for counts and rates: half the Poisson deviance of y, from 0 up and not scaled,
        from rates whose logarithms the network gives, and which `predict` gives.
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter
        See `MLPClassifier`; so for those below.
    shuffle, random_state, tol, verbose
        As there.
    warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon
        The validation score is R².
    monitor : {"r2", "loss"}
        What early stopping follows: the validation's R², or its loss.
    n_iter_no_change, max_fun, dropout, normalization, schedule, callbacks, backend, dtype
        As said.
    members, bootstrap, oob_score
        As said; predictions are the mean of the members', with `loss="poisson"` the exponential of their mean
        logarithm. y is scaled by all rows to train on, whatever the bags.

    Attributes
    ----------
    model_ : Sequential
        The network with the last layer that scales; it predicts in y's units, with `loss="poisson"` their logarithms.
    coefs_, intercepts_ : list of array
        The weights (n_in, n_out) and biases (n_out,) of each dense layer, the last before the scaling; of several
        members, (members, ...).
    validation_scores_ : list of float or None
        R² after each epoch; of several outputs 1 - Σ (p - y)² / Σ (y - ȳ)², the sums over all, where `score`
        averages the outputs' own R².
    oob_score_, oob_prediction_ : float, array
        With `oob_score`, see `MLPClassifier`.
    loss_, loss_curve_, best_loss_, validation_loss_curve_, best_validation_score_, stopped_, n_iter_, t_
        See `MLPClassifier`.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As scikit-learn's.

    Examples
    --------
    >>> import numpy as np, nnxp
    >>> X = np.linspace(-3, 3, 200)[:, None]
    >>> y = 1e6 + 500 * np.sin(X[:, 0])
    >>> model = nnxp.MLPRegressor(hidden_layer_sizes=(32,), solver="lbfgs", max_iter=2000, random_state=0).fit(X, y)
    >>> round(model.score(X, y), 2)
    1.0
    """

    loss: str
    monitor = "r2"

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        normalization: str | None = None,
        schedule: Any = None,
        callbacks: Sequence[Callback] | None = None,
        backend: Any = None,
        dtype: str | None = None,
        monitor: str = "r2",
        members: int = 1,
        bootstrap: bool = False,
        oob_score: bool = False,
    ) -> None:
        self._keep(locals())

    @available_if(stochastic)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Trains one epoch on these rows, from the weights and the optimizer's state of the call before.

        The first call's y decides the scale that targets are learned in: let it be typical. Each call reads `alpha`,
        `batch_size`, `learning_rate_init` and `callbacks` anew; the network and the optimizer are those of the first.
        With `early_stopping` each call needs `X_val` and `y_val`, always the same: when their score has not got better
        for more than `n_iter_no_change` calls, the best weights are put back, `stopped_` is True, and further calls
        change nothing.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val
            As `fit` takes them.
        """
        return self._fit((X, y, sample_weight), (X_val, y_val, sample_weight_val), True)

    def predict(self, X: ArrayLike) -> Array:
        """The values (n,), or (n, outputs), in X's library and on its device."""
        return self._told(self._output(X, "predict"))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R², averaged over the outputs: 1 is perfect, 0 no better than the mean of y."""
        return self._rated(self._output(X, "score"), y, sample_weight)

    _left_out = "oob_prediction_"

    def _rated(self, output: Array, y: ArrayLike, w: ArrayLike | None) -> float:
        guess, truth, w = (inputs.on_host(a) for a in (self._told(output), y, w))
        return float(r2_score(truth, guess, sample_weight=w))

    def _told(self, output: Array) -> Array:
        if isinstance(self.model_.loss, Poisson):
            backend = get_backend(output)
            with backend.context(), np.errstate(all="ignore"):  # a rate beyond the dtype is infinite
                output = backend.xp.exp(output)
        return output[:, 0] if self.n_outputs_ == 1 else output

    @property
    def _calibrates(self) -> str:
        if isinstance(self.model_.loss, Poisson):
            return 'another loss than "poisson", whose errors grow with the rate'
        return "rows held out: MLPRegressor(early_stopping=True), or fit(X, y, X_val=..., y_val=...)"

    def _in_units(self, outputs: Floats) -> Floats:
        with np.errstate(over="ignore"):
            return np.exp(outputs) if isinstance(self.model_.loss, Poisson) else outputs

    def _calibrate(self, validation: Part | None) -> None:
        self._intervals = None
        if validation is not None and self.members > 1 and not isinstance(self.model_.loss, Poisson):
            outputs = inputs.on_host(self.model_.predict(validation.X, members=True)).astype(np.float64)
            self._intervals = Intervals.of(outputs, validation.y, validation.w)

    @property
    def out_activation_(self) -> str:
        """The activation of the outputs: "exp" with `loss="poisson"`, else "identity"."""
        return "exp" if isinstance(self.model_.loss, Poisson) else "identity"

    _numeric = True
    _target: "Scale"

    def _target_of(self, y: HostArray, w: Floats | None, classes: ArrayLike | None) -> "Scale":
        return Scale.none(y) if self.loss == "poisson" else Scale.of(y, w)

    def _head(self, width: int, target: "Scale") -> tuple[list[Layer], Loss]:
        if self.loss == "poisson":
            return [Dense(width, len(target.sigma))], Poisson()
        if not isinstance(self.loss, str) or self.loss not in STANDARDISED:
            raise ValueError(f"got loss={self.loss!r}, expected one of {', '.join((*STANDARDISED, 'poisson'))}")
        loss = StandardisedLoss(STANDARDISED[self.loss], target.sigma)
        return [Dense(width, len(target.sigma)), Rescaling(target.sigma, target.mu)], loss

    def _loss_factor(self, target: "Scale") -> float:
        # scikit-learn's gradient is of half the squares, summed over the outputs
        return (2 if self.loss == "squared_error" else 1) / len(target.sigma)

    def _in_units_of(self, target: "Scale", other: "Scale") -> float | None:
        power = POWERS.get(self.loss)
        if power is None or len(target.sigma) > 1:
            return super()._in_units_of(target, other)
        return float((target.sigma[0] / other.sigma[0]) ** power)

    def _ready(self, part: Part, target: "Scale") -> Part:
        dtype = inputs.precision(part.X, self.dtype)
        if found := unresolved((m / s for m, s in zip(target.mu, target.sigma, strict=True)), dtype):
            raise ValueError(
                f"got y with a mean {found[1]:.3g} times its standard deviation, differences that {dtype} rounds away: "
                'take dtype="float64", or subtract a constant from y'
            )
        if (largest := float(np.abs(part.y).max())) > LARGEST[dtype]:
            raise beyond("y of up to ", largest, dtype)
        if (least := min(target.sigma)) < 1 / LARGEST[dtype]:
            raise ValueError(
                f"got y with a standard deviation of {least:.3g}, whose reciprocal is beyond {dtype}: take "
                'dtype="float64", or multiply y by a constant'
            )
        return part

    def _ready_to_validate(self, part: Part, target: "Scale") -> tuple[Part, Score]:
        if len(part.y) < 2:
            raise DataError(
                "got 1 row to validate with, expected 2 at least, since R² needs targets that vary: raise "
                "validation_fraction, or give fit X_val and y_val"
            )
        y, w = (part.y, None) if part.w is None else (part.y[part.w > 0], part.w[part.w > 0])
        squares = np.average((y - np.average(y, 0, w)) ** 2, 0, w)
        variance = float(np.where(constant(y), 0.0, squares).mean())
        return part, lambda record: _r2(record["val_rmse"] ** 2, variance)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@dataclass(frozen=True)
class Scale:
    """The units of a regressor's targets: standard deviation σ and mean μ of each output. Classes there are none."""

    sigma: list[float]
    mu: list[float]
    names: ClassVar[None] = None

    @classmethod
    def of(cls, y: HostArray, w: Floats | None) -> Self:
        """Those of the rows of y, (n,) or (n, outputs), weighted; |μ|, or 1, where an output does not vary."""
        sigma, mu = units_of(y, w)
        if not (np.maximum(sigma, abs(mu)) < LARGEST["float64"] ** 0.5).all():
            raise ValueError(
                f"got y of up to {np.abs(y).max():g}, whose squares overflow, expected smaller numbers: divide y by a "
                "constant"
            )
        typical = np.where(mu == 0, 1.0, abs(mu))
        return cls(np.where(sigma > 0, sigma, typical).tolist(), mu.tolist())

    @classmethod
    def none(cls, y: HostArray) -> Self:
        """Units of 1, where targets are learned as they are."""
        outputs = _columns(y).shape[1]
        return cls([1.0] * outputs, [0.0] * outputs)

    def same(self, other: "Scale") -> bool:
        """Whether y is learned alike."""
        return self == other

    def encode(self, y: HostArray) -> HostArray:
        """y as (n, outputs) in float64; raises where the outputs are of another number."""
        y = _columns(y)
        if y.shape[1] != len(self.sigma):
            raise ValueError(f"got y with {y.shape[1]} outputs, expected {len(self.sigma)}, as in the first fit")
        return y


def _columns(y: HostArray) -> HostArray:
    return y.reshape(len(y), -1).astype(np.float64)


def _r2(squared_error: float, variance: float) -> float:
    """As scikit-learn's: of targets that do not vary, 1 where they are met and else 0."""
    return 1 - squared_error / variance if variance else float(squared_error == 0)
