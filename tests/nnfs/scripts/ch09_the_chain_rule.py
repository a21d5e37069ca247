"""Chapter 9: a neuron and its ReLU, backwards, and one step that makes the output smaller."""

import numpy as np

from nnxp.nnfs import Activation_ReLU, Layer_Dense

x, w, b = [2.0, -1.0, 0.5], [1.5, -0.8, 2.5], 0.6
z = x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + b
output = max(z, 0)
dvalue = 1.0
drelu_dz = dvalue * (1.0 if z > 0 else 0.0)
dx = [drelu_dz * weight for weight in w]
dw = [drelu_dz * number for number in x]
db = drelu_dz
w_after = [weight - 0.001 * slope for weight, slope in zip(w, dw, strict=True)]
b_after = b - 0.001 * db
after = max(sum(number * weight for number, weight in zip(x, w_after, strict=True)) + b_after, 0)

neuron, relu = Layer_Dense(3, 1), Activation_ReLU()
neuron.weights, neuron.biases = np.array(w).reshape(3, 1), np.array([[b]])
neuron.forward(np.array([x]))
relu.forward(neuron.output)
relu.backward(np.array([[dvalue]]))
neuron.backward(relu.dinputs)
