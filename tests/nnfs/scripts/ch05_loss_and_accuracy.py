"""Chapter 5: loss and accuracy of a network that has learned nothing."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Activation_Softmax, Layer_Dense, Loss_CategoricalCrossentropy
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=3)
dense1, activation1 = Layer_Dense(2, 3), Activation_ReLU()
dense2, activation2 = Layer_Dense(3, 3), Activation_Softmax()
loss_function = Loss_CategoricalCrossentropy()

dense1.forward(X)
activation1.forward(dense1.output)
dense2.forward(activation1.output)
activation2.forward(dense2.output)
loss = loss_function.calculate(activation2.output, y)

confidences = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.05, 0.15, 0.8]])
accuracy = np.mean(np.argmax(confidences, axis=1) == np.array([0, 2, 2]))
print(f"loss: {float(loss):.3f}, acc: {accuracy:.3f}")
