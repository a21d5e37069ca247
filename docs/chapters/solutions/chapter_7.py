"""Solutions of chapter 7. Each is a test: `pytest chapter_7.py` runs them."""

import math

import numpy as np

from nnxp.nnfs import Layer_Dense, Optimizer_Adagrad, Optimizer_Adam, Optimizer_SGD


def test_exercise_1():
    # The gradient is (w1, 25 w2), so a step multiplies w1 by 1 - rate and w2 by 1 - 25 rate. Beyond rate = 2/25 = 0.08
    # the second factor is below -1: w2 grows from step to step, with changing sign.
    for rate in (0.01, 0.075, 0.081):
        valley, optimizer = Layer_Dense(2, 1, dtype="float64"), Optimizer_SGD(learning_rate=rate)
        valley.weights = [[-4.0], [1.2]]
        for _ in range(30):
            valley.dweights, valley.dbiases = valley.weights * np.array([[1.0], [25.0]]), [[0.0]]
            optimizer.update_params(valley)
        w1, w2 = valley.weights.ravel()
        assert math.isclose(w1, -4.0 * (1 - rate) ** 30)
        assert math.isclose(w2, 1.2 * (1 - 25 * rate) ** 30)
        assert (abs(w2) > 1.2) == (rate > 0.08)


def test_exercise_2():
    # m / (1 - β₁) = g and c / (1 - β₂) = g², so the step is rate · g / (|g| + ε): the learning rate itself, in the
    # direction against the gradient, whether that is large or small (but for ε = 1e-7).
    for g in (1000.0, 0.3, -0.001):
        layer, adam = Layer_Dense(1, 1, dtype="float64"), Optimizer_Adam(learning_rate=0.1)
        layer.weights, layer.dweights, layer.dbiases = [[0.0]], [[g]], [[0.0]]
        adam.update_params(layer)
        assert math.isclose(layer.weights[0, 0], -0.1 * g / (abs(g) + 1e-7))


def test_exercise_3():
    # Adagrad: c is 1, 2, 3, 4, and the steps are 1, 1/√2, 1/√3 and 1/2 times the rate, together 2.784 times.
    # Momentum: m = 0.9 m + rate settles at rate / (1 - 0.9), ten times the rate.
    ones = Layer_Dense(1, 1, dtype="float64")
    ones.weights, ones.dweights, ones.dbiases = [[0.0]], [[1.0]], [[0.0]]
    adagrad = Optimizer_Adagrad(learning_rate=0.1)
    for _ in range(4):
        adagrad.update_params(ones)
        adagrad.post_update_params()
    assert math.isclose(ones.weights[0, 0], -0.1 * (1 + 2**-0.5 + 3**-0.5 + 0.5), rel_tol=1e-6)

    ones, momentum = Layer_Dense(1, 1, dtype="float64"), Optimizer_SGD(learning_rate=0.01, momentum=0.9)
    ones.dweights, ones.dbiases = [[1.0]], [[0.0]]
    for _ in range(200):
        before = ones.weights[0, 0]
        momentum.update_params(ones)
    assert math.isclose(before - ones.weights[0, 0], 0.01 / (1 - 0.9), rel_tol=1e-6)


def test_exercise_4():
    # 1 / (1 + 0.001 t) = 1/2 where t = 1000.
    optimizer, layer = Optimizer_SGD(learning_rate=0.1, decay=0.001), Layer_Dense(1, 1)
    layer.dweights, layer.dbiases = [[0.0]], [[0.0]]
    for _ in range(1001):
        optimizer.pre_update_params()  # sets the rate of the step, from the number of steps before
        rate = optimizer.current_learning_rate
        optimizer.update_params(layer)
        optimizer.post_update_params()
    assert math.isclose(rate, 0.05)
