"""Chapter 9: products of matrices give the gradients of a layer for a whole batch."""

import numpy as np

from nnxp.nnfs import Activation_ReLU, Layer_Dense

dvalues = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.0, 0.5]])
inputs = np.array([[0.8, -1.2, 2.4, 0.5], [1.6, 0.3, -0.9, 2.1], [-2.2, 1.4, 0.7, -1.3]])
weights = np.array([[0.3, -0.7, 0.45, 1.1], [0.6, 0.15, -0.35, -0.8], [-0.2, 0.9, 0.55, 0.4]]).T
biases = np.array([[0.75, -1.5, 2.25]])

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
