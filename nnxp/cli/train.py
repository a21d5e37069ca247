"""`nnxp train`: from the options to a run folder."""

import argparse
import contextlib
import csv
import dataclasses
import io
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import nnxp
from nnxp import data
from nnxp.activations import ACTIVATIONS, Activation, Softmax
from nnxp.architecture import hidden_layers
from nnxp.backends import Backend, get_backend
from nnxp.callbacks import Checkpoint, EarlyStopping, Interruption
from nnxp.cli import report
from nnxp.cli.options import UsageError
from nnxp.cli.recipes import Recipe, recipe_for
from nnxp.cli.results import TEST_SHARE, Result, fingerprint, library_version
from nnxp.cli.runs import RunFolder
from nnxp.data import Dataset
from nnxp.errors import DataError
from nnxp.layers import Dense, Dropout, Layer, Rescaling
from nnxp.losses import StandardisedLoss, get_loss, units_of, unresolved
from nnxp.naming import lookup, snake_case
from nnxp.optimizers import OPTIMIZERS, Optimizer, get_optimizer
from nnxp.options import balanced, class_weights, positive
from nnxp.schedules import SCHEDULES, Schedule
from nnxp.sequential import Sequential

LOSSES = {
    "classification": ("categorical_crossentropy",),
    "regression": ("mean_squared_error", "mean_absolute_error", "huber"),
}
OPTIMIZER_OPTIONS = ("learning_rate", "decay", "momentum", "weight_decay", "clip_norm")
FOLLOWED = 0.1
"""The share of the training rows that is held out where something follows them and nobody says how many."""
NUMBERS = {
    "inverse_time_decay": "decay",
    "step_decay": "every",
    "exponential_decay": "factor",
    "cosine": "steps",
    "linear_warmup": "steps",
    "one_cycle": "warmup",
    "reduce_on_plateau": "factor",
}
"""What the number of `--schedule NAME:NUMBER` says."""


def run(args: argparse.Namespace) -> None:
    """Trains, tests, and writes and prints the results."""
    recipe = _settle(args)
    optimizer = get_optimizer(recipe.optimizer)
    keywords: dict[str, Any] = {**recipe.optimizer_options, **_schedule(recipe.schedule)}
    optimizer = type(optimizer)(**keywords)
    with report.log(quiet=True):  # the report says why "auto" chose what it did
        backend = get_backend(args.backend, args.dtype)
    dataset, held_out = _load(args)
    loss = _loss(args.loss, dataset)
    model = build(dataset, recipe, optimizer, loss, backend, args.seed, _class_weight(args.class_weight, dataset))
    model.classes = None if dataset.classes is None else list(dataset.classes)
    model.preprocessing = dataset.preprocessing | held_out
    validation = round((args.validation_split or 0) * len(dataset.X))  # rows, as `data.split` counts
    folder = RunFolder(args.out or Path("runs", dataset.name), args.overwrite, args.resume)
    if args.resume and folder.is_finished and not args.overwrite:
        if not args.quiet:
            print(f"{folder.path} holds a run that is complete: there is nothing to resume (--overwrite trains anew)")
        return
    with folder, _resumable(folder.checkpoint):
        if not args.quiet:
            report.before(dataset, model, recipe, loss, validation)
        stopping = _fit(args, recipe, model, dataset, folder.checkpoint)
        followed = "validation" if args.validation_split else "test"
        result = Result.of(model, dataset.X_test, dataset.y_test)
        history = {name.replace("val_", f"{followed}_", 1): values for name, values in model.history.items()}
        summary = _summary(args, recipe, model, dataset, loss, validation, result)
        if stopping is not None:
            summary["best_epoch"] = stopping.best_epoch
        with folder.writing():
            model.save(folder.staging / "model.safetensors")
            _write_history(history, folder.staging / "history.csv")
            text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
            (folder.staging / "summary.json").write_text(text, encoding="utf-8")
            no_picture = report.draw(history, followed, model, dataset, result, folder.staging / "curves.png")
            folder.publish()
    if not args.quiet:
        report.after(result, summary, folder.path, no_picture)


def build(
    dataset: Dataset,
    recipe: Recipe,
    optimizer: Optimizer,
    loss: str,
    backend: Backend,
    seed: int,
    class_weight: list[float] | None = None,
) -> Sequential:
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
    kind, dropout = recipe.normalization, recipe.dropout
    layers += hidden_layers(
        width, recipe.hidden, lambda: _activation(recipe.activation), normalization=kind, dropout=dropout
    )
    width = (width, *recipe.hidden)[-1]
    criterion = get_loss(loss)
    if dataset.classes is not None:
        layers += [Dense(width, len(dataset.classes)), Softmax()]
        if class_weight is not None:
            criterion = type(criterion)(class_weight=class_weights(class_weight, len(dataset.classes)))  # type: ignore[call-arg]
    else:
        sigma, mu = (numbers.tolist() for numbers in units_of(dataset.y))
        if not all(sigma):
            value = mu[sigma.index(0)]
            raise DataError(f"the target is {value:g} in every training row: there is nothing to learn")
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
    fields = ("hidden", "activation", "normalization", "dropout", "input_dropout", "schedule", "batch_size", "epochs")
    changes = {name: getattr(args, name) for name in fields if getattr(args, name) is not None}
    own = dict(recipe.optimizer_options)
    if args.schedule is not None:
        own.pop("decay", None)  # the recipe's way to lower the rate: the schedule is another
        if "schedule" not in known:
            raise UsageError(f"--schedule changes a learning rate, and {recipe.optimizer} has none")
    recipe = dataclasses.replace(recipe, **changes, optimizer_options={**own, **given})
    if recipe.optimizer == "lbfgs":  # needs the same loss at every look: the recipe's dropout is left out
        for name in ("dropout", "input_dropout"):
            if getattr(args, name):
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} changes the loss at every step, which --optimizer lbfgs cannot follow")
        recipe = dataclasses.replace(recipe, dropout=0.0, input_dropout=0.0)
    positive("epochs", recipe.epochs)
    positive("batch_size", recipe.batch_size)
    if recipe.normalization == "none":
        recipe = dataclasses.replace(recipe, normalization=None)
    if args.early_stopping is not None:
        positive("early_stopping", args.early_stopping)
    follows = args.early_stopping is not None or (recipe.schedule or "").startswith("reduce_on_plateau")
    if follows and not args.validation_split:
        args.validation_split = FOLLOWED  # the test part never chooses anything
    for name in ("activation", "normalization", "dropout"):
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


