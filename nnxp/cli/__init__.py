"""The command `nnxp`: train, evaluate and predict without writing Python, and see what a machine can run.

A command that works ends with exit code 0. One that cannot ends with 2 and a single line on standard error
that says why; with `--debug` Python's traceback stands before it. Nothing is left half-written either way.
Ctrl-C ends with 130 and SIGTERM with 143, a training once its step is done and saved, where it has a checkpoint.
`nnxp doctor` ends with 1 where it found something wrong. Of the processes of a launcher, `mpirun -n 4 nnxp train ...`,
the first speaks and writes.
"""

import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from nnxp.cli.launching import launched, run_together
from nnxp.cli.parser import parser

INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143  # 128 and the signal's number, as shells have it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after `nnxp`; those of the process by default.

    Examples
    --------
    >>> main(["train", "digits", "--epochs", "many"])  # and on standard error: nnxp: error: argument --epochs
    2
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return run_together(words, _said) if launched()[1] > 1 else _said(words, None)


def _said(words: list[str], communicator: Any) -> int:
    """Runs one command, and says what went wrong."""
    try:
        with _terminable(), _printable():
            code = _run(words, communicator)
            if sys.stdout is not None and not sys.stdout.closed:
                sys.stdout.flush()  # here, where a closed pipe can still be answered
        return code
    except (KeyboardInterrupt, SystemExit) as stop:
        what, code = ("interrupted", INTERRUPTED) if isinstance(stop, KeyboardInterrupt) else ("terminated", TERMINATED)
        print("; ".join([f"nnxp: {what}", *getattr(stop, "__notes__", ())]), file=sys.stderr)
        return code
    except BrokenPipeError:  # the reader has left: no error to speak of
        return BROKEN_PIPE
    except Exception as error:
        if "--debug" in words:
            import traceback

            traceback.print_exc()
        print(f"nnxp: error: {_explain(error)}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _printable() -> Iterator[None]:
    """What an output's encoding lacks is replaced: a command that did its work does not fail for saying so."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure") and not stream.closed]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="replace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            if not stream.closed:
                stream.reconfigure(errors=errors)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that it clears what it has begun to write."""
    alone = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if alone:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if alone:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(TERMINATED)


def _run(words: list[str], communicator: Any) -> int:
    commands = parser()
    try:
        args = commands.parse_args(words)
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    args.communicator = communicator
    if args.command is None:
        commands.print_help()
        return 0
    return importlib.import_module(f"nnxp.cli.{args.command}").run(args) or 0


def _explain(error: Exception) -> str:
    """What went wrong, on one line."""
    from nnxp.errors import BackendUnavailableError
    from nnxp.memory.counting import is_out_of_memory

    text = " ".join(str(error).split()).replace('dtype="float64"', "--dtype float64")
    if is_out_of_memory(error):
        what = f" ({text})" if text else ""
        return f"out of memory{what}: try a smaller --batch-size or fewer units in --hidden"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError | ValueError | FloatingPointError | BackendUnavailableError):
        return text or type(error).__name__
    unexpected = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{unexpected}; this is a mistake in nnxp: run it again with --debug and report what it prints"
