"""What a model has to be better than: no columns at all, and a linear model, on the same rows, encoding and weights."""

import math

import numpy as np

from nnxp.activations import Softmax
from nnxp.layers import Dense, Layer, Rescaling
from nnxp.losses import StandardisedLoss, get_loss, units_of
from nnxp.metrics.distance import quantile
from nnxp.optimizers import Adam
from nnxp.sequential import Sequential
from nnxp.typing import Floats, HostArray

LABELS = {
    "shares": "the most frequent class",
    "mean": "the mean",
    "median": "the median",
    "linear": "a linear model",
}
"""The baselines by name, for people."""
STEPS, BATCH = 1000, 64
"""A linear model is trained with so many steps, on batches of a two-hundredth of the rows, or of so many at least."""


def without_columns(
    y: HostArray, n: int, n_classes: int | None = None, sample_weight: Floats | None = None
) -> dict[str, Floats]:
    """Predictions for n rows by somebody who knows the training part's y and no column.

    Parameters
    ----------
    y : numpy.ndarray, (rows,)
        Class indices, or values.
    n : int
        How many rows are predicted.
    n_classes : int, optional
        Of a classification.
    sample_weight : numpy.ndarray, optional
        (rows,).

    Returns
    -------
    dict of numpy.ndarray
        "shares": those of the classes as probabilities (n, n_classes), so that the most frequent is predicted and no
        constant has a lower log loss; or "mean" and "median", (n,), the best constants for squares and for distances.

    Examples
    --------
    >>> without_columns(np.array([0, 0, 0, 1]), 1, 2)["shares"].tolist()
    [[0.75, 0.25]]
    """
    w = np.ones(len(y)) if sample_weight is None else sample_weight
    if n_classes is not None:
        shares = np.bincount(y, w, n_classes) / np.sum(w)
        return {"shares": np.tile(shares, (n, 1))}
    values = y.astype(np.float64)
    return {"mean": np.full(n, np.average(values, weights=w)), "median": np.full(n, quantile(values, 0.5, w))}


def linear(
    X: HostArray,
    y: HostArray,
    X_test: HostArray,
    n_classes: int | None = None,
    sample_weight: Floats | None = None,
    seed: int = 0,
) -> Floats:
    """Predictions for X_test of a network without hidden layer: logistic, or linear, regression.

    Each column, and a target that is a number, is standardised by the training part. The weights W minimise the mean
    cross-entropy + Σ W² / 2n, or the mean square + Σ W² / n: the penalties of scikit-learn's `LogisticRegression` and
    `Ridge`. They are found with Adam, in 1000 steps or some more, whose rate falls to 0 as a cosine. The same seed
    gives the same predictions.

    Parameters
    ----------
    X, X_test : numpy.ndarray, (n, features), (m, features)
        The encoded columns, words one-hot.
    y : numpy.ndarray, (n,)
        Class indices; or values, as the model learns them (their logarithm, say).
    n_classes : int, optional
        Of a classification.
    sample_weight : numpy.ndarray, optional
        (n,).
    seed : int
        Of the weights and the order of the rows.

    Returns
    -------
    numpy.ndarray, (m, n_classes) or (m,)
        Probabilities, or values.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> linear(X, 3 * X[:, 0] + 1, X[:1]).round(1).tolist()
    [-1.9]
    """
    n, features = X.shape
    deviation, mean = units_of(X, sample_weight)
    scale = 1 / np.where(deviation > 0, deviation, 1)
    layers: list[Layer] = [Rescaling(scale.tolist(), (-mean * scale).tolist())]
    layers += [Dense(features, n_classes or 1, initializer="zeros", l2=(1.0 if n_classes is None else 0.5) / n)]
    if n_classes is not None:
        layers, loss = [*layers, Softmax()], get_loss("categorical_crossentropy")
    else:
        sigma, mu = (number.tolist() for number in units_of(y, sample_weight))
        layers, loss = [*layers, Rescaling(sigma, mu)], StandardisedLoss("mean_squared_error", sigma)
    batch = min(n, max(BATCH, math.ceil(n / 200)))
    epochs = math.ceil(STEPS / math.ceil(n / batch))
    optimizer = Adam(learning_rate=0.05, schedule="cosine")
    model = Sequential(layers, loss, optimizer, backend="numpy", dtype="float64", seed=seed)
    model.fit(X, y, epochs, batch, sample_weight=sample_weight, progress=False, verbose=False)
    output = np.asarray(model.predict(X_test), dtype=np.float64)
    return output if n_classes is not None else output[:, 0]
