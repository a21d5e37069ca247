"""The schedule that looks at how the training goes."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from nnxp.doors.naming import rises
from nnxp.doors.options import not_negative, positive, share
from nnxp.schedules.base import Schedule


class ReduceOnPlateau(Schedule):
    """Multiplies by `factor` once more than `patience` epochs in a row have brought nothing better. PyTorch's
    `ReduceLROnPlateau` with threshold_mode="abs" and without a cool-down.

    It has to see each epoch's values: `fit` shows them, a loop of your own calls
    `optimizer.schedule.observe({"val_loss": ...})`.

    Parameters
    ----------
    monitor : str
        The entry of the history that is followed: by default "val_loss", the validation's loss; "loss" is the
        training's.
    factor : float
        From 0 to below 1; 0.1 by default.
    patience : int
        Epochs without a better value that are let pass; 10 by default.
    min_delta : float
        A better value is better by more than this; 0.0001 by default.
    floor : float
        The factor falls no lower; from 0 (by default) to below 1.
    mode : {"min", "max"}, optional
        What is better; by default "max" for an accuracy, and for metrics that rise such as "val_roc_auc",
        else "min". What is not finite is never better.
    """

    options = ("monitor", "factor", "patience", "min_delta", "floor", "mode")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        floor: float = 0.0,
        mode: Literal["min", "max"] | None = None,
    ) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f'got mode={mode!r}, expected "min", "max" or None')
        if not isinstance(monitor, str):
            raise ValueError(f'got monitor={monitor!r}, expected the name of an entry of the history, "val_loss"')
        self.monitor, self.factor, self.mode = monitor, share("factor", factor), mode
        self.patience = 0 if patience == 0 else positive("patience", patience)
        self.min_delta, self.floor = not_negative("min_delta", min_delta), share("floor", floor)
        self.current, self.waited = 1.0, 0
        self.best: float | None = None

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        return self.current

    def observe(self, record: Mapping[str, float]) -> None:
        """Compares the epoch's value with the best."""
        if self.monitor not in record:
            raise ValueError(
                f"got monitor={self.monitor!r}, expected one of {', '.join(record)}"
                ": give fit validation_data= or validation_split= (of an estimator, X_val "
                'and y_val), or follow the training itself, ReduceOnPlateau(monitor="loss")'
            )
        value = record[self.monitor]
        if self._is_better(value):
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.current, self.waited = max(self.current * self.factor, self.floor), 0

    def _is_better(self, value: float) -> bool:
        if self.best is None or not math.isfinite(value):
            return math.isfinite(value)
        rising = self.mode == "max" or (self.mode is None and rises(self.monitor))
        return (value - self.best if rising else self.best - value) > self.min_delta

    def state(self) -> dict[str, Any]:
        """The factor now, the best value and the epochs since."""
        return {"current": self.current, "best": self.best, "waited": self.waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Schedule`."""
        self.current, self.waited = float(state.get("current", 1.0)), int(state.get("waited", 0))
        best = state.get("best")
        self.best = None if best is None else float(best)
