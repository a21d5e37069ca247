"""Files of a training that is not over."""

import time
from pathlib import Path
from typing import Any

from nnxp.callbacks.state import EVENTS, State
from nnxp.distributed import by_the_first
from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described
from nnxp.doors.options import not_negative, positive
from nnxp.files.configuration import config_of


class Checkpoint(Constructed):
    """Saves the model to a file while it trains, and once more at the end (see `Sequential.save`).

    The file is replaced as a whole, so that there is always one to load; weights that are not finite are not saved.
    It is called after the other callbacks, whatever their order: after an `EarlyStopping`, the file ends with the
    weights that this puts back. Of several processes that train together, process 0 writes it, and the others wait
    until it is written. `fit(..., resume=path)` goes on from the file, in the middle of an epoch if need be.

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

    events = EVENTS
    last = True
    __repr__ = described

    def __init__(self, path: Any, every_steps: int | None = None, every_minutes: float | None = None) -> None:
        self.path = Path(path)
        self.every_steps = None if every_steps is None else positive("every_steps", every_steps)
        self.every_minutes = None if every_minutes is None else not_negative("every_minutes", every_minutes)
        self.by_epoch = every_steps is None and every_minutes is None
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
        if self.every_minutes is not None and state.model.communicator is not None:
            due = state.model.communicator.broadcast(due)  # clocks differ
        if due or state.interrupted is not None:
            self._save(state)

    def _is_due(self, step: int) -> bool:
        by_steps = self.every_steps is not None and step - self._step >= self.every_steps
        return by_steps or (self.every_minutes is not None and time.monotonic() - self._time >= 60 * self.every_minutes)

    def _save(self, state: State) -> None:
        if state.model.course is not None:
            state.model.course.gather()
        backend, values = state.model.store.backend, state.model.store.values
        with backend.context():
            if bool(backend.xp.all(backend.xp.isfinite(values))):
                with by_the_first(state.model.communicator) as mine:
                    if mine:
                        state.model.save(self.path)  # the model's own, which a subclass may have made its own
                if state.interrupted is not None:
                    state.interrupted.add_note(f"step {state.step} is saved, to resume from {self.path}")
        self._time, self._step = time.monotonic(), state.step
