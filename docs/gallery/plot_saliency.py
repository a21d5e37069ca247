"""
Which pixels mattered?
======================

The backward pass does not end at the first layer's weights: it goes on to the inputs. The gradient of a class's score
by the *pixels* says which of them would change it most, a saliency map (Simonyan, Vedaldi and Zisserman 2013,
`arXiv:1312.6034 <https://arxiv.org/abs/1312.6034>`_).
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

digits = nnxp.data.digits()
train, test = nnxp.data.split(digits.y, fraction=0.2, seed=0)
model = nnxp.Sequential(
    [nnxp.Rescaling(1 / 16), nnxp.Dense(64, 64, l2=1e-3), "silu", nnxp.Dense(64, 10), "softmax"],
    loss="categorical_crossentropy",
    optimizer=nnxp.Adam(5e-3),
    seed=0,
)
history = model.fit(digits.X[train], digits.y[train], epochs=15)

# %%
# One digit of each class. Layer by layer forward, up to the scores that go into softmax; then 1 at the class in
# question and 0 elsewhere, layer by layer back.

rows = [test[digits.y[test] == k][0] for k in range(10)]
X = digits.X[rows].astype("float32")

scores = X
for layer in model.layers[:-1]:
    scores = layer.forward(scores)
gradient = np.eye(10, dtype="float32")
for layer in reversed(model.layers[:-1]):
    gradient = layer.backward(gradient)

# %%
# Is it right? Change the pixel with the largest gradient a little, and look at the score:

k, pixel = 3, np.abs(gradient[3]).argmax()
changed = X.copy()
changed[k, pixel] += 0.1
after = changed
for layer in model.layers[:-1]:
    after = layer.forward(after)
print(f"pixel {pixel}: expected a change of {0.1 * gradient[k, pixel]:+.4f}, found {after[k, k] - scores[k, k]:+.4f}")

# %%
# Red: more ink here speaks for the class; blue: it speaks against it.

figure, grid = plt.subplots(5, 4, figsize=(4.8, 6.2), layout="constrained")
for k in range(10):
    left, right = grid[k // 2, 2 * (k % 2) : 2 * (k % 2) + 2]
    left.imshow(X[k].reshape(8, 8), cmap="gray_r")
    largest = np.abs(gradient[k]).max()
    right.imshow(gradient[k].reshape(8, 8), cmap="RdBu_r", vmin=-largest, vmax=largest)
    left.set_title(f"a {k}", fontsize=10)
    right.set_title(f"for and against {k}", fontsize=8)
for axes in grid.flat:
    axes.set_axis_off()
plt.show()
