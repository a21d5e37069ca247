r"""
Chapter 5: loss functions
=========================

To make a network better one has to say how bad it is, as *one number*: the *loss*. It is large where predictions are
wrong and 0 where they are perfect, and training is the search for weights that make it small.

A classifier gives each class a probability. What counts is the probability :math:`p` that it gave to the class that is
*true*: the loss of a sample is

.. math:: L = -\log\, p .

A sure and right answer (:math:`p = 1`) costs 0; an answer of :math:`p = 1/2` costs :math:`\log\, 2 = 0.693`; a sure and
wrong one (:math:`p` near 0) costs very much. The loss of a batch of :math:`N` samples is the mean. With
:math:`y_{ij} = 1` where :math:`j` is the class of sample :math:`i`, and 0 elsewhere, that is

.. math:: L = -\frac{1}{N} \sum_{i=1}^{N} \sum_{j=1}^{C} y_{ij} \log\, p_{ij} ,

the *categorical cross-entropy* of :math:`C` classes. The inner sum looks long, and has a single term that is not 0.
"""

# %%
# The loss in Python
# ------------------
# Three samples, three classes. The first sample is of class 0, the others are of class 1:

import numpy as np

predictions = np.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]])
true_labels = [0, 1, 1]

from nnxp.nnfs import Loss_CategoricalCrossentropy

loss_function = Loss_CategoricalCrossentropy()
loss = loss_function.calculate(predictions, true_labels)

# %%
# By hand and by the library
# --------------------------

import math

by_hand = []
each = loss_function.forward(predictions, true_labels)
print("p of the true class   −log p   library")
for row, label, theirs in zip(predictions.tolist(), true_labels, each, strict=True):
    by_hand.append(-math.log(row[label]))
    print(f"{row[label]:19.2f}   {by_hand[-1]:.4f}   {theirs:.4f}")
print(f"{'mean':>19}   {sum(by_hand) / 3:.4f}   {float(loss):.4f}")

# %%
# Labels may be given as rows, too, with a 1 at the true class ("one-hot"), which is the formula with both sums:

one_hot = np.eye(3)[true_labels]
print(one_hot)
print(f"{-(one_hot * np.log(predictions)).sum() / 3:.4f}   {float(loss_function.calculate(predictions, one_hot)):.4f}")

# %%
# The picture: the price of a mistake
# -----------------------------------
# Being a little unsure costs little. Being sure of the wrong thing costs without limit, which is why an honest "I do
# not know" is better than a bluff. (At exactly 0 the logarithm would be infinite: the library counts a probability
# below :math:`10^{-7}` as :math:`10^{-7}`, at most 16.1.)

import matplotlib.pyplot as plt

p = np.linspace(0.01, 1, 200)
true_p = predictions[range(3), true_labels]
figure, axes = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
axes.plot(p, -np.log(p), linewidth=2.5)
axes.plot(true_p, -np.log(true_p), "o", color="C1", markersize=9)
for sample, value in enumerate(true_p):
    axes.annotate(f"sample {sample}", (value, -math.log(value)), (value - 0.05, 1.6 - math.log(value)),
                  ha="center", fontsize=11, arrowprops={"arrowstyle": "->"})  # fmt: skip
axes.set(xlabel="probability of the true class", ylabel="loss", ylim=(0, 4.5))
axes.grid(alpha=0.4)
plt.show()

# %%
# The loss as a landscape
# -----------------------
# The predictions follow from the weights, so the loss is a function of the weights: a landscape. It can be drawn for
# two of them. Take the smallest classifier there is: one input, two classes, the logits 0 and :math:`w x + b`. For
# each pair of a weight and a bias the picture has the mean loss of eight samples. Each pixel is a network; training
# is a walk downhill.

from nnxp.nnfs import Activation_Softmax_Loss_CategoricalCrossentropy

x = np.array([-2.0, -1.5, -1.0, -0.3, 0.2, 0.8, 1.4, 2.0])
y = [0, 0, 0, 1, 0, 1, 1, 1]
both = Activation_Softmax_Loss_CategoricalCrossentropy()


def loss_of(w, b):
    logits = np.column_stack([np.zeros(8), w * x + b])
    return float(both.forward(logits, y))


w, b = np.meshgrid(np.linspace(-2, 6, 61), np.linspace(-4, 4, 61))
landscape = np.vectorize(loss_of)(w, b)
lowest = np.unravel_index(landscape.argmin(), landscape.shape)

figure, axes = plt.subplots(figsize=(4.8, 4.0), layout="constrained")
levels = np.geomspace(landscape.min(), landscape.max(), 16)
axes.contourf(w, b, landscape, levels=levels, cmap="viridis_r", norm="log")
axes.contour(w, b, landscape, levels=levels, colors="white", linewidths=0.6)
axes.plot(0, 0, "o", color="C1", markersize=9, label=f"knows nothing: {loss_of(0, 0):.3f}")
axes.plot(w[lowest], b[lowest], "*", color="C3", markersize=15, label=f"lowest here: {landscape[lowest]:.3f}")
axes.set(xlabel="weight w", ylabel="bias b", title="Mean loss of eight samples")
axes.legend(loc="lower left", fontsize=10)
plt.show()

# %%
# At the orange point all logits are 0, both classes have probability 1/2, and the loss is :math:`\log\, 2`. Whatever
# the data, a network that knows nothing of :math:`C` classes has a loss of :math:`\log\, C`. If the loss of a
# training stays there, it has learned nothing: remember the number.

for classes in (2, 3, 10, 100):
    print(f"{classes:3d} classes: log C = {math.log(classes):.3f}")

# %%
# Exercises
# ---------
# The solutions are tests: :download:`chapter_5.py <../chapters/solutions/chapter_5.py>`.
#
# **1.** Show by a calculation that a prediction of :math:`1/C` for each class has the loss :math:`\log\, C`, whichever
# class is true.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_5.py
#       :pyobject: test_exercise_1
#
# **2.** A loss of 0.385 says little to a human. What does :math:`e^{-L}` say?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_5.py
#       :pyobject: test_exercise_2
#
# **3.** Half of all samples are of class 0, a quarter each of class 1 and 2. Which prediction, the same for all
# samples, has the lowest loss, and how low is it?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_5.py
#       :pyobject: test_exercise_3
#
# **4.** Two models predict the class of the same two samples. A gives the true classes 0.6 and 0.6, B gives 0.99 and
# 0.30. Which has the lower loss, and which has the higher accuracy (of two classes)?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_5.py
#       :pyobject: test_exercise_4
#
# Which way is downhill? :doc:`Chapter 6 <plot_chapter_6_backpropagation>`.
