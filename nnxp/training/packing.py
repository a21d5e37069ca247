"""Members that stop by themselves: once a quarter of them have, the others are packed together and go on alone."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from nnxp.callbacks import State
from nnxp.callbacks.member_stopping import MemberStopping
from nnxp.network.history import MEMBER, of_each
from nnxp.network.member import subset, transfer
from nnxp.network.model import Model

M = TypeVar("M", bound=Model)
Fit: TypeAlias = Callable[[M, Sequence[int], int, "Packing"], Any]
"""Trains a model, of these members of the whole one, for so many epochs, with this callback."""


class Packing(MemberStopping):
    """The rule of one training over several fits, each of fewer members: a fit ends once a quarter of its own have
    stopped. (Later, more of each step would be for nobody.)

    Its lists are of all members; parameters are those of `MemberStopping`.
    """

    def begin(self, members: int) -> None:
        """Before the first fit, of so many members."""
        self._begin(members)

    def __call__(self, state: State) -> None:
        """Compares and keeps."""
        if state.event == "begin":
            self._check(state)
        elif state.event == "epoch":
            self.compare(state)
            state.stop = state.stop or self.thinned

    @property
    def thinned(self) -> bool:
        """Whether a quarter of those that are trained have stopped."""
        return 4 * len(self.running) <= 3 * len(self.members)

    def go_on(self, members: Sequence[int]) -> None:
        """The next fit is of these members."""
        self._follow(members)


def train(model: M, packing: Packing, epochs: int, fit: Fit[M]) -> None:
    """Trains each member of a model until it stops by `packing`, or for so many epochs.

    The history has NaN for a member after its last epoch; "loss" is the mean of those that ran. Where another callback
    ends a fit, the training ends.
    """
    packing.begin(model.members)
    first, part, rest = model.epoch, model, None
    last = first + epochs
    while True:
        before = part.epoch
        fit(part, packing.members, last - before, packing)
        running = packing.running
        if running and packing.thinned and part.epoch < last:
            rest = subset(part, [j for j, k in enumerate(packing.members) if k in running])
        kept = packing.put_back(part)
        if part is not model:
            _append(model, part, packing.members, part.epoch - before)
            moved = range(part.members) if not packing.restore_best else sorted(kept)
            transfer(part, model, [(j, packing.members[j]) for j in moved])
        if rest is None:
            break
        packing.go_on(running)
        part, rest = rest, None
    _close(model, packing.last_epochs, first)


def _append(model: Model, part: Model, members: Sequence[int], epochs: int) -> None:
    """Adds a part's last epochs to the history of the whole."""
    for name, values in model.history.items():
        new = part.history[name.replace(MEMBER, "", 1) if part.members == 1 else name][-epochs:]
        if of_each(name):
            each = [dict(zip(members, row if isinstance(row, list) else [row], strict=True)) for row in new]
            new = [[row.get(k, math.nan) for k in range(model.members)] for row in each]
        values.extend(new)


def _close(model: Model, last_epochs: Sequence[int | None], first: int) -> None:
    """Takes from the history what members did after their last epochs."""
    for name in filter(of_each, model.history):
        entries = model.history[name]
        for back in range(1, model.epoch - first + 1):
            epoch = model.epoch + 1 - back
            entries[-back] = [
                math.nan if last is not None and epoch > last else entry
                for entry, last in zip(entries[-back], last_epochs, strict=True)
            ]
            ran = [entry for entry in entries[-back] if not math.isnan(entry)]
            if name.startswith(MEMBER):
                model.history[name.removeprefix(MEMBER)][-back] = sum(ran) / len(ran)
