"""Callbacks: what a training calls while it runs, each with the training's state.

A callback is a function of one argument, called after every epoch. One that has an attribute `events` is called at
those: "begin" and "end" of a `fit`, "epoch" and "step". One that raises ends the training there; the model keeps the
weights, the optimizer's state and the history that it has at that moment.

One that remembers something has two more methods, for a fit that is resumed (`fit(resume=)`): `state()` gives a dict
of what JSON can hold and of arrays, float32 or float64, and `restore(state)` takes the same dict over, after "begin",
its arrays on the model's backend. What it is made with, and has to be the same then, it names in `options`, and keeps
as attributes.

>>> def watch(state):
...     if state.record["loss"] < 0.05:
...         state.stop = True
"""

import csv
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nnxp.configuration import config_of
from nnxp.interruption import Interruption as Interruption
from nnxp.options import not_negative, positive
from nnxp.typing import Array

if TYPE_CHECKING:
    from nnxp.sequential import Sequential

EVENTS = ("begin", "step", "epoch", "end")
Event = Literal["begin", "step", "epoch", "end"]
Callback = Callable[["State"], Any]


@dataclass
class State:
    """Where a training stands.

    Attributes
    ----------
    model : Sequential
        The model, whose weights may be read, and written between two steps.
    epochs : int
        How many epochs this fit was asked for.
    validates : bool
        Whether each epoch ends with a validation.
    event : str
        "begin", "step", "epoch" or "end".
    record : dict of float
        The last finished epoch's entries in the history, "loss", "val_loss", "learning_rate", ...; empty before.
    stop : bool
        Set it to True, and the training ends after this step or epoch.
    interrupted : BaseException or None
        Set it, and the training is left by this exception once the other callbacks have seen the step or epoch, as one
        that is to be resumed: no "end" comes (see `Interruption`).
    """

    model: "Sequential"
    epochs: int
    validates: bool
    event: Event = "begin"
    record: dict[str, float] = field(default_factory=dict)
    stop: bool = False
    interrupted: BaseException | None = None

    @property
    def epoch(self) -> int:
        """Finished epochs of the model, over all fits."""
        return self.model.epoch

    @property
    def step(self) -> int:
        """Finished steps of the model, over all fits."""
        return self.model.step

    @property
    def history(self) -> dict[str, list[float]]:
        """One entry an epoch, over all fits."""
        return self.model.history


class Callbacks:
    """The callbacks of a fit, by event; a `Checkpoint` comes after the others, whose state it saves."""

    def __init__(self, callbacks: Iterable[Callback], state: State) -> None:
        self.given = sorted(callbacks, key=lambda callback: isinstance(callback, Checkpoint))
        self.state, self.at = state, {event: list[Callback]() for event in EVENTS}
        for callback in self.given:
            for event in events_of(callback):
                self.at[event].append(callback)

    def __bool__(self) -> bool:
        return any(self.at.values())

    def call(self, event: Event) -> None:
        """Calls those that wait for the event, in the order in which they were given."""
        self.state.event = event
        for callback in self.at[event]:
            callback(self.state)
        if self.state.interrupted is not None:
            raise self.state.interrupted


def events_of(callback: Any) -> tuple[str, ...]:
    """The events at which a callback is called; raises where it is no callback."""
    if not callable(callback) or isinstance(callback, type):
        hint = f": {callback.__name__}(...) makes one" if isinstance(callback, type) else ""
        raise TypeError(f"got {callback!r} as a callback, expected a function of the training's state{hint}")
    events: Any = getattr(callback, "events", ("epoch",))
    if isinstance(events, str) or not set(events) <= set(EVENTS):
        raise ValueError(f"got a callback with events={events!r}, expected some of {EVENTS}")
    return tuple(events)


class EarlyStopping:
    """Ends a training that no longer gets better, and puts the best weights back.

    Parameters
    ----------
    monitor : str
        The entry of the history that is followed: "val_loss" by default.
    patience : int
        How many epochs in a row may pass without a better value.
    min_delta : float
        By how much a better value has to be better.
    mode : {"min", "max"}, optional
        What is better; by default "max" for an accuracy, else "min".
    restore_best : bool
        Whether the training, stopped or not, ends with the weights of its best epoch.

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
    options = ("monitor", "patience", "min_delta", "mode", "restore_best")

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: Literal["min", "max"] | None = None,
        restore_best: bool = True,
    ) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f'got mode={mode!r}, expected "min", "max" or None')
        self.monitor, self.mode, self.patience = monitor, mode, positive("patience", patience)
        self.min_delta, self.restore_best = not_negative("min_delta", min_delta), restore_best
        self.sign = 1 if mode == "max" or (mode is None and monitor.endswith("accuracy")) else -1
        self._begin(0)

    def _begin(self, epoch: int) -> None:
        self.best, self.best_epoch, self.stopped = math.nan, epoch, False
        self._weights: tuple[Array, ...] = ()

    def __call__(self, state: State) -> None:
        """Compares, keeps or puts back."""
        if state.event == "begin":
            self._begin(state.epoch)
            if self.monitor.startswith("val_") and not state.validates:
                raise ValueError(
                    f"got no validation to take {self.monitor!r} from: give fit validation_data= or validation_split=, "
                    'or follow the training itself, monitor="loss"'
                )
        elif state.event == "epoch":
            self._compare(state)
        elif self._weights and self.best_epoch < state.epoch:
            for place, kept in zip(_weights(state.model), self._weights, strict=True):
                place[...] = kept
        if state.event == "end":
            self._weights = ()

    def state(self) -> dict[str, Any]:
        """The best value so far, None for NaN, its epoch and its weights."""
        best = None if math.isnan(self.best) else self.best
        kept = {f"weights.{number}": weights for number, weights in enumerate(self._weights)}
        return {"best": best, "best_epoch": self.best_epoch, "stopped": self.stopped, **kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` gave."""
        self.best = math.nan if state["best"] is None else state["best"]
        self.best_epoch, self.stopped = state["best_epoch"], state["stopped"]
        self._weights = tuple(state[name] for name in ("weights.0", "weights.1") if name in state)

    def _compare(self, state: State) -> None:
        if self.monitor not in state.record:
            raise ValueError(f"got monitor={self.monitor!r}, expected one of {', '.join(state.record)}")
        value = state.record[self.monitor]
        first = math.isnan(self.best) and not math.isnan(value)
        if first or self.sign * (value - self.best) > self.min_delta:
            self.best, self.best_epoch = value, state.epoch
            if self.restore_best:
                self._keep(state.model)
        elif state.epoch - self.best_epoch >= self.patience:
            self.stopped = state.stop = True

    def _keep(self, model: "Sequential") -> None:
        places = _weights(model)
        if not self._weights:
            self._weights = tuple(model.store.backend.asarray(place, copy=True) for place in places)
        for kept, place in zip(self._weights, places, strict=True):
            kept[...] = place


