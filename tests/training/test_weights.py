"""What weights do in a fit: a step's expectation is the gradient of Σ w ℓ over the data, whatever the batches.

A batch's gradient is Σ w ∇ℓ / (rows · w̄), w̄ the mean weight of the rows that are trained on. The expected numbers are
those of softmax regression, written out: (p - t) for the logits.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp import SGD, CategoricalCrossentropy, Dense, MeanSquaredError, Sequential, data
from nnxp.doors.options import balanced
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, classifier, problem, values

Floats = npt.NDArray[np.float64]
N, L2 = 24, 0.01
X, Y = problem(N, "float64")
W = np.where(np.arange(N) % 4 == 0, 0.0, 1.0 + np.arange(N) % 5)
W[:6] = 0  # in the rows' own order whole batches weigh nothing
CLOSE = {"rtol": 0, "atol": 64 * 8 * np.finfo(float).eps}  # sums of at most 64 terms below 8


def regression(spec: Any = None, loss: Any = "categorical_crossentropy", rate: float = 0.0, l2: float = L2) -> Any:
    return Sequential([Dense(5, CLASSES, l2=l2), "softmax"], loss, SGD(rate), backend=spec, dtype="float64", seed=1)


def gradient(model: Any, rows: Any, w: Floats) -> Floats:
    """Σ w ∇ℓ by the weights (5, CLASSES), the penalty aside."""
    z = X[rows] @ np.asarray(model.backend.to_numpy(model.layers[0].weights))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return np.asarray(X[rows].T @ (w[rows, None] * (p - np.eye(CLASSES)[Y[rows]])))


def penalty(model: Any, l2: float = L2) -> Floats:
    return np.asarray(2 * l2 * model.backend.to_numpy(model.layers[0].weights))


class Gradients:
    """Keeps each step's gradient by the weights."""

    events = ("step",)

    def __init__(self) -> None:
        self.seen: list[Floats] = []

    def __call__(self, state: Any) -> None:
        self.seen.append(np.array(state.model.backend.to_numpy(state.model.layers[0].dweights), dtype=np.float64))


def sizes_of(n: int, batch_size: int) -> list[int]:
    return [min(batch_size, n - start) for start in range(0, n, batch_size)]


WAYS: dict[str, tuple[dict[str, Any], Floats | None, Floats]] = {
    "sample weights": ({}, W, W),
    "class weights": ({"class_weight": [0.25, 4.0, 1.0]}, None, np.array([0.25, 4.0, 1.0])[Y]),
    "both, a class ignored": (
        {"class_weight": [0.25, 4.0, 1.0], "ignore_label": 2},
        W,
        W * np.array([0.25, 4.0, 0.0])[Y],
    ),
    "tiny": ({}, 1e-30 * W, W),  # the scale of the weights is none of the step's
}


@pytest.mark.parametrize("few", [None, 2])
@pytest.mark.parametrize("batch_size", [1, 5, 8, N])
@pytest.mark.parametrize("way", WAYS)
def test_the_steps_of_an_epoch_are_the_gradient_of_the_whole(
    backend: Target, way: str, batch_size: int, few: int | None
) -> None:
    """Each counted by its rows; the penalty once a step."""
    options, given, w = WAYS[way]
    model, gradients = regression(backend.spec, CategoricalCrossentropy(**options)), Gradients()
    model.fit(X, Y, batch_size=batch_size, sample_weight=given, callbacks=[gradients], micro_batch_size=few)
    shares = np.array(sizes_of(N, batch_size)) / N
    expected = gradient(model, slice(None), w) / w.sum() + penalty(model)
    np.testing.assert_allclose(np.tensordot(shares, gradients.seen, 1), expected, **CLOSE)
    losses = model.evaluate(X, Y, sample_weight=given)  # nothing has moved: what is reported is Σ wℓ / Σ w
    assert {name: model.history[name][0] for name in losses} == pytest.approx(losses, rel=1e-13)


def test_rows_held_out_are_not_in_the_mean(backend: Target) -> None:
    train, held_out = data.split(Y, 0.25, 1)
    w = W + 1
    w[held_out] *= 1000
    model, gradients = regression(backend.spec), Gradients()
    model.fit(X, Y, batch_size=1, sample_weight=w, validation_split=0.25, callbacks=[gradients])
    expected = gradient(model, train, w) / w[train].sum() + penalty(model)
    np.testing.assert_allclose(np.mean(gradients.seen, axis=0), expected, **CLOSE)


@pytest.mark.parametrize("few", [None, 2])
def test_an_iterable_is_measured_by_the_rows_so_far(backend: Target, few: int | None) -> None:
    """In all epochs, and where some batches have weights and others do not."""
    parts = [slice(0, 4), slice(4, 9), slice(9, 10), slice(10, 18), slice(18, N)]
    w = W.copy()
    w[10:18] = 1
    batches = [(X[p], Y[p]) if p.start == 10 else (X[p], Y[p], W[p]) for p in parts]
    model, gradients = regression(backend.spec), Gradients()
    model.fit(batches, epochs=2, callbacks=[gradients], micro_batch_size=few)
    rows, weight = 0, 0.0
    for part, seen in zip(parts * 2, gradients.seen, strict=True):
        n = len(W[part])
        rows, weight = rows + n, weight + w[part].sum()
        expected = gradient(model, part, w) / (n * weight / rows) if weight else np.zeros((5, CLASSES))
        np.testing.assert_allclose(seen, expected + penalty(model), **CLOSE)


