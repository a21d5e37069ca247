"""Chapter 12: where data are few, each fifth of them is the validation of a training on the others."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_Softmax_Loss_CategoricalCrossentropy, Layer_Dense, Optimizer_SGD
from nnxp.nnfs.datasets import vertical_data

nnfs.init()
X, y = vertical_data(samples=50, classes=3)
keys = np.arange(len(X))
np.random.shuffle(keys)
X, y = X[keys], y[keys]

losses, accuracies = [], []
for fold in range(5):
    validation = np.arange(len(X)) % 5 == fold
    dense = Layer_Dense(2, 3)
    loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()
    optimizer = Optimizer_SGD(learning_rate=1.0)
    for _step in range(15):
        dense.forward(X[~validation])
        loss_activation.forward(dense.output, y[~validation])
        loss_activation.backward(loss_activation.output, y[~validation])
        dense.backward(loss_activation.dinputs)
        optimizer.pre_update_params()
        optimizer.update_params(dense)
        optimizer.post_update_params()
    dense.forward(X[validation])
    losses.append(float(loss_activation.forward(dense.output, y[validation])))
    predictions = np.argmax(np.asarray(loss_activation.output), axis=1)
    accuracies.append(float(np.mean(predictions == y[validation])))
print(f"loss: {np.mean(losses):.3f}, acc: {np.mean(accuracies):.3f}")
