"""Chapter 9: products of matrices give the gradients of a layer for a whole batch."""

import numpy as np

from nnxp.nnfs import Activation_ReLU, Layer_Dense

dvalues = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
inputs = np.array([[1.0, 2.0, 3.0, 2.5], [2.0, 5.0, -1.0, 2.0], [-1.5, 2.7, 3.3, -0.8]])
weights = np.array([[0.2, 0.8, -0.5, 1.0], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]).T
biases = np.array([[2.0, 3.0, 0.5]])

layer_outputs = np.dot(inputs, weights) + biases
drelu = dvalues * (layer_outputs > 0)
dinputs = np.dot(drelu, weights.T)
dweights = np.dot(inputs.T, drelu)
dbiases = np.sum(drelu, axis=0, keepdims=True)

dense, relu = Layer_Dense(4, 3), Activation_ReLU()
dense.weights, dense.biases = weights, biases
dense.forward(inputs)
relu.forward(dense.output)
relu.backward(dvalues)
dense.backward(relu.dinputs)
