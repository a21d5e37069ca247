"""Files that are written whole or not at all, whatever happens meanwhile.

A file is written beside its place under a name that nobody else uses, flushed to the disk and renamed; then its folder
is flushed. A process that is killed leaves its temporary file behind; the next one that writes to the same place
removes it. A lock tells the abandoned from those that somebody is writing: the system lets it go with the process.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # on Windows: nothing is known of other processes, and nothing of theirs is removed
    fcntl = None  # type: ignore[assignment]

NO_SUCH_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM)
"""What file systems answer that cannot flush a folder, or users who may not read it."""


@contextlib.contextmanager
def whole_file(path: Path, what: str) -> Iterator[BinaryIO]:
    """A file open for writing, which takes its place when the block ends, and vanishes when it raises.

    Parameters
    ----------
    path
        Where; a link stays a link. What is there is replaced.
    what
        What is written, for errors: "the model".

    Raises
    ------
    OSError
        It cannot be written; its message says what, where and why, and what is there now. Of the subclass, and with
        the `errno` and `filename`, that the cause has.
    """
    path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(f"got the folder {path}, expected a file name such as {path / 'model.safetensors'}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save {path.name}: there is no folder {path.parent}; create it first")
    temporary, replaced = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp"), False
    try:
        remove_abandoned(path.parent, rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.tmp")
        with _create(temporary) as file:
            yield file
            flush(file)
            os.replace(temporary, path)
            replaced = True
        flush_folder(path.parent)
    except OSError as error:
        if error.filename not in (None, str(temporary)) and not replaced:  # an error of the caller's block
            raise
        raise told(error, path, what, replaced) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def told(error: OSError, path: Path, what: str, replaced: bool = False) -> OSError:
    """The error of writing to a path, with what a user wants to know."""
    reason = error.strerror or str(error)
    if replaced:
        text = f"{what} is saved, but after a power failure the file from before may be back ({reason})"
    else:
        before = "the file that was there is as it was" if path.exists() else "no file was left"
        text = f"{what} could not be saved ({reason}); {before}"
    return OSError(error.errno, text, str(path))


def flush(file: BinaryIO) -> None:
    """Waits until all that was written to an open file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where its file system can do that."""
    try:
        with _opened(folder) as handle:
            os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_SUCH_FLUSH:
            raise


def hold(handle: int) -> None:
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


def _create(path: Path) -> BinaryIO:
    """A new file that this process holds."""
    while True:
        file = path.open("xb")
        hold(file.fileno())
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
