"""`nnxp train`: from the options to a run folder."""

import argparse
import contextlib
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import nnxp
from nnxp.activations import Softmax
from nnxp.backends import Backend, get_backend
from nnxp.callbacks import EarlyStopping, Interruption
from nnxp.cli import account, crossvalidation, opening, playing, presentation, seen, settings, table_options, tables
from nnxp.cli.launching import communicator_of
from nnxp.cli.parser import UsageError
from nnxp.cli.recipes import is_table, recipe_for
from nnxp.cli.results import Result, library_version
from nnxp.cli.runs import RunFolder, write_history
from nnxp.cli.saved import as_estimator
from nnxp.cli.tutor import diagnosed
from nnxp.cli.unfinished import PatientCheckpoint, asked, check_finished, resumable
from nnxp.data import Dataset
from nnxp.doors.options import class_weights
from nnxp.errors import DataError
from nnxp.layers import Layer, Rescaling
from nnxp.losses import StandardisedLoss, get_loss, units_of, unresolved
from nnxp.network.recipe import Recipe
from nnxp.network.stack import stack
from nnxp.optimizers import Optimizer, get_optimizer
from nnxp.sequential import Sequential
from nnxp.tabular.findings.telling import tell
from nnxp.tabular.networks import trained
from nnxp.tabular.networks.purpose import Purpose


def run(args: argparse.Namespace) -> None:
    """Trains, tests, and writes and prints the results."""
    communicator = communicator_of(args)
    of_table = is_table(args.data)
    if not of_table and (wrong := table_options.given(args)):
        raise UsageError(f"{wrong[0]} is for a table, and {args.data} is none: expected {table_options.TABLE}")
    if of_table:
        table_options.no_folder(args)
    if of_table and args.target is None:
        opening.show_kinds(args)
        return
    crossvalidation.check(args)
    found = opening.understood(args) if of_table else None
    preset = None
    if found is not None:
        preset = settings.preset_for(args, found.labels is not None, len(found.table))
    recipe = settings.settle(args, recipe_for(args.data)) if preset is None else preset.recipe
    with presentation.log(quiet=True):  # the report says why "auto" chose what it did
        backend = get_backend(args.backend, args.dtype, precision=args.precision)
    table = None
    if found is not None and preset is not None:
        table = tables.prepared(args, found, preset)
        recipe = table.preset.recipe
    dataset, held_out = settings.load(args) if table is None else (table.dataset, {"held_out": table.held_out})
    loss = settings.loss_for(args.loss, dataset)
    watching = playing.watching(args, dataset, table is not None)
    model = _made(args, recipe, backend, dataset) if table is None else _made_for(args, backend, table)
    model.preprocessing = dataset.preprocessing | held_out
    if table is not None:
        model.encoder = table.encoder.state()
        validation = table.followed
    else:
        validation = round((args.validation_split or 0) * len(dataset.X))  # rows, as `data.split` counts
    folder = RunFolder(args.out or Path("runs", dataset.name), args.overwrite, args.resume)
    wanted = asked(
        dataset,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        validation_split=args.validation_split or 0,
        early_stopping=args.early_stopping,
        **({} if args.cv is None else {"cv": args.cv}),
    )
    if args.resume and folder.is_finished and not args.overwrite:
        check_finished(folder, model, wanted)
        if not args.quiet:
            print(f"{folder.path} holds a run that is complete: there is nothing to resume (--overwrite trains anew)")
        return
    leads = communicator is None or communicator.rank == 0
    if communicator is not None:
        model.communicator = communicator
    with folder if leads else contextlib.nullcontext(), resumable(folder):
        if not args.quiet:
            if table is not None:
                tables.show(table)
            presentation.before(dataset, model, recipe, loss, validation)
        stopping = _fit(args, recipe, model, dataset, table, folder.checkpoint, watching)
        if not leads:
            return
        model.communicator = None  # what follows is this process's alone
        parts = None
        if found is not None and preset is not None and args.cv is not None:
            # afterwards: what is resumed has not been tested by parts yet
            parts = crossvalidation.cross_validated(args, found, preset, lambda part: _trained(args, backend, part))
        followed = "validation" if validation else "test"
        result = Result.of(model, dataset.X_test, dataset.y_test) if table is None else account.result(model, table)
        history = model.history if table is None else table.history(model)
        history = {name.replace("val_", f"{followed}_", 1): values for name, values in history.items()}
        summary = _summary(args, recipe, model, dataset, loss, validation, result)
        if stopping is not None:
            summary |= {"best_epoch": stopping.best_epoch, "stopped_early": stopping.stopped}
        summary["asked"] = wanted
        summary["diagnosis"], no_diagnosis = diagnosed(model, dataset, table, bool(validation))
        document, report, no_report = None, "", ""
        if table is not None:
            model.preprocessing |= as_estimator(args.preset, stopping)
            summary["preset"] = table.preset.name
            summary["columns"] = [one.document() for one in table.encoder.decisions]
            path = folder.path / "model.safetensors"
            document, report, no_report = account.attempted(
                model, table, stopping, summary, args.data, path, rows=not args.no_rows
            )
            summary |= ({} if document is None else {"findings": document}) | ({} if parts is None else {"cv": parts})
        with folder.writing():
            model.save(folder.staging / "model.safetensors")
            seen.write(folder.staging, dataset.X, model.dtype)
            write_history(history, folder.staging / "history.csv")
            if report:
                (folder.staging / "report.html").write_text(report, encoding="utf-8")
            text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
            (folder.staging / "summary.json").write_text(text, encoding="utf-8")
            shown = dataset if table is None else table.in_units()
            no_page = playing.write(watching, folder.staging / "playground.html")
            no_picture = presentation.draw(history, followed, model, shown, result, folder.staging / "curves.png")
            folder.publish()
    if not args.quiet:
        if document is not None:
            tell(document)
        if parts is not None:
            crossvalidation.show(parts)
        lacking = (no_report, no_page, no_picture, no_diagnosis)
        presentation.after(None if document else result, summary, folder.path, *lacking)


