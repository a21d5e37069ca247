"""The example that many explanations of backpropagation work through: two inputs, two hidden and two output neurons."""

import numpy as np

from nnxp.activations import Sigmoid
from nnxp.layers import Dense
from nnxp.losses import MeanSquaredError
from nnxp.optimizers import SGD
from nnxp.sequential import Sequential
from nnxp.typing import Floats


def two_two_two() -> tuple[Sequential, Floats, Floats]:
    """The model in float64, its one row and the targets. Its squared error ½ Σ (p - y)² over two outputs is their
    mean squared error.

    w₁ to w₄ are the hidden layer's weights, w₅ to w₈ those of the output layer, neuron by neuron: w₁ and w₂ lead to the
    first hidden neuron. A layer's bias is one number there, which does not learn; here each neuron has its own.

    Returns
    -------
    model : Sequential
    X, y : numpy.ndarray, (1, 2)
    """
    hidden, output = Dense(2, 2, dtype="float64"), Dense(2, 2, dtype="float64")
    hidden.weights, hidden.biases = [[0.15, 0.25], [0.20, 0.30]], [0.35, 0.35]
    output.weights, output.biases = [[0.40, 0.50], [0.45, 0.55]], [0.60, 0.60]
    layers = [hidden, Sigmoid(), output, Sigmoid()]
    model = Sequential(layers, MeanSquaredError(), SGD(0.5), backend="numpy", dtype="float64", seed=0)
    return model, np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
