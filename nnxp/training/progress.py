"""What a long loop shows: a bar on a terminal, a line an epoch in a notebook or where it is asked for, else nothing."""

import sys
from types import TracebackType
from typing import Any, Self

from nnxp.beside import has_threads
from nnxp.printing import is_terminal

NO_RESULTS = ("learning_rate", "seconds")
"""Entries of an epoch's record that are no losses and no metrics."""


class Progress:
    """A bar of `total` steps on standard error, with a text that changes.

    Parameters
    ----------
    total : int or None
        Steps in all; None where nobody knows, which shows their number instead of a share.
    show : bool, optional
        By default, whether standard error is a terminal, and there are no lines. Where no thread can be started to draw
        it, it is lines.
    lines : bool, optional
        Whether an epoch that is over is a line on standard output; by default in a notebook, where nobody asked for a
        bar or for none.
    """

    def __init__(self, total: int | None, show: bool | None = None, lines: bool | None = None) -> None:
        self.lines = show is None and _in_notebook() if lines is None else lines
        on_terminal = is_terminal(sys.stderr) and not self.lines
        self.shown = on_terminal if show is None else show and sys.stderr is not None
        self._bar: Any = None
        self._total = total

    def __enter__(self) -> Self:
        if self.shown and not has_threads():
            self.shown, self.lines = False, True
        elif self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f} steps" if self._total is None else "{task.percentage:3.0f} %"),
                TimeRemainingColumn(),
            )
            # On a terminal what is printed stands above the bar; a file is not to miss it.
            self._bar = Progress(*columns, console=Console(stderr=True), redirect_stdout=is_terminal(sys.stdout))
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def advance(self, steps: int, text: str) -> None:
        """Moves the bar on and says where the loop stands."""
        if self._bar is not None:
            self._bar.update(self._task, advance=steps, description=text)

    def epoch_over(self, text: str, record: dict[str, float]) -> None:
        """Says what an epoch has come to."""
        if self.lines:
            shown = (name for name, value in record.items() if name not in NO_RESULTS and isinstance(value, float))
            found = (f"{name} {record[name]:#.4g}" for name in shown)
            print(f"{text}  {'  '.join(found)}  {record['seconds']:.1f} s", flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this: its shell has a kernel, that of IPython in a terminal has none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
