r"""
Chapter 7: optimizers
=====================

Backpropagation says for each weight which way is uphill. An *optimizer* decides how far to go the other way. The
simplest, *stochastic gradient descent* (SGD), takes the gradient :math:`g` times a *learning rate* :math:`\eta` off the
weight:

.. math:: w \leftarrow w - \eta\, g .

It has a weakness. Where the landscape is a long, narrow valley, the gradient points across the valley rather than along
it: a large rate bounces from wall to wall, a small one crawls. The other optimizers remember something of the past
gradients, for each weight by itself, to do better.

**Momentum** keeps rolling: :math:`m` is a velocity, of which a share :math:`\beta` is left after each step. Steps in
the same direction add up, steps to and fro cancel.

.. math:: m \leftarrow \beta m + \eta\, g, \qquad w \leftarrow w - m

**Adagrad** divides by how large this weight's gradients have been so far, so that steep and flat directions are
walked at the same speed. Its sum :math:`c` only grows, so steps become smaller and smaller.

.. math:: c \leftarrow c + g^2, \qquad w \leftarrow w - \frac{\eta\, g}{\sqrt{c} + \varepsilon}

**RMSprop** takes a moving average instead of the sum, and forgets what is long past.

.. math:: c \leftarrow \rho c + (1 - \rho) g^2, \qquad w \leftarrow w - \frac{\eta\, g}{\sqrt{c} + \varepsilon}

**Adam** has both, a velocity and a size. The averages begin at 0, and are therefore too small in the first steps; after
step :math:`t` they are divided by how much is missing.

.. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad c \leftarrow \beta_2 c + (1 - \beta_2) g^2

.. math:: w \leftarrow w - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{c / (1 - \beta_2^t)} + \varepsilon}

The small :math:`\varepsilon` keeps the fraction finite where a gradient has always been 0. All of them can let the
learning rate fall with the steps, :math:`\eta_t = \eta / (1 + \text{decay} \cdot t)`.
"""

# %%
# A training in Python
# --------------------
# The training has a network, data, and an optimizer for its weights. These are two half moons of 100 points each, in
# ten batches of 20 points; in every batch the first ten points are of class 0.

import numpy as np

np.random.seed(0)

from nnxp import data
from nnxp.nnfs import (
    Activation_Softmax_Loss_CategoricalCrossentropy,
    ActivationReLU,
    ActivationSoftmax,
    Layer_Dense,
    Loss_CategoricalCrossentropy,
)

X, y = data.moons(200, noise=0.1, seed=0)
batches = [X.reshape(2, 100, 2)[:, k::10].reshape(20, 2) for k in range(10)]
targets = [0] * 10 + [1] * 10

layer1, activation1 = Layer_Dense(2, 32), ActivationReLU()
layer2, activation2 = Layer_Dense(32, 2), ActivationSoftmax()
loss_function = Loss_CategoricalCrossentropy()
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()

# %%
# The optimizers, with their options. This training takes Adam, with a larger learning rate:

from nnxp.nnfs import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD

# Create different optimizers
sgd = Optimizer_SGD(learning_rate=0.1, momentum=0.9, decay=1e-3)
adam = Optimizer_Adam(learning_rate=0.001, decay=1e-4)
rmsprop = Optimizer_RMSprop(learning_rate=0.001, rho=0.9)
adagrad = Optimizer_Adagrad(learning_rate=1.0, decay=1e-4)

optimizer = Optimizer_Adam(learning_rate=0.1)
epochs = 100

# %%
# The loop. ``pre_update_params`` sets the learning rate of the step, ``post_update_params`` counts it.

# Training loop example
for epoch in range(epochs):
    for batch in batches:
        # Forward pass
        layer1.forward(batch)
        activation1.forward(layer1.output)
        layer2.forward(activation1.output)
        activation2.forward(layer2.output)

        # Calculate loss
        loss = loss_function.calculate(activation2.output, targets)

        # Backward pass (calculate gradients)
        loss_activation.backward(activation2.output, targets)
        layer2.backward(loss_activation.dinputs)
        activation1.backward(layer2.dinputs)
        layer1.backward(activation1.dinputs)

        # Update parameters
        optimizer.pre_update_params()
        optimizer.update_params(layer1)
        optimizer.update_params(layer2)
        optimizer.post_update_params()

