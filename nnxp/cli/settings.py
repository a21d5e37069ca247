"""What the options of `nnxp train` come to: the recipe with what was given, the data, and what fits them."""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from nnxp import data
from nnxp.cli.parser import UsageError
from nnxp.cli.results import FOLLOWED, TEST_SHARE, fingerprint
from nnxp.data import Dataset
from nnxp.doors.naming import snake_case
from nnxp.doors.options import balanced, positive
from nnxp.network.recipe import Recipe
from nnxp.optimizers import OPTIMIZERS, get_optimizer
from nnxp.schedules import SCHEDULES, Schedule
from nnxp.tabular.networks.presets import Preset, get_preset

LOSSES = {
    "classification": ("categorical_crossentropy",),
    "regression": ("mean_squared_error", "mean_absolute_error", "huber"),
}
OPTIMIZER_OPTIONS = ("learning_rate", "decay", "momentum", "weight_decay", "clip_norm")
FIELDS = (
    "hidden",
    "activation",
    "normalization",
    "dropout",
    "input_dropout",
    "schedule",
    "batch_size",
    "epochs",
    "members",
)
NUMBERS = {
    "inverse_time_decay": "decay",
    "step_decay": "every",
    "exponential_decay": "factor",
    "cosine": "steps",
    "flat_cosine": "flat",
    "coslog": "waves",
    "linear_warmup": "steps",
    "one_cycle": "warmup",
    "reduce_on_plateau": "factor",
}
"""What the number of `--schedule NAME:NUMBER` says."""


def preset_for(args: argparse.Namespace, classifies: bool, rows: int) -> Preset:
    """The preset of a table, with the options that were given."""
    try:
        preset = get_preset(args.preset or "default", classifies, rows)
    except ValueError as error:
        raise UsageError(f"--preset: {error}") from None
    plain = isinstance(preset.recipe, Recipe)
    if not plain and preset.patience is None and args.early_stopping is not None:
        raise UsageError(
            f"--early-stopping ends a training, and the schedules of --preset {preset.name} have to run out"
        )
    if args.validation_split is None:
        args.validation_split = preset.held_out
    if args.early_stopping is None and args.validation_split:
        args.early_stopping = preset.patience
    return replace(
        preset, recipe=settle(args, preset.recipe) if plain else _own(args, preset), patience=args.early_stopping
    )


def _own(args: argparse.Namespace, preset: Preset) -> Any:
    """The recipe of a preset that has settings of its own."""
    names = ("optimizer", *OPTIMIZER_OPTIONS, *FIELDS)
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    for name in given:
        if name not in preset.recipe._fields:
            known = ", ".join(f"--{field.replace('_', '-')}" for field in names if field in preset.recipe._fields)
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is no setting of --preset {preset.name}, expected {known}, or --preset mlp")
    recipe = preset.recipe._replace(**given)
    if args.reproducible and recipe.members > 1:
        raise UsageError(
            f"--reproducible is for one network, and --preset {preset.name} has {recipe.members}: leave it out, or "
            "add --members 1"
        )
    return recipe


def settle(args: argparse.Namespace, recipe: Recipe) -> Recipe:
    """A recipe with the options that were given."""
    if args.optimizer not in (None, recipe.optimizer):  # its learning rate suits the recipe's optimizer only
        recipe = recipe._replace(optimizer=args.optimizer, optimizer_options={})
    known = type(get_optimizer(recipe.optimizer)).options
    if "schedule" not in known:
        recipe = recipe._replace(schedule=None)
    given = {name: getattr(args, name) for name in OPTIMIZER_OPTIONS if getattr(args, name) is not None}
    for name in given:
        if name not in known:
            owners = [snake_case(cls.__name__) for cls in OPTIMIZERS if name in cls.options]
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} belongs to --optimizer {' or '.join(owners)}, not to {recipe.optimizer}")
    changes = {name: getattr(args, name) for name in FIELDS if getattr(args, name) is not None}
    own = dict(recipe.optimizer_options)
    if args.schedule is not None:
        own.pop("decay", None)  # the recipe's way to lower the rate: the schedule is another
        if "schedule" not in known:
            raise UsageError(f"--schedule changes a learning rate, and {recipe.optimizer} has none")
    recipe = recipe._replace(**changes, optimizer_options={**own, **given})
    if recipe.optimizer == "lbfgs":  # needs the same loss at every look: the recipe's dropout is left out
        for name in ("dropout", "input_dropout"):
            if getattr(args, name):
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} changes the loss at every step, which --optimizer lbfgs cannot follow")
        recipe = recipe._replace(dropout=0.0, input_dropout=0.0)
    alone = {
        "--optimizer lbfgs": recipe.optimizer == "lbfgs",
        "--clip-norm": "clip_norm" in recipe.optimizer_options,
        "--reproducible": args.reproducible,
    }
    if one := next((name for name, is_asked in alone.items() if is_asked), None):
        if args.members is None:
            recipe = recipe._replace(members=1)
        elif recipe.members > 1:
            raise UsageError(f"{one} is for one network, and --members trains several: leave one of them out")
    positive("epochs", recipe.epochs)
    positive("batch_size", recipe.batch_size)
    if recipe.normalization == "none":
        recipe = recipe._replace(normalization=None)
    if args.early_stopping is not None:
        positive("early_stopping", args.early_stopping)
    follows = args.early_stopping is not None or (recipe.schedule or "").startswith("reduce_on_plateau")
    if follows and not args.validation_split:
        args.validation_split = FOLLOWED  # the test part never chooses anything
    for name in ("activation", "normalization", "dropout"):
        if not recipe.hidden and name in changes:
            raise UsageError(f"--{name} is for hidden layers, but --hidden is none")
    return recipe


def load(args: argparse.Namespace) -> tuple[Dataset, dict[str, Any]]:
    """The data with a test part, and which rows those are, for a later `nnxp evaluate`."""
    dataset = data.load(args.data, args.data_dir, args.target)
    if dataset.X_test is not None:
        return dataset, {}
    held_out = {"share": TEST_SHARE, "seed": args.seed, "sha256": fingerprint(dataset.X, dataset.y)}
    return dataset.hold_out(TEST_SHARE, args.seed), {"held_out": held_out}


def loss_for(name: str | None, dataset: Dataset) -> str:
    """The loss's name: the one that was given, if it fits the target."""
    fitting = LOSSES[dataset.task]
    if name not in (None, *fitting):
        what = "classes" if dataset.task == "classification" else "numbers"
        raise UsageError(
            f"--loss {name} does not fit {dataset.name}, whose target is {what}: expected {' or '.join(fitting)}"
        )
    return name or fitting[0]


def schedule_for(text: str | None) -> dict[str, Schedule]:
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


def class_weight_for(given: str | list[float] | None, dataset: Dataset) -> list[float] | None:
    """One number a class."""
    if given is not None and dataset.classes is None:
        raise UsageError(f"--class-weight is for classes, and the target of {dataset.name} is a number")
    if isinstance(given, list) or given is None:
        return given
    return balanced(np.bincount(dataset.y, minlength=len(dataset.classes or ())))
