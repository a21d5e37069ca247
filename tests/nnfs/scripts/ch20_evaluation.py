"""Chapter 20: a trained model, looked at again on the test data and on the training data."""

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
X, y = (fashion.X[:300] - 127.5) / 127.5, fashion.y[:300]
X_test, y_test = (fashion.X_test[:100] - 127.5) / 127.5, fashion.y_test[:100]

model = Model()
model.add(Layer_Dense(X.shape[1], 16))
model.add(Activation_ReLU())
model.add(Layer_Dense(16, 10))
model.add(Activation_Softmax())
model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(decay=1e-3), accuracy=Accuracy_Categorical())
model.finalize()
model.train(X, y, epochs=2, batch_size=64, print_every=10)
model.evaluate(X_test, y_test)
model.evaluate(X, y, batch_size=64)
