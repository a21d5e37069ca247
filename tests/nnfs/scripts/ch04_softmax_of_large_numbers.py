"""Chapter 4: only differences count, so that the largest number may be taken off before the power."""

import numpy as np

from nnxp.nnfs import Activation_Softmax

softmax = Activation_Softmax()
softmax.forward([[1.0, 2.0, 3.0]])
small = np.asarray(softmax.output).copy()
softmax.forward([[-2.0, -1.0, 0.0]])
shifted = np.asarray(softmax.output).copy()
softmax.forward([[1001.0, 1002.0, 1003.0]])
large = np.asarray(softmax.output).copy()
softmax.forward([[0.5, 1.0, 1.5]])
halved = np.asarray(softmax.output).copy()
