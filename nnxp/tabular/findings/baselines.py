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


def linear_model(
    X: HostArray, y: HostArray, n_classes: int | None = None, sample_weight: Floats | None = None, seed: int = 0
) -> Sequential:
    """A network without hidden layer: logistic, or linear, regression.

    Each column, and a target that is a number, is standardised by the training part. The weights W minimise the mean
    cross-entropy + Σ W² / 2n, or the mean square + Σ W² / n: the penalties of scikit-learn's `LogisticRegression` and
    `Ridge`. They are found with Adam, in 1000 steps or some more, whose rate falls to 0 as a cosine. The same seed
    gives the same model.

    Parameters
    ----------
    X : numpy.ndarray, (n, features)
        The encoded columns, words one-hot.
    y : numpy.ndarray, (n,) or (n, outputs)
        Class indices; or values, as the model learns them (their logarithm, say).
    n_classes : int, optional
        Of a classification.
    sample_weight : numpy.ndarray, optional
        (n,).
    seed : int
        Of the weights and the order of the rows.

    Returns
    -------
    Sequential
        Of float64: it predicts probabilities (m, n_classes), or values (m, outputs).

    Examples
    --------
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> linear_model(X, 3 * X[:, 0] + 1).predict(X[:1]).round(1).tolist()
    [[-1.9]]
    """
    n, features = X.shape
    deviation, mean = units_of(X, sample_weight)
    scale = 1 / np.where(deviation > 0, deviation, 1)
    layers: list[Layer] = [Rescaling(scale.tolist(), (-mean * scale).tolist())]
    outputs = n_classes or y.reshape(n, -1).shape[1]
    layers += [Dense(features, outputs, initializer="zeros", l2=(1.0 if n_classes is None else 0.5) / n)]
    if n_classes is not None:
        layers, loss = [*layers, Softmax()], get_loss("categorical_crossentropy")
    else:
        deviation, mean = units_of(y, sample_weight)
        sigma = np.where(deviation > 0, deviation, 1).tolist()
        layers, loss = [*layers, Rescaling(sigma, mean.tolist())], StandardisedLoss("mean_squared_error", sigma)
    batch = min(n, max(BATCH, math.ceil(n / 200)))
    epochs = math.ceil(STEPS / math.ceil(n / batch))
    optimizer = Adam(learning_rate=0.05, schedule="cosine")
    model = Sequential(layers, loss, optimizer, backend="numpy", dtype="float64", seed=seed)
    model.fit(X, y, epochs, batch, sample_weight=sample_weight, progress=False, verbose=False)
    return model


def coefficients(model: Sequential) -> tuple[Floats, Floats]:
    """W (features, outputs) and b (1, outputs) of a `linear_model`, of the columns as they are: XW + b are its values,
    or what softmax makes its probabilities.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = linear_model(X, 3 * X[:, 0] + 1)
    >>> W, b = coefficients(model)
    >>> bool(np.allclose(X @ W + b, model.predict(X)))
    True
    """
    before, dense, after = model.layers
    assert isinstance(before, Rescaling) and isinstance(dense, Dense)
    weights, biases = np.asarray(dense.weights), np.asarray(dense.biases)
    W, b = np.asarray(before.scale)[:, None] * weights, biases + np.asarray(before.offset) @ weights
    if isinstance(after, Rescaling):
        sigma = np.asarray(after.scale)
        W, b = W * sigma, b * sigma + np.asarray(after.offset)
    return W, b
