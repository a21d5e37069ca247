r"""
Chapter 3: a dense layer, and many samples at once
==================================================

Chapter 2's layer asks its neurons one by one, in a Python loop. All its sums can be written as *one* matrix product,
which NumPy (or a GPU) computes many times faster, and for a whole batch of samples in one go.

A matrix is a table of numbers. Put the samples into the rows of :math:`X`, one input in each column; put the weights
into :math:`W`, one *neuron* in each column; put the biases into one row :math:`b`. The product :math:`X W` has in row
:math:`k` and column :math:`j` the sum of chapter 1, of sample :math:`k` and neuron :math:`j`:

.. math:: Y = X W + b, \qquad Y_{kj} = \sum_{i=1}^{n} X_{ki} W_{ij} + b_j .

The shapes say what fits: (samples × inputs) times (inputs × neurons) gives (samples × neurons). The inner numbers have
to be equal, and disappear. The row :math:`b` is added to every row.
"""

# %%
# The formula in Python
# ---------------------
# A new layer has no knowledge, only small random weights, drawn as 0.01 times standard normal numbers, and biases 0.
# (If all weights were equal, all neurons would compute the same thing, and learn the same thing, forever.)
# ``np.random.seed(0)`` makes the drawn numbers the same in every run.

import numpy as np

np.random.seed(0)

from nnxp.nnfs import Layer_Dense

# Create dense layer: 4 inputs → 3 neurons
dense_layer = Layer_Dense(4, 3)

# Single sample
output = dense_layer.forward([1.0, 2.0, 3.0, 2.5])

# Batch processing
batch_inputs = [[1.0, 2.0, 3.0, 2.5], [2.0, 5.0, -1.0, 2.0]]
batch_outputs = dense_layer.forward(batch_inputs)

# %%
# Their shapes:

print("weights", dense_layer.weights.shape, "  biases", dense_layer.biases.shape)
print("one sample", output.shape, "  a batch", batch_outputs.shape)

# %%
# By hand
# -------
# Three loops: over the samples, over the neurons, over the inputs. The innermost line is chapter 1's.

X, W, b = batch_inputs, dense_layer.weights.tolist(), dense_layer.biases.tolist()[0]
by_hand = [[b[j] for j in range(3)] for _ in X]
for k in range(2):
    for j in range(3):
        for i in range(4):
            by_hand[k][j] += X[k][i] * W[i][j]

# %%
# By hand and by the library
# --------------------------
# The loops compute in Python's floats of 64 bits (some 16 digits), the layer in ``float32`` (some 7 digits), which
# needs half the memory. So they agree in about seven digits, not in all.

for k in range(2):
    for j in range(3):
        ours, theirs = by_hand[k][j], batch_outputs[k, j]
        print(f"sample {k}, neuron {j}:  {ours:+.9f}  {theirs:+.9f}")
difference = np.abs(by_hand - batch_outputs).max()
print(f"largest difference {difference:.1e}")

# %%
# Rules that every weight matrix obeys are easier to see with numbers one knows. Chapter 2's three neurons become the
# three columns of the weights, and its outputs come back:

dense_layer.weights = np.array([[0.2, 0.8, -0.5, 1.0], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]).T
dense_layer.biases = [[2.0, 3.0, 0.5]]
print(dense_layer.forward(batch_inputs))

# %%
# The picture
# -----------
# Row times column: the first sample's row and the first neuron's column, both framed, give the framed output.

# sphinx_gallery_start_ignore
import matplotlib.pyplot as plt


def draw_product(X, W, b, Y):
    _, axes = plt.subplots(figsize=(4.8, 4.8), layout="constrained")

    def matrix(M, left, top, title, framed):
        rows, columns = M.shape
        axes.text(left + columns / 2, top + 0.35, title, ha="center", fontsize=11)
        for r, c in np.ndindex(rows, columns):
            color = plt.get_cmap("RdBu_r")(0.5 + M[r, c] / 30)
            axes.add_patch(plt.Rectangle((left + c, top - r - 1), 1, 1, facecolor=color, edgecolor="white"))
            axes.text(left + c + 0.5, top - r - 0.5, f"{M[r, c]:.4g}", ha="center", va="center", fontsize=9.5)
        x, y, width, height = framed
        frame = plt.Rectangle((left + x, top - y - height), width, height, fill=False, edgecolor="black", linewidth=2)
        axes.add_patch(frame)

    matrix(W, 4.4, 4, f"$W$   {W.shape[0]} × {W.shape[1]}", (0, 0, 1, 4))
    matrix(X, 0, -1, f"$X$   {X.shape[0]} × {X.shape[1]}", (0, 0, 4, 1))
    matrix(Y, 4.4, -1, f"$Y$   {Y.shape[0]} × {Y.shape[1]}", (0, 0, 1, 1))
    axes.text(2, 2, "$Y = X W + b$", ha="center", va="center", fontsize=14)
    axes.text(2, 1.2, "b = " + ", ".join(f"{value:g}" for value in b.ravel()), ha="center", fontsize=10)
    axes.set(xlim=(-0.1, 7.5), ylim=(-3.2, 4.9), aspect="equal")
    axes.set_axis_off()
    plt.show()


# sphinx_gallery_end_ignore
draw_product(np.array(batch_inputs), dense_layer.weights, dense_layer.biases, dense_layer.output)

# %%
# Why not a loop?
# ---------------
# Because of the time it takes. The same sums, of 256 samples with 64 inputs each and of 32 neurons, in Python's loops
# and as one product. How many times faster it is depends on the machine:

import time

big = Layer_Dense(64, 32)
samples = np.random.randn(256, 64).astype("float32")
big.forward(samples)  # the first call prepares

rows, columns = samples.tolist(), big.weights.T.tolist()
began = time.perf_counter()
one_by_one = [[sum(x * w for x, w in zip(row, column, strict=True)) for column in columns] for row in rows]
loop = time.perf_counter() - began
began = time.perf_counter()
at_once = big.forward(samples)
product = time.perf_counter() - began
print(f"loops {1e3 * loop:.1f} ms, product {1e3 * product:.3f} ms")
print(f"{loop / product:.0f} times as fast")
print(f"largest difference {np.abs(one_by_one - at_once).max():.1e}")

# %%
# Exercises
# ---------
# The solutions are tests: :download:`chapter_3.py <../chapters/solutions/chapter_3.py>`.
#
# **1.** Three dense layers follow each other: 784 inputs → 128 → 64 → 10. A batch has 32 samples. Which shape has the
# output of each layer, and which shape have the weights?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_3.py
#       :pyobject: test_exercise_1
#
# **2.** Show that two dense layers in a row can do no more than one: find the weights and biases of the one layer that
# does the same.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_3.py
#       :pyobject: test_exercise_2
#
# **3.** The weights are 0.01 times standard normal numbers. How large are the outputs for the inputs 1, 2, 3 and 2.5?
# Predict their standard deviation, then look at a layer of 100,000 neurons.
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_3.py
#       :pyobject: test_exercise_3
#
# What exercise 2 shows is a problem: layers alone, however many, stay straight. :doc:`Chapter 4
# <plot_chapter_4_activations>` bends them.