def _made(args: argparse.Namespace, recipe: Recipe, backend: Backend, dataset: Dataset) -> Sequential:
    """The model that the options ask for, before it is trained."""
    keywords: dict[str, Any] = {**recipe.optimizer_options, **settings.schedule_for(recipe.schedule)}
    optimizer = type(get_optimizer(recipe.optimizer))(**keywords)
    loss = settings.loss_for(args.loss, dataset)
    weights = settings.class_weight_for(args.class_weight, dataset)
    model = build(dataset, recipe, optimizer, loss, backend, args.seed, weights, args.members)
    model.classes = None if dataset.classes is None else list(dataset.classes)
    return model


def _made_for(args: argparse.Namespace, backend: Backend, table: tables.Prepared) -> Sequential:
    """The model of a preset for a table, before it is trained."""
    dataset, classes, preset = table.dataset, table.dataset.classes, table.preset
    loss = settings.loss_for(args.loss, dataset)
    weights = settings.class_weight_for(args.class_weight, dataset)
    X = table.given()["X"]
    purpose = Purpose.of(table.encoder, len(classes or [0]), classes is not None, loss=loss, class_weight=weights, X=X)
    if isinstance(recipe := preset.recipe, Recipe):
        schedule = settings.schedule_for(recipe.schedule).get("schedule")
        preset = replace(preset, recipe=recipe._replace(schedule=schedule))
    place = {"backend": backend, "dtype": backend.dtype, "seed": args.seed, "members": args.members}
    model = trained.network(preset, purpose, **place)
    model.classes = None if classes is None else list(classes)
    if preset.begins_linear:
        trained.begin_linear(model, table.start(weights))
    return model


def _trained(args: argparse.Namespace, backend: Backend, part: tables.Prepared) -> Sequential:
    """A model of a part of the rows, trained."""
    model = _made_for(args, backend, part)
    trained.fit(model, part.preset, part.given(), chooses="loss" if part.followed else None, progress=False)
    return model


