"""
Handwritten digits, and those it misreads
=========================================

The 1,797 digits of 8 × 8 pixels come with the library. A network with one hidden layer reads most of them; the picture
shows where it is wrong, the mistakes that it is most sure of first.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp
from nnxp import data, metrics

digits = data.digits()
train, test = data.split(digits.y, fraction=0.2, seed=0)

model = nnxp.Sequential(
    [nnxp.Rescaling(1 / 16), nnxp.Dense(64, 64), "relu", nnxp.Dense(64, 10), "softmax"],
    loss="categorical_crossentropy",
    optimizer=nnxp.Adam(5e-3),
    seed=0,
)
model.fit(digits.X[train], digits.y[train], epochs=20)
score = model.evaluate(digits.X[test], digits.y[test])
print(f"{score['accuracy']:.1%} of {len(test)} digits that it has not seen are right")

# %%
# ``predict`` gives a probability for each class. The mistakes, with the true digit and what the model took it for:

probabilities = model.predict(digits.X[test])
guess, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
wrong = np.flatnonzero(guess != digits.y[test])
wrong = wrong[np.argsort(-sure[wrong])]

figure, grid = plt.subplots(3, 4, figsize=(4.8, 4.4), layout="constrained")
for axes in grid.flat:
    axes.set_axis_off()
for axes, i in zip(grid.flat, wrong, strict=False):
    axes.imshow(digits.X[test[i]].reshape(8, 8), cmap="gray_r")
    axes.set_title(f"{digits.y[test[i]]}, read as {guess[i]}\n({sure[i]:.0%} sure)", fontsize=9)
plt.show()

# %%
# Which digits are taken for which? In each row the true digit, in each column the model's:

counts = metrics.confusion_matrix(probabilities, digits.y[test])
figure, axes = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
axes.imshow(np.sqrt(counts), cmap="Blues")
for (i, j), count in np.ndenumerate(counts):
    if count:
        axes.text(j, i, count, ha="center", va="center", color="white" if i == j else "black")
axes.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="digit")
plt.show()
