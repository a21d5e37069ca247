"""Training steps: one contender in one precision, at each size."""

from collections.abc import Iterator
from typing import Any

from benchmarks.gpu import clock, contenders, parts
from benchmarks.gpu.part import Row, Setting, attempt
from benchmarks.problems import Case, Problem

MEMBERS = (1, 8, 64)


def rows(setting: Setting) -> Iterator[Row]:
    """A row for each size."""
    cases = parts.cases(setting.contender, setting.small)
    for case, seconds in zip(cases, clock.shared(setting.deadline, len(cases)), strict=True):

        def measure(case: Case = case, seconds: float = seconds) -> Row:
            running = contenders.ALL[setting.contender](Problem(case, setting.dtype), setting.precision)
            if setting.contender == "products":
                return clock.rounds(running.step, running.clock, seconds, setting.small)
            return clock.training(running.step, running.clock, seconds, setting.small)

        yield attempt({"case": case.name}, measure)


def members(setting: Setting) -> Iterator[Row]:
    """Networks of one architecture trained at once, where nnxp has them: a step of all, beside that of one."""
    import nnxp

    case, backend = parts.SMALLEST, contenders.open_backend(setting.precision)
    problem = Problem(case, setting.dtype)
    X, y = backend.asarray(problem.X), backend.asarray(problem.y, dtype="int64")
    for count, seconds in zip(MEMBERS, clock.shared(setting.deadline, len(MEMBERS)), strict=True):

        def measure(count: int = count, seconds: float = seconds) -> Row:
            layers: list[Any] = []
            for pair in zip(case.widths, case.widths[1:], strict=False):
                layers += [nnxp.Dense(*pair), "relu"]
            chosen: dict[str, Any] = {"members": count, "backend": backend, "seed": 0}
            model = nnxp.Sequential([*layers[:-1], "softmax"], "categorical_crossentropy", "adam", **chosen)
            return clock.rounds(lambda: model.train_step(X, y), clock.of_cupy(), seconds, setting.small)

        yield attempt({"case": f"{case.name}, {count} members"}, measure)
