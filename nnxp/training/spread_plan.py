"""The step of members that are spread over processes: each trains its own of them, on all rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.distributed import ByMember, total
from nnxp.network.member import subset, transfer
from nnxp.network.model import Model
from nnxp.optimizers.factors import of_members
from nnxp.training.side_by_side import MembersMeasuring, MembersPlan
from nnxp.typing import Array


class SpreadMeasuring(MembersMeasuring):
    """Loss and metric of what the members of all processes give."""

    plan: "SpreadPlan"

    def predict(self) -> Callable[[Array], Array]:
        """What all give, side by side: each process has its own members predict, and hears of the others'."""
        plan, members, own = self.plan, self.members, self.plan.own_members
        plan.gather()
        plan.take()
        predict, xp, backend = plan.part.prediction(plan.part.layers, True), plan.backend.xp, plan.backend

        def together(x: Array) -> Array:
            found, n = predict(x), int(x.shape[0])
            width = found.shape[1] // len(own)
            out = xp.zeros((n, members, width), dtype=found.dtype, device=backend.device)
            out[:, plan.place, :] = xp.reshape(found, (n, len(own), width))
            total(plan.communicator, backend, out := xp.reshape(out, (-1,)))
            return xp.reshape(out, (n, members * width))

        return together


class SpreadPlan(MembersPlan):
    """A training step of this process's members, as a model of their own: `part`.

    Within an epoch the part has their weights and what the optimizer keeps for them; between epochs, and where a file
    is written, the whole model has those of all, on every process. What one process has of itself is sent as a sum:
    all others add 0, which changes no bit.
    """

    measuring = SpreadMeasuring

    def __init__(self, model: Model) -> None:
        assert isinstance(model.communicator, ByMember)
        super().__init__(model)
        self.communicator, self.own_members = model.communicator, model.communicator.own(model.members)
        self.part = subset(model, self.own_members)
        self.part.__dict__["loss"] = model.loss
        self.inner = MembersPlan(self.part)  # also of one: the same kernels give the same bits
        self.place = slice(self.own_members.start, self.own_members.stop)

    def lines(self) -> list[str]:
        """The step of this process's members, and who takes part."""
        who, own = self.communicator, self.own_members
        numbers = f"member {own[0]}" if len(own) == 1 else f"members {own[0]} to {own[-1]}"
        return [f"process {who.rank} of {who.size}: {numbers} of {self.members}, on all rows", *self.inner.lines()]

    def follow(self) -> None:
        """Likewise, for both."""
        super().follow()
        self.inner.follow()

    def release(self) -> None:
        """Likewise, of both."""
        super().release()
        self.inner.release()

    def take(self) -> None:
        """Gives this process's members what the whole model has of them."""
        if of_members(self.model.optimizer):
            raise ValueError(
                "got factors by member for members that are spread over processes, expected factors of parameters or "
                "layers: leave the communicator out, or let the processes share the rows"
            )
        self.part.__dict__["optimizer"] = self.model.optimizer  # one rate, one count of steps
        transfer(self.model, self.part, [(k, i) for i, k in enumerate(self.own_members)])

    def gather(self) -> None:
        """Gives the whole model what each process has of its members, where a step has been made since."""
        if not self.updating:
            return
        model, optimizer = self.model, self.model.optimizer
        flat = [model.store.values, *optimizer.state(model.store)]
        for array in flat:
            array[...] = 0
        transfer(self.part, model, list(enumerate(self.own_members)))
        for array in flat:
            total(self.communicator, self.backend, array)
        self.updating = False

    def gradients(
        self, x: Array, y: Array, w: Array | None = None, v: Array | None = None, means: Array = None, heft: Any = 1.0
    ) -> Array:
        """The mean losses of all members, (K,), and the gradients of this process's."""
        self.inner.micro_batch_size = self.micro_batch_size
        w, v = self._own(w), self._own(v)
        own = means[:, self.place]
        own_heft = heft if np.ndim(heft) == 0 else heft[self.place]
        means[...] = 0
        self.inner.gradients(x, y, w, v, own, own_heft)
        total(self.communicator, self.backend, self.backend.xp.reshape(means, (-1,), copy=False))
        return means[0, ...]

    def _own(self, w: Array | None) -> Array | None:
        """What rows weigh for this process's members, where each has weights of its own."""
        if w is None or w.ndim == 1:
            return w
        return self.backend.xp.asarray(w[:, self.place], copy=True)

    def update(self) -> None:
        """One update of this process's members. The whole model is behind from here on: see `gather`."""
        self.updating = True
        self.inner.update()
        self.model.__dict__["step"] += 1
