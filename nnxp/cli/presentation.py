"""What `nnxp train` and `nnxp evaluate` print, and the picture of a run."""

import contextlib
import logging
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnxp import plots
from nnxp.cli.results import Result, library_version, predict
from nnxp.cli.runs import FILES
from nnxp.data import Dataset
from nnxp.layers import Dense, Dropout, Layer
from nnxp.network.recipe import Recipe
from nnxp.network.residual import Residual
from nnxp.network.row import Row
from nnxp.printing import counted, print_table
from nnxp.sequential import Sequential
from nnxp.tabular.networks.realmlp import RealMLP
from nnxp.tabular.networks.tabm import TabM

MOST_PAIRS = 5
SMALL = 4
"""Up to so many classes the whole confusion matrix is shown, else the pairs most often confused."""
PIXELS = (4, 64)
"""The smallest and largest height and width of an array that is shown as a picture."""


def before(dataset: Dataset, model: Sequential, recipe: Recipe | RealMLP | TabM, loss: str, validation: int) -> None:
    """Says what is about to be trained, on what and where."""
    outputs = 1 if dataset.y.ndim == 1 else dataset.y.shape[1]
    target = f"{counted(outputs, 'number')} to predict"
    if dataset.classes is not None:
        target = counted(len(dataset.classes), "class", "classes")
    assert dataset.X_test is not None
    features, backend = dataset.X.shape[1], model.backend
    parts = f"{counted(len(dataset.X) - validation, 'sample')} to train on, "
    parts += f"{validation:,} to follow, " if validation else ""
    parts += f"{len(dataset.X_test):,} to test on"
    sizes = [features, *recipe.hidden, outputs if dataset.classes is None else len(dataset.classes)]
    several = f"{model.members} members, each " if model.members > 1 else ""
    network = [several + "-".join(map(str, sizes)), *(recipe.network if recipe.hidden else [])]
    if any(isinstance(layer, Residual) for layer in model.layers):
        network.append("beside a linear model")
    rule = recipe.rule
    if isinstance(recipe, RealMLP):
        rule.insert(1, f"learning rate {model.optimizer.learning_rate:g}")
    where = f"{backend.title} ({backend.library} {library_version(backend.library)})"
    rows = {
        "data": f"{dataset.name}: {parts}; {counted(features, 'feature')}, {target}",
        "network": f"{', '.join(network)}; {count(model):,} parameters{' in all' if several else ''}, {model.dtype}",
        "training": f"{', '.join(rule)}; {loss}; {counted(recipe.epochs, 'epoch')}, "
        f"batches of {recipe.batch_size}, seed {model.seed}",
        "backend": where + (f", chosen since {backend.reason}" if backend.reason else ""),
    }
    for name, text in rows.items():
        print(f"{name:9} {text}")
    print(flush=True)


@contextlib.contextmanager
def log(quiet: bool) -> Iterator[None]:
    """What the log "nnxp" says inside is printed, or where that is not wanted, goes nowhere."""
    logger = logging.getLogger("nnxp")
    handler, level = logging.NullHandler() if quiet else logging.StreamHandler(sys.stdout), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


BEGAN = "as the linear model that it began with: none was better by a standard error on the rows that were followed"


def after(result: Result | None, summary: dict[str, Any], folder: Path, *lacking: str) -> None:
    """Says what came out, unless that was said already, and where it is."""
    if result is not None:
        print(f"test {figures(result)}")
        confusions(result)
    for finding in summary["diagnosis"]:
        print(f"diagnosis: {finding['text']}")
    if "best_epoch" in summary:
        ended = "stopped after" if summary["stopped_early"] else "ran all"
        epoch = f"with the weights of epoch {summary['best_epoch']}" if summary["best_epoch"] else BEGAN
        print(f"{ended} {counted(summary['epochs'], 'epoch')}, {epoch}")
    for name in ("accuracy", "rmse"):
        if alone := summary.get(f"test_{name}_of_members"):
            print(f"each member alone: {name} {min(alone):.4g} to {max(alone):.4g}")
    print(f"trained for {summary['wall_seconds']:.1f} s, {summary['samples_per_second']:,.0f} samples a second")
    files = [name for name in FILES if (folder / name).exists()]
    print(f"written to {folder}: {', '.join(files)}")
    for why in filter(None, lacking):
        print(why)


