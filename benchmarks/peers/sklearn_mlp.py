"""scikit-learn's `MLPClassifier.partial_fit`, no L2. Its Adam folds the corrections into the learning rate and
leaves ε as it is, so that its losses differ a little where gradients are tiny."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.problems import Problem

PACKAGES = ("scikit-learn", "numpy", "scipy")


def _model(problem: Problem, X: Any, y: Any) -> MLPClassifier:
    case = problem.case
    model = MLPClassifier(
        case.widths[1:-1],
        alpha=0.0,
        batch_size=min(case.batch, len(X)),
        learning_rate_init=case.learning_rate,
        epsilon=problem.epsilon,
        random_state=0,
    )
    model.partial_fit(X, y, classes=np.arange(case.widths[-1]))
    # it drew its weights there: put ours in their place, and Adam back at 0
    for own, given in zip(model.coefs_ + model.intercepts_, problem.weights + problem.biases, strict=True):
        own[...] = given
    del model._optimizer
    model.t_ = 0
    return model


def step(problem: Problem) -> Callable[[int], float]:
    X, y = problem.X, problem.y
    model = _model(problem, X, y)

    def run(count: int) -> float:
        for _ in range(count):
            model.partial_fit(X, y)
        return float(model.loss_)

    return run


epoch = step
"""Given all rows, `partial_fit` is one pass over them in shuffled batches."""


def predict(problem: Problem) -> Callable[[int], Any]:
    random = np.random.default_rng(0)
    n_in, n_out = problem.case.widths[0], problem.case.widths[-1]
    model = _model(problem, random.standard_normal((n_out, n_in), np.float32), np.arange(n_out))
    X = problem.X

    def run(count: int) -> Any:
        for _ in range(count):
            out = model.predict_proba(X)
        return out

    return run
