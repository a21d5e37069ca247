"""`nnxp train`: from the options to a run folder."""

import argparse
import csv
import dataclasses
import io
import json
import logging
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

import nnxp
from nnxp import data
from nnxp.activations import ACTIVATIONS, Activation, Softmax
from nnxp.backends import Backend, get_backend
from nnxp.cli import report
from nnxp.cli.options import UsageError
from nnxp.cli.recipes import Recipe, recipe_for
from nnxp.cli.regression import target_scale
from nnxp.cli.results import TEST_SHARE, Result, fingerprint, library_version
from nnxp.cli.runs import RunFolder
from nnxp.data import Dataset
from nnxp.layers import Dense, Dropout, Layer, Rescaling
from nnxp.losses import StandardisedLoss, get_loss
from nnxp.naming import lookup, snake_case
from nnxp.optimizers import OPTIMIZERS, Optimizer, get_optimizer
from nnxp.options import positive
from nnxp.sequential import Sequential

LOSSES = {
    "classification": ("categorical_crossentropy",),
    "regression": ("mean_squared_error", "mean_absolute_error", "huber"),
}
OPTIMIZER_OPTIONS = ("learning_rate", "decay", "momentum", "weight_decay", "clip_norm")
SILENT = logging.NullHandler()
STEPS_OF_SIGMA = 100
"""How many numbers of the dtype one standard deviation of a column has to span, at least."""


def run(args: argparse.Namespace) -> None:
    """Trains, tests, and writes and prints the results."""
    recipe = _settle(args)
    optimizer = get_optimizer(recipe.optimizer)
    optimizer = type(optimizer)(**recipe.optimizer_options)
    log = logging.getLogger("nnxp")
    log.addHandler(SILENT)  # the report says why "auto" chose what it did
    try:
        backend = get_backend(args.backend, args.dtype)
    finally:
        log.removeHandler(SILENT)
    dataset, held_out = _load(args)
    loss = _loss(args.loss, dataset)
    model = build(dataset, recipe, optimizer, loss, backend, args.seed)
    model.classes = None if dataset.classes is None else list(dataset.classes)
    model.preprocessing = dataset.preprocessing | held_out
    validation = round((args.validation_split or 0) * len(dataset.X))  # rows, as `data.split` counts
    with RunFolder(args.out or Path("runs", dataset.name), args.overwrite) as folder:
        if not args.quiet:
            report.before(dataset, model, recipe, loss, validation)
        start = time.perf_counter()
        followed = _fit(args, recipe, model, dataset)
        seconds = time.perf_counter() - start
        result = Result.of(model, dataset.X_test, dataset.y_test)
        history = {name.replace("val_", f"{followed}_", 1): values for name, values in model.history.items()}
        summary = _summary(args, recipe, model, dataset, loss, validation, result, seconds)
        model.save(folder.staging / "model.safetensors")
        _write_history(history, folder.staging / "history.csv")
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        (folder.staging / "summary.json").write_text(text, encoding="utf-8")
        no_picture = report.draw(history, followed, model, dataset, result, folder.staging / "curves.png")
        folder.publish()
    if not args.quiet:
        report.after(result, summary, folder.path, no_picture)


def build(dataset: Dataset, recipe: Recipe, optimizer: Optimizer, loss: str, backend: Backend, seed: int) -> Sequential:
    """The network: what rescales X, the hidden layers, and what gives probabilities or values."""
    layers: list[Layer | str] = []
    rescale = recipe.rescale or dataset.rescale
    if rescale is not None:
        scale, offset = rescale
        _check_resolution(offset, backend.dtype, lambda i: f"feature {i + 1}{_column(dataset, i)}")
        layers.append(Rescaling(scale, offset))
    if recipe.input_dropout:
        layers.append(Dropout(recipe.input_dropout))
    width = dataset.X.shape[1]
    for units in recipe.hidden:
        layers += [Dense(width, units), _activation(recipe.activation)]
        if recipe.dropout:
            layers.append(Dropout(recipe.dropout))
        width = units
    criterion = get_loss(loss)
    if dataset.classes is not None:
        layers += [Dense(width, len(dataset.classes)), Softmax()]
    else:
        sigma, mu = target_scale(dataset.y)
        _check_resolution([m / s for m, s in zip(mu, sigma, strict=True)], backend.dtype, lambda i: "the target")
        layers += [Dense(width, len(sigma)), Rescaling(sigma, mu)]
        criterion = StandardisedLoss(loss, sigma)
    return Sequential(layers, criterion, optimizer, backend=backend, dtype=backend.dtype, seed=seed)


