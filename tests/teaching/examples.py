"""Models of which one step is explained, small and of every kind."""

from typing import Any

import numpy as np

import nnxp

PLAIN = nnxp.get_backend("numpy", "float64", fast=False)
"""Compiling each of the formulas would take longer than all else."""
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4))
NUMBERS = RNG.normal(size=(3, 2))
CLASSES = np.array([2, 0, 1])
YES = np.array([1.0, 0.0, 1.0])


def of_activation(activation: Any) -> tuple[nnxp.Sequential, Any, Any]:
    layers = [nnxp.Dense(4, 3), activation, nnxp.Dense(3, 2)]
    return (
        nnxp.Sequential(layers, "mean_squared_error", nnxp.SGD(0.1), backend=PLAIN, dtype="float64", seed=1),
        X,
        NUMBERS,
    )


def of_optimizer(optimizer: nnxp.Optimizer) -> tuple[nnxp.Sequential, Any, Any]:
    layers = [nnxp.Dense(4, 3), "tanh", nnxp.Dense(3, 2)]
    return nnxp.Sequential(layers, "mean_squared_error", optimizer, backend=PLAIN, dtype="float64", seed=1), X, NUMBERS


def of_loss(loss: Any, y: Any, last: str | None, width: int) -> tuple[nnxp.Sequential, Any, Any]:
    layers = [nnxp.Dense(4, width), *([last] if last else [])]
    return nnxp.Sequential(layers, loss, nnxp.SGD(0.1), backend=PLAIN, dtype="float64", seed=1), X, y


LOSSES = [
    (nnxp.MeanSquaredError(), NUMBERS, None, 2), (nnxp.MeanAbsoluteError(), NUMBERS, None, 2),
    (nnxp.Huber(0.5), NUMBERS, None, 2), (nnxp.Poisson(), np.abs(NUMBERS), None, 2),
    (nnxp.BinaryCrossentropy(), YES, "sigmoid", 1), (nnxp.SigmoidCrossentropy(), YES, None, 1),
    (nnxp.CategoricalCrossentropy(), CLASSES, "softmax", 3), (nnxp.SoftmaxCrossentropy(), CLASSES, None, 3),
    (nnxp.CategoricalCrossentropy(class_weight=[1.0, 2.0, 3.0]), CLASSES, "softmax", 3),
    (nnxp.CategoricalCrossentropy(label_smoothing=0.1), CLASSES, "softmax", 3),
    (nnxp.SoftmaxCrossentropy(), np.eye(3)[CLASSES], None, 3),
]  # fmt: skip
ACTIVATIONS = [
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", nnxp.GELU("tanh"), "silu", "mish", "sigmoid", "tanh",
    "softplus", "softmax",
]  # fmt: skip
OPTIMIZERS = [
    nnxp.SGD(0.1), nnxp.SGD(0.1, momentum=0.9), nnxp.SGD(0.1, momentum=0.9, nesterov=True), nnxp.Adagrad(0.1),
    nnxp.RMSprop(0.1), nnxp.Adam(0.1), nnxp.AdamW(0.1, weight_decay=0.5, decay_biases=False), nnxp.Lion(0.1),
    nnxp.SGD(0.1, clip_norm=0.01), nnxp.Adam(0.1, decay=0.5, factors={"biases": 0.1}), nnxp.SGD(0.1, clip_value=0.01),
]  # fmt: skip


def hostile() -> nnxp.Explanation:
    """A step with names that are markup."""
    kind = type("<script>alert(1)</script>_*", (nnxp.Tanh,), {"__doc__": "y = <b>f</b>(x). A layer."})
    layers = [nnxp.Dense(4, 9), kind(), nnxp.Dense(9, 3), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(0.1), backend=PLAIN, seed=0)
    model.classes = ["<i>no</i>", "a & b", '"quoted"']
    return nnxp.explain(model, X, CLASSES)
