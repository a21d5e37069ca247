"""Solutions of chapter 4. Each is a test: `pytest chapter_4.py` runs them."""

import math

import numpy as np

from nnxp.nnfs import ActivationReLU, ActivationSoftmax, Layer_Dense


def test_exercise_1():
    # The exponentials are 1, 2 and 3, their sum is 6.
    p = ActivationSoftmax().forward([[math.log(1), math.log(2), math.log(3)]])
    np.testing.assert_allclose(p, [[1 / 6, 2 / 6, 3 / 6]], rtol=1e-6)


def test_exercise_2():
    # |x| = ReLU(x) + ReLU(-x): of the two, one is 0 and the other is |x|.
    both, total = Layer_Dense(1, 2), Layer_Dense(2, 1)
    both.weights, total.weights = [[1.0, -1.0]], [[1.0], [1.0]]
    x = np.array([[-3.0], [-0.5], [0.0], [2.0]])
    assert np.array_equal(total.forward(ActivationReLU().forward(both.forward(x))), np.abs(x))


def test_exercise_3():
    # e^a / (e^a + e^b) = 1 / (1 + e^b / e^a) = 1 / (1 + e^-(a - b))
    for a, b in ((0.0, 0.0), (2.0, -1.0), (-3.0, 0.5)):
        p = ActivationSoftmax().forward([[a, b]])
        assert math.isclose(p[0, 0], 1 / (1 + math.exp(-(a - b))), rel_tol=1e-6)


def test_exercise_4():
    # The slope is 0, then 1/2 from -2 on, -1/2 from 0 on, and 0 from 2 on: it changes by 1/2, -1 and 1/2.
    kinks, slopes = Layer_Dense(1, 3), Layer_Dense(3, 1)
    kinks.weights, kinks.biases = [[1.0, 1.0, 1.0]], [[2.0, 0.0, -2.0]]
    slopes.weights = [[0.5], [-1.0], [0.5]]
    x = np.array([[-5.0], [-2.0], [-1.0], [0.0], [1.0], [2.0], [7.0]])
    hat = slopes.forward(ActivationReLU().forward(kinks.forward(x)))
    assert hat.ravel().tolist() == [0, 0, 0.5, 1, 0.5, 0, 0]
