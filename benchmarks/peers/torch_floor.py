"""The matrix products alone, in PyTorch, whose BLAS may be another than NumPy's."""

from collections.abc import Callable

import torch

from benchmarks.problems import Problem, products

PACKAGES = ("torch",)


def step(problem: Problem, backward: bool = True) -> Callable[[int], None]:
    operands = products(problem.case, problem.dtype.name, torch.as_tensor, backward)

    def run(count: int) -> None:
        for _ in range(count):
            for a, b, out in operands:
                torch.matmul(a, b, out=out)

    return run


def predict(problem: Problem) -> Callable[[int], None]:
    return step(problem, backward=False)