def _settle(args: argparse.Namespace) -> Recipe:
    """The data set's recipe with the options that were given."""
    recipe = recipe_for(args.data)
    if args.optimizer not in (None, recipe.optimizer):  # its learning rate suits the recipe's optimizer only
        recipe = dataclasses.replace(recipe, optimizer=args.optimizer, optimizer_options={})
    known = type(get_optimizer(recipe.optimizer)).options
    given = {name: getattr(args, name) for name in OPTIMIZER_OPTIONS if getattr(args, name) is not None}
    for name in given:
        if name not in known:
            owners = [snake_case(cls.__name__) for cls in OPTIMIZERS if name in cls.options]
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} belongs to --optimizer {' or '.join(owners)}, not to {recipe.optimizer}")
    fields = ("hidden", "activation", "dropout", "input_dropout", "batch_size", "epochs")
    changes = {name: getattr(args, name) for name in fields if getattr(args, name) is not None}
    recipe = dataclasses.replace(recipe, **changes, optimizer_options={**recipe.optimizer_options, **given})
    positive("epochs", recipe.epochs)
    positive("batch_size", recipe.batch_size)
    for name in ("activation", "dropout"):
        if not recipe.hidden and name in changes:
            raise UsageError(f"--{name} is for hidden layers, but --hidden is none")
    return recipe


def _load(args: argparse.Namespace) -> tuple[Dataset, dict[str, Any]]:
    """The data with a test part, and which rows those are, for a later `nnxp evaluate`."""
    dataset = data.load(args.data, args.data_dir, args.target)
    if dataset.X_test is not None:
        return dataset, {}
    held_out = {"share": TEST_SHARE, "seed": args.seed, "sha256": fingerprint(dataset.X, dataset.y)}
    return dataset.hold_out(TEST_SHARE, args.seed), {"held_out": held_out}


def _loss(name: str | None, dataset: Dataset) -> str:
    fitting = LOSSES[dataset.task]
    if name not in (None, *fitting):
        what = "classes" if dataset.task == "classification" else "numbers"
        raise UsageError(
            f"--loss {name} does not fit {dataset.name}, whose target is {what}: expected {' or '.join(fitting)}"
        )
    return name or fitting[0]


def _activation(name: str) -> Activation:
    return lookup(name, Activation, [cls for cls in ACTIVATIONS if cls is not Softmax], "activation")


def _check_resolution(ratios: Any, dtype: str, name: Any) -> None:
    """Raises where a column lies so far from 0, μ/σ, that the dtype rounds its differences away."""
    limit = 1 / (STEPS_OF_SIGMA * float(np.finfo(dtype).eps))
    for i, ratio in enumerate(ratios if isinstance(ratios, list) else [ratios]):
        if abs(ratio) > limit:
            fix = "--dtype float64" if dtype == "float32" else "a constant subtracted from it"
            raise UsageError(
                f"{name(i)} has a mean {abs(ratio):.0f} times its standard deviation, differences that "
                f"{dtype} rounds away: use {fix}"
            )


def _column(dataset: Dataset, i: int) -> str:
    """The name of the column of numbers that feature i comes from, where it has one."""
    names = [
        column["name"] for column in dataset.preprocessing.get("columns", ()) for _ in column.get("categories", (None,))
    ]
    return f" ({names[i]!r})" if names else ""


def _fit(args: argparse.Namespace, recipe: Recipe, model: Sequential, dataset: Dataset) -> str:
    """Trains; gives the name of the part that was followed."""
    validation: dict[str, Any] = {"validation_data": (dataset.X_test, dataset.y_test)}
    if args.validation_split:
        validation = {"validation_split": args.validation_split}
    model.fit(
        dataset.X,
        dataset.y,
        recipe.epochs,
        recipe.batch_size,
        progress=False if args.quiet else None,
        **validation,
    )
    return "validation" if args.validation_split else "test"


def _write_history(history: dict[str, list[float]], path: Path) -> None:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["epoch", *history])
    for epoch, values in enumerate(zip(*history.values(), strict=True), start=1):
        rows.writerow([epoch, *values])
    path.write_text(text.getvalue(), encoding="utf-8")


def _summary(
    args: argparse.Namespace,
    recipe: Recipe,
    model: Sequential,
    dataset: Dataset,
    loss: str,
    validation: int,
    result: Result,
    seconds: float,
) -> dict[str, Any]:
    """What `summary.json` holds."""
    trained = len(dataset.X) - validation
    library = model.backend.library
    return {
        "data": dataset.name,
        "task": dataset.task,
        "features": dataset.X.shape[1],
        "classes": model.classes,
        "training_samples": trained,
        "validation_samples": validation,
        "test_samples": result.samples,
        "architecture": report.architecture(model),
        "parameters": report.count(model),
        "loss": loss,
        "optimizer": model.optimizer.config(),
        "backend": model.backend.name,
        "dtype": model.dtype,
        "seed": args.seed,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        # Of the training, with what was followed after each epoch.
        "wall_seconds": round(seconds, 3),
        "samples_per_second": round(trained * recipe.epochs / seconds, 1),
        **{f"test_{name}": value for name, value in result.figures.items()},
        "versions": {
            "nnxp": nnxp.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            library: library_version(library),
        },
    }
