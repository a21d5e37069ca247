"""
A rare class, and class weights
===============================

Of 1,000 rows 40 belong to the class that matters. A network that calls everything common is right in 96 % of all cases,
and useless. Class weights make a rare row count for more in the loss. Accuracy does not show the difference; recall
(the share of rare rows that are found) and precision (the share of alarms that are true) do.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp
from nnxp import metrics

draws = np.random.default_rng(0)


def rows(common, rare):
    X = np.concatenate([draws.normal((0, 0), 1.0, (common, 2)), draws.normal((1.6, 1.6), 0.7, (rare, 2))])
    return X, np.repeat([0, 1], (common, rare))


X, y = rows(960, 40)
X_new, y_new = rows(9600, 400)
always_common = np.tile([1.0, 0.0], (len(y_new), 1))
print(f"always common: accuracy {metrics.accuracy(always_common, y_new):.1%}, recall of the rare class 0.0%")

# %%
# A weight of 12 makes a missed rare row as bad as twelve false alarms: choose it by what the two mistakes cost.

x1, x2 = np.meshgrid(np.linspace(-3.5, 4.5, 120), np.linspace(-3.5, 4.5, 120))
plane = np.column_stack([x1.ravel(), x2.ravel()])
figure, both = plt.subplots(2, 1, figsize=(4.8, 7.4), sharex=True, layout="constrained")
for axes, weight in zip(both, (1, 12), strict=True):
    model = nnxp.Sequential(
        [nnxp.Dense(2, 16), "tanh", nnxp.Dense(16, 2), "softmax"],
        loss=nnxp.CategoricalCrossentropy(class_weight=[1, weight]),
        optimizer=nnxp.Adam(0.01),
        seed=0,
    )
    model.fit(X, y, epochs=40)
    p = model.predict(X_new)
    accuracy, auc = metrics.accuracy(p, y_new), metrics.roc_auc(p, y_new)
    recall, precision = metrics.recall(p, y_new)[1], metrics.precision(p, y_new)[1]
    print(f"weight {weight:2d}: accuracy {accuracy:.1%}, recall {recall:.1%}, precision {precision:.1%}, AUC {auc:.3f}")

    surface = model.predict(plane)[:, 1].reshape(x1.shape)
    axes.contourf(x1, x2, surface, levels=[0.5, 1], colors=["#f6c9c0"])
    axes.plot(*X[y == 0].T, ".", color="C0", markersize=2.5, label="common")
    axes.plot(*X[y == 1].T, "s", color="C3", markersize=4, markeredgecolor="white", markeredgewidth=0.5, label="rare")
    axes.set_title(f"weight {weight}: finds {recall:.0%}, {precision:.0%} of alarms are true", fontsize=11)
both[0].legend(loc="lower left")
plt.show()

# %%
# Weights change the *probabilities*, too, which are then those of a world where the rare class is more frequent. How
# well the two are told apart hardly depends on them: the ROC AUC, the share of pairs of a rare and a common row in
# which the rare one has the higher probability, needs no threshold.
