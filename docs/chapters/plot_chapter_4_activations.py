r"""
Chapter 4: activation functions
===============================

Dense layers alone stay straight: two in a row are one (chapter 3, exercise 2). What lets a network bend is a function
between them that is *not* a straight line, applied to each number by itself: an *activation*. The most used is the
rectified linear unit, ReLU: a positive number passes, a negative one becomes 0.

.. math:: \operatorname{ReLU}(x) = \max(0, x)

A network that is to say *which class* something is ends in another one, softmax. It takes one number for each class,
the *logits*, and gives one probability for each: all positive, and 1 in sum.

.. math:: \operatorname{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}
"""

# %%
# A network in Python
# -------------------
# Four inputs, five neurons with ReLU, three neurons with softmax:

import numpy as np

np.random.seed(0)

from nnxp.nnfs import ActivationReLU, ActivationSoftmax, Layer_Dense

# Create layers and activations
dense1 = Layer_Dense(4, 5)
relu = ActivationReLU()
dense2 = Layer_Dense(5, 3)
softmax = ActivationSoftmax()

# Forward pass
inputs = [[1.0, 2.0, 3.0, 2.5]]
dense1.forward(inputs)
relu.forward(dense1.output)
dense2.forward(relu.output)
softmax.forward(dense2.output)

print("Probabilities:", softmax.output)

# %%
# The weights are small and random, so the network has no opinion: a third for each class.
#
# By hand and by the library
# --------------------------
# What the two activations make of numbers that one can follow. ReLU needs no arithmetic; softmax takes three steps:
# exponentials, their sum, and each one's share of it.

import math

x = [-2.0, -0.5, 0.0, 1.5]
print("x     ", x)
print("hand  ", [max(0.0, value) for value in x])
print("nnxp  ", ActivationReLU().forward([x])[0].tolist())

# %%

logits = [1.0, 2.0, 0.5]
exponentials = [math.exp(value) for value in logits]
total = sum(exponentials)
library = ActivationSoftmax().forward([logits])[0]
print("logit    e^logit   share     library")
for value, e, p in zip(logits, exponentials, library, strict=True):
    print(f"{value:5.1f}  {e:9.4f}   {e / total:.6f}  {p:.6f}")
print(f"sum    {total:9.4f}   {sum(exponentials) / total:.6f}  {library.sum():.6f}")

# %%
# A detail that matters: :math:`e^{1000}` is too large for a float, and :math:`\infty / \infty` is not a number. But
# softmax does not change if the same number is subtracted from all logits, since it cancels in the fraction. So the
# largest logit is subtracted first, and every exponential is at most 1:

print(ActivationSoftmax().forward([[1000.0, 1001.0, 999.5]]))
print(ActivationSoftmax().forward([[0.0, 1.0, -0.5]]))

# %%
# The picture: three activations
# ------------------------------
# ReLU has a kink at 0. The older sigmoid and tanh are smooth, and become flat on both sides: there, a change of the
# input hardly changes the output, which will matter in chapter 6.

import matplotlib.pyplot as plt

from nnxp import Sigmoid, Tanh

x = np.linspace(-4, 4, 201)[:, None]
figure, axes = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
for activation, style in ((ActivationReLU(), "-"), (Sigmoid(), "--"), (Tanh(), ":")):
    name = type(activation).__name__.removeprefix("Activation_")
    axes.plot(x, activation.forward(x), style, linewidth=2.5, label=name)
axes.set(xlabel="x", ylabel="output", ylim=(-1.3, 3.2))
axes.grid(alpha=0.4)
axes.legend(fontsize=11)
plt.show()

# %%
# How kinks make shapes
# ---------------------
# A sum of ReLUs is a line with a kink for each of them. With the weights 1, -2 and 1, kinks at 0, 1 and 2 make a hat:
# :math:`\operatorname{ReLU}(x) - 2\operatorname{ReLU}(x - 1) + \operatorname{ReLU}(x - 2)`. Many hats, side by side
# and of different heights, follow any curve as closely as one likes. That is how a network with one hidden layer can
# compute nearly anything; *which* weights it needs is what training finds out.