print(f"after {optimizer.iterations} steps: loss {float(loss):.4f} (knowing nothing: log 2 = {np.log(2):.4f})")

# %%
# What the network has learned: the probability of class 1, at every place.

import matplotlib.pyplot as plt


def probability(points):
    return activation2.forward(layer2.forward(activation1.forward(layer1.forward(points))))[:, 1]


x1, x2 = np.meshgrid(np.linspace(-1.6, 2.6, 150), np.linspace(-1.1, 1.6, 150))
surface = probability(np.column_stack([x1.ravel(), x2.ravel()])).reshape(x1.shape)
figure, axes = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
axes.pcolormesh(x1, x2, surface, cmap="RdBu_r", vmin=0, vmax=1, rasterized=True)
axes.contour(x1, x2, surface, levels=[0.5], colors="black")
for k, marker in enumerate("os"):
    axes.plot(*X[y == k].T, marker, color=("C0", "C3")[k], markeredgecolor="white", label=f"class {k}")
axes.set(xlabel="$x_1$", ylabel="$x_2$")
axes.legend(fontsize=10)
plt.show()
print(f"{np.mean((probability(X) > 0.5) == y):.1%} of the points on their side of the line")

# %%
# By hand and by the library
# --------------------------
# One weight that begins at 1, and three gradients: 0.5, then -0.2, then 0.4. Each rule is written here once more, in
# plain Python, and the library makes the same three steps.

gradients = [0.5, -0.2, 0.4]


def momentum(rate=0.1, beta=0.9):
    w, m = 1.0, 0.0
    for g in gradients:
        m = beta * m + rate * g
        w -= m
    return w


def adagrad_rule(rate=0.1, epsilon=1e-7):
    w, c = 1.0, 0.0
    for g in gradients:
        c += g**2
        w -= rate * g / (c**0.5 + epsilon)
    return w


def rmsprop_rule(rate=0.1, rho=0.9, epsilon=1e-7):
    w, c = 1.0, 0.0
    for g in gradients:
        c = rho * c + (1 - rho) * g**2
        w -= rate * g / (c**0.5 + epsilon)
    return w


