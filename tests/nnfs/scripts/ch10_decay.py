"""Chapter 10: a rate that falls."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Activation_Softmax_Loss_CategoricalCrossentropy, Layer_Dense, Optimizer_SGD
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=3)
dense1, activation1, dense2 = Layer_Dense(2, 64), Activation_ReLU(), Layer_Dense(64, 3)
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()
optimizer = Optimizer_SGD(decay=1e-2)

history = []
for epoch in range(21):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    loss = loss_activation.forward(dense2.output, y)
    predictions = np.argmax(np.asarray(loss_activation.output), axis=1)
    accuracy = np.mean(predictions == y)
    if not epoch % 10:
        print(
            f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {float(loss):.3f}, lr: {optimizer.current_learning_rate:.6f}"
        )
    history.append(float(loss))

    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)

    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.post_update_params()
