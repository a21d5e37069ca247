"""Files that are written whole or not at all, whatever happens meanwhile.

A file is written beside its place under a name that nobody else uses, flushed to the disk and renamed; then its folder
is flushed. A process that is killed leaves its temporary file behind; the next one that writes to the same place
removes it. A lock tells the abandoned from those that somebody is writing: the system lets it go with the process.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # on Windows: nothing is known of other processes, and nothing of theirs is removed
    fcntl = None  # type: ignore[assignment]

NO_SUCH_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM)
"""What file systems answer that cannot flush a folder, or users who may not read it."""


LONGEST = 200
"""Bytes of a name that stands in that of its temporary file: file systems end at 255."""


@contextlib.contextmanager
def whole_file(path: Path, what: str) -> Iterator[BinaryIO]:
    """A file open for writing, which takes its place when the block ends, and vanishes when it raises.

    Parameters
    ----------
    path
        Where; a link stays a link. What is there is replaced, even if it is read-only, and keeps its permissions.
    what
        What is written, for errors: "the model".

    Raises
    ------
    OSError
        It cannot be written; its message says what, where and why, and what is there now. Of the subclass, and with
        the `errno` and `filename`, that the cause has.
    """
    given, path = path, _resolved(path)
    stem = path.name if len(os.fsencode(path.name)) <= LONGEST else hashlib.sha256(os.fsencode(path.name)).hexdigest()
    temporary, replaced = path.with_name(f".{stem}.{secrets.token_hex(8)}.tmp"), False
    try:
        _check_place(path)
        remove_abandoned(path.parent, rf"\.{re.escape(stem)}\.[0-9a-f]{{16}}\.tmp")
        with _create(temporary) as file:
            if path.exists() and hasattr(os, "fchmod"):  # who may read it is as it was
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield file
            flush(file)
            if fcntl is None:
                file.close()  # Windows renames no open file
            os.replace(temporary, path)
            replaced = True
        flush_folder(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary), str(path), str(path.parent)):
            raise  # it explains itself, or is of something else that the block does
        if replaced:
            power = "after a power failure the file from before may be back"
            raise told(error, given, f"{what} is saved, but not for certain", power) from error
        raise told(error, given, f"{what} could not be saved") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def told(error: OSError, path: Path, failed: str, now: str = "what was there before is as it was") -> OSError:
    """The error of writing to a path with what a user wants to know: what failed, why, and what is there now."""
    return OSError(error.errno, f"{failed} ({error.strerror or error}); {now}", str(path))


def flush(file: BinaryIO) -> None:
    """Waits until all that was written to an open file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where its file system can do that."""
    try:
        with _opened(folder.resolve()) as handle:
            os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_SUCH_FLUSH:
            raise


@contextlib.contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder for files on their way, removed with what is in it when the block ends, or by the next who makes one
    with this prefix where the process was killed."""
    remove_abandoned(parent, rf"{re.escape(prefix)}\w+")
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    try:
        with contextlib.ExitStack() as stack:
            if fcntl is not None:
                _hold(stack.enter_context(_opened(folder)))
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hold(handle: int) -> None:
    """Marks an open file or folder as in use until it is closed, or the process ends."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks: then nothing counts as abandoned
            fcntl.flock(handle, fcntl.LOCK_EX)


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Removes what processes left behind that no longer live: files and folders whose names match, and that nobody
    holds. What cannot be removed stays."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if re.fullmatch(pattern, path.name)]:
            with contextlib.suppress(OSError), _opened(path) as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where somebody holds it
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _resolved(path: Path) -> Path:
    """Where a path leads, which a link to itself does not."""
    with contextlib.suppress(RuntimeError):  # before Python 3.13; since then such a link is what is given back
        if not (place := path.resolve()).is_symlink():
            return place
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"got the folder {path}, expected a file name such as {path / 'model.safetensors'}")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"got {path}, which is a device or a pipe, expected a file: give another name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save {path.name}: there is no folder {path.parent}; create it first")


def _create(path: Path) -> BinaryIO:
    """A new file that this process holds."""
    while True:
        file = path.open("xb")
        _hold(file.fileno())
        if path.exists():  # else another process took it for abandoned before it was held
            return file
        file.close()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A handle of a file or folder, not of what a link points to."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        yield handle
    finally:
        os.close(handle)
