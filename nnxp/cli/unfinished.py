"""`nnxp train` that goes on: its checkpoints, what a finished run was asked for, and what is said of either."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from nnxp.callbacks import Checkpoint, State
from nnxp.cli.results import fingerprint
from nnxp.cli.runs import FILES, RunFolder
from nnxp.data import Dataset
from nnxp.errors import ModelFileError
from nnxp.files import modelfile
from nnxp.files.configuration import config_of
from nnxp.sequential import Sequential
from nnxp.training.resuming import differences


class PatientCheckpoint(Checkpoint):
    """A `Checkpoint` that does not end a training because it cannot save: it says so, and tries again at its next turn.

    What the run folder cannot hold in the end, its own error says. That the folder is there is known before.
    """

    def __call__(self, state: State) -> None:
        """Saves if it is time to."""
        try:
            super().__call__(state)
        except OSError as error:
            if state.event == "begin":
                raise
            why = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            then = "" if state.interrupted or state.event == "end" else "; the training goes on, and saves later"
            print(f"nnxp: warning: step {state.step} is not saved: {why}{then}", file=sys.stderr, flush=True)
            self._time, self._step = time.monotonic(), state.step  # its next turn counts from here


def asked(dataset: Dataset, **options: Any) -> dict[str, Any]:
    """What a run is asked for beside the model: in its summary, and compared when it is to be resumed."""
    assert dataset.X_test is not None and dataset.y_test is not None
    rows = [fingerprint(dataset.X, dataset.y)[:16], fingerprint(dataset.X_test, dataset.y_test)[:16]]
    return {"data": dataset.name, "data_sha256": rows, **options}


def check_finished(folder: RunFolder, model: Sequential, wanted: dict[str, Any]) -> None:
    """Raises where the run that is there is not the one that is asked for.

    Raises
    ------
    FileExistsError
        The message names the first difference.
    ModelFileError
        Its model is damaged.
    """
    otherwise = "train anew with --overwrite, or choose another folder with --out"
    try:
        with modelfile.opened(folder.path / FILES[0]) as saved:
            saved.reader.check()
            theirs = dict(saved.config)
        theirs["preprocessing"] = {k: v for k, v in theirs["preprocessing"].items() if k != "estimator"}  # its outcome
    except ModelFileError as error:
        raise ModelFileError(f"{error}; {otherwise}") from error
    try:
        theirs |= json.loads((folder.path / "summary.json").read_text(encoding="utf-8"))["asked"]
    except (OSError, ValueError, LookupError, TypeError):
        raise FileExistsError(
            f"{folder.path} holds a run whose summary.json does not say what it was asked for: {otherwise}"
        ) from None
    own = json.loads(json.dumps({"seed": model.seed, "members": model.members} | wanted | config_of(model)))
    for name, value in own.items():
        for place, got, expected in differences(name, value, theirs.get(name)):
            raise FileExistsError(
                f"{folder.path} holds a run that is complete, and another one: got {place} {got}, expected {expected} "
                f"as it has; {otherwise}"
            )


@contextlib.contextmanager
def resumable(folder: RunFolder) -> Iterator[None]:
    """Says of an interruption how to go on, where that is possible, and of a checkpoint that is refused what helps."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        path = folder.checkpoint
        if folder.has_own_checkpoint:
            if not any(str(path) in note for note in getattr(stop, "__notes__", ())):  # saved just now
                stop.add_note(f"the last checkpoint is {path}")
            stop.add_note("the same command with --resume goes on")
        elif path.exists():
            stop.add_note(f"nothing is saved: {path} is of the training before")
        raise
    except ModelFileError as error:
        what, other, _ = str(error).partition(" as when it was saved")  # from here on, `fit` says what helps in Python
        what = what.partition(": nnxp.load")[0]
        first = f"{other}: go on with the data and options that it was started with, " if other else "; "
        raise ModelFileError(
            f"{what}{first}train anew with --overwrite and without --resume, or choose another folder with --out"
        ) from error
