"""Chapter 3: the spiral through a dense layer of random weights."""

from nnxp import nnfs
from nnxp.nnfs import Layer_Dense
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=100, classes=3)
dense1 = Layer_Dense(2, 3)
dense1.forward(X)
first_rows = dense1.output[:5]
