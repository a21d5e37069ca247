"""Solutions of chapter 5. Each is a test: `pytest chapter_5.py` runs them."""

import math

import numpy as np

from nnxp.nnfs import Loss_CategoricalCrossentropy


def test_exercise_1():
    # -log(1/C) = log C
    for C in (2, 3, 10):
        guess = np.full((C, C), 1 / C)
        losses = Loss_CategoricalCrossentropy().forward(guess, list(range(C)))  # each class is true once
        np.testing.assert_allclose(losses, math.log(C))


def test_exercise_2():
    # L is the mean of -log p, so e^-L = (p1 p2 p3)^(1/3): the geometric mean of the true classes' probabilities.
    p = np.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]])
    loss = Loss_CategoricalCrossentropy().calculate(p, [0, 1, 1])
    assert math.isclose(math.exp(-loss), (0.7 * 0.5 * 0.9) ** (1 / 3))  # 0.680


def test_exercise_3():
    # Their shares: 1/2, 1/4, 1/4. The loss is then 1/2 log 2 + 1/4 log 4 + 1/4 log 4 = 3/2 log 2, which is called the
    # entropy of the classes. Any other prediction costs more.
    loss = Loss_CategoricalCrossentropy()
    y = [0, 0, 1, 2]
    best = loss.calculate(np.tile([0.5, 0.25, 0.25], (4, 1)), y)
    assert math.isclose(best, 1.5 * math.log(2))
    for other in ([1 / 3, 1 / 3, 1 / 3], [0.6, 0.2, 0.2], [0.5, 0.3, 0.2], [0.9, 0.05, 0.05]):
        assert loss.calculate(np.tile(other, (4, 1)), y) > best


def test_exercise_4():
    # A: -log 0.6 = 0.511, and both right. B: (-log 0.99 - log 0.30) / 2 = 0.607, and one right.
    loss = Loss_CategoricalCrossentropy()
    a, b = np.array([[0.6, 0.4], [0.6, 0.4]]), np.array([[0.99, 0.01], [0.30, 0.70]])
    assert math.isclose(loss.calculate(a, [0, 0]), -math.log(0.6))
    assert math.isclose(loss.calculate(b, [0, 0]), -math.log(0.99 * 0.30) / 2)
    assert loss.calculate(a, [0, 0]) < loss.calculate(b, [0, 0])
    assert [(p.argmax(axis=1) == 0).mean() for p in (a, b)] == [1.0, 0.5]
