"""What both of two processes refuse; what one fails of: `tests/campaigns/processes.py`.

`mpirun -n 2 python -m tests.distributed.failures NAME` runs one.
"""

import sys
from typing import Any

import numpy as np

import nnxp
from nnxp.cli.launching import launched

RANK = launched()[0]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 5)), RNG.integers(0, 3, 64)


def world() -> Any:
    from mpi4py import MPI

    return MPI.COMM_WORLD


def model(seed: int | None = 0) -> nnxp.Sequential:
    row = [nnxp.Dense(5, 8), nnxp.ReLU(), nnxp.Dense(8, 3), nnxp.Softmax()]
    return nnxp.Sequential(row, "categorical_crossentropy", seed=seed, communicator=world())


def refused(**wrong: Any) -> str:
    try:
        model().fit(**{"X": X, "y": Y, **wrong})
    except ValueError as error:
        return str(error)
    raise AssertionError("expected a ValueError")


def main(name: str) -> None:
    if name == "doors":  # what all refuse raises, and all go on
        said = [refused(y=Y[:-1]), refused(X=X + RANK), refused(X=[(X + RANK, Y)], y=None)]
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


if __name__ == "__main__":
    main(sys.argv[1])
