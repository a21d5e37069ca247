"""Chapter 4: powers of e, and their shares of the sum, for one row and for a batch."""

import math

import numpy as np

from nnxp.nnfs import Activation_Softmax

layer_outputs = [3.6, 0.9, 2.2]
powers = [math.e**number for number in layer_outputs]
shares = [power / sum(powers) for power in powers]

batch = np.array([layer_outputs, [5.5, -0.4, 1.3], [0.7, 1.9, -2.6]])
exp_values = np.exp(batch - np.max(batch, axis=1, keepdims=True))
probabilities = exp_values / np.sum(exp_values, axis=1, keepdims=True)
softmax = Activation_Softmax()
softmax.forward(batch)
sums = np.sum(probabilities, axis=1)
