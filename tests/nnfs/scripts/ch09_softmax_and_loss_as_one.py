"""Chapter 9: the two gradients one after the other, and the short form of both together."""

import numpy as np

from nnxp.nnfs import Activation_Softmax, Activation_Softmax_Loss_CategoricalCrossentropy, Loss_CategoricalCrossentropy

softmax_outputs = np.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]])
class_targets = np.array([0, 1, 1])

softmax_loss = Activation_Softmax_Loss_CategoricalCrossentropy()
softmax_loss.backward(softmax_outputs, class_targets)

activation, loss = Activation_Softmax(), Loss_CategoricalCrossentropy()
activation.output = softmax_outputs
loss.backward(softmax_outputs, class_targets)
activation.backward(loss.dinputs)
difference = float(np.abs(np.asarray(softmax_loss.dinputs) - np.asarray(activation.dinputs)).max() < 1e-6)
