"""Chapter 21: weights and biases handed on, and the whole model as a file."""

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

model = Model()
model.add(Layer_Dense(X.shape[1], 16))
model.add(Activation_ReLU())
model.add(Layer_Dense(16, 10))
model.add(Activation_Softmax())
model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(decay=1e-4), accuracy=Accuracy_Categorical())
model.finalize()
model.train(X, y, epochs=1, batch_size=100)
parameters = [[weights + 0, biases + 0] for weights, biases in model.get_parameters()]
model.save_parameters("fashion_mnist.parms")
model.save("fashion_mnist.model")

other = Model()
other.add(Layer_Dense(X.shape[1], 16))
other.add(Activation_ReLU())
other.add(Layer_Dense(16, 10))
other.add(Activation_Softmax())
other.set(loss=Loss_CategoricalCrossentropy(), accuracy=Accuracy_Categorical())
other.finalize()
other.set_parameters(parameters)
other.evaluate(X, y)
other.load_parameters("fashion_mnist.parms")
other.evaluate(X, y)

again = Model.load("fashion_mnist.model")
again.evaluate(X, y)
again.train(X, y, epochs=1, batch_size=100)
