"""Trainings with one fault each, small enough to be run in a fraction of a second."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import nnxp
from nnxp import Adam, Dense, Dropout, Sequential

RNG = np.random.default_rng(0)
N, HELD_OUT, WIDTH = 300, 100, 24
X = RNG.normal(size=(N + HELD_OUT, 4))
NUMBERS = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
NUMBERS = (NUMBERS - NUMBERS.mean()) / NUMBERS.std()
CLASSES = np.digitize(X[:, 0] + X[:, 1] ** 2, [0.0, 1.5])


@dataclass(frozen=True)
class Training:
    """A network of two hidden layers and what is done to it."""

    X: Any = field(default_factory=lambda: X)
    y: Any = field(default_factory=lambda: CLASSES)
    hidden: tuple[int, ...] = (WIDTH, WIDTH)
    activation: str = "relu"
    dropout: float = 0.0
    prepare: Callable[[Sequential], None] = field(default=lambda model: None)
    optimizer: Callable[[], Any] = field(default=lambda: Adam(0.01))
    epochs: int = 20
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Any, Any, tuple[Any, Any]]:
        """X, y and the validation's, where those are the last rows."""
        n = len(self.X) - HELD_OUT
        return self.X[:n], self.y[:n], (self.X[n:], self.y[n:])

    def model(self, **place: Any) -> Sequential:
        layers: list[Any] = []
        for width, units in zip((self.X.shape[1], *self.hidden), self.hidden, strict=False):
            layers += [Dense(width, units), self.activation] + [Dropout(self.dropout)] * bool(self.dropout)
        classes = int(self.y.max()) + 1 if self.y.dtype == np.int64 else 0
        layers += [Dense(self.hidden[-1], max(3, classes)), "softmax"] if classes else [Dense(self.hidden[-1], 1)]
        loss = "categorical_crossentropy" if classes else "mean_squared_error"
        model = Sequential(layers, loss, self.optimizer(), seed=0, **place)
        self.prepare(model)
        return model

    def trained(self, **place: Any) -> Sequential:
        model, (x, y, held_out) = self.model(**place), self.parts
        model.fit(x, y, self.epochs, validation_data=held_out, **self.options)
        return model


HEALTHY = Training()
OF_NUMBERS = Training(y=NUMBERS, epochs=30)


def _hidden(model: Sequential) -> list[Dense]:
    return [layer for layer in model.layers if isinstance(layer, Dense)][:-1]


def _biases(values: Any) -> Callable[[Sequential], None]:
    def prepare(model: Sequential) -> None:
        for layer in _hidden(model):
            layer.biases = np.broadcast_to(values, (1, WIDTH))

    return prepare


def _weights(change: Callable[[Any], Any]) -> Callable[[Sequential], None]:
    def prepare(model: Sequential) -> None:
        for layer in model.layers:
            if isinstance(layer, Dense):
                layer.weights = change(np.array(layer.weights))

    return prepare


def _not_finite(model: Sequential) -> None:
    _hidden(model)[1].weights = np.full((WIDTH, WIDTH), np.inf)


def _in_order() -> Training:
    order = np.argsort(CLASSES[:N], kind="stable")
    rows = np.concatenate([order, np.arange(N, N + HELD_OUT)])
    return Training(X=X[rows], y=CLASSES[rows], options={"shuffle": False})


_twins = np.where(np.arange(N + HELD_OUT) < N + HELD_OUT // 2, np.arange(N + HELD_OUT), np.arange(N + HELD_OUT) - N)
_rare = np.concatenate([np.flatnonzero(CLASSES[:N] != 1), np.flatnonzero(CLASSES[:N] == 1)[:6], np.arange(N, len(X))])
_seconds = X + np.array([0.0, 1e8, 0.0, 0.0])
_noise = RNG.permutation(CLASSES)
_few = np.arange(len(X) - HELD_OUT - 60, len(X))

PLANTED = {
    "loss not finite": Training(epochs=0, prepare=_not_finite),
    "one label": Training(y=np.full(len(X), 2)),
    "float32 resolution": Training(X=_seconds, epochs=0),
    "a feature is the label": Training(X=np.column_stack([X, CLASSES + 0.001 * RNG.normal(size=len(X))])),
    "validation rows in training": Training(X=X[_twins], y=CLASSES[_twins]),
    "labels do not follow from X": Training(y=_noise),
    "target not scaled": Training(y=1000 * NUMBERS + 5000),
    "inputs not scaled": Training(X=X * [1.0, 100.0, 1.0, 1000.0]),
    "weight decay too strong": Training(optimizer=lambda: nnxp.AdamW(0.003, weight_decay=50)),
    "learning rate too high": Training(optimizer=lambda: nnxp.SGD(30), epochs=2),
    "weights of one value": Training(prepare=_weights(lambda w: np.full_like(w, 0.1))),
    "weights too large": Training(prepare=_weights(lambda w: 20 * w)),
    "dead ReLUs": Training(prepare=_biases(-20.0)),
    "saturated units": Training(activation="tanh", prepare=_biases(12.0)),
    "exploding gradients": Training(hidden=(WIDTH,) * 9, prepare=_weights(lambda w: 2.5 * w), epochs=0),
    "vanishing gradients": Training(hidden=(WIDTH,) * 9, activation="sigmoid", optimizer=lambda: nnxp.SGD(0.01)),
    "ordered data": _in_order(),
    "batch too large": Training(optimizer=lambda: nnxp.SGD(0.01), options={"batch_size": N}),
    "learning rate too low": Training(optimizer=lambda: Adam(1e-6)),
    "loss stuck": Training(dropout=0.99),
    "class imbalance": Training(X=X[_rare], y=CLASSES[_rare], epochs=2),
    "over-fitting": Training(X=X[_few], y=CLASSES[_few], hidden=(128, 128), epochs=150),
    "under-fitting": Training(y=NUMBERS, hidden=(1,)),
}
"""By the name that the finding has."""


def told(training: Training, model: Sequential | None = None) -> Any:
    """The diagnosis of a training that is run."""
    x, y, held_out = training.parts
    if model is None:
        model = training.trained() if training.epochs else training.model()
    return nnxp.diagnose(model, x, y, validation_data=held_out)


def changed(**options: Any) -> Training:
    """The healthy training with something else."""
    return replace(HEALTHY, **options)
