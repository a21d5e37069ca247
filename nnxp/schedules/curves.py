"""The schedules that are curves over the steps, and how a schedule is named."""

import copy
import math
from collections.abc import Mapping
from typing import Any

from nnxp.doors.naming import lookup
from nnxp.doors.options import not_negative, positive, share
from nnxp.schedules.base import Function, Length, Schedule, length
from nnxp.schedules.plateau import ReduceOnPlateau


def _ramp(start: float, end: float, step: float, length: float) -> float:
    """From start to end along half a cosine, and then end."""
    reached = step / length if step < length else 1.0
    return end + (start - end) / 2 * (1 + math.cos(math.pi * reached))


class InverseTimeDecay(Schedule):
    """1 / (1 + decay · step), as an optimizer's `decay=` does.

    Parameters
    ----------
    decay : float
        0.001 by default.
    """

    options = ("decay",)

    def __init__(self, decay: float = 1e-3) -> None:
        self.decay = not_negative("decay", decay)

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        return 1 / (1 + self.decay * step)


class StepDecay(Schedule):
    """factorᵏ in the k-th stretch of `every` steps, counted from 0. PyTorch's `StepLR`.

    Parameters
    ----------
    every : int or float
        A length; a third of the training by default, as the 30 of 90 epochs of PyTorch's ImageNet example.
    factor : float
        What each stretch multiplies; 0.1 by default.
    """

    options = ("every", "factor")

    def __init__(self, every: Length = 1 / 3, factor: float = 0.1) -> None:
        self.every, self.factor = length("every", every), share("factor", factor)

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        every = self.steps_of("every", total)
        if self.every < 1 and total is not None:  # a fraction is of the training: nothing changes after it
            step = min(step, total - 1)
        return float(self.factor ** (step // every))


class ExponentialDecay(Schedule):
    """factor^(step / steps): each `steps` steps multiply by `factor`, smoothly. PyTorch's `ExponentialLR(gamma)`
    is `ExponentialDecay(gamma, steps=1)`.

    Parameters
    ----------
    factor : float
        0.01 by default.
    steps : int or float, optional
        A length; the whole training by default.
    """

    options = ("factor", "steps")

    def __init__(self, factor: float = 0.01, steps: Length | None = None) -> None:
        self.factor, self.steps = share("factor", factor), None if steps is None else length("steps", steps)

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        steps = self.steps_of("steps", total)
        if (self.steps is None or self.steps < 1) and total is not None:
            step = min(step, total)
        return float(self.factor ** (step / steps))


class Cosine(Schedule):
    """floor + (1 - floor)/2 · (1 + cos(π · step / steps)), and then floor. Loshchilov and Hutter 2017
    (arXiv:1608.03983), equation 5 without restarts; PyTorch's `CosineAnnealingLR`, which rises again after T_max.

    Parameters
    ----------
    floor : float
        The last factor, from 0 (by default) to below 1.
    steps : int or float, optional
        A length; the whole training by default.
    """

    options = ("floor", "steps")

    def __init__(self, floor: float = 0.0, steps: Length | None = None) -> None:
        self.floor, self.steps = share("floor", floor), None if steps is None else length("steps", steps)

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        return _ramp(1.0, self.floor, step, self.steps_of("steps", total))


class FlatCosine(Schedule):
    """1 up to a share `flat` of the steps, and then half a cosine down to 0. With 1/2, ½(1 + cos(π(2t - 1))) in the
    second half, t being the share of steps that are done: the course of dropout and weight decay of RealMLP (Holzmüller
    et al. 2024, arXiv:2407.04491).

    Parameters
    ----------
    flat : float
        From 0 to below 1; 1/2 by default.
    steps : int or float, optional
        The length of all; the whole training by default.

    Examples
    --------
    >>> [round(FlatCosine()(step, 8), 3) for step in range(9)]
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0]
    """

    options = ("flat", "steps")

    def __init__(self, flat: float = 0.5, steps: Length | None = None) -> None:
        self.flat, self.steps = share("flat", flat), None if steps is None else length("steps", steps)

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        steps = self.steps_of("steps", total)
        flat = self.flat * steps
        return 1.0 if step <= flat else _ramp(1.0, 0.0, step - flat, steps - flat)


class Coslog(Schedule):
    """½ - ½ cos(2π log₂(1 + (2ʷ - 1)t)), w `waves` one after another, each twice as long as the one before it, t being
    the share of steps that are done: 0 at the first step, and at each wave's end. RealMLP's learning rate (Holzmüller
    et al. 2024, arXiv:2407.04491), its coslog₄.

    Parameters
    ----------
    waves : int
        w; 4 by default.
    steps : int or float, optional
        The length of all; the whole training by default.

    Examples
    --------
    >>> [round(Coslog(waves=2)(step, 6), 3) for step in range(7)]
    [0.0, 0.93, 0.0, 0.718, 0.93, 0.324, 0.0]
    """

    options = ("waves", "steps")

    def __init__(self, waves: int = 4, steps: Length | None = None) -> None:
        self.waves, self.steps = positive("waves", waves), None if steps is None else length("steps", steps)
        if self.waves > 60:
            raise ValueError(f"got waves={waves!r}, expected at most 60, of which the first is 2⁻⁶⁰ of the steps long")

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        steps = self.steps_of("steps", total)
        reached = min(step, steps) / steps
        return 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + (2**self.waves - 1) * reached))


