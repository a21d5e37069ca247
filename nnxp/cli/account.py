"""What is said about a model on a table, once: on the terminal, in summary.json and in report.html."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnxp.callbacks import EarlyStopping
from nnxp.cli.dividing import group_numbers
from nnxp.cli.results import Result
from nnxp.cli.suspicions import suspicions
from nnxp.cli.tables import Part, Prepared
from nnxp.data.dataset import Array
from nnxp.network.history import of_each
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import ClassTarget, NumberTargets, Target
from nnxp.tabular.findings import Part as Predicted
from nnxp.tabular.findings import baselines, findings, leaks
from nnxp.tabular.findings.importance import PermutationImportance, permutation_importance
from nnxp.tabular.findings.layout import Document
from nnxp.tabular.networks import trained
from nnxp.tabular.report import report
from nnxp.tabular.report.density import density
from nnxp.tabular.table import Table

MOST = 2000
"""Rows, drawn from the test part, that importance is taken on: beyond, a standard error of chance is small anyway."""
REPEATS = 5
UNSEEN = ("learning_rate", "seconds")
"""Of the history: what the report draws no curve of, nor of what each member has its own of."""
ENCODED = 100_000
"""Columns, times those that each shuffle of one has to encode, that importance is taken of: 300, or 10 of 10,000."""


def outputs(model: Sequential, target: Target, X: Array) -> Array:
    """Probabilities (n, classes), or values in the target's own units, (n,), of several targets (n, targets)."""
    with np.errstate(all="ignore"):
        return trained.in_units(model, target, trained.predicted(model, X))


def result(model: Sequential, prepared: Prepared) -> Result:
    """The test, in the target's units."""
    target, test = prepared.target, prepared.test
    inverse = None if isinstance(target, ClassTarget) else target.inverse
    return Result.of(model, test.X, test.truth if inverse is None else test.truth[:, None], inverse)


def scores(model: Sequential, prepared: Prepared, **more: Any) -> Document:
    """Scores beside baselines, with their errors; `more` as `findings` takes it."""
    target, test = prepared.target, prepared.test
    classes = target.classes
    train = _head(prepared.training, len(prepared.training.y) - prepared.followed)
    count = None if classes is None else len(classes)
    others = dict(baselines.without_columns(train.truth, len(test.y), count, train.weights))
    others["linear"] = outputs(prepared.linear, target, prepared.for_linear(test))
    return findings(
        Predicted(test.truth, outputs(model, target, test.X), test.weights),
        classes=classes,
        target=target.name,
        baselines=others,
        training=Predicted(train.truth, outputs(model, target, train.X), train.weights),
        validation_rows=prepared.followed,
        lines=np.asarray(test.table.lines),
        **more,
    )


def account(model: Sequential, prepared: Prepared, stopping: EarlyStopping | None, rows: bool = True) -> Document:
    """All that there is to say of a training.

    Parameters
    ----------
    rows : bool
        Whether the worst-predicted rows are named.
    """
    train = _head(prepared.training, len(prepared.training.y) - prepared.followed)
    classes, split_by = prepared.target.classes, prepared.held_out.get("split_by")
    groups = None if split_by is None else group_numbers(train.table, split_by)
    alone = leaks.alone(
        _inputs(prepared.encoder, train.table), train.truth, None if classes is None else len(classes), groups
    )
    return scores(
        model,
        prepared,
        history={name: v for name, v in prepared.history(model).items() if name not in UNSEEN and not of_each(name)},
        best_epoch=None if stopping is None else stopping.best_epoch,
        importance=importance(model, prepared.encoder, prepared.test, alone, prepared.seed),
        alone=alone,
        rows=rows,
        warnings=suspicions(prepared),
    )


def of_test(model: Sequential, encoder: Encoder, table: Table, X: Array, truth: Array) -> list[Document]:
    """The scores of later rows, which no baseline was trained for: a document for each target."""
    target, lines = encoder.target, np.asarray(table.lines)
    assert target is not None
    output = outputs(model, target, X)
    if isinstance(target, ClassTarget):
        return [findings(Predicted(truth, output), classes=target.classes, target=target.name, lines=lines)]
    names = [one.name for one in target.targets] if isinstance(target, NumberTargets) else [target.name]
    columns = zip(names, truth.T, output.reshape(truth.shape).T, strict=True)
    return [findings(Predicted(y, p), target=name, lines=lines) for name, y, p in columns]


