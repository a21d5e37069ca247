"""Where a fit stands, for a model's file, and the order of the history that it leaves."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

from nnxp.typing import HostArray


class RunningFit(Protocol):
    """Where a fit stands that runs: what a model's file says of it."""

    @property
    def is_here(self) -> bool:
        """Whether the fit is this thread's."""

    @property
    def loss(self) -> float:
        """That of the last step."""

    def gather(self) -> None:
        """Brings together on all processes what each has of the model by itself."""

    def state(self) -> tuple[dict[str, Any], dict[str, HostArray]]:
        """What JSON can hold, and arrays by name."""


MEMBER = "member_"
"""Before the name of what each of several members has its own of."""


def of_each(name: str) -> bool:
    """Whether a list in the history is one of lists, a number for each member."""
    return MEMBER in name


def of_one(record: Mapping[str, Any], j: int) -> dict[str, Any]:
    """The entries of an epoch that are member j's own, by the names that a model of one has for them; all of such a
    model's."""
    own = {name.replace(MEMBER, "", 1): entry[j] for name, entry in record.items() if of_each(name)}
    return own or dict(record)


def place(name: str) -> tuple[int, int]:
    """Where a list stands in the history: losses and metrics, those of the validation, the rest."""
    last = ("learning_rate", "seconds")
    return (2, last.index(name)) if name in last else (name.startswith("val_"), not name.endswith("loss"))


def columns(record: Mapping[str, Any]) -> dict[str, float]:
    """An epoch's entries as columns of a table: "member_loss 0", ... of those of several members."""
    found: dict[str, float] = {}
    for name, entry in record.items():
        found |= {f"{name} {k}": value for k, value in enumerate(entry)} if isinstance(entry, list) else {name: entry}
    return found


def as_json(entry: Any) -> Any:
    """An entry as JSON has it: None for what is not finite; those of several members are a list."""
    if isinstance(entry, list):
        return [as_json(value) for value in entry]
    return entry if math.isfinite(entry) else None


def from_json(value: Any) -> Any:
    """What `as_json` gave."""
    if isinstance(value, list):
        return [from_json(v) for v in value]
    return math.nan if value is None else float(value)
