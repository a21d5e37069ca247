"""Chapter 9: each output of a softmax depends on each input."""

import numpy as np

from nnxp.nnfs import Activation_Softmax

softmax_output = np.array([[0.7], [0.1], [0.2]])
jacobian = np.diagflat(softmax_output) - np.dot(softmax_output, softmax_output.T)

softmax = Activation_Softmax()
softmax.forward(np.log([[0.7, 0.1, 0.2], [0.3, 0.3, 0.4]]))
dvalues = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 0.0]])
softmax.backward(dvalues)
of_the_first = np.dot(jacobian, dvalues[0])
