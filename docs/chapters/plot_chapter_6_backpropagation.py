r"""
Chapter 6: backpropagation
==========================

The loss is a landscape over the weights (chapter 5). Downhill is where the *slope* says: the derivative
:math:`\partial L / \partial w` is how much the loss changes for each unit by which the weight :math:`w` is changed.
It is positive where a larger weight makes the loss larger; then the weight should become smaller. All slopes together
are the *gradient*.

A network has thousands of weights, and they act on the loss through everything that comes after them. Backpropagation
finds all slopes in one pass from the end to the beginning, by one rule. If :math:`w` changes :math:`y`, and :math:`y`
changes :math:`L`, the effects multiply (the *chain rule*):

.. math:: \frac{\partial L}{\partial w} = \frac{\partial L}{\partial y} \cdot \frac{\partial y}{\partial w} .

Each layer is told by the next one how the loss depends on its *outputs*, and works out how the loss depends on its
weights, its biases and its *inputs*; the last of these it hands back to the layer before. For this chapter's layers
that is, with :math:`dY` for :math:`\partial L / \partial Y`:

.. list-table::
   :header-rows: 1

   * - layer
     - forward
     - backward
   * - dense
     - :math:`Y = X W + b`
     - :math:`dW = X^\mathsf{T}\, dY`, :math:`db = \sum_k dY_k`, :math:`dX = dY\, W^\mathsf{T}`
   * - ReLU
     - :math:`Y = \max(0, X)`
     - :math:`dX = dY` where :math:`X > 0`, else 0
   * - softmax and cross-entropy
     - :math:`L = -\frac1N \sum y \log\, p`
     - :math:`dX = (p - y) / N`

The last line is two steps in one, with a 1 in :math:`y` at each sample's true class: the derivatives of the logarithm
and of softmax nearly cancel, and what is left is what one would hope for, predicted minus true.
"""

# %%
# Forward and backward in Python
# ------------------------------
# Two samples, two inputs, three hidden neurons, three classes. ``backward`` runs through the layers in the reverse
# order and leaves the gradients where they belong: ``dweights``, ``dbiases``, and ``dinputs`` for the layer before.

import numpy as np

np.random.seed(0)

from nnxp.nnfs import Activation_Softmax_Loss_CategoricalCrossentropy, ActivationReLU, LayerDense

# Create network layers
dense1 = LayerDense(2, 3)
activation1 = ActivationReLU()
dense2 = LayerDense(3, 3)
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()

# Sample data
X = [[1.0, 2.0], [2.0, 3.0]]  # inputs
y = [0, 1]  # true labels

# Forward pass
dense1.forward(X)
activation1.forward(dense1.output)
dense2.forward(activation1.output)
loss = loss_activation.forward(dense2.output, y)

# Backward pass - compute gradients
loss_activation.backward(loss_activation.output, y)
dense2.backward(loss_activation.dinputs)
activation1.backward(dense2.dinputs)
dense1.backward(activation1.dinputs)

# Access computed gradients
print("Layer 1 weight gradients:", dense1.dweights)
print("Layer 1 bias gradients:", dense1.dbiases)
print("Layer 2 weight gradients:", dense2.dweights)
print("Layer 2 bias gradients:", dense2.dbiases)

# %%
# By hand
# -------
# The table's formulas, line by line, in NumPy:

W1, b1, W2, b2 = (np.array(a, dtype=float) for a in (dense1.weights, dense1.biases, dense2.weights, dense2.biases))
A0 = np.array(X)

Z1 = A0 @ W1 + b1
A1 = np.maximum(0, Z1)
Z2 = A1 @ W2 + b2
p = np.exp(Z2) / np.exp(Z2).sum(axis=1, keepdims=True)
L = -np.log(p[[0, 1], y]).mean()

dZ2 = (p - np.eye(3)[y]) / 2
dW2, db2, dA1 = A1.T @ dZ2, dZ2.sum(axis=0), dZ2 @ W2.T
dZ1 = np.where(Z1 > 0, dA1, 0)
dW1, db1 = A0.T @ dZ1, dZ1.sum(axis=0)

# %%
# By hand, by the library, and by trying it out
# ---------------------------------------------
# There is a third way, which knows no calculus: change one weight a little, both ways, and see what the loss does,
# :math:`(L(w + h) - L(w - h)) / 2h`. It needs two forward passes for every weight, so nobody trains like that, but it
# cannot be wrong about the formula. (:func:`nnxp.check_gradients` does it for every layer, yours among them.)


def loss_with(change, W1, W2):
    W1 = W1 + change
    Z2 = np.maximum(0, A0 @ W1 + b1) @ W2 + b2
    return -(Z2[[0, 1], y] - np.log(np.exp(Z2).sum(axis=1))).mean()


h = 1e-5
print("∂L/∂W1     by hand   library   tried out")
for i, j in np.ndindex(2, 3):
    step = np.zeros((2, 3))
    step[i, j] = h
    tried = (loss_with(step, W1, W2) - loss_with(-step, W1, W2)) / (2 * h)
    print(f"[{i}, {j}]   {dW1[i, j]:+.6f} {dense1.dweights[i, j]:+.6f}   {tried:+.6f}")

