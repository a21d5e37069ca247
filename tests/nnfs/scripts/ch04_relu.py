"""Chapter 4: what is below zero becomes zero."""

import numpy as np

from nnxp.nnfs import Activation_ReLU

inputs = [0.0, 2.0, -1.0, 3.3, -2.7, 1.1, 2.2, -100.0]
in_a_loop = []
for number in inputs:
    in_a_loop.append(number if number > 0 else 0.0)
by_numpy = np.maximum(0, inputs)
activation = Activation_ReLU()
activation.forward(np.array([inputs]))
