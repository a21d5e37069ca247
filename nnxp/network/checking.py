"""A model's parts looked at again: what their constructors refuse may have been set by attribute since."""

from collections.abc import Iterator
from typing import Any

from nnxp.doors.arrays import Switch
from nnxp.layers.parts import with_parts
from nnxp.network.architecture import check_members
from nnxp.network.model import Model


def check_parts(model: Model) -> None:
    """Raises what a constructor of nnxp's own would of the options that a part has now, and names the part; in a model
    that is bound, what its dtype does not hold too. A class of the user's own may do anything when it is made."""
    for where, part in _parts(model):
        kind = type(part)
        if not kind.options or kind.__module__.partition(".")[0] != "nnxp" or getattr(part, "_held", None):
            continue  # what holds layers would be made of the same: they are looked at by themselves
        try:
            kind(**{name: getattr(part, name) for name in kind.options})
            if isinstance(part, Switch) and model._store is not None:
                part._check_options(model.dtype)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{where}, {kind.__name__}: {error}") from None
    check_members(model.layers, model.members)
    model.optimizer.check_factors(model.layers, model.members)


def _parts(model: Model) -> Iterator[tuple[str, Any]]:
    """All that has options, with its name for people."""
    schedules = [getattr(model.optimizer, name, None) for name in ("schedule", "weight_decay_schedule")]
    for position, layer in with_parts(model.layers):
        yield f"layer {position}", layer
        schedules.append(getattr(layer, "schedule", None))
    if model.loss is not None:
        yield "the loss", model.loss
    for schedule in schedules:
        while schedule is not None:
            yield "the schedule", schedule
            schedule = getattr(schedule, "then", None)
    yield "the optimizer", model.optimizer
