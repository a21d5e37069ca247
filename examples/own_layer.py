"""A layer of your own: forward, backward beside it, and the checker that tells whether they agree.

python examples/own_layer.py --backend torch
"""

import argparse

import nnxp
from nnxp import Dense, Layer, Sequential, check_gradients, data


class Scale(Layer):
    """y = x · scale, one factor a feature."""

    parameters = ("scale",)
    options = ("n",)

    def __init__(self, n):
        super().__init__()
        self.n = n
        self.scale = [[1.0] * n]

    def forward(self, inputs, training=False):
        return inputs * self.scale

    def backward(self, dvalues):
        self.dscale = self.kernel("column_sums")(dvalues * self.inputs)
        return dvalues * self.scale


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--backend", default="numpy")
parser.add_argument("--epochs", type=int, default=50)
arguments = parser.parse_args()

X, y = data.moons(samples=200, seed=0)
print(check_gradients(Scale(2), X[:5]))

layers = [Scale(2), Dense(2, 32), "tanh", Dense(32, 2), "softmax"]
model = Sequential(layers, "categorical_crossentropy", nnxp.Adam(learning_rate=0.02), backend=arguments.backend, seed=0)
history = model.fit(X, y, epochs=arguments.epochs)
print(f"loss: {history['loss'][0]:.3f} -> {history['loss'][-1]:.3f}, learned scale: {model.layers[0].scale}")
