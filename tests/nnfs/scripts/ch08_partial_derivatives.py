"""Chapter 8: the derivatives of one neuron's output by each of its weights, its inputs and its bias."""

import numpy as np

from nnxp.nnfs import Layer_Dense

x, w, b = [2.0, -1.0, 0.5], [1.5, -0.8, 2.5], 0.6
dsum_dx = w
dsum_dw = x
dsum_db = 1.0

neuron = Layer_Dense(3, 1)
neuron.weights, neuron.biases = np.array(w).reshape(3, 1), np.array([[b]])
neuron.forward([x])
neuron.backward(np.array([[1.0]]))
