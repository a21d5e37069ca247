"""
Early stopping
==============

A network that is large for its data learns the rule first and the noise afterwards: the loss of the rows it trains on
goes on falling, that of rows held out rises again. ``EarlyStopping`` watches the rows held out, ends the training, and
puts back the weights of the best epoch.
"""

import matplotlib.pyplot as plt

import nnxp
from nnxp.callbacks import EarlyStopping

X, y = nnxp.data.moons(160, noise=0.35, seed=1)
train, held_out = nnxp.data.split(y, fraction=0.5, seed=0)
validation = X[held_out], y[held_out]


def network():
    layers = [nnxp.Dense(2, 64), "relu", nnxp.Dense(64, 64), "relu", nnxp.Dense(64, 2), "softmax"]
    return nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(0.01), seed=0)


# %%
# Once to the bitter end, and once with early stopping:

whole, stopped = network(), network()
whole.fit(X[train], y[train], epochs=120, batch_size=20, validation_data=validation)

stopping = EarlyStopping(patience=15)
stopped.fit(X[train], y[train], epochs=120, batch_size=20, validation_data=validation, callbacks=[stopping])

print(f"stopped after epoch {stopped.epoch}, best was epoch {stopping.best_epoch}")
for name, model in (("all 120 epochs", whole), ("early stopping", stopped)):
    score = model.evaluate(*validation)
    print(f"{name}: loss {score['loss']:.3f}, accuracy {score['accuracy']:.1%} on rows held out")

# %%
# Both trainings begin alike, so one picture shows both:

epochs = range(1, 121)
figure, axes = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
axes.plot(epochs, whole.history["loss"], label="rows trained on")
axes.plot(epochs, whole.history["val_loss"], "--", label="rows held out")
axes.axvline(stopping.best_epoch, color="black", linewidth=1)
axes.axvline(stopped.epoch, color="gray", linewidth=1, linestyle=":")
axes.plot(stopping.best_epoch, stopping.best, "ko", label=f"best epoch, {stopping.best_epoch}")
axes.plot([], [], ":", color="gray", label=f"stopped, {stopped.epoch}")
axes.set(xlabel="epoch", ylabel="loss", yscale="log")
axes.legend(fontsize=9)
plt.show()
