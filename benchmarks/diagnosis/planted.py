"""The twenty faults of PROTOCOL.md, each planted in a run."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import nnxp
from benchmarks.diagnosis.sets import NUMBERS, SEVERAL, TWO, Rows, Split, load, split
from nnxp import Adam, AdamW, Dense, Dropout, Sequential
from nnxp.callbacks import EarlyStopping

EPOCHS, WIDTH = 40, 64
PLANE = ("spiral", "moons")
"""What the library has a recipe of its own for, in `nnxp train`."""
USUAL = ("digits", "breast cancer", "friedman1", "hpc_data", "diamonds")


@dataclass(frozen=True)
class Run:
    """What is trained on what, and how."""

    split: Split
    hidden: tuple[int, ...] = (WIDTH, WIDTH)
    activation: str = "relu"
    dropout: float = 0.0
    l2: float = 0.0
    optimizer: Callable[[], Any] = Adam
    epochs: int = EPOCHS
    batch_size: int | None = None
    shuffle: bool = True
    prepare: Callable[[Sequential], None] = field(default=lambda model: None)
    callbacks: tuple[Any, ...] = ()

    def model(self, seed: int) -> Sequential:
        """The network, untrained."""
        X, y, task = self.split.X, self.split.y, self.split.task
        layers: list[Any] = []
        width = X.shape[1]
        for units in self.hidden:
            layers += [Dense(width, units, l2=self.l2), self.activation]
            layers += [Dropout(self.dropout)] if self.dropout else []
            width = units
        outputs = max(int(y.max()), int(self.split.y_val.max())) + 1 if task == SEVERAL else 1
        layers.append(Dense(width, outputs, l2=self.l2))
        layers += {SEVERAL: ["softmax"], TWO: ["sigmoid"], NUMBERS: []}[task]
        losses = {SEVERAL: "categorical_crossentropy", TWO: "binary_crossentropy", NUMBERS: "mean_squared_error"}
        model = Sequential(layers, losses[task], self.optimizer(), backend="numpy", seed=seed)
        self.prepare(model)
        return model

    def fit(self, model: Sequential) -> None:
        """Trains it."""
        X, y, X_val, y_val, _ = self.split
        options = {"shuffle": self.shuffle, "callbacks": self.callbacks}
        model.fit(X, y, self.epochs, self.batch_size, validation_data=(X_val, y_val), progress=False, **options)


@dataclass(frozen=True)
class Fault:
    """A fault: the finding's name, by plant where there are two; on which sets; what makes a run of it."""

    names: tuple[str, ...]
    plants: tuple[Callable[[str], Run], ...]
    sets: tuple[str, ...] = USUAL

    def at(self, place: int) -> tuple[str, Run]:
        """The name that is expected, and the run, on the set at this place."""
        plant = self.plants[place % len(self.plants)]
        return self.names[place % len(self.names)], plant(self.sets[place])


def usual(name: str) -> Run:
    """The run without a fault."""
    return Run(split(load(name), 0))


def careful(name: str, seed: int) -> Run:
    """A healthy run."""
    run = Run(split(load(name), seed), epochs=100, callbacks=(EarlyStopping(patience=10),))
    return replace(run, optimizer=lambda: Adam(0.01), epochs=200) if name in PLANE else run


def _changed(**options: Any) -> Callable[[str], Run]:
    return lambda name: replace(usual(name), **options)


def _prepared(prepare: Callable[[Sequential], None], **options: Any) -> Callable[[str], Run]:
    return _changed(prepare=prepare, **options)


def _data(change: Callable[[Split, np.random.RandomState], Split], **options: Any) -> Callable[[str], Run]:
    return lambda name: replace(usual(name), split=change(split(load(name), 0), np.random.RandomState(0)), **options)


def _before(change: Callable[[Rows, np.random.RandomState], Rows]) -> Callable[[str], Run]:
    return lambda name: Run(split(change(load(name), np.random.RandomState(0)), 0))


def _in_units(s: Split, chance: np.random.RandomState) -> Split:
    size = 10.0 ** (np.arange(s.X.shape[1]) % 4)
    return s._replace(X=size * (s.X + 2), X_val=size * (s.X_val + 2))


def _large_target(s: Split, chance: np.random.RandomState) -> Split:
    return s._replace(y=1000 * s.y + 5000, y_val=1000 * s.y_val + 5000)


def _frozen(model: Sequential) -> None:
    for layer in model.layers:
        layer.trainable = False


def _hidden(model: Sequential) -> list[Dense]:
    return [layer for layer in model.layers if isinstance(layer, Dense)][:-1]


def _first_dead(model: Sequential) -> None:
    _hidden(model)[0].biases = np.full((1, WIDTH), -20.0)


def _most_dead(model: Sequential) -> None:
    for layer in _hidden(model):
        layer.biases = np.where(np.arange(WIDTH) % 4 < 3, -20.0, 0.0)[None]


def _at_the_ends(model: Sequential) -> None:
    for layer in _hidden(model):
        layer.biases = np.where(np.arange(WIDTH) % 2, 12.0, -12.0)[None]


def _times(factor: float) -> Callable[[Sequential], None]:
    def prepare(model: Sequential) -> None:
        for layer in model.layers:
            if isinstance(layer, Dense):
                layer.weights = factor * layer.weights

    return prepare