def build(
    dataset: Dataset,
    recipe: Recipe,
    optimizer: Optimizer,
    loss: str,
    backend: Backend,
    seed: int,
    class_weight: list[float] | None = None,
    members: int = 1,
) -> Sequential:
    """The network: what rescales X, the hidden layers, and what gives probabilities or values."""
    layers: list[Layer | str] = []
    rescale = recipe.rescale or dataset.rescale
    if rescale is not None:
        scale, offset = rescale
        _check_resolution(offset, backend.dtype, lambda i: f"feature {i + 1}")
        layers.append(Rescaling(scale, offset))
    outputs = 1 if dataset.y.ndim == 1 else dataset.y.shape[1]
    layers += stack(recipe, dataset.X.shape[1], outputs if dataset.classes is None else len(dataset.classes))
    criterion = get_loss(loss)
    if dataset.classes is not None:
        layers.append(Softmax())
        if class_weight is not None:
            criterion = type(criterion)(class_weight=class_weights(class_weight, len(dataset.classes)))  # type: ignore[call-arg]
    else:
        sigma, mu = (numbers.tolist() for numbers in units_of(dataset.y))
        if not all(sigma):
            value = mu[sigma.index(0)]
            raise DataError(f"the target is {value:g} in every training row: there is nothing to learn")
        _check_resolution([m / s for m, s in zip(mu, sigma, strict=True)], backend.dtype, lambda i: "the target")
        layers.append(Rescaling(sigma, mu))
        criterion = StandardisedLoss(loss, sigma)
    place: dict[str, Any] = {"backend": backend, "dtype": backend.dtype, "seed": seed, "members": members}
    return Sequential(layers, criterion, optimizer, **place)


def _check_resolution(ratios: Any, dtype: str, name: Any) -> None:
    """Raises where a column lies so far from 0, μ/σ, that the dtype rounds its differences away."""
    if found := unresolved(ratios if isinstance(ratios, list) else [ratios], dtype):
        fix = "--dtype float64" if dtype == "float32" else "a constant subtracted from it"
        raise UsageError(
            f"{name(found[0])} has a mean {found[1]:.0f} times its standard deviation, differences that "
            f"{dtype} rounds away: use {fix}"
        )


def _fit(
    args: argparse.Namespace,
    recipe: Recipe,
    model: Sequential,
    dataset: Dataset,
    table: tables.Prepared | None,
    checkpoint: Path,
    watching: list[Any],
) -> EarlyStopping | None:
    """Trains; gives what watched over it, if anything did."""
    callbacks = [*watching]
    if args.checkpoint_every or args.resume:
        callbacks.append(PatientCheckpoint(checkpoint, **args.checkpoint_every or {}))
    with Interruption() as interruption, presentation.log(args.quiet):
        callbacks.append(interruption)
        given: dict[str, Any] = {
            "resume": checkpoint if args.resume else None,
            "progress": False if args.quiet else None,
        }
        if table is not None:
            chooses = "loss" if table.followed else None
            return trained.fit(model, table.preset, table.given() | given, chooses=chooses, callbacks=callbacks)
        held_out = {"validation_data": (dataset.X_test, dataset.y_test)}
        given |= {"validation_split": args.validation_split} if args.validation_split else held_out
        stopping = None if args.early_stopping is None else EarlyStopping(patience=args.early_stopping)
        callbacks = [*([] if stopping is None else [stopping]), *callbacks]
        model.fit(dataset.X, dataset.y, recipe.epochs, recipe.batch_size, callbacks=callbacks, **given)
    return stopping


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
        "architecture": presentation.architecture(model),
        "members": model.members,
        "parameters": presentation.count(model),
        "loss": loss,
        "class_weight": getattr(model.loss, "class_weight", None),
        "optimizer": model.optimizer.config(),
        "backend": model.backend.name,
        "precision": model.backend.precision,
        "dtype": model.dtype,
        "seed": args.seed,
        "epochs": model.epoch,
        "batch_size": recipe.batch_size,
        # Of the training, with what was followed after each epoch.
        "wall_seconds": round(seconds, 3),
        "samples_per_second": round(trained * model.epoch / seconds, 1),
        **{f"test_{name}": value for name, value in result.figures.items()},
        **({f"test_{next(iter(result.figures))}_of_members": result.alone} if result.alone else {}),
        "versions": {
            "nnxp": nnxp.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            library: library_version(library),
        },
    }
