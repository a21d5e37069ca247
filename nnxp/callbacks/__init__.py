"""Callbacks: what a training calls while it runs, each with the training's state.

A callback is a function of one argument, called after every epoch. One that has an attribute `events` is called at
those: "begin" and "end" of a `fit`, "epoch" and "step". One that raises ends the training there; the model keeps the
weights, the optimizer's state and the history that it has at that moment.

One that remembers something has two more methods, for a fit that is resumed (`fit(resume=)`): `state()` gives a dict
of what JSON can hold and of arrays, float32 or float64, and `restore(state)` takes the same dict over, after "begin",
its arrays on the model's backend. What it is made with, and has to be the same then, it names in `options`, and keeps
as attributes. A class with `__repr__ = nnxp.callbacks.described` prints as nnxp's do, `EarlyStopping(patience=3)`.

One that has a method `entries(model)` adds the dict of numbers that this gives to each epoch's entries in the history,
before anything looks at them, as `Scores` does. Which these are it may name in `adds`: two callbacks of a fit that add
one name are then refused before the training.

>>> def watch(state):
...     if state.record["loss"] < 0.05:
...         state.stop = True
"""

import importlib
from typing import TYPE_CHECKING, Any

from nnxp.callbacks.state import EVENTS, Callback, Callbacks, State, events_of
from nnxp.doors.describing import described

if TYPE_CHECKING:
    from nnxp.callbacks.checkpoint import Checkpoint
    from nnxp.callbacks.csv_log import CSVLog
    from nnxp.callbacks.early_stopping import EarlyStopping
    from nnxp.callbacks.interruption import Interruption
    from nnxp.callbacks.member_stopping import MemberStopping
    from nnxp.callbacks.scores import Scores

_HOME = {
    "CSVLog": "csv_log",
    "Checkpoint": "checkpoint",
    "EarlyStopping": "early_stopping",
    "Interruption": "interruption",
    "MemberStopping": "member_stopping",
    "Scores": "scores",
}
__all__ = [
    "EVENTS",
    "CSVLog",
    "Callback",
    "Callbacks",
    "Checkpoint",
    "EarlyStopping",
    "Interruption",
    "MemberStopping",
    "Scores",
    "State",
    "described",
    "events_of",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # to a type checker every name would be there

    def __getattr__(name: str) -> Any:
        """Imported when first used: files, signals and tables are not every fit's."""
        if name not in _HOME:
            raise AttributeError(f"module 'nnxp.callbacks' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"nnxp.callbacks.{_HOME[name]}"), name)
        globals()[name] = value
        return value
