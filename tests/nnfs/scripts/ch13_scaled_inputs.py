"""Chapter 13: inputs between -1 and 1, the test data by what the training data say."""

import numpy as np

from nnxp import nnfs
from nnxp.nnfs import Activation_ReLU, Layer_Dense
from nnxp.nnfs.datasets import spiral_data

nnfs.init()
X, y = spiral_data(samples=40, classes=3)
X_test, y_test = spiral_data(samples=40, classes=3)
pixels, pixels_test = 100 * X + 40, 100 * X_test + 40

middle, half = (pixels.max() + pixels.min()) / 2, (pixels.max() - pixels.min()) / 2
scaled, scaled_test = (pixels - middle) / half, (pixels_test - middle) / half
largest = np.abs(scaled).max()

dense, relu = Layer_Dense(2, 4), Activation_ReLU()
dense.forward(scaled_test)
relu.forward(dense.output)
