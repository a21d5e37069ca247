"""Solutions of chapter 6. Each is a test: `pytest chapter_6.py` runs them."""

import numpy as np

from nnxp.nnfs import (
    Activation_Softmax_Loss_CategoricalCrossentropy,
    ActivationReLU,
    Layer_Dense,
    Loss_MeanSquaredError,
)


def test_exercise_1():
    # y = 3 × 2 - 1 = 5. dL/dy = 2 (y - t) = 8, dy/dw = x = 2, so dL/dw = 16; dy/db = 1, so dL/db = 8.
    neuron, loss = Layer_Dense(1, 1), Loss_MeanSquaredError()
    neuron.weights, neuron.biases = [[3.0]], [[-1.0]]
    output = neuron.forward([[2.0]])
    neuron.backward(loss.backward(output, [[1.0]]))
    assert neuron.dweights.tolist() == [[16.0]] and neuron.dbiases.tolist() == [[8.0]]


PREDICTIONS = [[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]]


def test_exercise_2():
    # (p - one-hot) / 3: the true class's probability less 1, all divided by the number of samples.
    gradient = Activation_Softmax_Loss_CategoricalCrossentropy().backward(PREDICTIONS, [0, 1, 1])
    by_hand = [[-0.3 / 3, 0.1 / 3, 0.2 / 3], [0.1 / 3, -0.5 / 3, 0.4 / 3], [0.02 / 3, -0.1 / 3, 0.08 / 3]]
    np.testing.assert_allclose(gradient, by_hand, atol=1e-7)


def test_exercise_3():
    # The probabilities of a row have the sum 1, and so has the one-hot row: their difference has the sum 0. Adding the
    # same number to all logits of a sample therefore has slope 0: softmax does not see it (chapter 4).
    both = Activation_Softmax_Loss_CategoricalCrossentropy()
    gradient = both.backward(PREDICTIONS, [0, 1, 1])
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-7)
    logits = np.array([[1.0, 2.0, 0.5]])
    np.testing.assert_allclose(both.forward(logits, [1]), both.forward(logits + 10, [1]), rtol=1e-5)


def test_exercise_4():
    # Equal neurons have equal outputs, and the columns of W2 are equal too, so that equal gradients come back to them;
    # equal numbers less equal numbers are equal again. This is why initial weights are random.
    dense1, relu, dense2 = Layer_Dense(2, 4), ActivationReLU(), Layer_Dense(4, 2)
    loss = Activation_Softmax_Loss_CategoricalCrossentropy()
    dense1.weights, dense2.weights = np.full((2, 4), 0.5), np.full((4, 2), 0.5)
    X, y = np.array([[1.0, 2.0], [2.0, -1.0], [0.5, 0.5]]), [0, 1, 0]
    for _ in range(20):
        loss.forward(dense2.forward(relu.forward(dense1.forward(X))), y)
        dense1.backward(relu.backward(dense2.backward(loss.backward(loss.output, y))))
        for layer in (dense1, dense2):
            layer.weights, layer.biases = layer.weights - layer.dweights, layer.biases - layer.dbiases
    assert np.any(dense1.weights != 0.5)  # they have learned ...
    assert np.all(dense1.weights == dense1.weights[:, :1])  # ... and are one neuron, four times
