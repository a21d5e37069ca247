"""Keras 3 on its JAX backend: `train_on_batch`, `fit`, `predict_on_batch`. Its Adam folds the corrections into the
learning rate and leaves ε as it is, so that its losses differ a little where gradients are tiny."""

from collections.abc import Callable
from typing import Any

import keras

from benchmarks.problems import Problem

PACKAGES = ("keras", "jax")


def _model(problem: Problem) -> Any:
    widths = problem.case.widths
    hidden = [keras.layers.Dense(width, "relu") for width in widths[1:-1]]
    model = keras.Sequential([keras.Input((widths[0],)), *hidden, keras.layers.Dense(widths[-1], "softmax")])
    for layer, weights, biases in zip(model.layers, problem.weights, problem.biases, strict=True):
        layer.set_weights([weights, biases])
    adam = keras.optimizers.Adam(problem.case.learning_rate, epsilon=problem.epsilon)
    model.compile(adam, "sparse_categorical_crossentropy")
    return model


def step(problem: Problem) -> Callable[[int], float]:
    model, X, y = _model(problem), problem.X, problem.y

    def run(count: int) -> float:
        for _ in range(count):
            model.reset_metrics()  # or the loss is the mean of all steps
            loss = model.train_on_batch(X, y)
        return float(loss)

    return run


def epoch(problem: Problem) -> Callable[[int], float]:
    model, X, y = _model(problem), problem.X, problem.y

    def run(count: int) -> float:
        return model.fit(X, y, problem.case.batch, epochs=count, verbose=0).history["loss"][-1]

    return run


def predict(problem: Problem) -> Callable[[int], Any]:
    model, X = _model(problem), problem.X

    def run(count: int) -> Any:
        for _ in range(count):
            out = model.predict_on_batch(X)
        return out

    return run
