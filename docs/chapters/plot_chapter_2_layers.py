r"""
Chapter 2: a layer of neurons
=============================

One neuron gives one number. To get several numbers out of the same inputs, put several neurons side by side: each
receives *all* the inputs, and each has weights and a bias of its own. Together they are a *layer*. With :math:`n`
inputs and :math:`m` neurons, the output of neuron :math:`j` is

.. math:: y_j = \sum_{i=1}^{n} x_i w_{ij} + b_j, \qquad j = 1, \ldots, m,

where :math:`w_{ij}` is the weight from input :math:`i` to neuron :math:`j`. The neurons know nothing of each other:
that they stand in one layer means only that they read the same inputs.
"""

# %%
# The formula in Python
# ---------------------
# Four inputs and three neurons. :class:`nnxp.nnfs.Layer` asks its neurons one after the other:

from nnxp.nnfs import Layer, Neuron

# Create neurons with different weights/biases
neuron1 = Neuron([0.2, 0.8, -0.5, 1.0], 2)
neuron2 = Neuron([0.5, -0.91, 0.26, -0.5], 3)
neuron3 = Neuron([-0.26, -0.27, 0.17, 0.87], 0.5)

# Create layer
layer = Layer([neuron1, neuron2, neuron3])
outputs = layer.forward([1, 2, 3, 2.5])

# %%
# By hand
# -------
# Chapter 1's sum, three times. Here are the products, for each neuron in a line:

inputs = [1, 2, 3, 2.5]
weights = [[0.2, 0.8, -0.5, 1.0], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]
biases = [2, 3, 0.5]

by_hand = []
for row, b in zip(weights, biases, strict=True):
    products = [x * w for x, w in zip(inputs, row, strict=True)]
    by_hand.append(sum(products) + b)
    print(" ".join(f"{p:+.2f}" for p in products), f"{b:+.1f} = {by_hand[-1]:.3f}")

# %%
# By hand and by the library
# --------------------------

print("neuron  by hand  library")
for j, (ours, theirs) in enumerate(zip(by_hand, outputs, strict=True), 1):
    print(f"{j:6d}  {ours:7.3f}  {theirs:7.3f}")

# %%
# The picture
# -----------
# Each line is a weight: blue where it is positive, red where it is negative, the thicker the larger. Every input is
# connected with every neuron, which is why such layers are called *dense*: 4 × 3 weights and 3 biases make 15
# parameters.

# sphinx_gallery_start_ignore
import matplotlib.pyplot as plt


def draw_layer(inputs, weights, biases, outputs):
    _, axes = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
    left = [len(inputs) - 1 - i for i in range(len(inputs))]
    right = [(len(inputs) - 1) / 2 + 1.2 * ((len(outputs) - 1) / 2 - j) for j in range(len(outputs))]
    for j, row in enumerate(weights):
        for i, w in enumerate(row):
            axes.plot([0, 2], [left[i], right[j]], color="C0" if w > 0 else "C3", linewidth=4 * abs(w), zorder=1)
    for x, height in zip(inputs, left, strict=True):
        axes.text(0, height, f"{x}", ha="center", va="center", fontsize=12,
                  bbox={"boxstyle": "circle", "facecolor": "#dbe9f6", "edgecolor": "C0"})  # fmt: skip
    for b, y, height in zip(biases, outputs, right, strict=True):
        axes.text(2, height, f"{b:+}", ha="center", va="center", fontsize=11,
                  bbox={"boxstyle": "circle", "facecolor": "#fde3c8", "edgecolor": "C1"})  # fmt: skip
        axes.annotate(f"{y:.3f}", (2.3, height), (3.1, height), ha="center", va="center", fontsize=12,
                      arrowprops={"arrowstyle": "<-"})  # fmt: skip
    for x, word in ((0, "inputs"), (2, "neurons, with\ntheir biases"), (3.1, "outputs")):
        axes.text(x, -0.6, word, ha="center", va="top", color="gray", fontsize=10)
    axes.set(xlim=(-0.4, 3.5), ylim=(-1.2, 3.4))
    axes.set_axis_off()
    plt.show()


# sphinx_gallery_end_ignore
draw_layer(inputs, weights, biases, outputs)

# %%
# Three neurons, three cuts
# -------------------------
# Each neuron of a layer cuts the plane along a line of its own (chapter 1). Three lines have up to seven regions
# between them, and the signs of the three outputs say in which of them a point lies. One neuron could tell two regions
# apart.

import numpy as np

three = Layer([Neuron([1.0, 0.0], 0.5), Neuron([-0.5, 0.87], 0.5), Neuron([-0.5, -0.87], 0.5)])
x1, x2 = np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81))
y = np.array([three.forward(point) for point in zip(x1.ravel(), x2.ravel(), strict=True)])
region = (y > 0) @ [1, 2, 4]  # a number from 0 to 7 for each pattern of signs

figure, axes = plt.subplots(figsize=(4.8, 4.2), layout="constrained")
axes.pcolormesh(x1, x2, region.reshape(x1.shape), cmap="Pastel1", vmin=-0.5, vmax=8.5, rasterized=True)
for j in range(3):
    axes.contour(x1, x2, y[:, j].reshape(x1.shape), levels=[0], colors="black")
for pattern in np.unique(region):
    inside = region == pattern
    signs = "".join("+" if pattern >> j & 1 else "−" for j in range(3))
    axes.text(x1.ravel()[inside].mean(), x2.ravel()[inside].mean(), signs, ha="center", va="center", fontsize=13)
axes.set(xlabel="$x_1$", ylabel="$x_2$", title="Signs of three neurons' outputs", aspect="equal")
plt.show()
print(len(np.unique(region)), "regions")

# %%
# Exercises
# ---------
# The solutions are tests: :download:`chapter_2.py <../chapters/solutions/chapter_2.py>`.
#
# **1.** A layer has 784 inputs and 128 neurons. How many parameters does it have?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_2.py
#       :pyobject: test_exercise_1
#
# **2.** Build a layer of two neurons that swaps its two inputs, and adds 10 to the first output.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_2.py
#       :pyobject: test_exercise_2
#
# **3.** You may ask a layer for outputs, but you cannot look into it. Which five questions tell you all its weights and
# biases, if it has four inputs?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_2.py
#       :pyobject: test_exercise_3
#
# Asking neuron by neuron is slow. :doc:`Chapter 3 <plot_chapter_3_dense_layers>` asks them all at once, and about many
# samples at once.
