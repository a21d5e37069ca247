"""Plain fits that real signals interrupt at random moments, between any two instructions of Python.

`python -m tests.campaigns.interrupts 1500` interrupts so many, and looks at what is left: the weights are those after
the last step, or, where an update was cut, those that the epoch began with, and a note says so; history, epochs and
steps are those of what was done. In a process of its own: an interrupt that comes while Python collects garbage is
lost, and pytest counts that as an error.
"""

import random
import signal
import sys
from typing import Any

import numpy as np

from nnxp import Dense, Dropout, Sequential
from nnxp.callbacks import State
from tests.helpers.models import CLASSES, problem, values

X, Y = problem()
STEPS = 4
"""Of an epoch."""


class Trajectory:
    """The weights at the begin and after each step."""

    events = ("begin", "step")

    def __init__(self) -> None:
        self.weights = list[Any]()

    def __call__(self, state: State) -> None:
        self.weights.append(values(state.model))


def new() -> Sequential:
    layers = [Dense(5, 64), "relu", Dropout(0.5), Dense(64, CLASSES), "softmax"]
    return Sequential(layers, "categorical_crossentropy", "adam", backend="numpy", seed=1)


def fit(model: Sequential, *callbacks: Any) -> None:
    model.fit(X, Y, epochs=40, batch_size=len(X) // STEPS, validation_data=(X, Y), callbacks=callbacks)


def check(model: Sequential, stop: KeyboardInterrupt, after: list[Any], losses: list[float]) -> bool:
    """Whether an update was cut; raises where the model is in no state that it may be in."""
    cut = bool(getattr(stop, "__notes__", ()))
    np.testing.assert_array_equal(values(model), after[model.epoch * STEPS if cut else model.step])
    assert model.history.get("loss", []) == losses[: model.epoch]
    # after an epoch's last step comes its validation, and then it counts
    assert model.step // STEPS - (model.step % STEPS == 0) <= model.epoch <= model.step // STEPS
    return cut


def main(count: int) -> None:
    """Interrupts until so many have come through."""
    trajectory, whole = Trajectory(), new()
    fit(whole, trajectory)
    rng, found = random.Random(0), list[bool]()

    def ring(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, ring)
    for _ in range(100 * count):
        model = new()
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.0005, 0.06))
            fit(model)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt as stop:
            found.append(check(model, stop, trajectory.weights, whole.history["loss"]))
        if len(found) == count:
            break
    print(f"{len(found)} interrupts, {sum(found)} of them in the middle of an update: every model as it should be")


if __name__ == "__main__":
    main(int(sys.argv[1]))
