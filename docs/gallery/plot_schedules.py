"""
Schedules of the learning rate
==============================

A schedule is a factor of the learning rate, step by step. Large steps find the valley, small ones its bottom: nearly
every schedule begins large and ends small. Here are those of :mod:`nnxp.schedules`, and what one is worth.
"""

import matplotlib.pyplot as plt

import nnxp
from nnxp import schedules

total = 1000
curves = {
    "InverseTimeDecay(0.01)": schedules.InverseTimeDecay(0.01),
    "StepDecay()": schedules.StepDecay(),
    "ExponentialDecay()": schedules.ExponentialDecay(),
    "Cosine()": schedules.Cosine(),
    "FlatCosine()": schedules.FlatCosine(),
    "Coslog()": schedules.Coslog(),
    "LinearWarmup(then=Cosine())": schedules.LinearWarmup(then=schedules.Cosine()),
    "OneCycle()": schedules.OneCycle(),
}
figure, grid = plt.subplots(4, 2, figsize=(4.8, 6.4), sharex=True, sharey=True, layout="constrained")
for axes, (name, schedule) in zip(grid.flat, curves.items(), strict=True):
    axes.plot([schedule(step, total) for step in range(total)])
    axes.set_title(name, fontsize=9)
    axes.grid(alpha=0.4)
figure.supxlabel("step of 1000")
figure.supylabel("factor of the learning rate")
plt.show()

# %%
# The same training with a constant learning rate, and with one that falls as a cosine. A schedule may be given by its
# name; ``history["learning_rate"]`` has what came of it.

digits = nnxp.data.digits()
train, test = nnxp.data.split(digits.y, fraction=0.2, seed=0)


def trained(schedule):
    layers = [nnxp.Rescaling(1 / 16), nnxp.Dense(64, 32), "relu", nnxp.Dense(32, 10), "softmax"]
    optimizer = nnxp.Adam(0.03, schedule=schedule)
    model = nnxp.Sequential(layers, "categorical_crossentropy", optimizer, seed=0)
    model.fit(digits.X[train], digits.y[train], epochs=20, validation_data=(digits.X[test], digits.y[test]))
    return model.history


figure, (above, below) = plt.subplots(2, 1, figsize=(4.8, 4.6), sharex=True, layout="constrained")
for name, schedule in (("constant", None), ("cosine", "cosine")):
    history = trained(schedule)
    above.plot(range(1, 21), history["learning_rate"], label=name)
    below.plot(range(1, 21), history["val_loss"], label=name)
    print(f"{name:8}  loss {history['val_loss'][-1]:.3f}, accuracy {history['val_accuracy'][-1]:.1%} on test digits")
above.set(ylabel="learning rate")
below.set(ylabel="loss on test digits", xlabel="epoch", yscale="log", xticks=range(0, 21, 5))
above.legend()
for axes in (above, below):
    axes.grid(alpha=0.4)
plt.show()

# %%
# A schedule of your own is a function of the finished and of all steps:


def halving(step, total):
    return 0.5 ** (10 * step / total)


history = trained(halving)
print(f"halved ten times: accuracy {history['val_accuracy'][-1]:.1%} on test digits")
