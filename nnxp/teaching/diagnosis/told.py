"""What a diagnosis says: findings, each a named fault with the number that shows it and the fix."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Told(NamedTuple):
    """What a check found: the number, the sentence that has it, and what to do."""

    number: float
    shows: str
    fix: str


@dataclass(frozen=True)
class Finding:
    """A named fault; its `str` is a line for people.

    Attributes
    ----------
    name : str
        One of those in `docs/diagnosis.md`: "dead ReLUs", "learning rate too high", ...
    number : float
        What shows it.
    shows : str
        The number in a sentence.
    fix : str
        What to do, a sentence.
    """

    name: str
    number: float
    shows: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name}: {self.shows}. {self.fix}."

    def document(self) -> dict[str, str | float | None]:
        """As JSON has it."""
        return {"name": self.name, "number": self.number if math.isfinite(self.number) else None, "text": str(self)}


class Diagnosis(list[Finding]):
    """Findings, the most serious first: an empty list where nothing is wrong.

    Attributes
    ----------
    notes : list of str
        What is worth knowing and no fault: what was not looked at, and why.
    """

    def __init__(self, findings: Iterable[Finding] = (), notes: Iterable[str] = ()) -> None:
        super().__init__(findings)
        self.notes = [*notes]

    def __str__(self) -> str:
        lines = [f"{i}. {finding}" for i, finding in enumerate(self, 1)] or ["No fault was found."]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])
