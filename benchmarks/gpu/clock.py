"""Time on a device and on its host."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import measurements

WARM_UP = 20
"""Steps before the clock, of which the first loss and the last are kept: equal work gives equal losses."""
ROUND_SECONDS, MOST_STEPS = 0.05, 5000
FEWEST_ROUNDS, MOST_ROUNDS = 3, 9
HOST_STEPS = 4
"""A device takes some thousand launches ahead, and then the host waits: so few steps never fill that queue."""


@dataclass(frozen=True)
class Clock:
    """How to time what a library launches: by its events, or where it has none ("wall") by the host's clock."""

    name: str
    wait: Callable[[Any], object]
    """Returns when the device has finished all that led to this result."""
    event: Callable[[], Any] | None = None
    """A new event, recorded now."""
    between: Callable[[Any, Any], float] | None = None
    """The seconds between two of them, after waiting for the second."""

    def device(self, step: Callable[[], Any], count: int) -> float:
        """Seconds for one of `count` steps in a row, until the device has finished. What the device waits for its
        host is in it."""
        if self.event is None or self.between is None:
            start = time.perf_counter()
            for _ in range(count):
                result = step()
            self.wait(result)
            return (time.perf_counter() - start) / count
        begun = self.event()
        for _ in range(count):
            step()
        return self.between(begun, self.event()) / count

    def host(self, step: Callable[[], Any], count: int) -> float:
        """Seconds for one of a few steps on an idle device, until the calls return."""
        start = time.perf_counter()
        for _ in range(count):
            result = step()
        seconds = (time.perf_counter() - start) / count
        self.wait(result)
        return seconds


def of_cupy() -> Clock:
    import cupy

    def event() -> Any:
        made = cupy.cuda.Event()
        made.record()
        return made

    def between(begun: Any, done: Any) -> float:
        done.synchronize()
        return float(cupy.cuda.get_elapsed_time(begun, done)) / 1e3

    return Clock("events", lambda _: cupy.cuda.Device().synchronize(), event, between)


def of_torch(device: str = "cuda") -> Clock:
    import torch

    if device == "cpu":  # for the tests of what the contenders compute
        return Clock("wall", lambda _: None)

    def event() -> Any:
        made = torch.cuda.Event(enable_timing=True)
        made.record()
        return made

    def between(begun: Any, done: Any) -> float:
        done.synchronize()
        return float(begun.elapsed_time(done)) / 1e3

    return Clock("events", lambda _: torch.cuda.synchronize(), event, between)


def of_jax() -> Clock:
    """JAX gives no events."""
    import jax

    return Clock("wall", jax.block_until_ready)


def kept(seconds: list[float]) -> dict[str, Any]:
    """Median, minimum, spread, and the rounds themselves."""
    return measurements.summary(seconds) | {"seconds": seconds}


def rounds(action: Callable[[], Any], clock: Clock, seconds: float, small: bool = False) -> dict[str, Any]:
    """`device` and `host`, each with its rounds, of an action that has run before: about `seconds` of it."""
    clock.wait(action())
    once = max(clock.device(action, 2), 1e-9)
    count = 2 if small else int(max(1, min(MOST_STEPS, ROUND_SECONDS / once)))
    number = FEWEST_ROUNDS if small else int(max(FEWEST_ROUNDS, min(MOST_ROUNDS, seconds / (once * count))))
    few = max(1, min(HOST_STEPS, count))  # a long step is itself as much as a round
    device, host = [], []
    for _ in range(number):
        host.append(clock.host(action, few))
        device.append(clock.device(action, count))
    return {"clock": clock.name, "count": count, "device": kept(device), "host": kept(host)}


def training(step: Callable[[], Any], clock: Clock, seconds: float, small: bool = False) -> dict[str, Any]:
    """A training step: the losses of its first steps, how long the very first took (with all that had to be compiled),
    and its rounds."""
    start = time.perf_counter()
    first = float(step())
    first_seconds = time.perf_counter() - start
    for _ in range(WARM_UP - 1):
        loss = step()
    losses = {"first": first, "loss": float(loss), "steps": WARM_UP, "first_seconds": first_seconds}
    return losses | rounds(step, clock, seconds - (time.perf_counter() - start), small)


def shared(deadline: float, number: int) -> Iterator[float]:
    """Seconds for each of some cases in turn: an equal share of what is left until then."""
    for left in range(number, 0, -1):
        yield max(0.0, deadline - time.perf_counter()) / left
