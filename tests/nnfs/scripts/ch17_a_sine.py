"""Chapter 17: numbers instead of classes, right where they are closer than a share of their deviation."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_Linear, Activation_ReLU, Layer_Dense, Loss_MeanSquaredError, Optimizer_Adam
from nnxp.nnfs.datasets import sine_data

nnfs.init()
X, y = sine_data(200)
dense1, activation1, dense2 = Layer_Dense(1, 32), Activation_ReLU(), Layer_Dense(32, 32)
activation2, dense3, activation3 = Activation_ReLU(), Layer_Dense(32, 1), Activation_Linear()
for dense in (dense1, dense2, dense3):
    dense.weights = 10 * np.asarray(dense.weights)
loss_function = Loss_MeanSquaredError()
optimizer = Optimizer_Adam(learning_rate=0.005, decay=1e-3)
accuracy_precision = np.std(y) / 250

for _epoch in range(21):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    dense3.forward(activation2.output)
    activation3.forward(dense3.output)
    loss = loss_function.calculate(activation3.output, y)

    loss_function.backward(activation3.output, y)
    activation3.backward(loss_function.dinputs)
    dense3.backward(activation3.dinputs)
    activation2.backward(dense3.dinputs)
    dense2.backward(activation2.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)
    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.update_params(dense3)
    optimizer.post_update_params()
accuracy = np.mean(np.abs(np.asarray(activation3.output) - y) < accuracy_precision)
print(f"acc: {accuracy:.3f}, loss: {float(loss):.3f}")
