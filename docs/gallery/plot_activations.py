"""
Decision surfaces by activation
===============================

The same network, trained on the same two moons, with six activations between its layers. The activation decides what
a boundary can look like: straight pieces where it has a kink, curves where it is smooth, and one straight line where
there is none at all.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

X, y = nnxp.data.moons(200, noise=0.15, seed=0)
x1, x2 = np.meshgrid(np.linspace(-1.7, 2.7, 100), np.linspace(-1.2, 1.7, 100))
plane = np.column_stack([x1.ravel(), x2.ravel()])

figure, grid = plt.subplots(3, 2, figsize=(4.8, 5.6), layout="constrained")
for axes, name in zip(grid.flat, ("linear", "relu", "leaky_relu", "tanh", "sigmoid", "silu"), strict=True):
    layers = [nnxp.Dense(2, 16), name, nnxp.Dense(16, 16), name, nnxp.Dense(16, 2), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(0.02), seed=1)
    model.fit(X, y, epochs=60, batch_size=50)
    accuracy = model.evaluate(X, y)["accuracy"]
    print(f"{name:10}  loss {model.history['loss'][0]:.3f} → {model.history['loss'][-1]:.3f}, accuracy {accuracy:.1%}")

    surface = model.predict(plane)[:, 1].reshape(x1.shape)
    axes.pcolormesh(x1, x2, surface, cmap="RdBu_r", vmin=0, vmax=1, rasterized=True)
    axes.contour(x1, x2, surface, levels=[0.5], colors="black")
    for k, marker in enumerate("os"):
        axes.plot(
            *X[y == k].T, marker, markersize=2.5, color=("C0", "C3")[k], markeredgecolor="white", markeredgewidth=0.3
        )
    axes.set(title=f"{name}, {accuracy:.1%}", xticks=[], yticks=[])
plt.show()

# %%
# Sigmoid does not get there in these epochs: its derivative is at most 1/4, and what comes back to the first layer
# through two of them is faint.
