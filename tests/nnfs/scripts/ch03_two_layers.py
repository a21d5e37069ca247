"""Chapter 3: the outputs of one layer are the inputs of the next."""

import numpy as np

from nnxp.nnfs import Layer_Dense

X = np.array([[0.8, -1.2, 2.4, 0.5], [1.6, 0.3, -0.9, 2.1], [-2.2, 1.4, 0.7, -1.3]])
np.random.seed(7)
first, second = Layer_Dense(4, 5), Layer_Dense(5, 2)
first.biases = np.full((1, 5), 0.25)
first.forward(X)
second.forward(first.output)
by_hand = (X @ np.asarray(first.weights) + 0.25) @ np.asarray(second.weights)
