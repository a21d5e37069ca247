r"""
A layer of your own
===================

A layer is a class with ``forward`` and ``backward``, written with the arrays of its backend. This one has bumps instead
of ramps: neuron j answers to how near an input is to its centre :math:`c_j`,

.. math:: y_j = e^{-d_j}, \qquad d_j = \tfrac12 \sum_i s_j^2 (x_i - c_{ij})^2,

a layer of radial basis functions. Their derivatives are

.. math::

    \frac{\partial y_j}{\partial c_{ij}} = y_j s_j^2 (x_i - c_{ij}), \qquad
    \frac{\partial y_j}{\partial s_j} = -y_j s_j \sum_i (x_i - c_{ij})^2, \qquad
    \frac{\partial y_j}{\partial x_i} = -y_j s_j^2 (x_i - c_{ij}) .
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp


class Bumps(nnxp.Layer):
    """exp(-s² |x - c|² / 2), with a centre and a sharpness for each neuron."""

    parameters = ("centres", "sharpness")  # trained, and saved with the model
    options = ("n_in", "n_out")

    def __init__(self, n_in, n_out):
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        self.centres = np.random.default_rng(0).uniform(-1, 2, (n_in, n_out))
        self.sharpness = np.full((1, n_out), 2.0)

    def output_width(self, n_in):
        return self.n_out

    def forward(self, inputs, training=False):
        xp = self.backend.xp
        self.away = inputs[:, :, None] - self.centres[None, :, :]  # (n, n_in, n_out)
        self.squares = xp.sum(self.away**2, axis=1)
        self.output = xp.exp(-0.5 * self.sharpness**2 * self.squares)
        return self.output

    def backward(self, dvalues):
        xp = self.backend.xp
        through = dvalues * self.output * self.sharpness**2
        self.dcentres = xp.sum(through[:, None, :] * self.away, axis=0)
        self.dsharpness = -xp.sum(dvalues * self.output * self.sharpness * self.squares, axis=0, keepdims=True)
        self.dinputs = -xp.sum(through[:, None, :] * self.away, axis=2)
        return self.dinputs


# %%
# Is the backward pass the derivative of the forward pass? ``check_gradients`` compares each element with a difference
# quotient:

X, y = nnxp.data.moons(200, noise=0.15, seed=0)
print(nnxp.check_gradients(Bumps(2, 3), X[:5]))

# %%
# In a network it is a layer like others. Beside it, the same network with ReLUs; the picture is larger than the data.

x1, x2 = np.meshgrid(np.linspace(-4, 5, 120), np.linspace(-4, 4.5, 120))
plane = np.column_stack([x1.ravel(), x2.ravel()])
figure, both = plt.subplots(2, 1, figsize=(4.8, 6.6), layout="constrained")
for axes, first in zip(both, ([Bumps(2, 16)], [nnxp.Dense(2, 16), "relu"]), strict=True):
    name = type(first[0]).__name__.replace("Dense", "Dense and ReLU")
    layers = [*first, nnxp.Dense(16, 2), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(0.05), seed=0)
    history = model.fit(X, y, epochs=60)
    print(f"{name}: loss {history['loss'][0]:.3f} → {history['loss'][-1]:.3f}")
    surface = model.predict(plane)[:, 1].reshape(x1.shape)
    colors = axes.pcolormesh(x1, x2, surface, cmap="RdBu_r", vmin=0, vmax=1, rasterized=True)
    axes.plot(*X[y == 0].T, "o", color="C0", markersize=3, markeredgecolor="white", markeredgewidth=0.3)
    axes.plot(*X[y == 1].T, "s", color="C3", markersize=3, markeredgecolor="white", markeredgewidth=0.3)
    axes.set(title=name, aspect="equal")
figure.colorbar(colors, ax=both, label="probability of class 1", shrink=0.7)
plt.show()

# %%
# Far from all data every bump is 0, and the probability is the same everywhere; ramps go on growing, and with them the
# network's confidence.
