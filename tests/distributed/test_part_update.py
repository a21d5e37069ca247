"""Each process updates a part of the parameters: the bits are those of updates of all by all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.callbacks import Checkpoint, EarlyStopping, State
from nnxp.training import portion_plan
from tests.distributed.cases import X, Y
from tests.helpers.crew import Member, together

Changing = Callable[[Any, State], None]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also few parameters are updated in parts."""
    monkeypatch.setattr(portion_plan, "FEW", 0)


class Alone(Member):
    """One that has no memory in common with the others."""

    def common(self, n: int, dtype: str) -> None:
        return None


def alone(comm: Member) -> Member:
    return Alone(comm.rank, comm.crew)


def made(comm: Any, optimizer: Any) -> nnxp.Sequential:
    layers = [nnxp.Dense(5, 16), nnxp.BatchNorm(16), nnxp.ReLU(), nnxp.Dense(16, 3), nnxp.Softmax()]
    return nnxp.Sequential(layers, "categorical_crossentropy", optimizer, seed=0, communicator=comm)


def left(model: nnxp.Sequential) -> list[Any]:
    """All that a training leaves."""
    return [model.store.values, model.store.gradients, *model.optimizer.state(model.store)]


def same(found: list[Any], expected: list[Any]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


RULES: dict[str, tuple[Callable[[], Any], int]] = {
    "sgd": (lambda: nnxp.SGD(0.05), 1),
    "momentum": (lambda: nnxp.SGD(0.05, momentum=0.9, nesterov=True), 2),
    "adagrad": (nnxp.Adagrad, 2),
    "rmsprop": (nnxp.RMSprop, 2),
    "adam": (lambda: nnxp.Adam(0.01, ema=0.9, clip_value=0.01, schedule="cosine"), 4),
    "adamw": (lambda: nnxp.AdamW(0.01, decay_biases=False), 3),
    "lion": (nnxp.Lion, 2),
    "one factor of each kind": (lambda: nnxp.AdamW(0.01, decay_biases=False, factors={"biases": 0.1, "gains": 0.1}), 3),
    "clipped by norm": (lambda: nnxp.Adam(0.01, clip_norm=0.1), 0),
    "several factors": (lambda: nnxp.Adam(0.01, factors={"biases": 0.3}), 0),
    "a rule of the user's": (lambda: ByNorm(0.05), 0),
    "a walk of the user's": (lambda: Twice(0.05), 0),
}
"""Optimizers, and how many arrays of the parameters' size are in common memory: none where all is updated by all."""


class ByNorm(nnxp.SGD):
    def step(self, backend: Any, w: Any, g: Any, slots: Any, factors: Any) -> None:
        super().step(backend, w, g / (1 + np.linalg.norm(g)), slots, factors)


class Twice(nnxp.SGD):
    def update_params(self, target: Any) -> None:
        super().update_params(target)
        super().update_params(target)


@pytest.mark.parametrize("name", RULES)
def test_parts_are_the_bits_of_all(name: str) -> None:
    rule, arrays = RULES[name]

    def job(comm: Member, by_all: bool = False) -> Any:
        model = made(alone(comm) if by_all else comm, rule())
        for _ in range(2):
            model.fit(X, Y, 2, 33, validation_split=0.3, callbacks=[EarlyStopping(patience=1)])
        assert not any(np.shares_memory(a, one) for a in left(model) for one in comm.in_common)
        assert [one.size for one in comm.in_common] == (0 if by_all else 2) * [arrays * model.store.trained][:arrays]
        return left(model)

    expected = together(3, lambda comm: job(comm, by_all=True))
    assert all(same(found, expected[0]) for found in together(3, job))


def weigh(model: Any, state: State) -> None:
    model.layers[0].weights *= 0.9  # each process its own: not thrice


def begin_anew(model: Any, state: State) -> None:
    if state.step == 3:
        model.optimizer.reset()


def clip(model: Any, state: State) -> None:
    if state.step == 3:
        model.optimizer.clip_norm = 0.01


def replace(model: Any, state: State) -> None:
    if state.step == 3:
        model.optimizer = nnxp.RMSprop()


@pytest.mark.parametrize("change", [weigh, begin_anew, clip, replace])
def test_callbacks_may_change_weights_and_optimizer(change: Changing) -> None:
    def job(comm: Member, by_all: bool = False) -> Any:
        model = made(alone(comm) if by_all else comm, nnxp.Adam(0.01))
        first = model.optimizer

        def callback(state: State) -> None:
            change(model, state)

        callback.events = ("step",)  # type: ignore[attr-defined]
        model.fit(X, Y, 3, 33, callbacks=[callback])
        assert len(comm.in_common) == (0 if by_all else 1)
        return [*left(model), *first.state(model.store)]

    expected = together(2, lambda comm: job(comm, by_all=True))
    assert all(same(found, expected[0]) for found in together(2, job))


def test_an_exception_between_two_steps_leaves_all_whole(tmp_path: Path) -> None:
    """So does a checkpoint: a fit in one process resumes it."""

    def job(comm: Member, by_all: bool = False) -> Any:
        model = made(alone(comm) if by_all else comm, nnxp.Adam(0.01))

        def callback(state: State) -> None:
            if state.step == 6:
                raise KeyError

        callback.events = ("step",)  # type: ignore[attr-defined]
        with pytest.raises(KeyError):
            model.fit(X, Y, 3, 33, callbacks=[callback, Checkpoint(tmp_path / f"{by_all}", every_steps=5)])
        return left(model)

    expected = together(2, lambda comm: job(comm, by_all=True))
    assert all(same(found, expected[0]) for found in together(2, job))
    resumed = [made(None, nnxp.Adam(0.01)) for _ in range(2)]
    for model, by_all in zip(resumed, (False, True), strict=True):
        saving = Checkpoint(path := tmp_path / f"{by_all}", every_steps=5)
        model.fit(X, Y, 3, 33, callbacks=[saving], resume=path)
    assert same(*map(left, resumed)) and resumed[0].step == 12
