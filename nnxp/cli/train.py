"""`nnxp train`: from the options to a run folder."""

import argparse
import contextlib
import json
import platform
from typing import Any

import numpy as np

import nnxp
from nnxp.cli import account, crossvalidation, jobs, opening, playing, presentation, seen, table_options, tables
from nnxp.cli.handover import from_the_first
from nnxp.cli.jobs import Job
from nnxp.cli.launching import communicator_of
from nnxp.cli.parser import UsageError
from nnxp.cli.recipes import is_table
from nnxp.cli.results import Result, library_version
from nnxp.cli.runs import RunFolder, write_history
from nnxp.cli.saved import as_estimator
from nnxp.cli.tutor import diagnosed
from nnxp.cli.unfinished import resumable
from nnxp.data import Dataset
from nnxp.network.recipe import Recipe
from nnxp.sequential import Sequential
from nnxp.tabular.findings.telling import tell


def run(args: argparse.Namespace) -> None:
    """Trains, tests, and writes and prints the results."""
    communicator = communicator_of(args)
    of_table = is_table(args.data)
    if not of_table and (wrong := table_options.given(args)):
        raise UsageError(f"{wrong[0]} is for a table, and {args.data} is none: expected {table_options.TABLE}")
    if of_table:
        table_options.no_folder(args)
    if of_table and args.target is None:
        from_the_first(args.communicator, lambda: opening.show_kinds(args), lambda none: none)
        return
    crossvalidation.check(args)
    job = from_the_first(communicator, lambda: jobs.prepared(args, of_table), Job.to_train)
    model, folder, source = job.model, RunFolder(job.folder, args.overwrite, args.resume), job.source
    if job.is_finished:
        if not args.quiet:
            print(f"{folder.path} holds a run that is complete: there is nothing to resume (--overwrite trains anew)")
        return
    if communicator is not None:
        model.communicator = communicator
    with contextlib.nullcontext() if source is None else folder, resumable(folder):
        if source is None:
            jobs.fit(args, job, folder.checkpoint)
            return
        dataset, table = source.dataset, source.table
        if not args.quiet:
            if table is not None:
                tables.show(table)
            presentation.before(dataset, model, job.recipe, source.loss, job.followed)
        stopping = jobs.fit(args, job, folder.checkpoint)
        model.communicator = None  # what follows is this process's alone
        parts = None
        if source.understood is not None and args.cv is not None:
            # afterwards: what is resumed has not been tested by parts yet
            parts = crossvalidation.cross_validated(
                args, *source.understood, lambda part: jobs.trained_on(args, source.backend, part)
            )
        followed = "validation" if job.followed else "test"
        result = Result.of(model, dataset.X_test, dataset.y_test) if table is None else account.result(model, table)
        history = model.history if table is None else table.history(model)
        history = {name.replace("val_", f"{followed}_", 1): values for name, values in history.items()}
        summary = _summary(args, job.recipe, model, dataset, source.loss, job.followed, result)
        if stopping is not None:
            summary |= {"best_epoch": stopping.best_epoch, "stopped_early": stopping.stopped}
        summary["asked"] = job.wanted
        summary["diagnosis"], no_diagnosis = diagnosed(model, dataset, table, bool(job.followed))
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
            no_page = playing.write(job.watching, folder.staging / "playground.html")
            no_picture = presentation.draw(history, followed, model, shown, result, folder.staging / "curves.png")
            folder.publish()
    if not args.quiet:
        if document is not None:
            tell(document)
        if parts is not None:
            crossvalidation.show(parts)
        lacking = (no_report, no_page, no_picture, no_diagnosis)
        presentation.after(None if document else result, summary, folder.path, *lacking)


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