def adam_rule(rate=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    w, m, c = 1.0, 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        m = beta_1 * m + (1 - beta_1) * g
        c = beta_2 * c + (1 - beta_2) * g**2
        w -= rate * (m / (1 - beta_1**t)) / ((c / (1 - beta_2**t)) ** 0.5 + epsilon)
    return w


def library(optimizer):
    layer = Layer_Dense(1, 1)
    layer.weights = [[1.0]]
    for g in gradients:
        layer.dweights, layer.dbiases = [[g]], [[0.0]]
        optimizer.pre_update_params()
        optimizer.update_params(layer)
        optimizer.post_update_params()
    return layer.weights[0, 0]


print("            by hand    library")
for name, by_hand, theirs in (
    ("momentum", momentum(), Optimizer_SGD(learning_rate=0.1, momentum=0.9)),
    ("Adagrad", adagrad_rule(), Optimizer_Adagrad(learning_rate=0.1)),
    ("RMSprop", rmsprop_rule(), Optimizer_RMSprop(learning_rate=0.1, rho=0.9)),
    ("Adam", adam_rule(), Optimizer_Adam(learning_rate=0.1)),
):
    print(f"{name:9}  {by_hand:.6f}   {library(theirs):.6f}")

# %%
# The picture: four optimizers in one valley
# ------------------------------------------
# A neuron with two weights and the right data has the loss :math:`(w_1^2 + 25 w_2^2) / 2`: a valley along :math:`w_1`,
# five times as narrow as it is long. All start at the same place, and make 40 steps.

from nnxp.nnfs import Loss_MeanSquaredError

inputs, wanted = [[1.0, 0.0], [-1.0, 0.0], [0.0, 5.0], [0.0, -5.0]], [[0.0]] * 4


def walk(optimizer, steps=40):
    neuron, loss = Layer_Dense(2, 1), Loss_MeanSquaredError()
    neuron.weights = [[-4.0], [1.2]]
    path = [neuron.weights.ravel().copy()]
    for _ in range(steps):
        neuron.backward(loss.backward(neuron.forward(inputs), wanted))
        optimizer.pre_update_params()
        optimizer.update_params(neuron)
        optimizer.post_update_params()
        path.append(neuron.weights.ravel().copy())
    return np.array(path)


def draw_valley(axes):
    w1, w2 = np.meshgrid(np.linspace(-4.5, 2.5, 141), np.linspace(-1.6, 1.6, 121))
    levels = np.geomspace(0.05, 30, 12)
    axes.contour(w1, w2, (w1**2 + 25 * w2**2) / 2, levels=levels, colors="lightgray", linewidths=1)
    axes.plot(0, 0, "k*", markersize=11)
    axes.set(ylabel="$w_2$")


figure, both = plt.subplots(2, 1, figsize=(4.8, 5.6), sharex=True, layout="constrained")
paths = {
    "SGD, rate 0.075": Optimizer_SGD(learning_rate=0.075),
    "SGD, rate 0.01": Optimizer_SGD(learning_rate=0.01),
}
draw_valley(both[0])
for (name, chosen), style in zip(paths.items(), ("C3.-", "C4.-"), strict=True):
    both[0].plot(*walk(chosen).T, style, linewidth=1, label=name)
both[0].set_title("One rate for both directions")
four = {
    "momentum": Optimizer_SGD(learning_rate=0.02, momentum=0.8),
    "Adagrad": Optimizer_Adagrad(learning_rate=1.0),
    "RMSprop": Optimizer_RMSprop(learning_rate=0.2, rho=0.9),
    "Adam": Optimizer_Adam(learning_rate=0.4),
}
ends = {}
draw_valley(both[1])
for (name, chosen), style in zip(four.items(), ("C0o-", "C1s-", "C2^-", "C5d-"), strict=True):
    path = ends[name] = walk(chosen)
    both[1].plot(*path.T, style, linewidth=1.2, markersize=3.5, label=name)
both[1].set_title("Four that remember")
both[1].set_xlabel("$w_1$")
for axes in both:
    axes.legend(fontsize=9, loc="lower right")
plt.show()
for name, path in ends.items():
    w1, w2 = path[-1].tolist()
    print(f"{name:9} ends at ({w1:+.3f}, {w2:+.3f}), loss {(w1**2 + 25 * w2**2) / 2:.5f}")

# %%
# SGD shows both troubles: with the large rate it leaps from wall to wall, with the small one it is still far from the
# star. Adagrad and RMSprop divide each direction by its own size, and begin diagonally, as if the valley were round.
# Momentum and Adam have a velocity, as a ball has: they roll past the bottom, swing, and come back.
#
# Which one to take? There is no winner for all problems. As a rule of thumb:
#
# * *SGD* keeps nothing. For convex problems, and as a yardstick; its rate has to be below 2 / (the steepest curvature).
# * *Momentum* keeps one number a weight. For networks whose rate somebody has tuned; the effective rate is
#   :math:`\eta / (1 - \beta)`.
# * *Adagrad* keeps one. For inputs that are rarely not 0; its steps go on shrinking.
# * *RMSprop* keeps one. For losses that change while training; its last steps need a falling rate.
# * *Adam* keeps two. The first try, for most problems; its last steps need a falling rate, too.
#
# Exercises
# ---------
# The solutions are tests: :download:`chapter_7.py <../chapters/solutions/chapter_7.py>`.
#
# **1.** In the valley :math:`(w_1^2 + 25 w_2^2) / 2` SGD multiplies :math:`w_1` and :math:`w_2` by a fixed factor in
# each step. Which? From which learning rate on does it diverge?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_7.py
#       :pyobject: test_exercise_1
#
# **2.** How far does Adam's very first step go, whatever the gradient is?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_7.py
#       :pyobject: test_exercise_2
#
# **3.** A gradient is 1 in every step. How far has Adagrad come after four steps? And SGD with momentum, in the long
# run, in each step?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_7.py
#       :pyobject: test_exercise_3
#
# **4.** After how many steps has ``decay=0.001`` halved the learning rate?
#
# .. admonition:: Solution
#    :collapsible: closed
#
#    .. literalinclude:: ../chapters/solutions/chapter_7.py
#       :pyobject: test_exercise_4
#
# That is all there is: neurons, layers, activations, a loss, its gradient, an optimizer. :class:`nnxp.Sequential` puts
# them together, faster and with what trainings need besides; the gallery shows what it can do.