shifts = Layer_Dense(1, 3)
shifts.weights, shifts.biases = [[1.0, 1.0, 1.0]], [[0.0, -1.0, -2.0]]
mix = Layer_Dense(3, 1)
mix.weights = [[1.0], [-2.0], [1.0]]

x = np.linspace(-1, 3, 201)[:, None]
bent = ActivationReLU().forward(shifts.forward(x))
hat = mix.forward(bent)

figure, axes = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
for i, factor in enumerate((1, -2, 1)):
    axes.plot(x, factor * bent[:, i], "--", linewidth=1.5, label=f"{factor} × ReLU(x − {i})")
axes.plot(x, hat, color="black", linewidth=3, label="their sum")
axes.set(xlabel="x", ylim=(-4.3, 3.3))
axes.grid(alpha=0.4)
axes.legend(fontsize=10, loc="lower left")
plt.show()

# %%
# What one neuron could not do
# ----------------------------
# No single neuron is positive exactly where one of two inputs is 1 (chapter 1, exercise 4). With
# :math:`s = x_1 + x_2`, the hat without its third part does it: :math:`\operatorname{ReLU}(s) -
# 2 \operatorname{ReLU}(s - 1)` is 0 at (0, 0), 1 where one input is 1, and 0 again at (1, 1). Two hidden neurons, one
# output neuron, weights written by hand:

hidden = Layer_Dense(2, 2)
hidden.weights, hidden.biases = [[1.0, 1.0], [1.0, 1.0]], [[0.0, -1.0]]
out = Layer_Dense(2, 1)
out.weights = [[1.0], [-2.0]]


def exclusive_or(X):
    return out.forward(ActivationReLU().forward(hidden.forward(X)))


corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
for corner, value in zip(corners, exclusive_or(corners), strict=True):
    print(corner, "→", value)

x1, x2 = np.meshgrid(np.linspace(-0.5, 1.5, 101), np.linspace(-0.5, 1.5, 101))
surface = exclusive_or(np.column_stack([x1.ravel(), x2.ravel()])).reshape(x1.shape)
figure, axes = plt.subplots(figsize=(4.8, 4.0), layout="constrained")
colors = axes.pcolormesh(x1, x2, surface, cmap="RdBu_r", vmin=-1, vmax=1, rasterized=True)
axes.contour(x1, x2, surface, levels=[0.5], colors="black", linewidths=2)
for corner, value in zip(corners, exclusive_or(corners)[:, 0], strict=True):
    axes.text(*corner, f"{value:.0f}", ha="center", va="center", fontsize=13,
              bbox={"boxstyle": "circle", "facecolor": "white"})  # fmt: skip
axes.set(xlabel="$x_1$", ylabel="$x_2$", title="The output, and where it is 0.5", aspect="equal")
figure.colorbar(colors)
plt.show()

# %%
# Exercises
# ---------
# The solutions are tests: :download:`chapter_4.py <../chapters/solutions/chapter_4.py>`.
#
# **1.** What are the softmax probabilities of the logits ln 1, ln 2 and ln 3?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_4.py
#       :pyobject: test_exercise_1
#
# **2.** Write \|x\| with two ReLUs, and build the network.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_4.py
#       :pyobject: test_exercise_2
#
# **3.** Show that the softmax of two logits is the sigmoid :math:`1 / (1 + e^{-d})` of their difference d.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_4.py
#       :pyobject: test_exercise_3
#
# **4.** Build a network of ReLUs whose output is 1 at x = 0 and falls in straight lines to 0 at x = -2 and x = 2.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_4.py
#       :pyobject: test_exercise_4
#
# Here the weights came from thinking. To have them come from examples, one first has to say how wrong an output is:
# :doc:`chapter 5 <plot_chapter_5_losses>`.
