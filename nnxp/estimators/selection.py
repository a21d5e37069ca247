"""Cross-validation and grids of `MLPClassifier` and `MLPRegressor`: scikit-learn's own functions, of estimators that
were trained before, many at once."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import sklearn.model_selection as sklearn
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import indexable

from nnxp.estimators.base import MLP
from nnxp.estimators.classifier import MLPClassifier
from nnxp.estimators.inputs import on_host
from nnxp.estimators.matching import Job, kind_of, told_apart
from nnxp.estimators.regressor import MLPRegressor
from nnxp.estimators.together import trained
from nnxp.typing import Array, ArrayLike, Floats, Integers

Splits = list[tuple[Integers, Integers]]


def cross_validate(
    estimator: Any, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None, cv: Any = None, **options: Any
) -> dict[str, Any]:
    """scikit-learn's `cross_validate`, with the folds trained side by side.

    Parameters
    ----------
    estimator
        An `MLPClassifier` or `MLPRegressor`; any other of scikit-learn's, a subclass of these among them, is handed to
        its own function.
    X, y, groups, cv
        As there.
    options
        Others of its keywords: `scoring`, `return_train_score`, `return_estimator`, `return_indices`, `error_score`.
        With `n_jobs` or `params` all is as there.

    Returns
    -------
    dict
        "fit_time", "score_time", "test_score" and so on. Of folds that were trained together, "fit_time" is an equal
        share.

    Notes
    -----
    All folds take the same batches; of each, a fold trains on the rows that are its own. Alone it would have others, of
    one size: a batch has here that many of its rows on average, and weighs by their number. So scores are other numbers
    than those of a fold trained alone, as those of another order of batches would be, and no other on average. Where a
    batch is all rows, they are the same, but for `dropout`. Initial weights are those of `random_state`. Folds of other
    sizes, which have more or fewer steps an epoch, are trained apart.
    """
    if not _many(estimator, options):
        return dict(sklearn.cross_validate(estimator, X, y, groups=groups, cv=cv, **options))
    splits = _splits(estimator, X, y, groups, cv)
    done = Done([estimator], splits, X, y)
    with _unrouted():
        found = sklearn.cross_validate(done.stand_in(estimator), X, y, cv=splits, params=done.rows, **options)
    seconds = done.seconds([estimator])[0]
    found["fit_time"] = np.where(np.isnan(seconds), found["fit_time"], seconds)
    return dict(found)


def cross_val_predict(
    estimator: Any, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None, cv: Any = None, **options: Any
) -> Any:
    """scikit-learn's `cross_val_predict`, with the folds trained side by side: see `cross_validate`.

    Parameters
    ----------
    estimator, X, y, groups, cv
        As there.
    options
        `method`, "predict_proba" say.

    Returns
    -------
    numpy.ndarray
        For each row the prediction of the fold that was not trained on it.
    """
    if not _many(estimator, options):
        return sklearn.cross_val_predict(estimator, X, y, groups=groups, cv=cv, **options)
    splits = _splits(estimator, X, y, groups, cv)
    done = Done([estimator], splits, X, y)
    with _unrouted():
        return sklearn.cross_val_predict(done.stand_in(estimator), X, y, cv=splits, params=done.rows, **options)


def grid_search(
    estimator: Any,
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
    X: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: Any = None,
    **options: Any,
) -> sklearn.GridSearchCV:
    """scikit-learn's `GridSearchCV`, fitted, with all folds of all points of one architecture trained side by side.

    Parameters
    ----------
    estimator
        An `MLPClassifier` or `MLPRegressor`; any other of scikit-learn's is searched as there.
    grid
        Lists of values by the names of parameters. Points that differ in `alpha`, `learning_rate_init`, `dropout`,
        `random_state` or `class_weight` are trained together, points that differ in others group by group; with
        `normalization`, "lbfgs", and wide layers, one by one.
    X, y, groups, cv
        As `GridSearchCV.fit` and `GridSearchCV` take them.
    options
        Others of its keywords: `scoring`, `refit`, `return_train_score`, `error_score`.

    Returns
    -------
    GridSearchCV
        With `best_params_`, `best_score_`, `best_estimator_`, trained on all of X, `cv_results_`, `predict` and so on.
        Of those that were trained together, the fit times are equal shares.

    Notes
    -----
    See `cross_validate`.

    Examples
    --------
    >>> import nnxp
    >>> from sklearn.model_selection import StratifiedKFold
    >>> X, y = nnxp.data.moons(200, seed=0)
    >>> folds = StratifiedKFold(3, shuffle=True, random_state=0)
    >>> network = nnxp.MLPClassifier((16,), batch_size=20, tol=1e-3, max_iter=300, random_state=0)
    >>> search = nnxp.grid_search(network, {"learning_rate_init": [0.01, 0.05], "alpha": [1e-4, 30.0]}, X, y, cv=folds)
    >>> search.best_params_["alpha"], bool(search.best_score_ > 0.9)
    (0.0001, True)
    """
    if not _many(estimator, options):
        return sklearn.GridSearchCV(estimator, grid, cv=cv, **options).fit(X, y, groups=groups)
    splits = _splits(estimator, X, y, groups, cv)
    points = [clone(estimator).set_params(**point) for point in sklearn.ParameterGrid(grid)]
    done = Done(points, splits, X, y)
    search = sklearn.GridSearchCV(done.stand_in(estimator), grid, cv=splits, **options)
    with _unrouted():
        search.fit(X, y, **done.rows)
    seconds, results = done.seconds(points), search.cv_results_
    for name, values in {"mean_fit_time": seconds.mean(axis=1), "std_fit_time": seconds.std(axis=1)}.items():
        results[name] = np.where(np.isnan(values), results[name], values)
    search.set_params(estimator=estimator, cv=cv)
    if options.get("scoring") is None:
        search.scorer_ = check_scoring(estimator)
    return search


def _many(estimator: Any, options: Mapping[str, Any]) -> bool:
    """Whether any of it can be trained here."""
    known = type(estimator) in (MLPClassifier, MLPRegressor)  # the `fit` of a subclass may do more
    return known and options.get("n_jobs") is None and options.get("params") is None


def _unrouted() -> AbstractContextManager[None]:
    """scikit-learn without the routing of metadata, of which there is none but the numbers of rows."""
    context: AbstractContextManager[None] = config_context(enable_metadata_routing=False)
    return context


def _splits(estimator: MLP, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None, cv: Any) -> Splits:
    """The numbers of the rows to train on and of those to test with, of each fold."""
    if y is None:
        raise ValueError("got y=None, expected a label or a target for each row of X")
    X, y, groups = indexable(X, on_host(y), groups)
    found = sklearn.check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y, groups)
    every = np.arange(len(y))
    return [(every[train], every[test]) for train, test in found]


class Done:
    """What was trained of estimators on the training rows of splits, and an estimator that finds itself there."""

    def __init__(self, estimators: Iterable[MLP], splits: Splits, X: ArrayLike, y: ArrayLike) -> None:
        self.splits, self.rows = splits, {"rows": np.arange(len(y))}
        asked = [(estimator, kind_of(estimator)) for estimator in estimators]
        jobs = [Job(copy.copy(estimator), train, kind) for estimator, kind in asked for train, _ in splits]
        found = [(_place(job.estimator, job.rows), job.estimator, seconds) for job, seconds in trained(jobs, X, y)]
        self._fitted = {place: estimator for place, estimator, _ in found}
        self._seconds = {place: seconds for place, _, seconds in found}

    def seconds(self, estimators: Sequence[MLP]) -> Floats:
        """How long each took to train, (estimators, splits); NaN of what was not trained."""
        each = [[self._seconds.get(_place(one, train), np.nan) for train, _ in self.splits] for one in estimators]
        return np.array(each)

    def stand_in(self, estimator: MLP) -> Any:
        """An unfitted copy whose `fit` takes over what was trained of one with its parameters on its rows, where there
        is any, and else trains; it then is of the estimator's own class."""
        done, kind = self, type(estimator)

        class StandIn(kind):  # type: ignore[misc, valid-type]
            def fit(self, X: Array, y: Array, rows: Integers) -> Any:
                self.__class__ = kind
                if (fitted := done._fitted.get(_place(self, rows))) is None:
                    return kind.fit(self, X, y)
                self.__dict__.update(fitted.__dict__)
                return self

        return StandIn(**estimator.get_params(deep=False))


def _place(estimator: MLP, rows: Integers) -> tuple[str, bytes]:
    """What a job is known by."""
    return told_apart(estimator), np.asarray(rows).tobytes()
