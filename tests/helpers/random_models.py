"""Random models over all that there is: layers, activations, losses, members, dtypes."""

from typing import Any

import numpy as np

import nnxp
from nnxp.activations import ACTIVATIONS, Activation, Softmax
from nnxp.kernels import vocabulary as xp
from nnxp.layers.parts import with_parts
from nnxp.losses import StandardisedLoss
from nnxp.network.answers import class_names
from nnxp.typing import Array

ELEMENTWISE = [kind for kind in ACTIVATIONS if kind is not Softmax]


class Bump(Activation):
    """x / (1 + a x²), an activation of somebody's own."""

    options = ("a",)

    @staticmethod
    def formula(x: Array, a: float) -> Array:
        return xp.where((x > -100) & (x < 100), x / (1 + a * x * x), xp.log1p(xp.abs(x)) - xp.expm1(-xp.abs(x)))

    @staticmethod
    def gradient_formula(x: Array, dy: Array, a: float) -> Array:
        d = 1 + a * x * x
        return dy * (1 - a * x * x) / (d * d)

    def __init__(self, a: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.a = a


class Drawing:
    """One model, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, np.random.default_rng([18, seed])
        self.dtype = self.one("float32", "float32", "float64")
        self.members = self.one(1, 1, 1, 2, 3)
        self.shared = self.members > 1 and self.yes(0.4)
        self.n_in = int(self.rng.integers(1, 9))

    def one(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def yes(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def width(self) -> int:
        return int(self.rng.integers(1, 18))

    def activation(self) -> Any:
        kind = self.one(*ELEMENTWISE, Bump)
        if kind is nnxp.LeakyReLU:
            return kind(float(self.rng.uniform(0, 0.5)))
        if kind is nnxp.ELU or kind is Bump:
            return kind(float(self.rng.uniform(0.2, 2)))
        return kind(self.one(None, "tanh")) if kind is nnxp.GELU else kind()

    def front(self) -> tuple[list[Any], int]:
        """What stands before the first dense layer, and how wide it leaves the inputs."""
        n, layers = self.n_in, list[Any]()
        if self.yes(0.3):
            row = self.yes(0.5)
            scale, offset = ([float(v) for v in self.rng.uniform(-2, 2, n)] if row else 0.7 for _ in range(2))
            layers.append(nnxp.Rescaling(scale, offset))
        columns = None if self.yes(0.5) else sorted(self.rng.permutation(n)[: self.rng.integers(1, n + 1)].tolist())
        count = n if columns is None else len(columns)
        kind = self.one(None, None, "codes", "waves", "bins", "bins of a width", "scaling")
        if kind == "codes" and not layers:
            layers.append(nnxp.Embedding(n, self.rng.integers(2, 6, count).tolist(), int(self.one(1, 3)), columns))
        elif kind == "waves":
            layers.append(nnxp.PeriodicEmbedding(n, int(self.one(2, 4)), 3, 0.3, self.one(None, "relu"), columns))
        elif kind is not None and kind.startswith("bins"):
            edges = [np.cumsum(self.rng.uniform(0.2, 1, self.rng.integers(1, 5))).tolist() for _ in range(count)]
            width = None if kind == "bins" else 3
            layers.append(nnxp.PiecewiseLinearEmbedding(n, edges, width, columns, self.one(None, 2.0)))
        elif kind == "scaling":
            layers.append(nnxp.Scaling(n))
        for layer in layers:
            n = layer.output_width(n)
        return layers, n

    def block(self, n: int, inner: bool = False) -> tuple[list[Any], int]:
        """Some hidden layers after n features, and their width."""
        m = self.width()
        kind = self.one("dense", "dense", "dense", "shared dense", "residual", "layer norm", "shared")
        if kind == "residual" and not inner:
            layers, m = self.block(n, inner=True)
            return [nnxp.Residual(layers)], m
        if kind == "layer norm":
            return [nnxp.LayerNorm(n), self.activation()], n
        if kind == "shared" and not inner:
            return [nnxp.Shared([nnxp.Dense(n, m), self.activation()])], m
        if kind == "shared dense" and not self.shared:
            return [nnxp.SharedDense(n, m, input_initializer="random_signs"), self.activation()], m
        form = "standard" if self.shared else self.one("standard", "ntk")
        layers = [nnxp.Dense(n, m, parametrization=form)]
        if self.yes(0.3):
            layers.append(nnxp.BatchNorm(m))
        activation = self.activation()
        parametric = self.yes(0.2) and type(activation) is not nnxp.Linear
        layers.append(nnxp.ParametricActivation(m, activation) if parametric else activation)
        if self.yes(0.3):
            layers.append(nnxp.Dropout(0.3))
        if self.yes(0.15):
            layers.append(nnxp.BatchNorm(m))
        return layers, m

    def head(self, n: int) -> tuple[list[Any], Any]:
        """The last layers, and the loss."""
        m = int(self.rng.integers(2, 6))
        kind = self.one(
            "classes", "classes", "logits", "yes or no", "labels", "label logits", "numbers", "units", "counts"
        )
        if kind == "classes":
            return [nnxp.Dense(n, m), "softmax"], "categorical_crossentropy"
        if kind == "logits":
            return [nnxp.Dense(n, m)], "softmax_crossentropy"
        if kind in ("yes or no", "labels"):
            return [nnxp.Dense(n, m if kind == "labels" else 1), "sigmoid"], "binary_crossentropy"
        if kind == "label logits":
            return [nnxp.Dense(n, self.one(1, m))], "sigmoid_crossentropy"
        if kind == "units":
            sigma, mu = [float(v) for v in self.rng.uniform(1, 1000, m)], [float(v) for v in self.rng.normal(size=m)]
            return [nnxp.Dense(n, m), nnxp.Rescaling(sigma, mu)], StandardisedLoss("huber", sigma)
        if kind == "counts":
            return [nnxp.Dense(n, 1), self.one("softplus", "linear")], "poisson"
        return [nnxp.Dense(n, m)], self.one("mean_squared_error", "mean_absolute_error", "huber")

    def model(self) -> nnxp.Sequential:
        layers, n = self.front()
        blocks = int(self.rng.integers(1, 4))
        for i in range(blocks):
            if self.shared and i == 0:
                hidden, n = [nnxp.Dense(n, m := self.width()), self.activation()], m
            else:
                hidden, n = self.block(n)
            layers += hidden
        head, loss = self.head(n)
        model = nnxp.Sequential(
            [*layers, *head], loss, dtype=self.dtype, seed=self.seed, members=self.members, shared=self.shared
        )
        values = model.store.values
        values += (0.1 * self.rng.normal(size=values.shape)).astype(self.dtype)
        for _, layer in with_parts(model.layers):
            if type(layer) is nnxp.BatchNorm:
                layer.running_variance = self.rng.uniform(0.3, 3, layer.running_variance.shape)
        if class_names(model) is not None and self.yes(0.5):
            model.classes = [f"class {k}" for k in range(max(2, model.n_out or 0))]
        return model
