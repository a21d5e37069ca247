"""A table divided into parts and encoded, for `nnxp train`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnxp.cli.dividing import divided, fingerprint
from nnxp.cli.opening import Understood, print_kinds
from nnxp.cli.parser import UsageError
from nnxp.cli.results import FOLLOWED, TEST_SHARE
from nnxp.data import Dataset
from nnxp.data.dataset import listing
from nnxp.errors import DataError
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder, kinds
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget, Target
from nnxp.tabular.findings.baselines import linear_model
from nnxp.tabular.kinds.cells import values_of
from nnxp.tabular.networks.presets import Preset
from nnxp.tabular.table import Indices, Table, words_of
from nnxp.typing import Floats, HostArray


@dataclass(frozen=True, eq=False)
class Part:
    """Rows, and what a network sees of them.

    Attributes
    ----------
    table : Table
    X : numpy.ndarray of float32, (n, m)
    y : numpy.ndarray
        Class indices (n,), or values as they are learned (n,).
    truth : numpy.ndarray
        Class indices, or values as they are in the table.
    weights : numpy.ndarray, (n,), or None
    """

    table: Table
    X: HostArray
    y: HostArray
    truth: HostArray
    weights: Floats | None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table that is ready to be learned from.

    Attributes
    ----------
    dataset : Dataset
        Its training and its test part.
    encoder : Encoder
        Learned from the training part; its target too.
    preset : Preset
        What is trained on it, settled for its rows.
    training, test : Part
    followed : int
        How many of the last rows of the training part are not trained on: early stopping looks at them.
    held_out : dict
        By what the test part is found again; see `divided`.
    why : str
        Why the task is what it is.
    seed : int
    """

    dataset: Dataset
    encoder: Encoder
    preset: Preset
    training: Part
    test: Part
    followed: int
    held_out: dict[str, Any]
    why: str
    seed: int

    @property
    def target(self) -> Target:
        """What is predicted."""
        assert self.encoder.target is not None
        return self.encoder.target

    @cached_property
    def linear(self) -> Sequential:
        """A linear model of the rows that are trained on: what the network is measured by."""
        return self._linear(self.given()["sample_weight"])

    def start(self, class_weight: Sequence[float] | None) -> Sequential:
        """The linear model that the network begins with: of rows that count as its loss has them."""
        if class_weight is None:
            return self.linear
        given = self.given()
        weights = np.asarray(class_weight)[given["y"]]
        return self._linear(weights if given["sample_weight"] is None else weights * given["sample_weight"])

    def _linear(self, weights: Floats | None) -> Sequential:
        given, classes = self.given(), self.dataset.classes
        X = self.for_linear(self.training)[: len(given["y"])]
        return linear_model(X, given["y"], None if classes is None else len(classes), weights, self.seed)

    def for_linear(self, part: Part) -> HostArray:
        """What a linear model sees of a part: words one-hot, also where the network has them as codes."""
        return part.X if self._onehot is None else self._onehot.transform(part.table)

    @cached_property
    def _onehot(self) -> Encoder | None:
        options = self.encoder.get_params() | {"categories": "onehot"}
        return Encoder(**options).fit(self.training.table) if self.encoder.codes else None

    def in_units(self) -> Dataset:
        """The data set whose test targets are as they are in the table."""
        truth = self.test.truth
        return replace(self.dataset, y_test=truth if self.dataset.classes is not None else truth[:, None])

    def history(self, model: Sequential) -> dict[str, list[float]]:
        """A training's, errors in the target's units; without them where logarithms are learned, which have others."""
        target, history = self.target, model.history
        if not isinstance(target, NumberTarget):
            return history
        errors = {
            name: (target.deviation * np.array(history[name])).tolist() for name in history if name.endswith("rmse")
        }
        if target.transform == "log":
            return {name: values for name, values in history.items() if name not in errors}
        return history | errors

    def given(self) -> dict[str, Any]:
        """The data, as `Sequential.fit` takes them."""
        part, n = self.training, len(self.training.y) - self.followed
        weights = (None, None) if part.weights is None else (part.weights[:n], part.weights[n:])
        last = (part.X[n:], part.y[n:], weights[1]) if self.followed else (self.test.X, self.test.y, self.test.weights)
        return {"X": part.X[:n], "y": part.y[:n], "sample_weight": weights[0], "validation_data": last}


def show(found: Prepared) -> None:
    """Says what was understood."""
    print_kinds(found.encoder.decisions)
    target = found.target
    print(f"{'target':9} {target.name}: {found.dataset.task} ({found.why})")
    if isinstance(target, NumberTarget):
        print(f"{'':9} {target.sentence}")
        if target.transform != "none":
            print(f"{'':9} loss and rmse of each epoch, below, are in these units; the scores are in the target's own")


def prepared(args: argparse.Namespace, found: Understood, preset: Preset) -> Prepared:
    """Divides the rows, learns the encoding from those that are not tested on, and encodes."""
    by = _by(args, TEST_SHARE)
    if found.other is not None:
        return encoded(args, found, preset, np.arange(len(found.table)), found.other)
    train, test = divided(found.table, found.labels, **by)
    held_out = by | {"rows": args.rows, "sha256": fingerprint(found.table)}
    return encoded(args, found, preset, train, found.table.take(test), held_out)


