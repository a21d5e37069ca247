"""Chapter 9: forward and backward through the whole network."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Activation_Softmax_Loss_CategoricalCrossentropy, Layer_Dense
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=3)
dense1, activation1, dense2 = Layer_Dense(2, 3), Activation_ReLU(), Layer_Dense(3, 3)
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()

dense1.forward(X)
activation1.forward(dense1.output)
dense2.forward(activation1.output)
loss = loss_activation.forward(dense2.output, np.eye(3)[y])

loss_activation.backward(loss_activation.output, np.eye(3)[y])
dense2.backward(loss_activation.dinputs)
activation1.backward(dense2.dinputs)
dense1.backward(activation1.dinputs)
print(f"loss: {float(loss):.3f}")