# %%
# The third column is 0 throughout: the third hidden neuron's sum is negative for both samples, ReLU cuts it off, and
# whatever is done to its weights, as long as it is little, changes nothing. Such a neuron is asleep, and if no sample
# ever wakes it, it is *dead*: without a gradient it never learns.
#
# The picture: values forward, gradients back
# -------------------------------------------
# Read the left column downwards and the right one upwards. In every row the two have the same shape.

# sphinx_gallery_start_ignore
import matplotlib.pyplot as plt


def draw_passes(rows):
    _, axes = plt.subplots(len(rows), 2, figsize=(4.8, 1.25 * len(rows)), layout="constrained")
    for r, (name, value, gradient) in enumerate(rows):
        for c, (title, array) in enumerate(((f"${name}$", value), (f"$\\partial L / \\partial {name}$", gradient))):
            ax, largest = axes[r, c], np.abs(array).max() or 1
            ax.imshow(array, cmap="RdBu_r", vmin=-1.6 * largest, vmax=1.6 * largest, aspect="auto")
            for (i, j), number in np.ndenumerate(array):
                ax.text(j, i, f"{number:.5f}" if number else "0", ha="center", va="center", fontsize=8.5)
            arrow = ("↓ " if c == 0 else "↑ ") if r else ""
            ax.set_title(arrow + title, fontsize=11)
            ax.set(xticks=[], yticks=[])
    plt.show()


# sphinx_gallery_end_ignore
draw_passes(
    [
        ("W_1", dense1.weights, dense1.dweights),
        ("Z_1", dense1.output, activation1.dinputs),
        ("A_1", activation1.output, dense2.dinputs),
        ("W_2", dense2.weights, dense2.dweights),
        ("Z_2", dense2.output, loss_activation.dinputs),
    ]
)

# %%
# A gradient is a slope
# ---------------------
# Chapter 5's landscape, cut along the weight :math:`w` at :math:`b = 0`. At each point the derivative by
# backpropagation is the slope of the tangent.

x8, y8 = np.array([-2.0, -1.5, -1.0, -0.3, 0.2, 0.8, 1.4, 2.0]), [0, 0, 0, 1, 0, 1, 1, 1]
both = Activation_Softmax_Loss_CategoricalCrossentropy()


def loss_and_slope(w):
    loss = both.forward(np.column_stack([np.zeros(8), w * x8]), y8)
    dlogits = both.backward(both.output, y8)
    return float(loss), float(x8 @ dlogits[:, 1])


line = np.linspace(-1.5, 6, 151)
figure, axes = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
axes.plot(line, [loss_and_slope(w)[0] for w in line], linewidth=2.5)
for w in (-0.8, 0.8, 5.0):
    height, slope = loss_and_slope(w)
    ends = np.array([w - 0.8, w + 0.8])
    axes.plot(ends, height + slope * (ends - w), color="C1", linewidth=2)
    axes.plot(w, height, "o", color="C1")
    axes.annotate(f"slope {slope:+.3f}", (w, height), (min(w, 4) + 0.15, height + 0.25), fontsize=11)
axes.set(xlabel="weight w", ylabel="loss", ylim=(0, 2.6))
axes.grid(alpha=0.4)
plt.show()

# %%
# The training loop
# -----------------
# Forward, backward, again and again. The last lines say what is still missing:

epochs = 3
for epoch in range(epochs):
    # Forward pass
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    loss = loss_activation.forward(dense2.output, y)

    # Backward pass
    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)

    # Optimizer will use the computed gradients to update parameters
    # optimizer.update_params(dense1)
    # optimizer.update_params(dense2)

print(f"loss {float(loss):.6f}")

# %%
# Nothing was changed, so the loss is what it was. The simplest update takes from each weight its gradient times a small
# number, the learning rate. With it, the loop learns to tell the two samples apart:

losses = []
for step in range(301):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    losses.append(float(loss_activation.forward(dense2.output, y)))

    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)
    for layer in (dense1, dense2):
        layer.weights = layer.weights - 0.5 * layer.dweights
        layer.biases = layer.biases - 0.5 * layer.dbiases
    if step % 100 == 0:
        print(f"step {step:3d}: loss {losses[-1]:.4f}")

# %%
# Exercises
# ---------
# The solutions are tests: :download:`chapter_6.py <../chapters/solutions/chapter_6.py>`.
#
# **1.** A neuron computes :math:`y = w x + b` and the loss is :math:`L = (y - t)^2`, with x = 2, t = 1, w = 3, b = -1.
# Work out :math:`\partial L / \partial w` by the chain rule.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_6.py
#       :pyobject: test_exercise_1
#
# **2.** Predictions (0.7, 0.1, 0.2), (0.1, 0.5, 0.4) and (0.02, 0.9, 0.08), true classes 0, 1 and 1: what is the
# gradient by the logits?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_6.py
#       :pyobject: test_exercise_2
#
# **3.** Why is each row's sum in exercise 2 equal to 0? Which change of the logits does that say is pointless?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_6.py
#       :pyobject: test_exercise_3
#
# **4.** All weights of a network with one hidden layer begin with the same value. Show that after any number of steps
# its hidden neurons are still all the same.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_6.py
#       :pyobject: test_exercise_4
#
# Better updates than "gradient times a small number" are the subject of :doc:`chapter 7 <plot_chapter_7_optimizers>`.
# ``nnxp explain`` prints a whole step of a small network, with every number put into its formula.
