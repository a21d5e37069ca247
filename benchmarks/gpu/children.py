"""One part in a process of its own, in a group of its own, which is ended with all that it started."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from benchmarks import measurements

Row = dict[str, Any]


def without_folders(text: str) -> str:
    """A reason, without this machine's folders."""
    for folder in (sys.prefix, sys.base_prefix, str(measurements.ROOT), str(Path.home())):
        if len(folder) > 5:  # not "/usr", which names no one
            text = text.replace(folder, "...")
    return text


def run(command: Sequence[str], limit: float, log: IO[str], environment: Mapping[str, str]) -> tuple[list[Row], str]:
    """The rows that a command wrote into the file that it is given as its last argument, and why it did not finish
    ("" if it did). What it prints goes into the log."""
    with tempfile.TemporaryDirectory() as folder:
        rows, heard = Path(folder, "rows"), Path(folder, "heard")
        with heard.open("w") as output:
            process = subprocess.Popen(
                [*command, str(rows)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=measurements.ROOT,
                env=environment,
                start_new_session=True,
            )
            try:
                code = process.wait(limit)
                reason = "" if code == 0 else f"its process ended with {_in_words(code)}"
            except subprocess.TimeoutExpired:
                reason = f"not finished within {limit:.0f} s"
            finally:
                with suppress(ProcessLookupError):  # all of it has ended
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said = heard.read_text(errors="replace")
        log.write(said)
        log.flush()
        if reason.startswith("its process") and said.strip():
            reason += f": {said.strip().splitlines()[-1][:300]}"
        return read(rows), without_folders(reason)


def read(rows: Path) -> list[Row]:
    """The rows of a file, a line each; the last may be half written."""
    found = []
    for line in rows.read_text().splitlines() if rows.is_file() else ():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def _in_words(code: int) -> str:
    return f"code {code}" if code > 0 else signal.Signals(-code).name