def importance(
    model: Sequential, encoder: Encoder, test: Part, alone: Mapping[str, float], seed: int
) -> PermutationImportance | None:
    """How much worse the model is where a column's cells are shuffled among the test rows.

    Parameters
    ----------
    alone : mapping of str to float
        How well each column predicts the target by itself: of very many columns, the first by it are shuffled.
    """
    target = encoder.target
    assert target is not None
    some = np.linspace(0, len(test.y) - 1, min(MOST, len(test.y))).astype(np.int64)
    if len(np.unique(test.truth[some])) < 2:
        return None  # of one class or value nothing can be lost
    weights = None if test.weights is None else test.weights[some]
    whole = _inputs(encoder, test.table.take(some))
    best = sorted(whole.columns, key=lambda name: -alone.get(name, -np.inf))
    shuffled = set(best[: ENCODED // len(best) or 1])
    table = replace(whole, columns={name: column for name, column in whole.columns.items() if name in shuffled})

    def predicted(table: Table) -> Array:
        return outputs(model, target, encoder.transform(replace(whole, columns={**whole.columns, **table.columns})))

    metric = "accuracy" if isinstance(target, ClassTarget) else "r2"
    return permutation_importance(
        predicted, table, test.truth[some], repeats=REPEATS, seed=seed, metric=metric, sample_weight=weights
    )


def attempted(
    model: Sequential,
    prepared: Prepared,
    stopping: EarlyStopping | None,
    summary: Mapping[str, Any],
    name: str,
    path: Path,
    rows: bool,
) -> tuple[Document | None, str, str]:
    """The account and its page; or the line that says why there is none, which is no reason to lose a trained model."""
    try:
        document = account(model, prepared, stopping, rows)
        return document, page(document, prepared, model, summary, name, path), ""
    except Exception as error:
        return None, "", f"no report.html: making it failed ({type(error).__name__}: {error})"


def page(
    document: Document, prepared: Prepared, model: Sequential, summary: Mapping[str, Any], name: str, path: Path
) -> str:
    """The report of a run, as HTML."""
    target, test = prepared.target, prepared.test
    is_class = isinstance(target, ClassTarget)
    learned = [] if isinstance(target, ClassTarget) else [target.sentence]
    optimizer = summary["optimizer"]
    settings = {
        "network": " ".join(summary["architecture"]),
        **({"members": f"{model.members}"} if model.members > 1 else {}),
        "parameters": f"{summary['parameters']:,}",
        "loss": summary["loss"],
        "optimizer": " ".join([optimizer["class"], *(f"{k}={v}" for k, v in optimizer.items() if k != "class")]),
        "batches": f"of {summary['batch_size']} rows",
        "epochs": f"{summary['epochs']}",
        "scaling": prepared.encoder.scaling,
        "seed": f"{summary['seed']}",
    }
    return report(
        document,
        data=name,
        notes=[*test.table.notes, f"{target.name}: {prepared.why}", *learned],
        kinds=[_decided(decision.document()) for decision in prepared.encoder.decisions],
        density=None if is_class else density(outputs(model, target, test.X), test.truth),
        settings=settings,
        command=f"nnxp predict {shlex.quote(str(path))} new.csv --out predictions.csv",
        versions=summary["versions"],
        diagnosis=[finding["text"] for finding in summary["diagnosis"]],
    )


def _decided(document: dict[str, Any]) -> Any:
    return {name: document[name] for name in ("name", "kind", "why", "missing", "becomes")}


def _head(part: Part, n: int) -> Part:
    """The first n rows."""
    weights = None if part.weights is None else part.weights[:n]
    return Part(part.table.take(slice(0, n)), part.X[:n], part.y[:n], part.truth[:n], weights)


def _inputs(encoder: Encoder, table: Table) -> Table:
    """The columns that the model sees."""
    used = {decision.name for decision in encoder.decisions if decision.used}
    return replace(table, columns={name: column for name, column in table.columns.items() if name in used})
