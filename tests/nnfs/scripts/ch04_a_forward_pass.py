"""Chapter 4: two dense layers, a ReLU between them and a softmax behind."""

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Activation_Softmax, Layer_Dense
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=3)
dense1, activation1 = Layer_Dense(2, 3), Activation_ReLU()
dense2, activation2 = Layer_Dense(3, 3), Activation_Softmax()

dense1.forward(X)
activation1.forward(dense1.output)
dense2.forward(activation1.output)
activation2.forward(dense2.output)
