r"""
A loss of your own: quantiles
=============================

The mean squared error finds the mean. To find a *quantile*, the value that a share :math:`q` of the rows lie below, the
loss has to punish the two directions differently (the "pinball" loss of Koenker and Bassett 1978):

.. math:: \ell(p, y) = \max\bigl(q\,(y - p),\ (q - 1)(y - p)\bigr), \qquad
          \frac{\partial \ell}{\partial p} = \begin{cases} -q & y > p \\ 1 - q & y < p \end{cases}

A network with three outputs learns three of them at once.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp


class Pinball(nnxp.Loss):
    """Mean pinball loss, with a quantile for each output."""

    options = ("quantiles",)  # what a model's file keeps

    def __init__(self, quantiles, **options):
        super().__init__(**options)
        self.quantiles = quantiles

    def losses(self, p, y):
        """Each row's loss, (n,)."""
        xp = self.backend.xp
        q, gap = xp.asarray([self.quantiles], dtype=p.dtype), y - p
        return xp.mean(xp.maximum(q * gap, (q - 1) * gap), axis=1)

    def gradients(self, p, y):
        """Of each row's own loss, by its predictions, (n, outputs)."""
        xp = self.backend.xp
        q = xp.asarray([self.quantiles], dtype=p.dtype)
        return xp.where(y > p, -q, 1 - q) / p.shape[1]


# %%
# Data whose noise grows with x: a mean says little about them.

draws = np.random.default_rng(0)
x = draws.uniform(0, 4, (600, 1))
y = np.sin(1.5 * x) + 0.3 * x * draws.standard_normal((600, 1))

quantiles = (0.1, 0.5, 0.9)
layers = [nnxp.Dense(1, 32), "silu", nnxp.Dense(32, 32), "silu", nnxp.Dense(32, 3)]
model = nnxp.Sequential(layers, Pinball(quantiles), nnxp.Adam(0.02, schedule="cosine"), seed=0)
history = model.fit(x, np.repeat(y, 3, axis=1), epochs=120)

# %%
# The truth is known here: the quantile of a normal distribution is its mean plus so many standard deviations.

line = np.linspace(0, 4, 101)[:, None]
figure, axes = plt.subplots(figsize=(4.8, 3.8), layout="constrained")
axes.plot(x, y, ".", color="gray", markersize=3)
for k, (q, deviations) in enumerate(zip(quantiles, (-1.2816, 0.0, 1.2816), strict=True)):
    axes.plot(line, model.predict(line)[:, k], f"C{k}", linewidth=2.5, label=f"{q:.0%}")
    axes.plot(line, np.sin(1.5 * line) + deviations * 0.3 * line, "k--", linewidth=1, label="truth" if k == 0 else None)
axes.set(xlabel="x", ylabel="y")
axes.legend(loc="lower left", fontsize=10)
plt.show()

x_new = draws.uniform(0, 4, (4000, 1))
y_new = np.sin(1.5 * x_new) + 0.3 * x_new * draws.standard_normal((4000, 1))
for k, q in enumerate(quantiles):
    below = np.mean(y_new[:, 0] < model.predict(x_new)[:, k])
    print(f"{q:.0%} should lie below the curve; of 4,000 new rows {below:.1%} do")
