"""Chapter 16: two classes as one output between 0 and 1."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Activation_Sigmoid, Layer_Dense, Loss_BinaryCrossentropy, Optimizer_Adam
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=2)
y = y.reshape(-1, 1)
dense1 = Layer_Dense(2, 64, weight_regularizer_l2=5e-4, bias_regularizer_l2=5e-4)
activation1, dense2, activation2 = Activation_ReLU(), Layer_Dense(64, 1), Activation_Sigmoid()
loss_function = Loss_BinaryCrossentropy()
optimizer = Optimizer_Adam(decay=5e-7)

for epoch in range(21):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    data_loss = loss_function.calculate(activation2.output, y)
    regularization_loss = loss_function.regularization_loss(dense1) + loss_function.regularization_loss(dense2)
    predictions = (np.asarray(activation2.output) > 0.5) * 1
    accuracy = np.mean(predictions == y)
    if not epoch % 10:
        print(f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {float(data_loss) + float(regularization_loss):.3f}")

    loss_function.backward(activation2.output, y)
    activation2.backward(loss_function.dinputs)
    dense2.backward(activation2.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)
    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.post_update_params()
