"""Writing results: whole or not at all, and never over what is there unless that was asked for."""

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nnxp.files.wholefile import flush, flush_folder, temporary_folder, told, whole_file
from nnxp.network.history import of_each

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

TRAINING_ROWS = "training_rows.npy"
FILES = (
    "model.safetensors",
    "history.csv",
    "summary.json",
    "curves.png",
    "report.html",
    "playground.html",
    TRAINING_ROWS,
)
CHECKPOINT = "checkpoint.safetensors"


class RunFolder:
    """A run's folder. Its files are written to `staging` inside it and moved to their places by `publish`.

    Entering it, before the training, finds out whether it can be written, and keeps other processes out; leaving it
    without `publish` leaves everything as it was. A process that is killed meanwhile leaves `staging`, which the next
    run into the folder removes; killed while `publish` renames, files of two runs, each of them whole. What outlives it
    is `checkpoint`.

    Parameters
    ----------
    path : str or path
        Made if it is not there, with its parents.
    overwrite : bool
        Whether a run that is there may be replaced. Files of other names are never touched.
    resume : bool
        Whether the run goes on from the checkpoint that an interrupted one has left.

    Attributes
    ----------
    checkpoint : Path
        Where a training that is not over is saved: in its place at once, since a killed process publishes nothing.
    """

    def __init__(self, path: str | Path, overwrite: bool, resume: bool = False) -> None:
        self.path, self.overwrite, self.resume = Path(path), overwrite, resume
        self.checkpoint = self.path / CHECKPOINT
        self._stack, self._moves = contextlib.ExitStack(), False
        self._others: tuple[int, int] | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the folder holds a run, and no training that is not over."""
        return (self.path / FILES[0]).is_file() and not self.checkpoint.exists()

    @property
    def has_own_checkpoint(self) -> bool:
        """Whether the checkpoint is of this training, and not of one that it is to replace."""
        return _identity(self.checkpoint) not in (None, self._others)

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"the run folder {self.path} is a file: choose another with --out")
        self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            with self._writable():
                self.path.mkdir(parents=True, exist_ok=True)
        except OSError:
            self._remove_made()
            raise
        self._stack.enter_context(_alone(self.path))
        self._stack.callback(self._remove_made)  # while nobody else is in it, and not where somebody was first
        try:
            self._refuse()
            with self._writable():
                self.staging = self._stack.enter_context(temporary_folder(self.path, ".unfinished-"))
        except BaseException:
            self._stack.close()
            raise
        return self

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """The block that fills `staging` and publishes it: that a disk is full there is said of the run."""
        try:
            yield
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            if cause.errno is None:  # an error that explains itself
                raise
            if self._moves:
                now = "its files may be of two runs: run it again with --overwrite"
                raise told(cause, self.path, "the run could not be saved whole", now) from error
            raise told(cause, self.path, "the run could not be saved") from error

    def publish(self) -> None:
        """Moves the files to their places, once all of them are on the disk, and removes those of the run they
        replace."""
        self._refuse_existing()
        self._fresh = [name for name in FILES if (self.staging / name).exists()]
        for name in self._fresh:
            with (self.staging / name).open("rb+") as file:
                flush(file)
        self._moves = True
        try:
            self._move()
        except (KeyboardInterrupt, SystemExit):  # a mixture of two runs helps nobody: a moment more
            self._move()
        self.checkpoint.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _move(self) -> None:
        for name in FILES:
            if name not in self._fresh:
                (self.path / name).unlink(missing_ok=True)
            elif (self.staging / name).exists():
                os.replace(self.staging / name, self.path / name)
        flush_folder(self.path)

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                f"the run folder {self.path} cannot be written ({error.strerror}): choose another with --out"
            ) from None

    def _refuse(self) -> None:
        """Raises where the files that are there do not let this run begin."""
        for name in (*FILES, CHECKPOINT):
            if (self.path / name).is_dir():  # which no file replaces
                raise IsADirectoryError(
                    f"{self.path / name} is a folder, where a file of the run belongs: remove it, or choose another "
                    "folder with --out"
                )
        if self.resume and self.checkpoint.exists():  # other files are older, or as far as a killed process got
            self.overwrite = True
        self._refuse_existing()
        if self.checkpoint.exists() and not self.overwrite:
            raise FileExistsError(
                f"{self.path} holds a training that is not over ({CHECKPOINT}): go on with --resume, replace it with "
                "--overwrite, or choose another folder with --out"
            )
        self._others = None if self.resume else _identity(self.checkpoint)

    def _refuse_existing(self) -> None:
        there = self._files()
        if there and not self.overwrite:
            raise FileExistsError(
                f"{self.path} holds a run already ({', '.join(there)}): replace it with --overwrite, or "
                "choose another folder with --out"
            )

    def _files(self) -> list[str]:
        return [name for name in FILES if (self.path / name).exists()]

    def _remove_made(self) -> None:
        """The folders that were not there before, where nothing is in them."""
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder, until the block or the process ends; raises where one is in it.

    Where there are no such locks (Windows, some network file systems), nobody is kept out.
    """
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            try:
                handle = os.open(folder, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FileExistsError(
                    f"another process trains in {folder} now: wait for its end, or choose another folder with --out"
                ) from None
            except OSError:  # a file system without locks, or a folder that this user may write and not read
                pass
        yield


def _identity(path: Path) -> tuple[int, int] | None:
    """By what a file is told from the one that replaces it; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


class OutputFile:
    """A file to be written whole: checked at once, `write` later. `what` is in it, for where that fails."""

    def __init__(self, path: str | Path, overwrite: bool, option: str = "--out", what: str = "the predictions") -> None:
        self.path, self.what = Path(path), what
        if self.path.is_dir():
            raise IsADirectoryError(f"{option} {self.path} is a folder: give a file in it")
        if self.path.exists() and not overwrite:
            raise FileExistsError(
                f"{self.path} is there already: replace it with --overwrite, or choose another {option}"
            )
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"cannot write {self.path}: there is no folder {self.path.parent}; create it first")

    def write(self, texts: Iterable[str]) -> None:
        """Writes beside its place first, then renames."""
        with whole_file(self.path, self.what) as file:
            for text in texts:
                file.write(text.encode())


def write_history(history: dict[str, list[Any]], path: Path) -> None:
    """An epoch a row; of several members, a column for each."""
    text, columns = io.StringIO(), dict(history)
    for name in [name for name in columns if of_each(name)]:
        columns |= {f"{name}_{k}": [*own] for k, own in enumerate(zip(*columns.pop(name), strict=True))}
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["epoch", *columns])
    for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1):
        rows.writerow([epoch, *values])
    path.write_text(text.getvalue(), encoding="utf-8")
