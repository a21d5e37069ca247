"""What both estimators share: the course of a training."""

import math
import warnings
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from nnxp.backends import get_backend
from nnxp.data import split
from nnxp.doors.options import above_zero, share
from nnxp.errors import DataError
from nnxp.estimators import inputs
from nnxp.estimators.bagging import Bagged
from nnxp.estimators.building import (
    batch_rows,
    check,
    copy_course,
    follow,
    hidden,
    make_optimizer,
    make_rate,
    one_or_each,
    penalise,
    settings,
)
from nnxp.estimators.convergence import Convergence, Score, Watch, unfinished
from nnxp.estimators.hooks import Hooks, with_callbacks
from nnxp.estimators.inputs import Given, Part
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.optimizers import LBFGS
from nnxp.sequential import Sequential
from nnxp.typing import Array, ArrayLike, Floats, HostArray, Integers


class MLP(Bagged):
    """The base class of `MLPClassifier` and `MLPRegressor`, which say what y means."""

    # --- what a subclass says ----------------------------------------------------------------------

    _numeric: bool
    """Whether y has to be numbers."""

    def _target_of(self, y: HostArray, w: Floats | None, classes: ArrayLike | None) -> Any:
        """What y means, of the rows of a first fit."""
        raise NotImplementedError

    def _head(self, width: int, target: Any) -> tuple[list[Layer], Loss]:
        """The last layers, after `width` hidden units, and the loss."""
        raise NotImplementedError

    def _loss_factor(self, target: Any) -> float:
        """By how much a sample's loss is larger here than scikit-learn's, which `alpha` is to be weighed against."""
        raise NotImplementedError

    def _in_units_of(self, target: Any, other: Any) -> float | None:
        """How many times as large as by itself a loss is in another's units; None where y does not mean the same."""
        return 1.0 if target.same(other) else None

    def _ready(self, part: Part, target: Any) -> Part:
        """Rows to train on as the loss takes them."""
        raise NotImplementedError

    def _ready_to_validate(self, part: Part, target: Any) -> tuple[Part, Score]:
        """Rows to validate with as the loss takes them, and the score of an epoch's record."""
        raise NotImplementedError

    def _calibrate(self, validation: Part | None) -> None:
        """Takes from the rows to validate with, or where there are none, what is told of predictions beside them."""

    # --- training ----------------------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Trains anew, or with `warm_start` from the weights of the last fit.

        Parameters
        ----------
        X : array-like, (n, features)
            Numbers: an array of any library, a frame, or lists. It decides the library, the device and the dtype of
            all results; see `backend` and `dtype`.
        y : array-like, (n,) or (n, outputs)
            Labels or targets, from any library: they move to X.
        sample_weight : array-like, (n,), optional
            Numbers from 0 up, from any library.
        X_val, y_val, sample_weight_val : array-like, optional
            Rows of your own to validate with after each epoch; with `early_stopping` they take the place of a share
            of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter, X, y or weights are not what can be trained on.
        NonFiniteLossError
            The loss became NaN or infinite.

        Warns
        -----
        ConvergenceWarning
            `max_iter` epochs were not enough.
        """
        return self._fit((X, y, sample_weight), (X_val, y_val, sample_weight_val), partial=False)

    def _fit(self, given: Given, given_val: Given, partial: bool, classes: ArrayLike | None = None) -> Self:
        """One of the fits; where it raises before an epoch is over, everything is as it was."""
        before = self.__dict__.copy()
        self._epochs = 0
        try:
            self._fit_once(given, given_val, partial, classes)
        except BaseException:
            if not self._epochs:
                self.__dict__.clear()
                self.__dict__.update(before)
            raise
        return self

    @with_callbacks  # beneath `_fit`, which would take from it what it tears down
    def _fit_once(self, given: Given, given_val: Given, partial: bool, classes: ArrayLike | None) -> None:
        check(self)
        self._check_bags(partial)
        fresh = not hasattr(self, "model_") or not (partial or self.warm_start)
        if partial and not fresh:
            self._check_home(given[0], self._home, "partial_fit")
        X, y, w = self._checked(given, reset=fresh)
        target = self._target_of(y, w, classes) if fresh else self._target
        part, rows = Part(X, target.encode(y), w), np.arange(len(y))
        validation = self._validation(target, given_val, X)
        if self.early_stopping and validation is None:
            if partial:
                raise ValueError(
                    "got early_stopping=True and a partial_fit without X_val and y_val, expected both: the rows of "
                    "one call are too few to hold some out, and another call's could not be compared"
                )
            rows, held_out = self._divided(part)
            part, validation = part.rows(rows), part.rows(held_out)
        part = self._ready(part, target)
        followed = None if validation is None else self._ready_to_validate(validation, target)
        if not partial or fresh:
            self._begin(part.X, target, fresh)
        else:
            follow(self)
        part = self._bagged(part)
        rule = self._new_rule(partial, followed is not None)
        if partial and not fresh and self._rule.partial and self._rule.follows == rule.follows:
            self._rule.tol, self._rule.patience = rule.tol, rule.patience
        else:
            self._rule = rule
        if not (self._rule.scored and self._rule.stopped):  # else training has ended, over several calls
            self._train(part, followed, given)
        self._calibrate(validation)
        if self.oob_score:
            self._score_left_out(part, rows, y, w)

    def _divided(self, part: Part) -> tuple[Integers, Integers]:
        """Rows to train on, and those held out for early stopping, of each class alike. A class of one row and the
        rows that weigh 0 are trained on."""
        weighs = np.ones(len(part.y), dtype=np.bool_) if part.w is None else part.w > 0
        several = np.bincount(part.y, weighs)[part.y] > 1 if part.y.ndim == 1 else np.ones_like(weighs)
        rows = np.flatnonzero(several)
        try:
            share("validation_fraction", above_zero("validation_fraction", self.validation_fraction))
            kept, held_out = split(
                part.y[rows],
                self.validation_fraction,
                self._seed(),
                sample_weight=None if part.w is None else part.w[rows],
            )
        except DataError as error:
            raise DataError(
                f"got early_stopping=True, validation_fraction={self.validation_fraction:g} and {len(part.y)} rows, "
                f"which cannot be divided so ({error}): change validation_fraction, or give fit X_val and y_val"
            ) from None
        return np.sort(np.concatenate([rows[kept], np.flatnonzero(~several)])), rows[held_out]

    def _checked(self, given: Given, reset: bool = False) -> tuple[Array, HostArray, Floats | None]:
        X, y, w = given
        X = inputs.features(self, X, reset)
        return X, inputs.targets(self, y, X, self._numeric), inputs.weights(w, X.shape[0])

    def _validation(self, target: Any, given: Given, X: Array) -> Part | None:
        """The user's own rows to validate with."""
        if given[0] is None and given[1] is None and given[2] is None:
            return None
        if given[0] is None or given[1] is None:
            raise ValueError("got X_val, y_val or sample_weight_val alone, expected X_val and y_val together")
        self._check_home(given[0], get_backend(X), "fit")
        X_val, y, w = self._checked(given)
        return Part(X_val, target.encode(y), w)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _begin(self, X: Array, target: Any, fresh: bool) -> None:
        """Makes a new network; where the fit is not fresh, with the weights of the one before."""
        model = self._network(int(X.shape[1]), target, inputs.precision(X, self.dtype), self.backend)
        if not fresh:
            model.predict(X[:1, ...])  # X decides the backend
            copy_course(self.model_, model)
        self._take(model, X, target, fresh)

    def _take(self, model: Sequential, X: Array, target: Any, fresh: bool = True) -> None:
        """The network is this one."""
        if fresh:
            self.loss_curve_, self.t_ = [], 0
            self.validation_loss_curve_ = self.validation_scores_ = None
        model.classes = target.names
        self.model_, self._target, self._home = model, target, get_backend(X)
        self._rate, self._made = make_rate(self), settings(self.get_params(deep=False))

    def _network(self, n_in: int, target: Any, dtype: str, backend: Any) -> Sequential:
        layers, width = hidden(self, n_in)
        last, loss = self._head(width, target)
        optimizer = make_optimizer(self)
        place = {"backend": backend, "dtype": dtype, "seed": self._seed()}
        return Sequential([*layers, *last], loss, optimizer, members=self.members, **place)

    def _new_rule(self, partial: bool, validates: bool) -> Convergence:
        scored = bool(self.early_stopping and validates)
        # The training loss ends no partial fit, and L-BFGS has a rule of its own.
        endless = not scored and ((partial and self._rate is None) or isinstance(self.model_.optimizer, LBFGS))
        patience = math.inf if endless else self.n_iter_no_change
        return Convergence(self.tol, patience, scored, partial, self.monitor == "loss")

    def _train(self, part: Part, followed: tuple[Part, Score] | None, given: Given) -> None:
        """One epoch of a partial fit, or up to `max_iter`."""
        model, rule, n = self.model_, self._rule, int(part.X.shape[0])
        if rule.partial and model.optimizer.ema is not None:
            raise ValueError("got a solver with ema= in partial_fit, expected one without: fit ends with the average")
        validation, score = followed or (None, None)
        whole = isinstance(model.optimizer, LBFGS)
        rows = n if whole else batch_rows(self.batch_size, n)
        means = [1.0] if part.w is None else np.atleast_1d(part.w.mean(axis=0)).tolist()
        penalise(model, one_or_each([self._penalty(rows, mean, self._target) for mean in means]))
        watch, epochs = Watch(rule, score, self.verbose, self._rate, n), 1 if rule.partial else self.max_iter
        hooks = Hooks(self, given, epochs, rule.partial)
        hooks.begin()
        try:
            model.fit(
                part.X,
                part.y,
                epochs=epochs,
                batch_size=None if whole else rows,
                sample_weight=part.w,
                validation_data=validation,
                callbacks=[watch, *(self.callbacks or ()), *hooks.callbacks],
                shuffle=self.shuffle,
                progress=False,
            )
        except BaseException:
            if not rule.partial:
                rule.end(model)  # the best weights, where they were kept
            raise
        finally:
            self._tell(watch, n)
        if model.optimizer.ema is not None:
            self.model_ = model.averaged()
        if not (rule.partial or watch.stopped):
            self._warn()
        hooks.end()

    def _penalty(self, rows: int, mean_weight: float, target: Any) -> float:
        """What `alpha` makes of ΣW² beside the mean loss of a batch of so many rows."""
        weight = rows * mean_weight
        return self.alpha * self._loss_factor(target) / (2 * weight) if weight else 0.0

    def _warn(self) -> None:
        """Says so where neither the rule nor a callback ended the training."""
        if (why := unfinished(self.model_.optimizer, self.max_iter, self.max_fun)) is not None:
            warnings.warn(f"training ended after {why}", ConvergenceWarning, stacklevel=7)

    def _tell(self, watch: Watch, n: int) -> None:
        """Sets what is known after a training, also after one that an exception ended."""
        rule = watch.rule
        self._epochs = self.n_iter_ = len(watch.losses)
        self.stopped_ = rule.stopped
        self.t_ += n * len(watch.losses)
        self.loss_curve_ = self.loss_curve_ + watch.losses
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        self.best_loss_ = None if rule.scored else min(self.loss_curve_, default=math.inf)
        if watch.score is not None:
            self.validation_loss_curve_ = (self.validation_loss_curve_ or []) + watch.validation_losses
            self.validation_scores_ = (self.validation_scores_ or []) + watch.scores
        self.best_validation_score_ = max(self.validation_scores_) if self.validation_scores_ else None