class LinearWarmup(Schedule):
    """start + (1 - start) · step / steps, and after `steps` what another schedule says, which begins there: its
    steps, and fractions, are of the rest. Goyal et al. 2017 (arXiv:1706.02677), section 2.2; PyTorch's `LinearLR`,
    followed by another in a `SequentialLR`.

    Parameters
    ----------
    steps : int or float
        A length; 0.05, a twentieth of the training, by default.
    then : str, Schedule or callable, optional
        What follows; by default the factor stays 1.
    start : float
        The factor of the first step; 0.04 by default, as `OneCycle`'s (PyTorch: 1/3).
    """

    options = ("steps", "then", "start")

    def __init__(self, steps: Length = 0.05, then: Any = None, start: float = 0.04) -> None:
        self.steps, self.start = length("steps", steps), not_negative("start", start)
        self.then = None if then is None else get_schedule(then)

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        steps = self.steps_of("steps", total)
        if step < steps:
            return self.start + (1 - self.start) * step / steps
        if self.then is None:
            return 1.0
        return self.then(step - steps, None if total is None else max(1, total - steps))

    def observe(self, record: Mapping[str, float]) -> None:
        """See `Schedule`."""
        if self.then is not None:
            self.then.observe(record)

    def state(self) -> dict[str, Any]:
        """That of what follows."""
        return {} if self.then is None else self.then.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """That of what follows."""
        if self.then is not None:
            self.then.restore(state)


class OneCycle(Schedule):
    """Half a cosine from `start` up to 1, which it reaches with the last step of the warm-up, and half a cosine
    down to `end` with the last step of all. The optimizer's learning_rate is the peak. Smith and Topin 2018
    (arXiv:1708.07120), as PyTorch's `OneCycleLR` with two phases and without a cycle of the momentum; a warm-up that
    is a fraction is of whole steps here.

    Parameters
    ----------
    warmup : int or float
        A length; 0.3 by default.
    start, end : float
        The first factor and the last: 1/25 and 1/25 · 10⁻⁴ by default, as in PyTorch.
    steps : int or float, optional
        The length of all; the whole training by default.
    """

    options = ("warmup", "start", "end", "steps")

    def __init__(
        self, warmup: Length = 0.3, start: float = 0.04, end: float = 4e-6, steps: Length | None = None
    ) -> None:
        self.warmup, self.steps = length("warmup", warmup), None if steps is None else length("steps", steps)
        self.start, self.end = not_negative("start", start), not_negative("end", end)

    def __call__(self, step: int, total: int | None = None) -> float:
        """See the class."""
        steps = self.steps_of("steps", total)
        peak = self.steps_of("warmup", steps) - 1
        if step <= peak:
            return _ramp(self.start, 1.0, step, peak)
        return _ramp(1.0, self.end, step - peak, steps - 1 - peak)


SCHEDULES = (
    InverseTimeDecay, StepDecay, ExponentialDecay, Cosine, FlatCosine, Coslog, LinearWarmup, OneCycle, ReduceOnPlateau
)  # fmt: skip


def get_schedule(spec: Any) -> Schedule:
    """A schedule of one's own from an object, which is copied, a class, a name such as "cosine", or a function."""
    if callable(spec) and not isinstance(spec, Schedule | type):
        return Function(spec)
    return copy.deepcopy(lookup(spec, Schedule, SCHEDULES, "schedule"))


def get_curve(spec: Any) -> Schedule:
    """`get_schedule`, for what only the number of the step decides: dropout's, weight decay's."""
    schedule = get_schedule(spec)
    if schedule.state():
        raise ValueError(
            f'got {schedule!r}, which looks at how the training goes, expected a curve over the steps, "flat_cosine" '
            "say: only a learning rate takes it"
        )
    return schedule
