"""What every schedule shares, lengths among it, and functions of the user's own."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described, text
from nnxp.doors.options import positive

Length = int | float
"""A number of steps, or a fraction of the whole training."""


class Schedule(Constructed):
    """The base class: subclass it with `__call__`, and with `options`, the names of your keywords, to save models.

    Examples
    --------
    >>> class Halving(Schedule):
    ...     def __call__(self, step, total=None):
    ...         return 0.5 ** (step // 1000)
    >>> import nnxp
    >>> optimizer = nnxp.SGD(learning_rate=0.1, schedule=Halving())
    """

    options: ClassVar[tuple[str, ...]] = ()
    __repr__ = described

    def __call__(self, step: int, total: int | None = None) -> float:
        """The factor after `step` of `total` updates."""
        raise NotImplementedError(f"{type(self).__name__} defines no __call__(step, total)")

    def observe(self, record: Mapping[str, float]) -> None:
        """Sees an epoch's entries of the history: "loss", "val_loss", ..."""

    def state(self) -> dict[str, Any]:
        """What it remembers, as JSON can hold it."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` gave; {} begins afresh."""

    def config(self) -> dict[str, Any]:
        """The class and its options, as JSON can hold them."""
        values = {name: getattr(self, name) for name in self.options}
        return {"class": type(self).__name__} | {
            name: value.config() if isinstance(value, Schedule) else value for name, value in values.items()
        }

    def steps_of(self, name: str, total: int | None) -> int:
        """The option that is a length, in steps; None is the whole training."""
        value: Length | None = getattr(self, name)
        if value is not None and value >= 1:
            return int(value)
        if total is None:
            fraction = "" if value is None else f" with {name}={value}"
            raise ValueError(
                f"got {type(self).__name__}{fraction} in a training whose length is not known: give a number of steps, "
                f"{type(self).__name__}({name}=1000), or set optimizer.total to that of the whole training, as fit does"
            )
        return max(1, math.ceil(round(total * (value or 1.0), 6)))  # 0.07 · 100 is a little above 7


def length(name: str, value: Any) -> Length:
    """The value, if it is a whole number of steps or a fraction below 1."""
    if isinstance(value, float) and 0 < value < 1:
        return value
    try:
        if positive(name, value) < 2**63:
            return int(value)
        raise ValueError
    except ValueError:
        raise ValueError(
            f"got {name}={value!r}, expected a whole number of steps from 1 up, or a fraction of the training between "
            "0 and 1"
        ) from None


GIVEN = (
    "a schedule is a function of (step, total), the updates so far and those of the whole training (None if not "
    "known), and gives what multiplies the learning rate"
)
"""What an error says of a function."""


class Function(Schedule):
    """A function of the user's own."""

    def __init__(self, function: Callable[[int, int | None], float]) -> None:
        self.function = function
        try:
            inspect.signature(function).bind(0, None)
        except TypeError as error:
            raise TypeError(
                f"got the schedule {text(function)}, which cannot be called so ({error}): {GIVEN}"
            ) from None
        except ValueError:  # a function that does not say what it takes
            pass

    def __repr__(self) -> str:
        return text(self.function)

    def __call__(self, step: int, total: int | None = None) -> float:
        """What the function gives."""
        factor = self.function(step, total)
        try:
            number = float(factor)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number < math.inf:
            raise ValueError(
                f"got {factor!r} at step {step} from the schedule {text(self.function)}, expected a number from 0 "
                f"up: {GIVEN}"
            )
        return number

    def config(self) -> dict[str, Any]:
        """A file holds no code."""
        raise ValueError(
            f"cannot save the schedule {self.function!r}, which is a function: make it a subclass of "
            "nnxp.schedules.Schedule, and give its class to nnxp.load(path, layers={...})"
        )
