"""Chapter 2: a layer as the product of a matrix and a vector; its weights stand by neurons, and in the class turned."""

import numpy as np

from nnxp.nnfs import Layer_Dense

inputs = [0.5, -1.0, 2.0, 1.25]
weights = np.array([[0.2, 0.8, -0.5, 1.0], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]])
biases = np.array([2.0, 3.0, 0.5])

output = np.dot(weights, inputs) + biases
dense = Layer_Dense(4, 3)
dense.weights, dense.biases = weights.T, biases
dense.forward(inputs)
