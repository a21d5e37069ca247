"""The progress bar of a long loop: on a terminal; quiet in a pipe."""

import sys
from types import TracebackType
from typing import Any, Self

from nnxp.printing import is_terminal


class Progress:
    """A bar of `total` steps on standard error, with a text that changes.

    Parameters
    ----------
    total : int or None
        Steps in all; None where nobody knows, which shows their number instead of a share.
    show : bool, optional
        By default, whether standard error is a terminal.
    """

    def __init__(self, total: int | None, show: bool | None = None) -> None:
        self.shown = is_terminal(sys.stderr) if show is None else show and sys.stderr is not None
        self._bar: Any = None
        self._total = total

    def __enter__(self) -> Self:
        if self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f} steps" if self._total is None else "{task.percentage:3.0f} %"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def advance(self, steps: int, text: str) -> None:
        """Moves the bar on and says where the loop stands."""
        if self._bar is not None:
            self._bar.update(self._task, advance=steps, description=text)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
