"""Four optimizers on the book's spiral, from the same weights: their losses as a table and as a picture.

python examples/optimizer_comparison.py --backend torch --out optimizer_comparison.png
"""

import argparse
from importlib.util import find_spec

import numpy as np

from nnxp import data, get_backend, nnfs

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--backend", default="numpy", help='"numpy", "cupy", "torch", "torch:mps", "auto", ...')
parser.add_argument("--epochs", type=int, default=1000)
parser.add_argument("--out", help="where the picture goes")
arguments = parser.parse_args()
if arguments.out and not find_spec("matplotlib"):
    parser.error("--out needs matplotlib: pip install 'nnxp[plot]'")

book = nnfs.on(backend := get_backend(arguments.backend))
X, y = (backend.asarray(a, dtype=d) for a, d in zip(data.spiral(seed=1), ("float32", "int64"), strict=True))
optimizers = {
    "SGD, momentum": book.Optimizer_SGD(learning_rate=1.0, momentum=0.9, decay=1e-3),
    "Adagrad": book.Optimizer_Adagrad(learning_rate=1.0, decay=1e-4),
    "RMSprop": book.Optimizer_RMSprop(learning_rate=0.02, decay=1e-5, rho=0.999),
    "Adam": book.Optimizer_Adam(learning_rate=0.05, decay=5e-7),
}
curves = {name: [] for name in optimizers}
for name, optimizer in optimizers.items():
    np.random.seed(0)  # the same initial weights for each
    dense1, relu, dense2 = book.Layer_Dense(2, 64), book.Activation_ReLU(), book.Layer_Dense(64, 3)
    loss = book.Activation_Softmax_Loss_CategoricalCrossentropy()
    for _ in range(arguments.epochs + 1):
        curves[name].append(float(loss.forward(dense2.forward(relu.forward(dense1.forward(X))), y)))
        dense1.backward(relu.backward(dense2.backward(loss.backward(loss.output, y))))
        optimizer.pre_update_params()
        optimizer.update_params([dense1, dense2])
        optimizer.post_update_params()
    print(f"{name:<13}  loss {curves[name][0]:.3f} -> {curves[name][-1]:.3f}, lowest {min(curves[name]):.3f}")
if arguments.out:
    from matplotlib.figure import Figure

    axes = Figure(figsize=(8, 5), layout="constrained").subplots()
    axes.plot(np.transpose(list(curves.values())), label=list(curves))
    axes.set(xlabel="step", ylabel="loss", title="The book's spiral, 2-64-3, full batch", yscale="log")
    axes.legend()
    axes.figure.savefig(arguments.out, dpi=120)
