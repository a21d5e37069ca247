"""Epochs on Fashion-MNIST's shape, and predictions."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.gpu import clock, contenders
from benchmarks.gpu.part import Row, Setting, attempt
from benchmarks.problems import EPOCH, FASHION_ROWS, PREDICTION, Case, Problem

EPOCHS = 5
"""Clocked at most, after the first, which compiles."""
ROWS = (1, 10_000)


def fit(setting: Setting) -> Iterator[Row]:
    """The wall's time of an epoch, the loss of the last read at its end: from arrays on the device, for nnxp from
    NumPy's as well, which it moves. The batches' order is each one's own, so losses are alike and not equal."""
    case = EPOCH.smaller(16) if setting.small else EPOCH
    problem = Problem(case, setting.dtype, rows=64 if setting.small else FASHION_ROWS)
    ways = {"nnxp": (nnxp_from_device, nnxp_from_numpy), "torch_eager": (torch_epoch,)}[setting.contender]
    for way, seconds in zip(ways, clock.shared(setting.deadline, len(ways)), strict=True):
        about = {"case": f"{len(problem.X)} rows, {case.name}, {way.__doc__}"}
        yield attempt(about, lambda w=way, s=seconds: epochs(w(problem, setting), s))


def epochs(epoch: Callable[[], float], seconds: float) -> Row:
    """An epoch's time after the first, and the losses."""
    started = time.perf_counter()
    times: list[float] = []
    losses: list[float] = []
    while len(times) < 2 or (len(times) <= EPOCHS and time.perf_counter() - started < seconds):
        before = time.perf_counter()
        losses.append(epoch())
        times.append(time.perf_counter() - before)
    found = {"clock": "wall", "first_seconds": times[0], "device": clock.kept(times[1:])}
    return found | {"first": losses[0], "loss": losses[-1], "steps": len(losses)}


def nnxp_from_numpy(problem: Problem, setting: Setting, move: bool = False) -> Callable[[], float]:
    """from NumPy arrays"""
    from benchmarks.peers import nnxp_fast

    backend = contenders.open_backend(setting.precision)
    model, X, y = nnxp_fast.model(problem, backend), problem.X, problem.y
    if move:
        X, y = backend.asarray(X), backend.asarray(y, dtype="int64")
    size = problem.case.batch
    return lambda: float(model.fit(X, y, epochs=1, batch_size=size, progress=False)["loss"][-1])


def nnxp_from_device(problem: Problem, setting: Setting) -> Callable[[], float]:
    """from the device"""
    return nnxp_from_numpy(problem, setting, move=True)


def torch_epoch(problem: Problem, setting: Setting, device: str = "cuda") -> Callable[[], float]:
    """from the device"""
    import torch

    from benchmarks.peers import torch_eager

    train, size = torch_eager.training(problem, device=device), problem.case.batch
    X, y = torch.as_tensor(problem.X, device=device), torch.as_tensor(problem.y, device=device)

    def epoch() -> float:
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(X), device=device).split(size):
            total += train(X[rows], y[rows]) * len(rows)
        return float(total / len(X))

    return epoch


def predict(setting: Setting) -> Iterator[Row]:
    """The probabilities of one row and of many, on the device; nnxp's from NumPy's arrays and back as well."""
    widths, sizes = PREDICTION.widths, (1, 64) if setting.small else ROWS
    ways = [(rows, False) for rows in sizes]
    if setting.contender == "nnxp":
        ways += [(rows, True) for rows in sizes]
    for (rows, from_numpy), seconds in zip(ways, clock.shared(setting.deadline, len(ways)), strict=True):
        case = Case(rows, widths)

        def measure(case: Case = case, from_numpy: bool = from_numpy, seconds: float = seconds) -> Row:
            problem = Problem(case, setting.dtype)
            if from_numpy:
                from benchmarks.peers import nnxp_fast

                model, X = nnxp_fast.model(problem, contenders.open_backend(setting.precision)), problem.X
                return settled(lambda: model.predict(X), clock.Clock("wall", lambda _: None), seconds, setting)
            running = contenders.ALL[setting.contender](problem, setting.precision)
            assert running.predict is not None
            return settled(running.predict, running.clock, seconds, setting)

        name = f"{rows} rows, {'-'.join(map(str, widths))}"
        yield attempt({"case": f"{name}, from NumPy arrays and back" if from_numpy else name}, measure)


def settled(action: Callable[[], Any], watch: clock.Clock, seconds: float, setting: Setting) -> Row:
    """The rounds, and the first probability, by which one sees that it is the same prediction."""
    result = action()
    first = float(np.asarray(result.get() if hasattr(result, "get") else result.tolist()).flat[0])
    return {"first": first} | clock.rounds(action, watch, seconds, setting.small)
