"""Many networks at once beside scikit-learn's one by one: a bag of 32, and a grid of 8 points on 5 folds.

python -m benchmarks.many                     # five rounds; the table, and JSON in benchmarks/report
python -m benchmarks.many --rounds 1 --epochs 10

The rounds go in turn, in one process, on float32, with `tol` and `n_iter_no_change` at their defaults for the grids and
all epochs for the bags. Those of scikit-learn end with a division by 0 where none of a batch's rows was drawn (see
findings/): they take another seed until they do not. What numba compiles once is compiled before the clock starts. A
time is a whole fit, and the ratio the median of the rounds'. The scores are the log loss of the bags on rows of their
own, and of a grid the mean score of the best point on the folds, with the standard error of that; `best` says whether
both found the same point.
"""

import argparse
import contextlib
import itertools
import math
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier

import nnxp
from benchmarks import machine, measurements

MEMBERS, FOLDS = 32, 5
GRID = {"alpha": [1e-5, 1e-3, 1e-1, 1.0], "learning_rate_init": [1e-3, 1e-2]}
NETWORK: dict[str, Any] = {"hidden_layer_sizes": (32, 32)}
Found = dict[str, Any]


def rows(name: str, seed: int) -> tuple[Any, Any]:
    """X, in float32, and y."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return (X / 16).astype(np.float32), y
    X, y = make_classification(2000, 20, n_informative=10, flip_y=0.05, class_sep=0.8, random_state=seed)
    return X.astype(np.float32), y


def bag(contender: str, seed: int, epochs: int, batch: Any) -> Found:
    """32 networks on bootstrap samples of 1,000 rows, all epochs."""
    X, y = rows("1,000 × 20", seed)
    A, B, a, b = train_test_split(X, y, train_size=1000, random_state=seed, stratify=y)
    given = {**NETWORK, "batch_size": batch, "max_iter": epochs, "tol": 0.0, "n_iter_no_change": epochs}
    for again in itertools.count():
        if contender == "sklearn":
            model = BaggingClassifier(MLPClassifier(**given), MEMBERS, random_state=seed + 1000 * again)
        else:
            model = nnxp.MLPClassifier(**given, members=MEMBERS, random_state=seed)
        start = time.perf_counter()
        with contextlib.suppress(*[ZeroDivisionError] * (contender == "sklearn")):  # no row of a batch was drawn
            model.fit(A, a)
            break
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "score": log_loss(b, model.predict_proba(B))}


def grid(contender: str, seed: int, epochs: int, name: str, batch: Any) -> Found:
    """4 alpha × 2 learning_rate_init × 5 folds, and the refit."""
    X, y = rows(name, seed)
    X, y = (X[:1000], y[:1000]) if name != "digits" else (X, y)
    given = {**NETWORK, "batch_size": batch, "max_iter": epochs, "random_state": seed}
    start = time.perf_counter()
    if contender == "sklearn":
        search = GridSearchCV(MLPClassifier(**given), GRID, cv=FOLDS).fit(X, y)
    else:
        search = nnxp.grid_search(nnxp.MLPClassifier(**given), GRID, X, y, cv=FOLDS)
    results, best = search.cv_results_, search.best_index_
    error = results["std_test_score"][best] / (FOLDS - 1) ** 0.5
    found = {"seconds": time.perf_counter() - start, "score": search.best_score_, "standard_error": error}
    return found | {"best": search.best_params_, "scores": results["mean_test_score"].tolist()}


CASES: dict[str, Callable[[str, int, int], Found]] = {
    "bag of 32, batches of 32": lambda contender, seed, epochs: bag(contender, seed, epochs, 32),
    "bag of 32, default batches": lambda contender, seed, epochs: bag(contender, seed, epochs, "auto"),
    "grid, 1,000 × 20, batches of 32": lambda contender, seed, epochs: grid(contender, seed, epochs, "1,000 × 20", 32),
    "grid, digits": lambda contender, seed, epochs: grid(contender, seed, epochs, "digits", "auto"),
}
EPOCHS = {"bag": 50, "grid": 200}


def measure(name: str, rounds: int, epochs: int | None) -> Found:
    """All rounds of a case, ours and scikit-learn's in turn."""
    case, each = CASES[name], []
    case("nnxp", 0, 1)
    for seed in range(rounds):
        each.append(
            {of: case(of, seed, epochs or EPOCHS[name[: name.index(" ")].strip(",")]) for of in ("nnxp", "sklearn")}
        )
    ratio = statistics.median(one["nnxp"]["seconds"] / one["sklearn"]["seconds"] for one in each)
    return {"name": name, "ratio": ratio, "rounds": each}


def lines(measured: list[Found]) -> tuple[list[str], list[list[str]]]:
    """The table."""
    found = []
    for case in measured:
        each = case["rounds"]
        row = [case["name"], f"1/{1 / case['ratio']:.1f}"]
        for of in ("nnxp", "sklearn"):
            score = statistics.mean(one[of]["score"] for one in each)
            row.append(f"{score:.4f}, {statistics.median(one[of]['seconds'] for one in each):.2f} s")
        differences = [one["nnxp"]["score"] - one["sklearn"]["score"] for one in each]
        error = (
            statistics.stdev(differences) / len(each) ** 0.5
            if len(each) > 1
            else each[0]["nnxp"].get("standard_error", math.nan)
        )
        row.append(f"{statistics.mean(differences):+.4f} ± {error:.4f}")
        same = [one["nnxp"]["best"] == one["sklearn"]["best"] for one in each if "best" in one["nnxp"]]
        found.append([*row, f"{sum(same)} of {len(same)}" if same else ""])
    return ["", "time", "nnxp", "scikit-learn", "difference", "same best point"], found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="other than 50 of a bag and at most 200 of a grid")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--out", type=Path, default=measurements.MEASURED / "many-default-threads.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    chosen = [name for name in CASES if name.startswith(options.only)]
    measured = [measure(name, options.rounds, options.epochs) for name in chosen]
    described = machine.machine()
    described["versions"] |= machine.versions("scikit-learn")
    when = time.strftime("%Y-%m-%dT%H:%M")
    measurements.save(options.out, {"machine": described, "datetime": when, "cases": measured})
    header, found = lines(measured)
    shown = Table(*header)
    for line in found:
        shown.add_row(*line)
    Console(width=140).print(shown)


if __name__ == "__main__":
    main()
