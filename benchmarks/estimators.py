"""`MLPClassifier` and `MLPRegressor` beside scikit-learn's: equal network, batches, epochs and data, scores and times.

python -m benchmarks.estimators               # five seeds; the table, and JSON in benchmarks/report
python -m benchmarks.estimators --quick       # one seed, without Fashion-MNIST

Every estimator has one hidden layer of 100 ReLU units, Adam, batches of min(200, n) rows and its other defaults, and
runs all of its epochs (`tol=0`). Inputs are standardised by the training part (pictures divided by 255, float32), and a
regression's targets too, which nnxp does by itself. The estimators fit in turn, so that whatever else the machine does
falls on all; what numba compiles once is compiled before the clock starts.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import nnxp
from benchmarks import machine, measurements, table

SEEDS, HIDDEN = 5, (100,)
SETS: dict[str, tuple[str, int]] = {
    "breast cancer": ("classes", 200),
    "wine": ("classes", 200),
    "digits": ("classes", 200),
    "diabetes": ("numbers", 200),
    "Fashion-MNIST, 10,000": ("classes", 30),
}
"""The data sets, what their targets are, and the epochs."""
LOADERS: dict[str, Callable[..., Any]] = {
    "breast cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
CONTENDERS = ("sklearn", "fast", "numpy")
Parts = tuple[Any, Any, Any, Any]


def parts(name: str, seed: int) -> Parts:
    """X and y to train with, X and y to test with."""
    if name not in LOADERS:
        found = nnxp.data.fashion_mnist()
        pictures = [np.asarray(X, np.float32).reshape(len(X), -1) / 255 for X in (found.X, found.X_test)]
        rows, _ = train_test_split(np.arange(len(found.y)), train_size=10_000, random_state=seed, stratify=found.y)
        return pictures[0][rows], np.asarray(found.y)[rows], pictures[1], np.asarray(found.y_test)
    X, y = LOADERS[name](return_X_y=True)
    kept = y if SETS[name][0] == "classes" else None
    A, B, a, b = train_test_split(X, y, random_state=seed, stratify=kept)
    scaler = StandardScaler().fit(A)
    return scaler.transform(A), a, scaler.transform(B), b


def estimator(contender: str, task: str, epochs: int, seed: int) -> Any:
    """An estimator that is not fitted yet."""
    given: dict[str, Any] = {"hidden_layer_sizes": HIDDEN, "max_iter": epochs, "random_state": seed}
    given |= {"tol": 0.0, "n_iter_no_change": epochs}
    if contender == "sklearn":
        if task == "classes":
            return MLPClassifier(**given)
        return TransformedTargetRegressor(MLPRegressor(**given), transformer=StandardScaler())
    given["backend"] = nnxp.get_backend("numpy", fast=contender == "fast")
    return nnxp.MLPClassifier(**given) if task == "classes" else nnxp.MLPRegressor(**given)


def measure(name: str, seeds: int, epochs: int) -> dict[str, Any]:
    """Scores and seconds of every contender, a list over the seeds each."""
    task, found = SETS[name][0], {contender: {"scores": [], "seconds": []} for contender in CONTENDERS}
    for seed in range(seeds):
        A, a, B, b = parts(name, seed)
        for contender in CONTENDERS:
            if seed == 0:
                estimator(contender, task, 1, seed).fit(A, a)
            model = estimator(contender, task, epochs, seed)
            start = time.perf_counter()
            model.fit(A, a)
            found[contender]["seconds"].append(time.perf_counter() - start)
            found[contender]["scores"].append(float(model.score(B, b)))
    return {"name": name, "epochs": epochs, "rows": len(a), "task": task, "contenders": summary(found)}


def summary(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Each contender's mean score, median seconds, and beside scikit-learn's the mean difference of the scores over the
    seeds, its standard error, and the median ratio of the times."""
    theirs, rows = found["sklearn"], {}
    for contender, ours in found.items():
        differences = [a - b for a, b in zip(ours["scores"], theirs["scores"], strict=True)]
        error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
        rows[contender] = {
            "score": statistics.mean(ours["scores"]),
            "seconds": statistics.median(ours["seconds"]),
            "difference": statistics.mean(differences),
            "standard_error": error,
            "ratio": statistics.median(a / b for a, b in zip(ours["seconds"], theirs["seconds"], strict=True)),
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, without Fashion-MNIST")
    parser.add_argument("--epochs", type=int, help="other than each data set's own")
    parser.add_argument("--out", type=Path, default=measurements.MEASURED / "estimators-default-threads.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    measured = []
    for name, (_, epochs) in SETS.items():
        if options.quick and name not in LOADERS:
            continue
        try:
            measured.append(measure(name, 1 if options.quick else SEEDS, options.epochs or epochs))
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}")
    described = machine.machine()
    described["versions"] |= machine.versions("scikit-learn")
    measurements.save(
        options.out, {"machine": described, "datetime": time.strftime("%Y-%m-%dT%H:%M"), "sets": measured}
    )
    header, *lines = table.estimators(measured)
    shown = Table(*header)
    for line in lines:
        shown.add_row(*line)
    Console(width=140).print(shown)


if __name__ == "__main__":
    main()