@pytest.mark.parametrize("batch_size", [1, 8, 32, 200])
def test_balanced_weights_bring_the_rare_class_to_one_half(batch_size: int) -> None:
    """Where X tells nothing, Σ w (p - y) = 0 has the solution p = 1/2.

    The difference b of the two biases moves by -2η times the batch's mean of w (p - y), w̄ being 1. Near the solution
    that is a walk with the curvature h = E[w p (1 - p)] = 1/4 and the noise σ² = E[w² (p - y)²] / rows
    = E[w²] / (4 rows), with E[w²] = (1/π + 1/(1 - π)) / 4 for the rare class's share π: its variance is
    2ησ² / (2h) = 4ησ² (an upper bound: the rows of an epoch are drawn without repetition), and p moves by b/4.
    """
    n, rare, epochs, rate = 200, 10, 40, 0.001 * batch_size
    y = (np.arange(n) < rare).astype(int)
    loss = CategoricalCrossentropy(class_weight=balanced(np.bincount(y)))
    model = Sequential([Dense(1, 2), "softmax"], loss, SGD(rate), dtype="float64", seed=0)
    model.layers[0].biases = [[3.0, 0.0]]  # b = -3: it begins near the odds of the data
    model.fit(np.zeros((n, 1)), y, epochs, batch_size)
    noise = (n / rare + n / (n - rare)) / 16 / batch_size
    rest = 3 * (1 - 2 * rate / 4) ** (epochs * n / batch_size)  # of where it began
    assert abs(float(model.predict([[0.0]])[0, 1]) - 0.5) < 4 * math.sqrt(4 * rate * noise) / 4 + rest / 4 < 0.09


def test_the_penalty_of_an_estimator_follows() -> None:
    """(Σ w ℓ + alpha/2 ΣW²) / (rows · w̄), as scikit-learn weighs the two."""
    pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    alpha, rows, by_class = 3.0, 6, np.array([0.5, 4.0, 1.0])
    gradients = Gradients()
    estimator = nnxp.MLPClassifier(
        (), solver=SGD(0.0), alpha=alpha, batch_size=rows, max_iter=1, class_weight=dict(enumerate(by_class)),
        tol=0, callbacks=[gradients], random_state=0,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="training ended after max_iter=1"):
        estimator.fit(X, Y, sample_weight=W)
    w, model = W * by_class[Y], estimator.model_
    expected = (gradient(model, slice(None), w) / w.sum()) + penalty(model, alpha / 2) / (rows * w.mean())
    np.testing.assert_allclose(np.mean(gradients.seen, axis=0), expected, **CLOSE)


def test_lbfgs_takes_all_at_once_whatever_the_batches() -> None:
    found = []
    for batch_size in (5, N):
        model = Sequential([Dense(5, 1)], "mean_squared_error", "lbfgs", dtype="float64", seed=0)
        model.fit(X, X[:, 0] + 1, 3, batch_size, sample_weight=W)
        found.append(values(model))
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-10)  # three iterations, of sums of 24 terms


def test_what_keeps_its_rule(backend: Target) -> None:
    """A step by hand divides by Σ w, and so does a loss whose own mean_gradient does."""

    class Own(MeanSquaredError):
        def mean_gradient(self, gradient: Any, w: Any) -> Any:
            return super().mean_gradient(gradient, w)

    models = [Sequential([Dense(5, 1)], kind(), SGD(0.1), backend=backend.spec, dtype="float64", seed=0)
              for kind in (MeanSquaredError, Own, MeanSquaredError)]  # fmt: skip
    y, w = X[:, :1], W[6:11]
    models[0].train_step(X[6:11], y[6:11], w)
    models[1].fit([(X[6:11], y[6:11], w), (X[:1], y[:1], [1e9])])
    models[2].fit([(X[:1], y[:1], [1e9]), (X[6:11], y[6:11], w)])
    by_hand = values(models[0])
    models[0].train_step(X[:1], y[:1], [1e9])
    np.testing.assert_allclose(values(models[1]), values(models[0]), rtol=1e-13)
    assert not np.allclose(values(models[2]), by_hand)


def test_equal_weights_are_none(backend: Target) -> None:
    """To rounding: 1/n of a sum, or n shares."""
    models = [classifier(backend.spec, optimizer=SGD(0.5), dtype="float64") for _ in range(2)]
    models[0].fit(X, Y, 3, 5)
    models[1].fit(X, Y, 3, 5, sample_weight=np.full(N, 0.3))
    np.testing.assert_allclose(values(models[0]), values(models[1]), rtol=0, atol=1e-13)


def test_the_file_of_an_iterable_without_weights_has_nothing_new(tmp_path: Path) -> None:
    from tests.training.test_resuming import Snapshots, tensors

    for weighted in (False, True):
        snapshots = Snapshots(tmp_path)
        batch = (X, Y, W) if weighted else (X, Y)
        classifier("numpy").fit([batch], callbacks=[snapshots])
        assert ("training.seen" in tensors(snapshots.paths[-1])) == weighted


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("each", [False, True])
def test_weights_near_the_largest_number_are_shares_of_their_sum(members: int, each: bool, backend: Target) -> None:
    """Of the sum of weighted losses a float32 would know no more than that it is infinite."""
    made = []
    for size in (1.0, 2e36):
        model = Sequential(
            [Dense(5, 4), "relu", Dense(4, 1)], "mean_squared_error", seed=0, members=members, backend=backend.spec
        )
        w = np.full((N, members) if each and members > 1 else N, size, "float32")
        made.append(model.fit(X.astype("float32"), 30 + X[:, 0], epochs=2, batch_size=8, sample_weight=w)["loss"])
    np.testing.assert_allclose(made[1], made[0], rtol=1e-5)
