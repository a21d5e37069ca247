"""Chapter 4: powers of e, and their shares of the sum, for one row and for a batch."""

import math

import numpy as np

from nnxp.nnfs import Activation_Softmax

layer_outputs = [4.8, 1.21, 2.385]
powers = [math.e**number for number in layer_outputs]
shares = [power / sum(powers) for power in powers]

batch = np.array([layer_outputs, [8.9, -1.81, 0.2], [1.41, 1.051, 0.026]])
exp_values = np.exp(batch - np.max(batch, axis=1, keepdims=True))
probabilities = exp_values / np.sum(exp_values, axis=1, keepdims=True)
softmax = Activation_Softmax()
softmax.forward(batch)
sums = np.sum(probabilities, axis=1)
