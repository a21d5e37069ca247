"""Chapter 5: a confidence of 0 has an infinite loss, and is cut off at 1e-7."""

import numpy as np

from nnxp.nnfs import Loss_CategoricalCrossentropy

clipped = -np.log(1e-7)
loss_function = Loss_CategoricalCrossentropy()
worst = loss_function.calculate(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 0]))
half = loss_function.calculate(np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([0, 0]))
print(f"{float(worst):.3f} {float(half):.3f}")