def encoded(
    args: argparse.Namespace,
    found: Understood,
    preset: Preset,
    train: Indices,
    test: Table,
    held_out: dict[str, Any] | None = None,
) -> Prepared:
    """The parts of a table, encoded by what the training part says, as a preset wants it."""
    share, followed = FOLLOWED if args.validation_split is None else args.validation_split, 0
    if share:
        labels = None if found.labels is None else found.labels[train]
        first, last = divided(found.table.take(train), labels, **_by(args, share))
        train, followed = np.concatenate([train[first], train[last]]), len(last)
    table, decision = found.table.take(train), found.task.decision
    trained = table.take(slice(0, len(table) - followed))
    weights = _weights(args, trained)
    target: Target
    if found.labels is not None:
        if args.target_transform is not None:
            raise UsageError(f"--target-transform is for numbers, and the target {args.target!r} has classes")
        target = ClassTarget.of(args.target, found.table.columns[args.target])
    else:
        truth = values_of(trained.columns[args.target], decision).values
        truth = truth if weights is None else truth[weights > 0]
        target = NumberTarget.of(args.target, truth, args.target_transform or "auto", preset.margin)
        if truth.min() == truth.max():
            raise DataError(f"the target is {truth[0]:g} in every training row: there is nothing to learn")
    own = {"kinds": _kinds(args), "drop": _drop(args, table), "day_first": args.day_first, "dtype": args.dtype}
    encoder = Encoder(**{**own, **preset.encoding, **({} if args.scaling is None else {"scaling": args.scaling})})
    encoder.fit(table)
    encoder.target = target
    _check_memory(args, encoder, len(table) + len(test))
    training, tested = (_part(args, encoder, decision, part) for part in (table, test))
    classes = target.classes
    dataset = Dataset(
        "input" if args.data == "-" else Path(args.data.removesuffix(".gz")).stem,
        training.X,
        training.y,
        tested.X,
        tested.y,
        classes,
        found.task.task,
        {
            "format": "table",
            "target": args.target,
            "task": found.task.task,
            "classes": classes and [*classes],
            "decision": decision.document(),
        },
        None,
    )
    preset = preset.settled(len(trained), batch_size=args.batch_size)
    return Prepared(dataset, encoder, preset, training, tested, followed, held_out or {}, found.task.why, args.seed)


def _by(args: argparse.Namespace, share: float) -> dict[str, Any]:
    """By what the rows are divided."""
    names = ("split_by", "time", "day_first", "seed")
    return {name: getattr(args, name) for name in names} | {"share": share}


def encoded_target(table: Table, target: Target, decision: kinds.Decision) -> tuple[HostArray, HostArray]:
    """What is learned of a table's targets, none of them missing, and the truth.

    Raises
    ------
    DataError
        A class that the training has not, a cell that is no number: by its row.
    """
    column = table.columns[target.name]
    if isinstance(target, ClassTarget):
        y = target.encode(column)
        if len(y) and y.min() < 0:
            row, words = int(np.argmin(y)), words_of(column)
            text, known = words.texts[words.codes[row]], listing(target.classes)
            raise table.complaint(row, target.name, f"a class that the training did not have, {text!r}; it had {known}")
        return y, y
    truth = values_of(column, decision).values
    if np.isnan(truth).any():
        raise table.complaint(int(np.isnan(truth).argmax()), target.name, "is no number, as the target was in training")
    return target.encode(truth), truth


def _part(args: argparse.Namespace, encoder: Encoder, decision: kinds.Decision, table: Table) -> Part:
    assert encoder.target is not None
    y, truth = encoded_target(table, encoder.target, decision)
    return Part(table, encoder.transform(table), y, truth, _weights(args, table))


def _weights(args: argparse.Namespace, table: Table) -> Floats | None:
    if args.weights is None:
        return None
    (decision,) = kinds.decide(
        replace(table, columns={args.weights: table.columns[args.weights]}), kinds={args.weights: "number"}
    )
    weights = values_of(table.columns[args.weights], decision).values
    if not np.all(weights >= 0):
        row = int((~(weights >= 0)).argmax())
        raise table.complaint(row, args.weights, "a weight is a number from 0 up, and not missing")
    if not weights.any():
        raise DataError(
            f"--weights: {args.weights!r} is 0 in all {len(table):,} rows that are trained on, or tested on, "
            "expected a weight above 0 in each of the two: give some, or divide the rows otherwise"
        )
    return weights


def _kinds(args: argparse.Namespace) -> dict[str, str]:
    others = (args.target, args.weights, args.split_by)
    return {name: kind for name, kind in args.kind if name not in others}


def _drop(args: argparse.Namespace, table: Table) -> list[str]:
    """What is no input: what was named so, and what has another role."""
    return [name for name in table.columns if name in (*args.drop, args.target, args.weights, args.split_by)]


def _check_memory(args: argparse.Namespace, encoder: Encoder, rows: int) -> None:
    """Raises where the matrix would not fit; says its size where it is large."""
    needed, there = encoder.bytes_needed(rows), _free()
    size = f"{rows:,} rows of {len(encoder.feature_names_out):,} encoded columns take {needed / 1e9:.2g} GB"
    if there is not None and needed > there:
        fewer = max(1, int(rows * there / needed / 2))
        raise DataError(
            f"{size}, and {there / 1e9:.2g} GB of memory are free: train on some of the rows, --rows {fewer}, or leave "
            "columns of many words out with --drop"
        )
    if needed > 5e8 and not args.quiet:
        print(f"{'':9} {size}", flush=True)


def _free() -> float | None:
    """Bytes of memory that are free, where the system says so."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
