"""An update of which each of several processes does a part."""

import numpy as np

from nnxp.distributed import part
from nnxp.network.model import Model
from nnxp.optimizers import Optimizer
from nnxp.optimizers.by_part import has_one_factor, has_state, move_state, updates_parts
from nnxp.typing import HostArray


class PartUpdate:
    """While a fit runs, what the optimizer keeps is one for all processes: each updates its part of that and of its own
    parameters, and has the other parts of these from the others.

    The parameters stay each process's own. What a callback does to them is done by all, and not to be done twice.

    Parameters
    ----------
    model
        The model, alike on all processes.
    memory
        What is common to all, of the parameters' size and of that of all which the optimizer keeps.
    """

    def __init__(self, model: Model, memory: HostArray) -> None:
        assert model.communicator is not None
        self.communicator, self.store, self.optimizer = model.communicator, model.store, model.optimizer
        self.part, self.memory = part(self.store.trained, self.communicator.rank, self.communicator.size), memory
        rows = iter(memory.reshape(-1, self.store.trained)[1:])

        def common(kept: HostArray) -> HostArray:
            row: HostArray = next(rows)
            row[self.part] = kept[self.part]  # the others write the rest: all is there when the first update is over
            return row

        self.kept = move_state(self.optimizer, self.store, common)

    def is_of(self, optimizer: Optimizer) -> bool:
        """Whether this is the optimizer's still: a callback may have changed it."""
        is_same = optimizer is self.optimizer and has_state(optimizer, self.store, self.kept)
        return is_same and updates_parts(optimizer)

    def __call__(self) -> None:
        """One update."""
        self.optimizer.update_store(self.store, self.part)
        self.communicator.spread(self.store.values[: self.store.trained], self.memory)

    def end(self) -> None:
        """Gives the optimizer memory of its own again."""
        if has_state(self.optimizer, self.store, self.kept):
            move_state(self.optimizer, self.store, np.copy)


def part_update(model: Model) -> PartUpdate | None:
    """Begins to update in parts; None where all is updated by all: where an update of parts is another than one of all,
    and where processes have no memory in common."""
    store, optimizer = model.store, model.optimizer
    assert model.communicator is not None
    if not (isinstance(store.values, np.ndarray) and updates_parts(optimizer) and has_one_factor(optimizer, store)):
        return None
    memory = model.communicator.common((1 + len(optimizer.state(store))) * store.trained, store.dtype)
    return None if memory is None else PartUpdate(model, memory)
