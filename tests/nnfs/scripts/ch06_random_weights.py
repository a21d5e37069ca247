"""Chapter 6: weights drawn again and again, of which the best are kept."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Activation_Softmax, Layer_Dense, Loss_CategoricalCrossentropy
from nnxp.nnfs.datasets import vertical_data

nnfs.init()
X, y = vertical_data(samples=50, classes=3)
dense1, activation1 = Layer_Dense(2, 3), Activation_ReLU()
dense2, activation2 = Layer_Dense(3, 3), Activation_Softmax()
loss_function = Loss_CategoricalCrossentropy()

lowest_loss = 9999999.0
found = []
for iteration in range(40):
    dense1.weights = 0.05 * np.random.randn(2, 3)
    dense1.biases = 0.05 * np.random.randn(1, 3)
    dense2.weights = 0.05 * np.random.randn(3, 3)
    dense2.biases = 0.05 * np.random.randn(1, 3)
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    loss = float(loss_function.calculate(activation2.output, y))
    if loss < lowest_loss:
        best = [np.asarray(values).copy() for values in (dense1.weights, dense1.biases, dense2.weights, dense2.biases)]
        lowest_loss = loss
        found.append(iteration)
        print(f"new weights, iteration: {iteration}, loss: {loss:.3f}")
