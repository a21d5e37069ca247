"""Chapter 6: from the best weights so far a small step in some direction, taken back where the loss is higher."""

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
best_1, best_2 = np.asarray(dense1.weights).copy(), np.asarray(dense2.weights).copy()
for _iteration in range(60):
    dense1.weights = best_1 + 0.05 * np.random.randn(2, 3)
    dense2.weights = best_2 + 0.05 * np.random.randn(3, 3)
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    loss = float(loss_function.calculate(activation2.output, y))
    if loss < lowest_loss:
        best_1, best_2 = np.asarray(dense1.weights).copy(), np.asarray(dense2.weights).copy()
        lowest_loss = loss
