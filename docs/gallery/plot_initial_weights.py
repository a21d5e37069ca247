"""
Initial weights, and how a signal survives
==========================================

Every layer multiplies by its weights. Through twenty of them a signal fades to nothing or explodes, unless the weights
have the right size: a layer of :math:`n` inputs with weights of variance :math:`v` multiplies the mean square by
:math:`n v`, and ReLU halves it, since half of all numbers are negative. So :math:`v = 2/n` keeps it (He et al. 2015,
`arXiv:1502.01852 <https://arxiv.org/abs/1502.01852>`_).
"""

import matplotlib.pyplot as plt
import numpy as np

import nnxp

X = np.random.default_rng(0).standard_normal((200, 256))
depth = 20


def root_mean_squares(initializer, scale=1.0):
    """Of the signal after each ReLU."""
    layers = [layer for _ in range(depth) for layer in (nnxp.Dense(256, 256, initializer=initializer), nnxp.ReLU())]
    model = nnxp.Sequential(layers, "mean_squared_error", seed=0)
    signal, sizes = X.astype("float32"), [1.0]
    model.predict(X[:1])  # draws the weights
    for layer in model.layers:
        if isinstance(layer, nnxp.Dense) and scale != 1.0:
            layer.weights = layer.weights * scale
        signal = layer.forward(signal)
        if isinstance(layer, nnxp.ReLU):
            sizes.append(float(np.sqrt(np.mean(signal.astype(float) ** 2))))
    return np.array(sizes)


figure, axes = plt.subplots(figsize=(4.8, 4.0), layout="constrained")
for name, scale, style in (
    ("he_normal", 1.0, "o-"),
    ("orthogonal", 1.0, "s-"),
    ("glorot_uniform", 1.0, "^-"),
    ("book", 1.0, "v-"),
    ("he_normal", 1.5, "d-"),
):
    sizes = root_mean_squares(name, scale)
    label = name if scale == 1.0 else f"{name} × {scale}"
    factor = (sizes[-1] / sizes[0]) ** (1 / depth)
    print(f"{label:16} after {depth} layers: {sizes[-1]:.1e}, a factor of {factor:.3f} a layer")
    axes.semilogy(range(depth + 1), np.maximum(sizes, 1e-30), style, markersize=4, linewidth=1, label=label)
axes.set(xlabel="layers", ylabel="root mean square of the signal", xticks=range(0, depth + 1, 5))
axes.grid(alpha=0.4)
axes.legend(fontsize=9)
plt.show()

# %%
# By the formula, a layer's factor is :math:`\sqrt{n v / 2}`: 1 for He's weights. For Glorot's, whose variance is
# :math:`1/n` here, it is :math:`\sqrt{1/2} = 0.71`; for those of the book, 0.01 times standard normal,
# :math:`0.01 \sqrt{256/2} = 0.113`, which is why deep networks of such weights begin to learn so late. A network of
# :class:`nnxp.Sequential` takes He's weights before a ReLU, unless told otherwise.
