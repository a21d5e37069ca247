"""Chapter 7: the slope between two points that are close, beside a derivative that is known."""

import numpy as np

from nnxp.nnfs import Loss_MeanSquaredError

delta = 0.001
x = np.array([0.0, 1.0, 2.0, 3.0])
slopes = ((2 * (x + delta) ** 2) - 2 * x**2) / delta
tangents = 4 * x

y_pred, y_true = np.array([[1.5], [-0.5]]), np.array([[1.0], [1.0]])
loss_function = Loss_MeanSquaredError()
numeric = []
for row in range(2):
    higher = ((y_pred + delta * np.eye(2)[:, [row]] - y_true) ** 2).mean()
    lower = ((y_pred - delta * np.eye(2)[:, [row]] - y_true) ** 2).mean()
    numeric.append((higher - lower) / (2 * delta))
loss_function.backward(y_pred, y_true)
