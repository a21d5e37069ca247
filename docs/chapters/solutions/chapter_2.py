"""Solutions of chapter 2. Each is a test: `pytest chapter_2.py` runs them."""

import pytest

from nnxp.nnfs import Layer, Neuron


def test_exercise_1():
    # One weight for each pair of input and neuron, and one bias for each neuron.
    small = Layer([Neuron([0.0] * 784, 0.0) for _ in range(128)])
    assert sum(len(neuron.weights) + 1 for neuron in small.neurons) == 784 * 128 + 128 == 100_480


def test_exercise_2():
    swap = Layer([Neuron([0.0, 1.0], 10.0), Neuron([1.0, 0.0], 0.0)])
    assert swap.forward([3.0, 7.0]) == [17.0, 3.0]


def test_exercise_3():
    unknown = Layer([Neuron([0.2, 0.8, -0.5, 1.0], 2), Neuron([0.5, -0.91, 0.26, -0.5], 3)])
    # All inputs 0 leave the biases. One input 1, the others 0, leaves that input's weights, and the biases.
    biases = unknown.forward([0, 0, 0, 0])
    assert biases == [2.0, 3.0]
    for i, expected in enumerate([(0.2, 0.5), (0.8, -0.91), (-0.5, 0.26), (1.0, -0.5)]):
        outputs = unknown.forward([float(i == k) for k in range(4)])
        assert [y - b for y, b in zip(outputs, biases, strict=True)] == pytest.approx(expected)
