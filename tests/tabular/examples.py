"""Documents about real models on tables that are made here: what the report's and the terminal's tests read."""

from functools import cache

import numpy as np

import nnxp
from nnxp import random
from nnxp.callbacks import EarlyStopping
from nnxp.tabular.findings.baselines import linear_model, without_columns
from nnxp.tabular.findings.document import Part, findings
from nnxp.tabular.findings.importance import permutation_importance
from nnxp.tabular.findings.layout import Document
from nnxp.tabular.findings.leaks import alone
from nnxp.tabular.table import Numbers, Table

NAMES = ("age", "income", "visits", "height")


@cache
def classification(rows: bool = True, n: int = 600) -> Document:
    """Three classes of unequal size, two columns that tell them apart, one bent, one that says nothing."""
    X = random.normal(random.key(0, "data"), (n, 4))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2 + 0.3 * random.normal(random.key(1, "data"), (n,)), [0.5, 3.0])
    return _document("class", X, y, ["none", "some", "many"], rows)


@cache
def regression(rows: bool = True, n: int = 600) -> Document:
    """A sum of a line and a wave, and noise."""
    X = random.normal(random.key(2, "data"), (n, 4))
    y = 100 + 20 * X[:, 0] + 30 * np.sin(2 * X[:, 2]) + 5 * random.normal(random.key(3, "data"), (n,))
    return _document("price", X, y, None, rows)


def _document(target: str, X: np.ndarray, y: np.ndarray, classes: list[str] | None, rows: bool) -> Document:
    train, test = nnxp.data.split(y, 0.25, seed=0)
    k = None if classes is None else len(classes)
    if k is None:
        sigma, mu = float(y[train].std()), float(y[train].mean())
        end, loss = (
            [nnxp.Dense(32, 1), nnxp.Rescaling([sigma], [mu])],
            nnxp.losses.StandardisedLoss("mean_squared_error", [sigma]),
        )
    else:
        end, loss = [nnxp.Dense(32, k), "softmax"], "categorical_crossentropy"
    model = nnxp.Sequential([nnxp.Dense(4, 32), "relu", *end], loss, nnxp.Adam(0.02), seed=0, dtype="float64")
    stopping = EarlyStopping(patience=5)
    history = model.fit(X[train], y[train], 60, 32, validation_split=0.2, callbacks=[stopping])
    straight = linear_model(X[train], y[train], k).predict(X[test])
    columns = {name: Numbers(column) for name, column in zip(NAMES, X[train].T, strict=True)}
    return findings(
        Part(y[test], model.predict(X[test])),
        classes=classes,
        target=target,
        baselines={
            **without_columns(y[train], len(test), k),
            "linear": straight if k else straight[:, 0],
        },
        training=Part(y[train], model.predict(X[train])),
        validation_rows=round(0.2 * len(train)),
        history=history,
        best_epoch=stopping.best_epoch,
        importance=permutation_importance(
            lambda X: model.predict(np.stack([X[name] for name in NAMES], axis=1)),
            {name: X[test][:, i].tolist() for i, name in enumerate(NAMES)},
            y[test],
            metric="rmse" if k is None else "log_loss",
        ),
        alone=alone(Table("made.csv", columns, range(2, len(train) + 2)), y[train], k),
        lines=test + 2,
        rows=rows,
    )


@cache
def doubtful(rows: bool = True) -> Document:
    """What every warning is about: chance learned by heart from few rows, and a column that is the target."""
    X = random.normal(random.key(4, "data"), (80, 4))
    y = np.arange(80) % 13 // 6
    train, test = nnxp.data.split(y, 0.25, seed=0)
    columns = {"age": Numbers(X[train, 0]), "answer_code": Numbers(y[train] + 1.0)}
    model = nnxp.Sequential(
        [nnxp.Dense(4, 128), "relu", nnxp.Dense(128, 3), "softmax"],
        "categorical_crossentropy",
        nnxp.Adam(0.02),
        seed=0,
        dtype="float64",
    )
    model.fit(X[train], y[train], 60, 16)
    return findings(
        Part(y[test], model.predict(X[test])),
        classes=["no", "yes", "perhaps"],
        target="answer",
        baselines=without_columns(y[train], len(test), 3),
        training=Part(y[train], model.predict(X[train])),
        alone=alone(Table("made.csv", columns, range(2, len(train) + 2)), y[train], 3),
        rows=rows,
    )
