"""What `nnxp train` trains, and on what: one process prepares it, and all processes of a launcher train it."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnxp.activations import Softmax
from nnxp.backends import Backend, get_backend
from nnxp.callbacks import EarlyStopping, Interruption
from nnxp.cli import opening, playing, presentation, settings, tables
from nnxp.cli.opening import Understood
from nnxp.cli.parser import UsageError
from nnxp.cli.recipes import recipe_for
from nnxp.cli.runs import RunFolder
from nnxp.cli.tables import Prepared
from nnxp.cli.unfinished import PatientCheckpoint, asked, check_finished
from nnxp.data import Dataset
from nnxp.doors.options import class_weights
from nnxp.errors import DataError
from nnxp.layers import Layer, Rescaling
from nnxp.losses import StandardisedLoss, get_loss, units_of, unresolved
from nnxp.network.recipe import Recipe
from nnxp.network.stack import stack
from nnxp.optimizers import Optimizer, get_optimizer
from nnxp.sequential import Sequential
from nnxp.tabular.networks import trained
from nnxp.tabular.networks.presets import Preset
from nnxp.tabular.networks.purpose import Purpose


@dataclass(frozen=True, eq=False)
class Source:
    """What a job was made of.

    Attributes
    ----------
    dataset : Dataset
    table : Prepared or None
        Divided and encoded, if it is one.
    understood : tuple of Understood and Preset, or None
        Likewise, what it was before.
    backend : Backend
    loss : str
    """

    dataset: Dataset
    table: Prepared | None
    understood: tuple[Understood, Preset] | None
    backend: Backend
    loss: str


@dataclass(frozen=True, eq=False)
class Job:
    """A training.

    Attributes
    ----------
    model : Sequential
    recipe : Recipe
        Of a table, its preset's.
    preset : Preset or None
        Of a table.
    given : mapping
        The data, as `Sequential.fit` takes them.
    followed : int
        How many rows of the training part are not trained on, but followed.
    patience : int or None
        After how many epochs without a better one it ends, where it is to end early.
    watching : list
        Callbacks.
    folder : Path
        Of the run.
    wanted : mapping
        What the run is asked for, beside the model.
    is_finished : bool
        Whether the folder holds the outcome already.
    source : Source or None
        What it was made of; the first process alone has it.
    """

    model: Sequential
    recipe: Recipe
    preset: Preset | None
    given: Mapping[str, Any]
    followed: int
    patience: int | None
    watching: list[Any]
    folder: Path
    wanted: Mapping[str, Any]
    is_finished: bool
    source: Source | None

    def to_train(self) -> "Job":
        """What a process needs that only trains."""
        return replace(self, source=None)


def prepared(args: argparse.Namespace, of_table: bool) -> Job:
    """What the options ask for; says what a table is understood as."""
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
    share = args.validation_split or 0
    if table is not None:
        model.encoder = table.encoder.state()
        given, followed = table.given(), table.followed
    else:
        followed = round(share * len(dataset.X))  # rows, as `data.split` counts
        given = {"X": dataset.X, "y": dataset.y}
        given |= {"validation_split": share} if share else {"validation_data": (dataset.X_test, dataset.y_test)}
    wanted = asked(
        dataset,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        validation_split=share,
        early_stopping=args.early_stopping,
        **({} if args.cv is None else {"cv": args.cv}),
    )
    folder = RunFolder(args.out or Path("runs", dataset.name), args.overwrite, args.resume)
    if is_finished := args.resume and folder.is_finished and not args.overwrite:
        check_finished(folder, model, wanted)
    return Job(
        model,
        recipe,
        None if table is None else table.preset,
        given,
        followed,
        args.early_stopping,
        watching,
        folder.path,
        wanted,
        is_finished,
        Source(dataset, table, None if found is None or preset is None else (found, preset), backend, loss),
    )


def _made(args: argparse.Namespace, recipe: Recipe, backend: Backend, dataset: Dataset) -> Sequential:
    """The model that the options ask for, before it is trained."""
    keywords: dict[str, Any] = {**recipe.optimizer_options, **settings.schedule_for(recipe.schedule)}
    optimizer = type(get_optimizer(recipe.optimizer))(**keywords)
    loss = settings.loss_for(args.loss, dataset)
    weights = settings.class_weight_for(args.class_weight, dataset)
    model = build(dataset, recipe, optimizer, loss, backend, args.seed, weights)
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
    place = {"backend": backend, "dtype": backend.dtype, "seed": args.seed}
    model = trained.network(preset, purpose, **place)
    model.classes = None if classes is None else list(classes)
    if preset.begins_linear:
        trained.begin_linear(model, table.start(weights))
    return model


def trained_on(args: argparse.Namespace, backend: Backend, part: tables.Prepared) -> Sequential:
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
    place: dict[str, Any] = {"backend": backend, "dtype": backend.dtype, "seed": seed, "members": recipe.members}
    return Sequential(layers, criterion, optimizer, **place)


def _check_resolution(ratios: Any, dtype: str, name: Any) -> None:
    """Raises where a column lies so far from 0, μ/σ, that the dtype rounds its differences away."""
    if found := unresolved(ratios if isinstance(ratios, list) else [ratios], dtype):
        fix = "--dtype float64" if dtype == "float32" else "a constant subtracted from it"
        raise UsageError(
            f"{name(found[0])} has a mean {found[1]:.0f} times its standard deviation, differences that "
            f"{dtype} rounds away: use {fix}"
        )


def fit(args: argparse.Namespace, job: Job, checkpoint: Path) -> EarlyStopping | None:
    """Trains; gives what watched over it, if anything did."""
    callbacks, stopping = [*job.watching], None
    if args.checkpoint_every or args.resume:
        callbacks.append(PatientCheckpoint(checkpoint, **args.checkpoint_every or {}))
    with Interruption() as interruption, presentation.log(args.quiet):
        callbacks.append(interruption)
        given: dict[str, Any] = {
            **job.given,
            "resume": checkpoint if args.resume else None,
            "progress": False if args.quiet else None,
        }
        if job.preset is not None:
            chooses = "loss" if job.followed else None
            return trained.fit(job.model, job.preset, given, chooses=chooses, callbacks=callbacks)
        if job.patience is not None:
            callbacks.insert(0, stopping := EarlyStopping(patience=job.patience))
        epochs, batch_size = job.recipe.epochs, job.recipe.batch_size
        job.model.fit(epochs=epochs, batch_size=batch_size, callbacks=callbacks, **given)
    return stopping