def _schedule(text: str | None) -> dict[str, Schedule]:
    """The optimizer's keyword for a schedule such as "cosine" or "step_decay:1000"."""
    if text is None:
        return {}
    name, _, number = text.partition(":")
    kinds: dict[str, Any] = {snake_case(kind.__name__): kind for kind in SCHEDULES}
    try:
        values = {NUMBERS[name]: int(number) if number.isdigit() else float(number)} if number else {}
        return {"schedule": kinds[name](**values)}
    except (KeyError, TypeError, ValueError) as error:
        known = ", ".join(kinds)
        why = f"{error}; " if isinstance(error, ValueError) else ""
        raise UsageError(
            f"--schedule: got {text!r}, {why}expected one of {known}, with a number where it needs one, step_decay:1000"
        ) from None


def _class_weight(given: str | list[float] | None, dataset: Dataset) -> list[float] | None:
    """One number a class."""
    if given is not None and dataset.classes is None:
        raise UsageError(f"--class-weight is for classes, and the target of {dataset.name} is a number")
    if isinstance(given, list) or given is None:
        return given
    return balanced(np.bincount(dataset.y, minlength=len(dataset.classes or ())))


def _activation(name: str) -> Activation:
    return lookup(name, Activation, [cls for cls in ACTIVATIONS if cls is not Softmax], "activation")


def _check_resolution(ratios: Any, dtype: str, name: Any) -> None:
    """Raises where a column lies so far from 0, μ/σ, that the dtype rounds its differences away."""
    if found := unresolved(ratios if isinstance(ratios, list) else [ratios], dtype):
        fix = "--dtype float64" if dtype == "float32" else "a constant subtracted from it"
        raise UsageError(
            f"{name(found[0])} has a mean {found[1]:.0f} times its standard deviation, differences that "
            f"{dtype} rounds away: use {fix}"
        )


def _column(dataset: Dataset, i: int) -> str:
    """The name of the column of numbers that feature i comes from, where it has one."""
    names = [
        column["name"] for column in dataset.preprocessing.get("columns", ()) for _ in column.get("categories", (None,))
    ]
    return f" ({names[i]!r})" if names else ""


def _fit(
    args: argparse.Namespace, recipe: Recipe, model: Sequential, dataset: Dataset, checkpoint: Path
) -> EarlyStopping | None:
    """Trains; gives what watched over it, if anything did."""
    validation: dict[str, Any] = {"validation_data": (dataset.X_test, dataset.y_test)}
    if args.validation_split:
        validation = {"validation_split": args.validation_split}
    stopping = None if args.early_stopping is None else EarlyStopping(patience=args.early_stopping)
    callbacks: list[Any] = [] if stopping is None else [stopping]
    if args.checkpoint_every or args.resume:
        callbacks.append(Checkpoint(checkpoint, **args.checkpoint_every or {}))
    with Interruption() as interruption, report.log(args.quiet):
        model.fit(
            dataset.X,
            dataset.y,
            recipe.epochs,
            recipe.batch_size,
            callbacks=[*callbacks, interruption],
            resume=checkpoint if args.resume else None,
            progress=False if args.quiet else None,
            **validation,
        )
    return stopping


@contextlib.contextmanager
def _resumable(checkpoint: Path) -> Iterator[None]:
    """Says of an interruption how to go on, where that is possible."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        if checkpoint.exists():
            if not any(str(checkpoint) in note for note in getattr(stop, "__notes__", ())):  # saved just now
                stop.add_note(f"the last checkpoint is {checkpoint}")
            stop.add_note("the same command with --resume goes on")
        raise


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
) -> dict[str, Any]:
    """What `summary.json` holds."""
    trained, seconds = len(dataset.X) - validation, sum(model.history["seconds"])
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
        "class_weight": getattr(model.loss, "class_weight", None),
        "optimizer": model.optimizer.config(),
        "backend": model.backend.name,
        "dtype": model.dtype,
        "seed": args.seed,
        "epochs": model.epoch,
        "batch_size": recipe.batch_size,
        # Of the training, with what was followed after each epoch.
        "wall_seconds": round(seconds, 3),
        "samples_per_second": round(trained * model.epoch / seconds, 1),
        **{f"test_{name}": value for name, value in result.figures.items()},
        "versions": {
            "nnxp": nnxp.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            library: library_version(library),
        },
    }
