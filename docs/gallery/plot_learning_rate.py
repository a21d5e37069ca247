"""
Sixteen learning rates in one training
======================================

The learning rate matters more than any other number of a training, and nobody knows it beforehand. Networks that are
alike can be trained side by side, as *members* of one model, each with a learning rate of its own: one fit tries
sixteen of them.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

digits = nnxp.data.digits()
train, test = nnxp.data.split(digits.y, fraction=0.2, seed=0)
rates = np.logspace(-5, 0, 16)

model = nnxp.Sequential(
    [nnxp.Rescaling(1 / 16), nnxp.Dense(64, 32), "relu", nnxp.Dense(32, 10), "softmax"],
    loss="categorical_crossentropy",
    optimizer=nnxp.Adam(1.0, factors={"members": rates.tolist()}),
    seed=0,
    members=16,
)
history = model.fit(digits.X[train], digits.y[train], epochs=10, validation_data=(digits.X[test], digits.y[test]))

# %%
# The history has a loss for each member:

losses = np.array(history["val_member_loss"])  # (epochs, members)
best = losses[-1].argmin()
for i in sorted({0, 5, int(best), 13, 15}):
    print(f"rate {rates[i]:.1e}: loss {losses[-1, i]:.3f} on test digits" + (", the lowest" if i == best else ""))

figure, axes = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
for epoch, style in ((1, ":"), (3, "--"), (10, "-")):
    axes.plot(rates, losses[epoch - 1], "C0.", linestyle=style, label=f"after epoch {epoch}")
axes.axhline(np.log(10), color="gray", linewidth=1, label="knowing nothing: log 10")
axes.plot(rates[best], losses[-1, best], "C3*", markersize=13, label=f"lowest, at {rates[best]:.3g}")
axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="loss on test digits")
axes.grid(alpha=0.4)
figure.legend(loc="outside lower center", ncols=2, fontsize=9)
plt.show()

# %%
# Left, nothing moves; right, every step leaps over the valley. Between them lies a range of a factor of ten or so in
# which all is well. ``member(i)`` is a network of its own:

chosen = model.member(int(best))
print(f"accuracy {chosen.evaluate(digits.X[test], digits.y[test])['accuracy']:.1%}")
