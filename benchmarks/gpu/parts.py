"""What there is to run, in the order in which it matters, and how the time is divided."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.gpu.contenders import PRECISIONS, has_members
from benchmarks.problems import STEPS, Case

SMALLEST = Case(32, (20, 32, 32, 2), 1e-4)
"""A network whose step is launches and nothing else."""
CASES = (SMALLEST, *STEPS)
SMALL = (SMALLEST, STEPS[0].smaller(8))
"""What host memory can do in seconds."""
COMPILED = (STEPS[1], STEPS[3])
"""`torch.compile` takes long: two sizes."""

MARGIN = 3.0
"""Seconds for ending the last part and writing."""
PATIENCE, LEAST = 2.5, 30.0
"""A part is ended after so many times its share, and not before so many seconds: a first import from a cold disk and
the start of CUDA take many."""


@dataclass(frozen=True)
class Part:
    """One process: a kind of work, for one contender in one precision."""

    kind: str
    contender: str
    precision: str
    weight: float = 1.0
    """Of the time, in relation to the others'."""

    @property
    def name(self) -> str:
        return " ".join((self.kind, self.contender, self.precision))


def cases(contender: str, small: bool) -> tuple[Case, ...]:
    """The steps that a contender takes."""
    if small:
        return SMALL
    return COMPILED if contender == "torch_compiled" else CASES


def listed(members: bool | None = None) -> list[Part]:
    """Every part; those about `members` only where nnxp has them. What says most comes first."""
    members = has_members() if members is None else members
    parts = [Part("machine", "machine", "float32", 0.5)]
    for precision in PRECISIONS:
        parts.append(Part("ceilings", "ceilings", precision, 0.7))
        parts += [Part("step", contender, precision) for contender in ("products", "nnxp", "book")]
        parts += [Part("step", contender, precision) for contender in ("torch_eager", "torch_captured", "jax")]
        if precision == "float32":
            kinds = ("fit", "predict", "kernels", *(["members"] if members else []))
            parts += [Part(kind, "nnxp", precision) for kind in kinds]
    parts.append(Part("fit", "torch_eager", "float32"))
    parts += [Part("predict", contender, "float32", 0.7) for contender in ("book", "torch_eager", "jax")]
    parts.append(Part("step", "torch_compiled", "float32", 3.0))
    return parts


def share(part: Part, others: Sequence[Part], left: float) -> float:
    """The seconds that a part should take of those that are left, the others coming after it."""
    return max(0.0, left - MARGIN) * part.weight / (part.weight + sum(other.weight for other in others))


def limit(part: Part, others: Sequence[Part], left: float) -> float:
    """The seconds after which it is ended. Most parts take less than their share, so one may take more than its own."""
    return min(max(0.0, left - MARGIN), max(LEAST, PATIENCE * share(part, others, left)))
