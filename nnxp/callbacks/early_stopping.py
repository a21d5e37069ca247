"""Early stopping."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from nnxp.callbacks.best import BestWeights, shapes
from nnxp.callbacks.state import State
from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described
from nnxp.doors.naming import rises
from nnxp.doors.options import not_negative, positive
from nnxp.errors import hint


class EarlyStopping(Constructed):
    """Ends a training that no longer gets better, and puts the best weights back.

    Parameters
    ----------
    monitor : str
        The entry of the history that is followed: by default "val_loss", the validation's loss; "loss" is the
        training's; "val_roc_auc", say, what a callback `Scores` adds. (An estimator's `monitor="loss"` is its
        validation's.)
    patience : int, optional
        How many epochs in a row may pass without a better value. None: the training runs out, and ends with the best
        weights.
    min_delta : float
        By how much a better value has to be better.
    mode : {"min", "max"}, optional
        What is better; by default "max" for an accuracy, and for the other metrics of `nnxp.metrics` that rise, else
        "min".
    restore_best : bool
        Whether the training, stopped or not, ends with the weights of its best epoch.
    ties : {"first", "last"}
        Which of equally good epochs is the best. "last": one that is better by `min_delta` or just so counts as better,
        so that with 0 it is the last epoch at least as good as all before.

    Attributes
    ----------
    best : float
        The best value; NaN before the first. A value that is NaN is never better.
    best_epoch : int
        The number of epochs that the model had finished then; before, those at the fit's begin.
    stopped : bool
        Whether this ended the training.

    Examples
    --------
    >>> import nnxp
    >>> X, y = nnxp.data.spiral(seed=0)
    >>> model = nnxp.Sequential([nnxp.Dense(2, 16), "relu", nnxp.Dense(16, 3), "softmax"],
    ...     loss="categorical_crossentropy", optimizer=nnxp.Adam(learning_rate=0.1), seed=0)
    >>> stopping = EarlyStopping(patience=3)
    >>> history = model.fit(X, y, epochs=100, validation_split=0.2, callbacks=[stopping])
    >>> stopping.stopped and len(history["loss"]) == stopping.best_epoch + 3
    True
    """

    events = ("begin", "epoch", "end")
    options: tuple[str, ...] = ("monitor", "patience", "min_delta", "mode", "restore_best")
    ties: Literal["first", "last"] = "first"
    __repr__ = described

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int | None = 10,
        min_delta: float = 0.0,
        mode: Literal["min", "max"] | None = None,
        restore_best: bool = True,
        ties: Literal["first", "last"] = "first",
    ) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f'got mode={mode!r}, expected "min", "max" or None')
        if ties not in ("first", "last"):
            raise ValueError(f'got ties={ties!r}, expected "first" or "last"')
        self.monitor, self.mode, self.ties = monitor, mode, ties
        if ties != "first":  # a file does not say what is as before
            self.options = (*self.options, "ties")
        self.patience = None if patience is None else positive("patience", patience)
        self.min_delta, self.restore_best = not_negative("min_delta", min_delta), restore_best
        self.sign = 1 if mode == "max" or (mode is None and rises(monitor)) else -1
        self._begin(0)

    def _begin(self, epoch: int) -> None:
        self.best, self.best_epoch, self.stopped = math.nan, epoch, False
        self._weights = BestWeights()

    def __call__(self, state: State) -> None:
        """Compares, keeps or puts back."""
        if state.event == "begin":
            self._begin(state.epoch)
            self._shapes = shapes(state.model)
            if self.monitor.startswith("val_") and not state.validates:
                raise ValueError(
                    f"got no validation to take {self.monitor!r} from: give fit validation_data= or validation_split= "
                    "(of an estimator, X_val and y_val, or take its own early_stopping=True instead) or a callback "
                    'Scores, or follow the training itself, monitor="loss"'
                )
        elif state.event == "epoch":
            self._compare(state)
        else:
            if self.best_epoch < state.epoch:
                self._weights.put_back(state.model)
            self._weights = BestWeights()

    def state(self) -> dict[str, Any]:
        """The best value so far, None for NaN, its epoch and its weights."""
        best = None if math.isnan(self.best) else self.best
        kept = {f"weights.{number}": weights for number, weights in enumerate(self._weights.arrays)}
        return {"best": best, "best_epoch": self.best_epoch, "stopped": self.stopped, **kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` gave."""
        self.best = math.nan if state["best"] is None else float(state["best"])
        self.best_epoch, self.stopped = int(state["best_epoch"]), bool(state["stopped"])
        self._weights.arrays = tuple(state[name] for name in ("weights.0", "weights.1") if name in state)
        if (got := [tuple(weights.shape) for weights in self._weights.arrays]) not in ([], self._shapes):
            raise ValueError(f"got weights of shapes {got}, expected {self._shapes}")

    def _compare(self, state: State) -> None:
        if self.monitor not in state.record:
            raise ValueError(
                f"got monitor={self.monitor!r}, expected one of {', '.join(state.record)}"
                f"{hint(self.monitor, state.record)}"
            )
        value = state.record[self.monitor]
        if isinstance(value, list):
            raise ValueError(
                f"got monitor={self.monitor!r}, which is one number for each member, expected one of all: "
                f"{self.monitor.replace('member_', '')!r}"
            )
        first, gain = math.isnan(self.best) and not math.isnan(value), self.sign * (value - self.best)
        if first or gain > self.min_delta or (self.ties == "last" and gain == self.min_delta):
            self.best, self.best_epoch = value, state.epoch
            if self.restore_best:
                self._weights.keep(state.model)
        elif self.patience is not None and state.epoch - self.best_epoch >= self.patience:
            self.stopped = state.stop = True
