"""
Freezing and fine-tuning
========================

A sensor was measured thoroughly: a network has learned its curve from 400 readings. A second sensor of the same kind
has another scale and another zero, and only six readings. Three ways to a model of it: the learned network, *frozen*,
with one new layer of two parameters behind it; the learned network, *trained on*; and a network that begins from
nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

draws = np.random.default_rng(0)


def curve(x):
    return np.sin(2 * x) + 0.3 * x


def second(x):
    return 1.5 * curve(x) - 1.0


x = draws.uniform(-3, 3, (400, 1))
y = curve(x) + 0.05 * draws.standard_normal((400, 1))
x_few = np.array([[-2.6], [-1.5], [-0.4], [0.9], [1.7], [2.8]])
y_few = second(x_few) + 0.05 * draws.standard_normal((6, 1))


def layers():
    return [nnxp.Dense(1, 32), "tanh", nnxp.Dense(32, 32), "tanh", nnxp.Dense(32, 1)]


learned = nnxp.Sequential(layers(), "mean_squared_error", nnxp.Adam(0.03, schedule="cosine"), seed=0)
learned.fit(x, y, epochs=150)
print(f"first sensor: rmse {learned.history['rmse'][-1]:.3f} (its noise is 0.05)")

# %%
# A layer with ``trainable = False`` gets no update. The learned weights are copied into new layers, of which the frozen
# ones stay as they are; ``summary`` says how many parameters are trained.


def network(name):
    mine = layers()
    if name != "from nothing":
        for layer, source in zip(mine[::2], learned.layers[::2], strict=True):
            layer.weights, layer.biases = source.weights.copy(), source.biases.copy()
            layer.trainable = name != "frozen"
    if name == "frozen":
        scale = nnxp.Dense(1, 1)
        scale.weights, scale.biases = [[1.0]], [[0.0]]
        mine.append(scale)
    return nnxp.Sequential(mine, "mean_squared_error", nnxp.Adam(0.01), seed=1)


line = np.linspace(-3, 3, 201)[:, None]
figure, axes = plt.subplots(figsize=(4.8, 4.0), layout="constrained")
axes.plot(line, second(line), "k", linewidth=4, alpha=0.2, label="truth")
for name, style in (("frozen", "-"), ("trained on", "--"), ("from nothing", ":")):
    model = network(name)
    if name == "frozen":
        model.summary()
    model.fit(x_few, y_few, epochs=500, batch_size=6)
    error = np.sqrt(np.mean((model.predict(line) - second(line)) ** 2))
    print(f"{name:12}  error along the curve {error:.3f}")
    axes.plot(line, model.predict(line), style, linewidth=2, label=f"{name}: {error:.2f} off")
axes.plot(x_few, y_few, "ko", label="six readings")
axes.set(xlabel="what is measured", ylabel="reading of the second sensor", ylim=(-4.2, 3))
axes.legend(fontsize=9, loc="lower right")
plt.show()

# %%
# The frozen network can be wrong in its scale and its zero alone, which six readings settle. Where the new task differs
# in more than that, fewer layers are frozen.
