"""Which columns a model's predictions depend on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnxp import metrics, random
from nnxp.backends import get_backend
from nnxp.doors.options import positive, whole
from nnxp.errors import hint
from nnxp.metrics.pairs import on_host
from nnxp.tabular.findings.measures import BY_NAME, sign_of
from nnxp.tabular.table import Table
from nnxp.typing import ArrayLike, HostArray, Integers

Score = Callable[[Any], float]
"""From X to a number that is higher where predictions are better."""


@dataclass(frozen=True)
class PermutationImportance:
    """How much worse predictions are without what a column says.

    Attributes
    ----------
    metric : str
        What became worse; "score" is the estimator's own.
    repeats : int
        How often each column was shuffled.
    mean : dict of str to float
        By column: the metric's fall, or rise where lower is better, on the mean of the shuffles.
    error : dict of str to float
        Its standard error over the shuffles, s / √repeats; NaN of one.
    """

    metric: str
    repeats: int
    mean: dict[str, float]
    error: dict[str, float]


def permutation_importance(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    repeats: int = 5,
    seed: int = 0,
    metric: str | Callable[[Any, Any], float] | None = None,
    sample_weight: ArrayLike | None = None,
) -> PermutationImportance:
    """How much worse a model predicts where one column's cells are shuffled among the rows: Breiman 2001.

    Taken on rows that the model was not trained on. Columns that say the same share their importance: each alone may
    seem to be dispensable.

    Parameters
    ----------
    estimator
        Anything with `predict`, `predict_proba` or `score`, or a function of X that gives predictions.
    X
        A `Table`, a frame (pandas, polars or pyarrow, through narwhals), a list of dicts, a dict of lists, or an array
        (n, columns) of any library, whose columns are called "0", "1", ... It stays as it is.
    y
        The truth, as the estimator has it.
    repeats
        How often each column is shuffled.
    seed
        Of the shuffles, which are the same on every machine and for every kind of X.
    metric
        The name of a metric of `nnxp.metrics`; or a function of the predictions and y whose values are higher where
        they are better. By default the estimator's own `score`; where it has none, accuracy for whole numbers, else R².
    sample_weight
        (n,); the metric takes it, or the estimator's `score`.

    Returns
    -------
    PermutationImportance

    Raises
    ------
    ValueError
        X has no rows or is of none of these kinds, or the metric is not known.

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
    >>> found = permutation_importance(lambda X: 2 * X[:, 0], X, 2 * X[:, 0], metric="rmse")
    >>> found.mean["0"] > 0, found.mean["1"]
    (True, 0.0)
    """
    names, shuffled, n = _columns(X)
    name, score = _score(estimator, y, metric, sample_weight)
    if n == 0:
        raise ValueError("got X without rows, expected one at least")
    repeats, seed, before = positive("repeats", repeats), whole("seed", seed), score(X)
    mean, error = {}, {}
    for column in names:
        orders = (random.permutation(random.key(seed, "order", column, repeat), n) for repeat in range(repeats))
        falls = [before - score(shuffled(column, order)) for order in orders]
        mean[column] = float(np.mean(falls))
        error[column] = float(np.std(falls, ddof=1) / np.sqrt(repeats)) if repeats > 1 else float("nan")
    return PermutationImportance(name, repeats, mean, error)


def _columns(X: Any) -> tuple[list[str], Callable[[str, Integers], Any], int]:
    """The names of X's columns, a function that gives X with one of them in another order, and the number of rows."""
    if isinstance(X, Table):
        return (
            list(X.columns),
            lambda name, order: replace(X, columns={**X.columns, name: X.columns[name].take(order)}),
            len(X),
        )
    if isinstance(X, Mapping):
        return list(X), lambda name, order: {**X, name: [X[name][i] for i in order]}, len(next(iter(X.values()), ()))
    if isinstance(X, list | tuple) and X and isinstance(X[0], Mapping):
        return (
            list(X[0]),
            lambda name, order: [{**row, name: X[i].get(name)} for row, i in zip(X, order, strict=True)],
            len(X),
        )
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        return _frame(X)
    array = np.asarray(X) if isinstance(X, list | tuple) else X
    if len(array.shape) != 2:
        raise ValueError(
            f"got X of shape {tuple(array.shape)}, expected a table: a frame, dicts, or an array (n, columns)"
        )
    n, width = array.shape
    return [str(j) for j in range(width)], lambda name, order: _reordered(array, int(name), order), int(n)


def _frame(X: Any) -> tuple[list[str], Callable[[str, Integers], Any], int]:
    try:
        import narwhals
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "narwhals":
            raise
        raise ModuleNotFoundError(
            f"got X as a {type(X).__module__.partition('.')[0]} frame, which needs narwhals: pip install narwhals",
            name="narwhals",
        ) from None
    frame: Any = narwhals.from_native(X, eager_only=True)
    named = {str(name): name for name in frame.columns}

    def shuffled(name: str, order: Integers) -> Any:
        column = frame[named[name]]
        return frame.with_columns(column[order.tolist()].alias(named[name])).to_native()

    return list(named), shuffled, len(frame)


def _reordered(X: Any, j: int, order: Integers) -> Any:
    """A copy of an array with column j in another order."""
    backend = get_backend(X)
    if isinstance(X, np.ndarray):  # of words, perhaps
        X = X.copy()
        X[:, j] = X[order, j]
        return X
    xp = backend.xp
    with backend.context():
        result = xp.asarray(X, copy=True)
        result[:, j] = xp.take(X[:, j], xp.asarray(order, device=backend.device), axis=0)
    return result


def _score(
    estimator: Any, y: ArrayLike, metric: str | Callable[[Any, Any], float] | None, sample_weight: ArrayLike | None
) -> tuple[str, Score]:
    """The name of what is measured, and the measure."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    if metric is None and hasattr(estimator, "score"):
        return "score", lambda X: float(estimator.score(X, y, **weights))
    if metric is not None and not isinstance(metric, str):
        predict: Any = estimator.predict if hasattr(estimator, "predict") else estimator
        return getattr(metric, "__name__", "metric"), lambda X: float(metric(predict(X), y, **weights))
    truth, output = _classified(estimator, y)
    name = metric or ("accuracy" if truth.dtype.kind in "iub" else "r2")
    if name not in BY_NAME:
        raise ValueError(f"got metric={name!r}, expected one of {', '.join(BY_NAME)}{hint(name, BY_NAME)}")
    sign, measure = sign_of(name), getattr(metrics, name)
    if name == "f1":
        return name, lambda X: metrics.macro(measure(output(X), truth, **weights))
    return name, lambda X: sign * float(measure(output(X), truth, **weights))


def _classified(estimator: Any, y: ArrayLike) -> tuple[HostArray, Callable[[Any], Any]]:
    """The truth, and a function from X to predictions: class indices and probabilities where there are classes."""
    classes = getattr(estimator, "classes_", None)
    predict: Any = estimator.predict if hasattr(estimator, "predict") else estimator
    truth = on_host(y)
    if classes is None:
        return truth, getattr(estimator, "predict_proba", predict)
    places = {label: k for k, label in enumerate(np.asarray(classes).tolist())}

    def indices(labels: Any) -> Integers:
        found = np.asarray(labels).tolist()
        if unknown := [label for label in found if label not in places]:
            raise ValueError(f"got y with {unknown[0]!r}, expected classes of the estimator: leave such rows out")
        return np.array([places[label] for label in found], dtype=np.int64)

    return indices(truth), getattr(estimator, "predict_proba", lambda X: indices(predict(X)))