def _one_value(model: Sequential) -> None:
    for layer in model.layers:
        if isinstance(layer, Dense):
            layer.weights = np.full((layer.n_in, layer.n_out), 0.1)


def _permuted(rows: Rows, chance: np.random.RandomState) -> Rows:
    return rows._replace(y=chance.permutation(rows.y))


def _constant(s: Split, chance: np.random.RandomState) -> Split:
    return s._replace(y=np.full_like(s.y, s.y[0]), y_val=np.full_like(s.y_val, s.y[0]))


def _imbalanced(rows: Rows, chance: np.random.RandomState) -> Rows:
    few = np.flatnonzero(rows.y == 1)
    left = few[: max(4, round(0.02 * len(few)))]
    kept = np.sort(np.concatenate([np.flatnonzero(rows.y != 1), left]))
    return rows._replace(X=rows.X[kept], y=rows.y[kept])


def _few(s: Split, chance: np.random.RandomState) -> Split:
    return s._replace(X=s.X[:200], y=s.y[:200])


def _sorted(s: Split, chance: np.random.RandomState) -> Split:
    order = np.argsort(s.y, kind="stable")
    return s._replace(X=s.X[order], y=s.y[order])


def _twins(s: Split, chance: np.random.RandomState) -> Split:
    X_val, y_val = s.X_val.copy(), s.y_val.copy()
    theirs = np.arange(0, len(X_val), 2)
    ours = chance.permutation(len(s.X))[: len(theirs)]
    X_val[theirs], y_val[theirs] = s.X[ours], s.y[ours]
    return s._replace(X_val=X_val, y_val=y_val)


def _label_as_column(s: Split, chance: np.random.RandomState) -> Split:
    mean, deviation = s.y.mean(), s.y.std()
    column, other = ((y - mean) / deviation + 0.01 * chance.randn(len(y)) for y in (s.y, s.y_val))
    return s._replace(X=np.column_stack([s.X, column]), X_val=np.column_stack([s.X_val, other]))


def _infinite(s: Split, chance: np.random.RandomState) -> Split:
    X = s.X.copy()
    X[len(X) // 2, 0] = np.inf
    return s._replace(X=X)


def _whole_batch(name: str) -> Run:
    run = usual(name)
    return replace(run, batch_size=len(run.split.X), optimizer=lambda: nnxp.SGD(0.01))


def _seconds(s: Split, chance: np.random.RandomState) -> Split:
    X, X_val = s.X.copy(), s.X_val.copy()
    first = int(np.argmax(X.std(axis=0) > 0))
    for part in (X, X_val):
        part[:, first] = 1.7e9 + 60 * part[:, first]
    return s._replace(X=X, X_val=X_val)


FAULTS = (
    Fault(("inputs not scaled",), (_data(_in_units),)),
    Fault(
        ("target not scaled",),
        (_data(_large_target),),
        ("friedman1", "concrete", "Computers", "diamonds", "HousePrices"),
    ),
    Fault(("loss stuck",), (_changed(dropout=0.99), _prepared(_frozen))),
    Fault(("dead ReLUs",), (_prepared(_first_dead), _prepared(_most_dead))),
    Fault(
        ("saturated units",),
        (_prepared(_at_the_ends, activation="tanh"), _prepared(_at_the_ends, activation="sigmoid")),
    ),
    Fault(
        ("vanishing gradients", "exploding gradients"),
        (
            _changed(hidden=(32,) * 10, activation="sigmoid", optimizer=lambda: nnxp.SGD(0.01)),
            _prepared(_times(2), hidden=(32,) * 12),
        ),
    ),
    Fault(("weights of one value", "weights too large"), (_prepared(_one_value), _prepared(_times(10)))),
    Fault(
        ("learning rate too high", "learning rate too low"),
        (_changed(optimizer=lambda: Adam(0.5)), _changed(optimizer=lambda: Adam(1e-6))),
    ),
    Fault(("labels do not follow from X",), (_before(_permuted),)),
    Fault(("one label",), (_data(_constant),)),
    Fault(("class imbalance",), (_before(_imbalanced),), ("digits", "breast cancer", "cells", "hpc_data", "spam7")),
    Fault(
        ("over-fitting",),
        (_data(_few, hidden=(256, 256), epochs=300),),
        ("Computers", "cells", "diabetes", "OJ", "Wage"),
    ),
    Fault(
        ("under-fitting",),
        (_changed(hidden=(1,), epochs=100),),
        ("digits", "spiral", "friedman1", "leaf_id_flavia", "friedman3"),
    ),
    Fault(("ordered data",), (_data(_sorted, shuffle=False),)),
    Fault(("validation rows in training",), (_data(_twins),)),
    Fault(("a feature is the label",), (_data(_label_as_column),)),
    Fault(("loss not finite",), (_data(_infinite), _changed(optimizer=lambda: nnxp.SGD(1e4)))),
    Fault(("batch too large",), (_whole_batch,)),
    Fault(("weight decay too strong",), (_changed(optimizer=lambda: AdamW(weight_decay=50.0)), _changed(l2=1.0))),
    Fault(("float32 resolution",), (_data(_seconds),)),
)
