"""Chapter 15: some outputs are left out in each step, and the others enlarged."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import (
    Activation_ReLU,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
    Layer_Dropout,
    Optimizer_Adam,
)
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=3)
dense1, activation1, dropout1 = Layer_Dense(2, 64), Activation_ReLU(), Layer_Dropout(0.1)
dense2 = Layer_Dense(64, 3)
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()
optimizer = Optimizer_Adam(learning_rate=0.05, decay=5e-5)

for _epoch in range(12):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dropout1.forward(activation1.output)
    dense2.forward(dropout1.output)
    loss = loss_activation.forward(dense2.output, y)

    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    dropout1.backward(dense2.dinputs)
    activation1.backward(dropout1.dinputs)
    dense1.backward(activation1.dinputs)
    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.post_update_params()

dense1.forward(X)
activation1.forward(dense1.output)
dense2.forward(activation1.output)
loss = loss_activation.forward(dense2.output, y)
predictions = np.argmax(np.asarray(loss_activation.output), axis=1)
print(f"validation, acc: {np.mean(predictions == y):.3f}, loss: {float(loss):.3f}")
