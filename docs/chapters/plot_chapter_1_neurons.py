r"""
Chapter 1: a neuron
===================

A neuron turns several numbers into one. Each input has a *weight*, which says how much it counts and in which
direction; the neuron multiplies each input by its weight, adds the products, and adds one number of its own, the
*bias*, which shifts the result whatever the inputs are. For inputs :math:`x_1, \ldots, x_n`, weights
:math:`w_1, \ldots, w_n` and a bias :math:`b` its output is

.. math:: y = x_1 w_1 + x_2 w_2 + \ldots + x_n w_n + b = \sum_{i=1}^{n} x_i w_i + b .

That is all a neuron computes. What makes a network learn is that the weights and the bias can be *changed* until the
output is what it should be; chapters 5 to 7 are about how.
"""

# %%
# The formula in Python
# ---------------------
# Three inputs, three weights, one bias:

# Basic neuron calculation
inputs = [1.2, 5.1, 2.1]
weights = [3.1, 2.1, 8.7]
bias = 3

output = sum(i * w for i, w in zip(inputs, weights)) + bias

# %%
# By hand
# -------
# The same sum, a term at a time:

total = 0.0
for i, w in zip(inputs, weights, strict=True):
    total += i * w
    print(f"{i} × {w} = {i * w:5.2f}     so far {total:5.2f}")
total += bias
print(f"        bias = {bias:5.2f}     output  {total:5.2f}")

# %%
# By the library
# --------------
# :class:`nnxp.nnfs.Neuron` is the same formula with a name, which keeps its weights and its bias. Floats are not exact
# (3.1 has no finite binary form), so two ways of adding may differ in the last of their 16 digits; that is why numbers
# are compared up to a tolerance.

import math

from nnxp.nnfs import Neuron

neuron = Neuron(weights, bias)
print(f"by hand      {total:.6f}")
print(f"the snippet  {output:.6f}")
print(f"the library  {neuron.forward(inputs):.6f}")
print("the same:", math.isclose(neuron.forward(inputs), total))

# %%
# The picture
# -----------
# Information flows from left to right. The thicker a line, the larger the weight.

# sphinx_gallery_start_ignore
import matplotlib.pyplot as plt


def draw_neuron(inputs, weights, bias, output):
    _, axes = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
    heights = range(len(inputs) - 1, -1, -1)
    centre = (len(inputs) - 1) / 2
    for x, w, height in zip(inputs, weights, heights, strict=True):
        axes.plot([0, 2], [height, centre], color="C0", linewidth=0.6 * abs(w), zorder=1)
        along = 0.44
        axes.text(2 * along, height + along * (centre - height), f"× {w}", ha="center", va="center", fontsize=11,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip
        axes.text(0, height, f"{x}", ha="center", va="center", fontsize=12,
                  bbox={"boxstyle": "circle", "facecolor": "#dbe9f6", "edgecolor": "C0"})  # fmt: skip
    axes.text(2, centre, "Σ", ha="center", va="center", fontsize=20,
              bbox={"boxstyle": "circle", "facecolor": "#fde3c8", "edgecolor": "C1"})  # fmt: skip
    axes.annotate(f"bias + {bias}", (2, centre + 0.3), (2, centre + 1), ha="center", fontsize=11,
                  arrowprops={"arrowstyle": "->", "color": "C1"})  # fmt: skip
    axes.annotate(f"{output:.1f}", (2.3, centre), (3.2, centre), va="center", ha="center", fontsize=14,
                  arrowprops={"arrowstyle": "<-", "color": "black"})  # fmt: skip
    axes.text(0, -0.55, "inputs", ha="center", color="gray", fontsize=10)
    axes.text(3.2, centre - 0.45, "output", ha="center", color="gray", fontsize=10)
    axes.set(xlim=(-0.4, 3.6), ylim=(-0.7, 2.5))
    axes.set_axis_off()
    plt.show()


# sphinx_gallery_end_ignore
draw_neuron(inputs, weights, bias, output)

# %%
# What a neuron can tell apart
# ----------------------------
# With two inputs, a point in the plane goes in. The output is 0 on the straight line :math:`x_1 w_1 + x_2 w_2 + b = 0`,
# positive on one side of it and negative on the other: a neuron is a straight cut through the plane. The weights say
# how the line is turned, the bias how far it lies from the origin. This one is positive where :math:`x_1 + 2 x_2 > 1`:

import numpy as np

cut = Neuron([1.0, 2.0], -1.0)
x1, x2 = np.meshgrid(np.linspace(-1, 2, 61), np.linspace(-1, 2, 61))
heights = np.array([cut.forward(point) for point in zip(x1.ravel(), x2.ravel(), strict=True)]).reshape(x1.shape)

figure, axes = plt.subplots(figsize=(4.8, 4.0), layout="constrained")
colors = axes.pcolormesh(x1, x2, heights, cmap="RdBu_r", vmin=-5, vmax=5, shading="nearest", rasterized=True)
axes.contour(x1, x2, heights, levels=[0], colors="black", linewidths=2)
axes.annotate("output 0", (0.2, 0.4), (0.7, 1.2), arrowprops={"arrowstyle": "->"}, fontsize=11)
axes.set(xlabel="$x_1$", ylabel="$x_2$", title="The output of a neuron with two inputs", aspect="equal")
figure.colorbar(colors, label="output")
plt.show()

# %%
# Exercises
# ---------
# The solutions are tests: :download:`chapter_1.py <../chapters/solutions/chapter_1.py>` runs with
# ``pytest chapter_1.py``.
#
# **1.** What does a neuron with weights 0.5, -1 and 2 and bias 1 make of the inputs 4, 3 and 0.5? Work it out on paper,
# then let the library check it.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_1.py
#       :pyobject: test_exercise_1
#
# **2.** Choose weights and a bias that make a neuron the *mean* of five inputs.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_1.py
#       :pyobject: test_exercise_2
#
# **3.** Inputs are 0 or 1. Find a neuron of two inputs whose output is positive if and only if both are 1.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_1.py
#       :pyobject: test_exercise_3
#
# **4.** Show that no neuron is positive exactly where *one* of its two inputs is 1 and the other is 0 ("exclusive or").
# Hint: add the outputs of two opposite corners of the square, and compare the two sums.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_1.py
#       :pyobject: test_exercise_4
#
# Chapter 4 has three neurons that can. First comes :doc:`more than one neuron <plot_chapter_2_layers>`.
