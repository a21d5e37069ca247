"""
Steps and waves: embeddings of a number
=======================================

Networks prefer what is smooth. Where the truth jumps at thresholds, or swings, it helps to hand them a number as
several: as its shares of bins (``PiecewiseLinearEmbedding``, Gorishniy et al. 2022, `arXiv:2203.05556
<https://arxiv.org/abs/2203.05556>`_), or as waves of learned frequencies (``PeriodicEmbedding``). The layers that
follow are the same in all three networks here.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

draws = np.random.default_rng(0)


def truth(x):
    """Two thresholds, and a swing on the right."""
    return np.where(x < -1, 0.8, np.where(x < 0, -0.6, np.sin(9 * x)))


x = draws.uniform(-2, 2, (500, 1))
y = truth(x) + 0.1 * draws.standard_normal((500, 1))
line = np.linspace(-2, 2, 401)[:, None]

firsts = {
    "the number as it is": None,
    "40 bins": nnxp.PiecewiseLinearEmbedding.of(x, bins=40, width=16),
    "8 waves": nnxp.PeriodicEmbedding(1, waves=8, width=16),
}
figure, grid = plt.subplots(3, 1, figsize=(4.8, 7.0), sharex=True, layout="constrained")
for axes, (name, first) in zip(grid, firsts.items(), strict=True):
    begin = [] if first is None else [first]
    width = 1 if first is None else first.n_out
    layers = [*begin, nnxp.Dense(width, 64), "relu", nnxp.Dense(64, 1)]
    model = nnxp.Sequential(layers, "mean_squared_error", nnxp.Adam(0.01, schedule="cosine"), seed=0)
    model.fit(x, y, epochs=100)
    error = np.sqrt(np.mean((model.predict(line) - truth(line)) ** 2))
    print(f"{name:20} error along the curve {error:.3f}")
    axes.plot(x, y, ".", color="silver", markersize=3)
    axes.plot(line, truth(line), "k", linewidth=1, label="truth")
    axes.plot(line, model.predict(line), "C1", linewidth=2, label="network")
    axes.set_title(f"{name}: error {error:.2f}", fontsize=11)
grid[0].legend(loc="lower left")
grid[2].set_xlabel("x")
plt.show()
