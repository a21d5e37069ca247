"""The matrix products alone, in NumPy: what no contender on the same BLAS can avoid."""

from collections.abc import Callable

import numpy as np

from benchmarks.problems import Problem, products

PACKAGES = ("numpy",)


def step(problem: Problem, backward: bool = True) -> Callable[[int], None]:
    operands = products(problem.case, problem.dtype.name, backward=backward)

    def run(count: int) -> None:
        for _ in range(count):
            for a, b, out in operands:
                np.matmul(a, b, out=out)

    return run


def predict(problem: Problem) -> Callable[[int], None]:
    return step(problem, backward=False)


def epoch(problem: Problem) -> Callable[[int], None]:
    one, steps = step(problem), -(-len(problem.X) // problem.case.batch)
    return lambda count: one(count * steps)
