"""Chapter 4: what is below zero becomes zero."""

import numpy as np

from nnxp.nnfs import Activation_ReLU

inputs = [1.7, -0.3, 0.0, -4.0, 2.6, 0.4, -50.0, 9.5]
in_a_loop = []
for number in inputs:
    in_a_loop.append(number if number > 0 else 0.0)
by_numpy = np.maximum(0, inputs)
activation = Activation_ReLU()
activation.forward(np.array([inputs]))
