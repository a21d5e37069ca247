"""Chapter 2: a layer as the product of a matrix and a vector; its weights stand by neurons, and in the class turned."""

import numpy as np

from nnxp.nnfs import Layer_Dense

inputs = [0.5, -1.0, 2.0, 1.25]
weights = np.array([[0.3, -0.7, 0.45, 1.1], [0.6, 0.15, -0.35, -0.8], [-0.2, 0.9, 0.55, 0.4]])
biases = np.array([0.75, -1.5, 2.25])

output = np.dot(weights, inputs) + biases
dense = Layer_Dense(4, 3)
dense.weights, dense.biases = weights.T, biases
dense.forward(inputs)
