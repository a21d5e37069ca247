"""What a callback is called with, when, and in which order."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal

from nnxp.errors import hint
from nnxp.network.model import Model

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # as from Python 3.13 on: with a default

    M = TypeVar("M", bound=Model, default=Any)
else:
    from typing import TypeVar

    M = TypeVar("M")

EVENTS = ("begin", "step", "epoch", "end")
Event = Literal["begin", "step", "epoch", "end"]
Callback = Callable[["State[Any]"], Any]


class Record(dict[str, float]):
    """An epoch's entries in the history; one that is not there is answered with those that are."""

    def __missing__(self, name: str) -> float:
        known = ", ".join(self) or "none, before the first epoch ends"
        raise KeyError(f"got record[{name!r}], expected one of {known}{hint(str(name), self)}")


@dataclass
class State(Generic[M]):
    """Where a training stands; `State[nnxp.Sequential]`, for a type checker that is to know the model's methods.

    Attributes
    ----------
    model : Sequential
        The model, whose weights may be read, and written between two steps.
    epochs : int
        How many epochs this fit was asked for.
    validates : bool
        Whether each epoch ends with a validation, the fit's own or a callback's.
    event : str
        "begin", "step", "epoch" or "end".
    record : dict of float
        The last finished epoch's entries in the history, "loss", "val_loss", "learning_rate", ...; empty before.
    loss : float
        The last step's mean loss, penalties included, before its update; NaN before the first. No device is waited for
        where nobody reads it.
    stop : bool
        Set it to True, and the training ends after this step or epoch.
    interrupted : BaseException or None
        Set it, and the training is left by this exception once the other callbacks have seen the step or epoch, as one
        that is to be resumed: no "end" comes (see `Interruption`).
    """

    model: M
    epochs: int
    validates: bool
    event: Event = "begin"
    record: dict[str, float] = field(default_factory=Record)
    stop: bool = False
    interrupted: BaseException | None = None

    if not TYPE_CHECKING:  # to a type checker every name would be there

        def __getattr__(self, name: str) -> Any:
            raise self._unknown(name)

        def __setattr__(self, name: str, value: Any) -> None:
            if not (name in self.__dataclass_fields__ or hasattr(type(self), name) or name.startswith("_")):
                raise self._unknown(name)
            super().__setattr__(name, value)

    def _unknown(self, name: str) -> AttributeError:
        known = [*self.__dataclass_fields__, *(n for n in vars(State) if isinstance(vars(State)[n], property))]
        return AttributeError(f"got state.{name}, expected one of {', '.join(known)}{hint(name, known, form='{}')}")

    @property
    def epoch(self) -> int:
        """Finished epochs of the model, over all fits."""
        return self.model.epoch

    @property
    def step(self) -> int:
        """Finished steps of the model, over all fits."""
        return self.model.step

    @property
    def loss(self) -> float:
        """The last step's."""
        course = self.model.course
        return math.nan if course is None else course.loss

    @property
    def history(self) -> dict[str, list[Any]]:
        """One entry an epoch, over all fits."""
        return self.model.history


class Callbacks:
    """The callbacks of a fit, by event; one that is to be `last`, as `Checkpoint` is, comes after the others."""

    def __init__(self, callbacks: Iterable[Callback], state: State[Any]) -> None:
        self.given = sorted(callbacks, key=lambda callback: bool(getattr(callback, "last", False)))
        self.state, self.at = state, {event: list[Callback]() for event in EVENTS}
        for callback in self.given:
            for event in events_of(callback):
                self.at[event].append(callback)
        measuring = [callback for callback in self.given if callable(getattr(callback, "entries", None))]
        adds = [name for callback in measuring for name in getattr(callback, "adds", ())]
        if twice := [name for name in adds if adds.count(name) > 1]:
            raise ValueError(
                f"got two callbacks that add {twice[0]!r} to the history, expected one: leave one out, or call its "
                'rows otherwise, Scores(X, y, metrics, name="test")'
            )
        self._measuring = [callback.entries for callback in measuring]  # type: ignore[attr-defined]
        state.validates = state.validates or bool(self._measuring)

    def __bool__(self) -> bool:
        return any(self.at.values())

    @property
    def measure(self) -> bool:
        """Whether some have entries for an epoch's record."""
        return bool(self._measuring)

    def entries(self) -> dict[str, float]:
        """What they add to an epoch's record, of the model as it is."""
        return {name: value for entries in self._measuring for name, value in entries(self.state.model).items()}

    def call(self, event: Event) -> None:
        """Calls those that wait for the event, in the order in which they were given."""
        self.state.__dict__["event"] = event
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
