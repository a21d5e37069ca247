"""The history as a table on disk."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnxp.callbacks.state import State
from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described
from nnxp.network.history import columns


class CSVLog(Constructed):
    """Writes each epoch's entries of the history as a row of a CSV file, as soon as it is over.

    Parameters
    ----------
    path
        The file. One that is there is continued, if it has the same columns, and else refused. Where a fit is resumed,
        what was written after the checkpoint is cut off first: each epoch is there once. Of several processes that
        train together, process 0 writes it.
    """

    events = ("begin", "epoch")
    __repr__ = described

    def __init__(self, path: Any) -> None:
        self.path = Path(path)
        self._end: int | None = None  # where a fit that is resumed goes on, in bytes

    def __call__(self, state: State) -> None:
        """Adds a row."""
        if state.model.communicator is not None and state.model.communicator.rank:
            return
        if state.event == "begin":
            self._end = None
            with self.path.open("a", encoding="utf-8"):
                return  # to be told now that it cannot be written
        record = columns(state.record)
        header = ["epoch", *record]
        there = _header(self.path)
        if there not in (None, header):
            raise ValueError(
                f"{self.path} has the columns {there}, expected {header}: give the log another file, or move this one"
            )
        if self._end is not None and self._end < self.path.stat().st_size:
            os.truncate(self.path, self._end)
            there = _header(self.path)
        self._end = None
        with self.path.open("a", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            if there is None:
                rows.writerow(header)
            rows.writerow([state.epoch, *record.values()])

    def state(self) -> dict[str, Any]:
        """How far the file is written, less what is to be cut off."""
        written = self.path.stat().st_size if self.path.exists() else 0
        return {"end": written if self._end is None else self._end}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Has the next row written there, once it is sure that the file is the log."""
        if type(state["end"]) is not int or state["end"] < 0:
            raise ValueError(f"got end={state['end']!r}, expected a number of bytes")
        self._end = state["end"]


def _header(path: Path) -> list[str] | None:
    """The columns of a CSV file; None where it is empty."""
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), None)
