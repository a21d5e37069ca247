"""
Is my gradient right?
=====================

A layer whose ``backward`` is wrong trains all the same, only badly, and nothing says why. ``check_gradients`` does: it
compares every element of every gradient with a difference quotient in float64, and names the worst.
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp


class Swish(nnxp.Layer):
    """y = x · sigmoid(βx), with a β to learn, and a mistake in its backward pass."""

    parameters = ("beta",)

    def __init__(self):
        super().__init__()
        self.beta = [[1.0]]

    def forward(self, inputs, training=False):
        self.inputs = inputs
        self.gate = 1 / (1 + self.backend.xp.exp(-self.beta * inputs))
        self.output = inputs * self.gate
        return self.output

    def backward(self, dvalues):
        xp, slope = self.backend.xp, self.gate * (1 - self.gate)
        self.dbeta = xp.reshape(xp.sum(dvalues * self.inputs * slope), (1, 1))  # an x is missing
        self.dinputs = dvalues * (self.gate + self.inputs * self.beta * slope)
        return self.dinputs


X = np.random.default_rng(0).standard_normal((6, 3))
print(nnxp.check_gradients(Swish(), X))

# %%
# The gradient by the inputs is right, that by ``beta`` is not: the derivative of sigmoid(βx) by β has a factor x of its
# own, beside the one in front. Put right:


class Right(Swish):
    def backward(self, dvalues):
        dinputs, xp = super().backward(dvalues), self.backend.xp
        self.dbeta = xp.reshape(xp.sum(dvalues * self.inputs**2 * self.gate * (1 - self.gate)), (1, 1))
        return dinputs


print(nnxp.check_gradients(Right(), X))

# %%
# A whole model is checked alike, loss and penalties included:

model = nnxp.Sequential(
    [nnxp.Dense(3, 4, l2=0.01), Right(), nnxp.BatchNorm(4), nnxp.Dense(4, 2), "softmax"],
    "categorical_crossentropy",
    seed=0,
)
print(nnxp.check_gradients(model, X, [0, 1, 0, 1, 1, 0], training=True))

# %%
# How small a step?
# -----------------
# A difference quotient has two errors. With a large step h the curve bends away from its chord; with a tiny one, two
# nearly equal numbers are subtracted, and their digits are gone. The best central difference has a step near the cube
# root of the arithmetic's precision. Here is the error of the derivative of sigmoid at 1, in two precisions:


def error(h, dtype):
    x, h = dtype(1.0), dtype(h)
    high, low = x + h, x - h
    quotient = (1 / (1 + np.exp(-high)) - 1 / (1 + np.exp(-low))) / (high - low)
    y = 1 / (1 + np.exp(-1.0))
    return max(abs(float(quotient) - y * (1 - y)), 1e-16)


figure, axes = plt.subplots(figsize=(4.8, 3.8), layout="constrained")
for dtype, style, limit in ((np.float32, "C1.-", -6), (np.float64, "C0.-", -12)):
    steps = np.logspace(limit, 0, 8 * -limit + 1)
    axes.loglog(steps, [error(h, dtype) for h in steps], style, linewidth=1, label=dtype.__name__)
    axes.axvline(np.finfo(dtype).eps ** (1 / 3), color=style[:2], linestyle=":", linewidth=1.5)
axes.plot([], [], ":", color="gray", label="cube root of the precision")
axes.set(xlabel="step h", ylabel="error of the quotient", ylim=(1e-16, 0.1))
axes.grid(alpha=0.4)
axes.legend(loc="lower left", fontsize=9)
plt.show()
