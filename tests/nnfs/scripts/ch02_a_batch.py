"""Chapter 2: three samples at once."""

import numpy as np

from nnxp.nnfs import Layer_Dense

inputs = [[1.0, 2.0, 3.0], [-0.5, 1.5, 0.0], [2.5, -2.0, 1.0]]
weights = [[0.1, -0.2, 0.3], [0.7, 0.6, -0.1]]
biases = np.array([0.05, -0.15])

outputs = np.dot(np.array(inputs), np.array(weights).T) + biases
dense = Layer_Dense(3, 2)
dense.weights, dense.biases = np.array(weights).T, biases
dense.forward(inputs)
total = float(np.sum(outputs))
print(f"{total:.3f}")
