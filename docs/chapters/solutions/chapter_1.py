"""Solutions of chapter 1. Each is a test: `pytest chapter_1.py` runs them."""

import math
import random

from nnxp.nnfs import Neuron


def test_exercise_1():
    # 4 × 0.5 + 3 × (-1) + 0.5 × 2 + 1 = 2 - 3 + 1 + 1 = 1
    assert Neuron([0.5, -1.0, 2.0], 1.0).forward([4.0, 3.0, 0.5]) == 1.0


def test_exercise_2():
    # The mean is x1/5 + ... + x5/5: each weight is 1/5, and there is nothing to add.
    mean = Neuron([1 / 5] * 5, 0.0)
    assert math.isclose(mean.forward([1.0, 2.0, 3.0, 4.0, 10.0]), 4.0)


def test_exercise_3():
    # With weights 1 the sum is 0, 1 or 2; a bias of -1.5 leaves only 2 above 0. Many other answers do as well.
    both = Neuron([1.0, 1.0], -1.5)
    positive = {(a, b): both.forward([a, b]) > 0 for a in (0, 1) for b in (0, 1)}
    assert positive == {(0, 0): False, (0, 1): False, (1, 0): False, (1, 1): True}


def test_exercise_4():
    # y(0,0) + y(1,1) = b + (w1 + w2 + b), and y(0,1) + y(1,0) = (w2 + b) + (w1 + b): the same sum, whatever the
    # weights are. Exclusive or wants the first sum to be at most 0 and the second to be above 0, which cannot be.
    for _ in range(100):
        neuron = Neuron([random.uniform(-9, 9), random.uniform(-9, 9)], random.uniform(-9, 9))
        even = neuron.forward([0, 0]) + neuron.forward([1, 1])
        odd = neuron.forward([0, 1]) + neuron.forward([1, 0])
        assert math.isclose(even, odd, abs_tol=1e-12)
