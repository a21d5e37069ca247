"""What goes wrong on one of two processes, or on both.

`mpirun -n 2 python -m tests.distributed.failures NAME FOLDER` runs one.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

import nnxp
from nnxp.callbacks import Checkpoint, CSVLog, Interruption
from nnxp.cli.launching import launched

RANK = launched()[0]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 5)), RNG.integers(0, 3, 64)


def world() -> Any:
    from mpi4py import MPI

    return MPI.COMM_WORLD


class Fragile(nnxp.Layer):
    def forward(self, inputs: Any, training: bool = False) -> Any:
        if RANK == 1 and training:
            raise RuntimeError("no power in a layer")
        return inputs

    def backward(self, dvalues: Any) -> Any:
        return dvalues


def model(*layers: Any, seed: int | None = 0) -> nnxp.Sequential:
    row = [nnxp.Dense(5, 8), nnxp.ReLU(), *layers, nnxp.Dense(8, 3), nnxp.Softmax()]
    return nnxp.Sequential(row, "categorical_crossentropy", seed=seed, communicator=world())


def at_step(number: int, do: Any, rank: int = 1) -> Any:
    def callback(state: Any) -> None:
        if state.step == number and rank == RANK:
            do()

    callback.events = ("step",)  # type: ignore[attr-defined]
    return callback


def fail() -> None:
    raise RuntimeError("no power in a callback")


def refused(**wrong: Any) -> str:
    try:
        model().fit(**{"X": X, "y": Y, **wrong})
    except ValueError as error:
        return str(error)
    raise AssertionError("expected a ValueError")


def fit(folder: Path, *callbacks: Any, resume: Any = None) -> dict[str, list[Any]]:
    saving = [CSVLog(folder / "log.csv"), Checkpoint(folder / "training.safetensors", every_steps=3)]
    with Interruption() as interruption:
        return model().fit(X, Y, 3, 8, callbacks=[*callbacks, interruption, *saving], resume=resume)


def main(name: str, folder: Path) -> None:
    if name == "doors":  # what all refuse raises, and all go on
        said = [refused(y=Y[:-1]), refused(X=X + RANK), refused(X=[(X, Y)], y=None)]
        assert all(said == other for other in world().allgather(said))
        seeds = world().allgather(model(seed=None).seed)
        assert seeds[0] == seeds[1]
        model().fit(X, Y)
        if RANK == 0:
            print(*said, sep="\n")
    elif name == "not finite":
        first = X.copy()
        first[40:] = 3e38  # of the second process
        try:
            model().fit(first, Y, 2, 64, shuffle=False)
        except nnxp.NonFiniteLossError as error:
            told = world().allgather(str(error))
            if RANK == 0:
                assert told[0] == told[1]
                print(told[0])
    elif name == "callback":
        fit(folder, at_step(10, fail))
    elif name == "layer":
        model(Fragile()).fit(X, Y)
    elif name == "signal":
        fit(folder, at_step(10, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    elif name == "killed":
        fit(folder, at_step(10, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    else:
        resumed = fit(folder, resume=folder / "training.safetensors")
        (folder / f"{RANK}").mkdir()
        whole = fit(folder / f"{RANK}" if RANK == 0 else folder)
        assert resumed["loss"] == whole["loss"]
        if RANK == 0:
            rows = [(folder / part / "log.csv").read_text().splitlines() for part in ("", "0")]
            assert [len(part) for part in rows] == [4, 4]  # each epoch once
            print("resumed")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
