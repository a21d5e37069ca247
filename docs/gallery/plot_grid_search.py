"""
A grid search, many networks at once
====================================

``MLPClassifier`` has scikit-learn's interface, so a grid search is a line. :func:`nnxp.grid_search` gives what
scikit-learn's ``GridSearchCV`` gives, and trains all settings of one shape, and all folds, side by side: here 75
networks in three fits.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedKFold

import nnxp

X, y = nnxp.data.moons(300, noise=0.3, seed=0)
folds = StratifiedKFold(5, shuffle=True, random_state=0)

network = nnxp.MLPClassifier(learning_rate_init=0.03, tol=1e-3, max_iter=500, random_state=0)
grid = {"hidden_layer_sizes": [(2,), (8,), (32,)], "alpha": [0.001, 0.1, 1.0, 10.0, 100.0]}
search = nnxp.grid_search(network, grid, X, y, cv=folds)
print(f"best: {search.best_params_}, accuracy {search.best_score_:.1%} on the folds left out")

# %%
# Each square is the mean of five folds:

scores = np.zeros((3, 5))
for point, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    at = [grid[name].index(point[name]) for name in ("hidden_layer_sizes", "alpha")]
    scores[tuple(at)] = score
figure, axes = plt.subplots(figsize=(4.8, 3.2), layout="constrained")
colors = axes.imshow(scores, cmap="viridis", aspect="auto")
for (i, j), score in np.ndenumerate(scores):
    axes.text(j, i, f"{score:.1%}", ha="center", va="center", fontsize=10, color="white" if score < 0.8 else "black")
axes.set(
    xticks=range(5), xticklabels=grid["alpha"], xlabel="alpha, the penalty on weights",
    yticks=range(3), yticklabels=[size for (size,) in grid["hidden_layer_sizes"]], ylabel="hidden neurons",
)  # fmt: skip
plt.show()