def figures(result: Result) -> str:
    """The accuracy, or the root mean squared error and R², in words; of several targets the error over all of them,
    which says little where their units differ, and the mean R²."""
    values = result.figures
    if result.classes is not None:
        return f"accuracy {values['accuracy']:.3f} ({values['correct']:,} of {result.samples:,})"
    count = result.output.shape[1]
    over, mean, of = (f" over {count} targets", "mean ", " of one") if count > 1 else ("", "", "")
    r2 = f"no {mean}R² (every value{of} is the same)" if values["r2"] is None else f"{mean}R² {values['r2']:.3f}"
    return f"rmse {values['rmse']:.4g}{over}, {r2}, {result.samples:,} samples"


def confusions(result: Result) -> None:
    """Prints which classes are taken for which, briefly."""
    if result.confusion is None or result.classes is None:
        return
    counts, names = result.confusion, result.classes
    if len(names) <= SMALL:
        rows = [[name, *map(str, row)] for name, row in zip(names, counts.tolist(), strict=True)]
        print_table(["class / taken for", *names], rows)
        return
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    places = [divmod(int(place), len(names)) for place in order]
    rows = [[names[i], names[j], f"{wrong[i, j]} of {counts[i].sum()}"] for i, j in places if wrong[i, j]]
    if rows:
        print_table(["class", "taken for", "samples"], rows)


def architecture(model: Sequential) -> list[str]:
    """A short text for each layer."""
    return _described(model.layers)


def _described(layers: Sequence[Layer]) -> list[str]:
    texts = []
    for layer in layers:
        options = ""
        if isinstance(layer, Dense):
            options = f"({layer.n_in}, {layer.n_out})"
        elif isinstance(layer, Dropout):
            options = f"({layer.rate:g})"
        elif isinstance(layer, Row):
            options = f"({', '.join(_described(layer.layers))})"
        texts.append(type(layer).__name__ + options)
    return texts


def count(model: Sequential) -> int:
    """The number of parameters."""
    return sum(math.prod(layer.shapes()[name]) for layer in model._all_layers() for name in layer.parameters)


def draw(
    history: dict[str, list[float]],
    followed: str,
    model: Sequential,
    dataset: Dataset,
    result: Result,
    path: Path,
) -> str:
    """Draws the picture of the run; else gives the line that says why there is none.

    A picture that fails is no reason to lose a trained model.
    """
    title = f"{dataset.name}: test {figures(result)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class name in letters that the font has not, for instance
            plots.training(history, path, title=title, held_out=followed, panel=_panel(model, dataset, result))
    except ModuleNotFoundError as error:
        return f"no curves.png: {error}"
    except Exception as error:
        path.unlink(missing_ok=True)
        return f"no curves.png: drawing it failed ({type(error).__name__}: {error})"
    return ""


def _panel(model: Sequential, dataset: Dataset, result: Result) -> plots.Panel:
    """What shows best how the model does on the test part of such data."""
    X, y = np.asarray(dataset.X_test), np.asarray(dataset.y_test)
    if result.confusion is None or result.classes is None:
        return plots.predicted(y, result.output)
    shape = dataset.preprocessing.get("shape", ())
    if len(shape) == 2 and all(PIXELS[0] <= side <= PIXELS[1] for side in shape):
        return plots.images(X, y, result.output, result.classes, (shape[0], shape[1]))
    if X.shape[1] == 2:
        return plots.regions(X, y, result.classes, lambda points: predict(model, points))
    return plots.confusion(result.confusion, result.classes)
