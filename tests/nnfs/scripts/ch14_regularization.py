"""Chapter 14: large weights and biases cost something, by their size and by their square."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Activation_Softmax_Loss_CategoricalCrossentropy, Layer_Dense, Optimizer_Adam
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=3)
dense1 = Layer_Dense(2, 64, weight_regularizer_l2=5e-4, bias_regularizer_l2=5e-4)
activation1 = Activation_ReLU()
dense2 = Layer_Dense(64, 3, weight_regularizer_l1=1e-4, bias_regularizer_l1=1e-4)
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()
optimizer = Optimizer_Adam(learning_rate=0.02, decay=5e-7)

for epoch in range(16):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    data_loss = loss_activation.forward(dense2.output, y)
    of_dense1 = loss_activation.loss.regularization_loss(dense1)
    of_dense2 = loss_activation.loss.regularization_loss(dense2)
    loss = float(data_loss) + float(of_dense1) + float(of_dense2)
    predictions = np.argmax(np.asarray(loss_activation.output), axis=1)
    accuracy = np.mean(predictions == y)
    if not epoch % 5:
        print(f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {loss:.3f} (data_loss: {float(data_loss):.3f})")

    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)
    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.post_update_params()
