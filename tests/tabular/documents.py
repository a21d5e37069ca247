"""Documents that a report is made of, with numbers of nobody's table."""

import math
from typing import Any

import numpy as np

LABELS = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "log_loss": "log loss", "roc_auc": "ROC AUC",
    "r2": "R²", "rmse": "root mean squared error", "mean_absolute_error": "mean absolute error",
}  # fmt: skip
BASELINES = {"majority": "always the most frequent class", "mean": "always the mean", "linear": "a linear model"}


def score(value: float | None, error: float | None = None) -> dict[str, float | None]:
    return {"value": value, "error": error}


def contender(name: str, label: str, values: dict[str, float | None]) -> dict[str, Any]:
    scores = {key: score(value, None if value is None else 0.0123) for key, value in values.items()}
    better = None if name == "model" else {key: score(0.05, 0.01) for key in values}
    return {"name": name, "label": label, "scores": scores, "model_better_by": better}


def common(task: str, target: str, metrics: tuple[str, ...], **rest: Any) -> dict[str, Any]:
    return {
        "version": 1, "task": task, "target": target, "rows": {"training": 8123, "validation": 903, "test": 2256},
        "weighted": False, "main": metrics[0], "loss": "log_loss" if task == "classification" else "rmse",
        "metrics": [
            {"name": name, "label": LABELS[name], "better": "lower" if "l" in name[:1] else "higher",
             "meaning": f"What {LABELS[name]} says, in a sentence."}
            for name in metrics
        ],
        "training": {name: score(0.91234, 0.002) for name in metrics},
        "classes": None, "confusion": None, "calibration": None, "ranges": None, "history": None, "best_epoch": None,
        "importance": None, "worst": None, "warnings": [],
    } | rest  # fmt: skip


def history(metric: str, epochs: int = 40) -> dict[str, list[float | None]]:
    fall = [0.3 + math.exp(-epoch / 8) for epoch in range(epochs)]
    return {
        "loss": [*fall],
        "val_loss": [value + 0.1 + (epoch / epochs) ** 2 / 5 for epoch, value in enumerate(fall)],
        metric: [1 - value / 2 for value in fall],
        f"val_{metric}": [0.95 - value / 2 for value in fall],
    }


def classification(names: tuple[str, ...] = ("Biscoe", "Dream", "Torgersen"), columns: int = 8) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    n = len(names)
    counts = rng.poisson(2, (n, n)) + np.diag(rng.integers(5, 400, n))
    classes = [
        {"name": name, "training": 4 * int(row.sum()), "test": int(row.sum()), "predicted": int(column.sum()),
         "recall": score(row[i] / row.sum(), 0.031), "precision": score(column[i] / column.sum(), 0.029),
         "f1": score(2 * row[i] / (row.sum() + column.sum()), 0.027)}
        for i, (name, row, column) in enumerate(zip(names, counts, counts.T, strict=True))
    ]  # fmt: skip
    metrics = ("accuracy", "balanced_accuracy", "log_loss", "roc_auc")
    bins = [
        {"low": k / 10, "high": (k + 1) / 10, "rows": 20 * k, "predicted": k / 10 + 0.05,
         "observed": score(min(1.0, (k / 10) ** 1.3 + 0.06), 0.02)}
        for k in range(1, 10)
    ]  # fmt: skip
    return common(
        "classification", "island", metrics,
        contenders=[
            contender("model", "the model", dict(zip(metrics, (0.85123, 0.8312, 0.41234, 0.9312), strict=True))),
            contender("majority", BASELINES["majority"], dict(zip(metrics, (0.7012, 0.3333, 0.9, None), strict=True))),
            contender("linear", BASELINES["linear"], dict(zip(metrics, (0.8012, 0.79, 0.5, 0.9), strict=True))),
        ],
        classes=classes, confusion=counts.tolist(), history=history("accuracy"), best_epoch=31,
        calibration={"of": "the predicted class", "bins": bins, "error": score(0.0345, 0.004)},
        importance=importance("accuracy", columns),
        worst=[{"row": 17 + k, "truth": names[0], "prediction": names[-1], "probability": 0.0012 * (k + 1)}
               for k in range(6)],
        warnings=[
            {"kind": "gap", "text": "The accuracy is 0.912 on the training part and 0.851 on the test part: the model "
             "has learned rows by heart. More rows, dropout or a smaller network help."},
            {"kind": "leak", "text": "The column 'species_code' alone predicts the target (accuracy 0.99): if it is "
             "known only afterwards, leave it out with --drop species_code."},
        ],
    )  # fmt: skip


def importance(metric: str, columns: int) -> dict[str, Any]:
    found = [
        {"name": f"column {k}", "importance": score(0.2 * math.exp(-k / 3) - 0.004, 0.006)} for k in range(columns)
    ]
    return {"metric": metric, "repeats": 5, "columns": found}


def regression(scale: float = 1.0) -> dict[str, Any]:
    metrics = ("r2", "rmse", "mean_absolute_error")
    ranges = [
        {"low": scale * k * k * 40.0, "high": scale * (k + 1) ** 2 * 40.0, "rows": 225,
         "truth": scale * (k + 0.5) ** 2 * 40, "prediction": scale * (k + 0.4) ** 2 * 41,
         "rmse": score(scale * (3 + k), scale * 0.3), "mean_absolute_error": score(scale * (2 + k), scale * 0.2),
         "median_absolute_error": score(scale * (1 + k), scale * 0.1), "bias": score(-scale * k / 3, scale * 0.3)}
        for k in range(10)
    ]  # fmt: skip
    return common(
        "regression", "price", metrics,
        contenders=[
            contender("model", "the model", dict(zip(metrics, (0.85123, 52310.7 * scale, 31000.2), strict=True))),
            contender("mean", BASELINES["mean"], dict(zip(metrics, (-0.0012, 120000.4 * scale, 98000.0), strict=True))),
            contender("linear", BASELINES["linear"], dict(zip(metrics, (0.8, 60000 * scale, 40000.0), strict=True))),
        ],
        ranges=ranges, history=history("rmse"), best_epoch=40, importance=importance("r2", 8),
        worst=[{"row": 17 + k, "truth": scale * 1234567.8, "prediction": scale * 98765.4, "probability": None}
               for k in range(6)],
    )  # fmt: skip


KINDS = [
    {"name": "bill_length", "kind": "number", "why": "every cell is a number", "missing": 2,
     "becomes": "1 column, robust, and whether it was missing"},
    {"name": "island", "kind": "category", "why": "3 different words", "missing": 0, "becomes": "3 columns of 0 and 1"},
    {"name": "seen", "kind": "date", "why": "every cell is a date, day first", "missing": 0,
     "becomes": "trend, month as sine and cosine"},
    {"name": "id", "kind": "identifier", "why": "every cell is different", "missing": 0, "becomes": "left out"},
]  # fmt: skip
BESIDE: dict[str, Any] = {
    "data": "penguins.csv",
    "kinds": KINDS,
    "notes": ["separator ';', decimal comma, UTF-8", "12 rows without a target are left out."],
    "settings": {"network": "64-256-128-3, SiLU, dropout 0.2", "optimizer": "adamw, learning rate 0.001, cosine"},
    "command": "nnxp predict runs/penguins/model.safetensors new.csv --out predictions.csv",
    "versions": {"nnxp": "0.5.0", "numpy": "2.4.6", "Python": "3.11.2"},
}
"""What stands in a report beside its document."""
