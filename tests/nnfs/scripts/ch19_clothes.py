"""Chapter 19: pictures of clothes, shuffled, scaled, and trained on in batches."""

import numpy as np

from nnxp import data, nnfs
from nnxp.nnfs import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adam,
)

nnfs.init()
fashion = data.fashion_mnist()
keys = np.arange(600)
np.random.shuffle(keys)
X, y = (fashion.X[:600].astype(np.float32)[keys] - 127.5) / 127.5, fashion.y[:600][keys]
X_test, y_test = (fashion.X_test[:200].astype(np.float32) - 127.5) / 127.5, fashion.y_test[:200]

model = Model()
model.add(Layer_Dense(X.shape[1], 32))
model.add(Activation_ReLU())
model.add(Layer_Dense(32, 32))
model.add(Activation_ReLU())
model.add(Layer_Dense(32, 10))
model.add(Activation_Softmax())
model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(decay=1e-3), accuracy=Accuracy_Categorical())
model.finalize()
model.train(X, y, validation_data=(X_test, y_test), epochs=1, batch_size=128, print_every=2)