def _weights(model: "Sequential") -> tuple[Array, ...]:
    """What a validation sees: all values, and the moving average of the weights where the optimizer keeps one."""
    average = model.optimizer.average(model.store)
    return (model.store.values,) if average is None else (model.store.values, average)


class Checkpoint:
    """Saves the model to a file while it trains, and once more at the end (see `Sequential.save`).

    The file is replaced as a whole, so that there is always one to load; weights that are not finite are not saved.
    It is called after the other callbacks, whatever their order: after an `EarlyStopping`, the file ends with the
    weights that this puts back. `fit(..., resume=path)` goes on from the file, in the middle of an epoch if need be.

    Parameters
    ----------
    path
        The file.
    every_steps, every_minutes : optional
        How often, in steps or in minutes; whichever comes first where both are given, each epoch where none is.

    Examples
    --------
    >>> import nnxp, tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp(), "training.safetensors")
    >>> def train(epochs_until_the_power_fails=None):
    ...     def fail(state):
    ...         if state.epoch == epochs_until_the_power_fails:
    ...             raise RuntimeError("no power")
    ...     X, y = nnxp.data.spiral(seed=0)
    ...     model = nnxp.Sequential([nnxp.Dense(2, 16), "tanh", nnxp.Dense(16, 3), "softmax"],
    ...         loss="categorical_crossentropy", seed=0)
    ...     checkpoint = Checkpoint(path, every_steps=4)
    ...     return model.fit(X, y, epochs=3, callbacks=[fail, checkpoint], resume=path)["loss"]
    >>> uninterrupted = train()
    >>> path.unlink()
    >>> train(epochs_until_the_power_fails=2)
    Traceback (most recent call last):
    RuntimeError: no power
    >>> train() == uninterrupted
    True
    """

    def __init__(self, path: Any, every_steps: int | None = None, every_minutes: float | None = None) -> None:
        self.path = Path(path)
        self.every_steps = None if every_steps is None else positive("every_steps", every_steps)
        self.every_minutes = None if every_minutes is None else not_negative("every_minutes", every_minutes)
        self.by_epoch = every_steps is None and every_minutes is None
        self.events = EVENTS
        self._time, self._step = 0.0, 0

    def __call__(self, state: State) -> None:
        """Saves if it is time to."""
        if state.event == "begin":
            if not self.path.parent.is_dir():  # now, and not after hours of training
                raise FileNotFoundError(
                    f"cannot save {self.path}: there is no folder {self.path.parent}; create it first"
                )
            config_of(state.model)  # what cannot be saved raises here too
            self._time, self._step = time.monotonic(), state.step
            return
        due = self._is_due(state.step) if state.event == "step" else state.event == "end" or self.by_epoch
        if due or state.interrupted is not None:
            self._save(state)

    def _is_due(self, step: int) -> bool:
        by_steps = self.every_steps is not None and step - self._step >= self.every_steps
        return by_steps or (self.every_minutes is not None and time.monotonic() - self._time >= 60 * self.every_minutes)

    def _save(self, state: State) -> None:
        backend, values = state.model.store.backend, state.model.store.values
        with backend.context():
            if bool(backend.xp.all(backend.xp.isfinite(values))):
                state.model.save(self.path)
                if state.interrupted is not None:
                    state.interrupted.add_note(f"step {state.step} is saved, to resume from {self.path}")
        self._time, self._step = time.monotonic(), state.step


class CSVLog:
    """Writes each epoch's entries of the history as a row of a CSV file, as soon as it is over.

    Parameters
    ----------
    path
        The file. One that is there is continued, if it has the same columns, and else refused. Where a fit is resumed,
        what was written after the checkpoint is cut off first: each epoch is there once.
    """

    events = ("begin", "epoch")

    def __init__(self, path: Any) -> None:
        self.path = Path(path)
        self._end: int | None = None  # where a fit that is resumed goes on, in bytes

    def __call__(self, state: State) -> None:
        """Adds a row."""
        if state.event == "begin":
            self._end = None
            with self.path.open("a", encoding="utf-8"):
                return  # to be told now that it cannot be written
        header = ["epoch", *state.record]
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
            rows.writerow([state.epoch, *state.record.values()])

    def state(self) -> dict[str, Any]:
        """How far the file is written."""
        return {"end": self.path.stat().st_size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Has the next row written there, once it is sure that the file is the log."""
        self._end = state["end"]


def _header(path: Path) -> list[str] | None:
    """The columns of a CSV file; None where it is empty."""
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), None)
