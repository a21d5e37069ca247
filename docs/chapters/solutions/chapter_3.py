"""Solutions of chapter 3. Each is a test: `pytest chapter_3.py` runs them."""

import numpy as np

from nnxp.nnfs import Layer_Dense


def test_exercise_1():
    # (32 × 784)(784 × 128) = (32 × 128), and so on: the inner numbers agree and disappear.
    first, second, third = Layer_Dense(784, 128), Layer_Dense(128, 64), Layer_Dense(64, 10)
    batch = np.zeros((32, 784))
    assert first.forward(batch).shape == (32, 128)
    assert second.forward(first.output).shape == (32, 64)
    assert third.forward(second.output).shape == (32, 10)
    assert [layer.weights.shape for layer in (first, second, third)] == [(784, 128), (128, 64), (64, 10)]


def test_exercise_2():
    # (X W1 + b1) W2 + b2 = X (W1 W2) + (b1 W2 + b2)
    W1, b1 = np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[0.5, 1.0]])
    W2, b2 = np.array([[2.0, 1.0, 0.0], [-1.0, 4.0, 2.0]]), np.array([[1.0, 0.0, -3.0]])
    first, second, both = Layer_Dense(2, 2), Layer_Dense(2, 3), Layer_Dense(2, 3)
    first.weights, first.biases = W1, b1
    second.weights, second.biases = W2, b2
    both.weights, both.biases = W1 @ W2, b1 @ W2 + b2
    X = np.array([[1.0, 2.0], [-1.0, 4.0], [0.0, 0.0]])
    assert np.array_equal(second.forward(first.forward(X)), both.forward(X))  # small halves: exact in float32


def test_exercise_3():
    # A sum of independent numbers has the sum of their variances: 0.01² (1² + 2² + 3² + 2.5²). Of n drawn numbers the
    # standard deviation is known to about 1 part in √(2n); five times that is hardly ever exceeded.
    np.random.seed(0)
    outputs = Layer_Dense(4, 100_000).forward([1.0, 2.0, 3.0, 2.5])
    expected = 0.01 * (1 + 4 + 9 + 6.25) ** 0.5  # 0.045
    assert abs(outputs.std() / expected - 1) < 5 / (2 * 100_000) ** 0.5
