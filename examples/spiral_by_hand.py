"""The book's spiral, trained by hand: forward, backward and update, one line each.

python examples/spiral_by_hand.py --backend torch
"""

import argparse

import numpy as np

from nnxp import data, get_backend, metrics, nnfs

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--backend", default="numpy", help='"numpy", "cupy", "torch", "torch:mps", "auto", ...')
parser.add_argument("--epochs", type=int, default=2000)
arguments = parser.parse_args()

backend = get_backend(arguments.backend)
book = nnfs.on(backend)  # the book's names, on that backend's arrays

X, y = data.spiral(samples=100, classes=3, seed=1)
X, y = backend.asarray(X, dtype="float32"), backend.asarray(y, dtype="int64")

np.random.seed(0)  # the book's initial weights
dense1 = book.Layer_Dense(2, 64)
activation1 = book.Activation_ReLU()
dense2 = book.Layer_Dense(64, 3)
loss_activation = book.Activation_Softmax_Loss_CategoricalCrossentropy()
optimizer = book.Optimizer_Adam(learning_rate=0.05, decay=5e-7)

for epoch in range(arguments.epochs + 1):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    loss = loss_activation.forward(dense2.output, y)

    if epoch % 100 == 0 or epoch == arguments.epochs:
        accuracy = metrics.accuracy(loss_activation.output, y)
        print(f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {float(loss):.3f}")

    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)

    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.post_update_params()
