"""
Watching a training: a callback that draws
==========================================

A callback is a function that ``fit`` calls after every epoch with the training's state. This one keeps the decision
surface at some epochs. In a notebook the same function could draw while the training runs; here the pictures are put
side by side.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

X, y = nnxp.data.spiral(samples=100, classes=3, seed=0)
side = np.linspace(-1.1, 1.1, 90)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
snapshots = {}


def watch(state):
    """Called after each epoch."""
    if state.epoch in (1, 5, 20, 50, 100, 250):
        snapshots[state.epoch] = state.model.predict(plane), state.record["loss"], state.record["accuracy"]
    state.stop = state.record["loss"] < 0.02  # a callback may end the training, too


model = nnxp.Sequential(
    [nnxp.Dense(2, 48), "relu", nnxp.Dense(48, 48), "relu", nnxp.Dense(48, 3), "softmax"],
    loss="categorical_crossentropy",
    optimizer=nnxp.Adam(0.03, schedule="cosine"),
    seed=0,
)
history = model.fit(X, y, epochs=250, batch_size=100, callbacks=[watch])

# %%
# Colours are mixed by the three probabilities: a muddy place is one where the network is unsure.

palette = np.array([[0.9, 0.35, 0.25], [0.25, 0.6, 0.35], [0.25, 0.45, 0.85]])
figure, grid = plt.subplots(3, 2, figsize=(4.8, 7.2), layout="constrained")
for axes, (epoch, (p, loss, accuracy)) in zip(grid.flat, snapshots.items(), strict=False):
    axes.imshow(1 - 0.6 * (1 - p @ palette).reshape(90, 90, 3), extent=(-1.1, 1.1, -1.1, 1.1), origin="lower")
    axes.scatter(*X.T, c=palette[y], s=5, edgecolors="white", linewidths=0.2)
    axes.set(title=f"epoch {epoch}: {accuracy:.0%}", xticks=[], yticks=[])
    print(f"epoch {epoch:3d}: loss {loss:.3f}, accuracy {accuracy:.1%}")
plt.show()

# %%
# The whole history is there as well, one entry an epoch:

figure, axes = plt.subplots(figsize=(4.8, 3.2), layout="constrained")
axes.plot(range(1, len(history["loss"]) + 1), history["loss"])
for epoch, (_, loss, _) in snapshots.items():
    axes.plot(epoch, loss, "o", color="C1")
axes.set(xlabel="epoch", ylabel="loss", yscale="log")
axes.grid(alpha=0.4)
plt.show()
