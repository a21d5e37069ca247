"""The epochs of several processes that train together: every decision is made alike on what was added up."""

from typing import Any

import numpy as np

from nnxp.optimizers import LBFGS
from nnxp.training.batch import Batch, own_rows
from nnxp.training.loop import Training
from nnxp.training.portion_plan import PortionPlan
from nnxp.training.portion_streams import check_same, told_of
from nnxp.typing import Array, ArrayLike


class PortionTraining(Training):
    """Runs the epochs of a model with a communicator."""

    plan: PortionPlan

    def at_once(self, X: ArrayLike, y: ArrayLike) -> Array | None:
        """Nothing: whether all have the same batch is found out past the doors."""
        return None

    def one(self, x: Array, y: Array, w: Array | None) -> Array:
        """Likewise, of this process's rows of a batch that all have."""
        plan, n = self.plan, int(x.shape[0])
        total = n if w is None else float(self.backend.to_numpy(w).sum(dtype=np.float64))
        whole = Batch(x, y, w, None, total, total)
        check_same(plan.communicator.gather(told_of(self.model, whole)), "a batch")
        plan.portions, own = own_rows(whole, plan.communicator, self.backend)
        return super().one(own.x, own.y, own.w)

    def run(self, *given: Any, **options: Any) -> None:
        """Likewise, but for what parts of a batch do not allow."""
        plan = self.plan
        if plan.micro_batch_size is not None and plan.by_row and plan.communicator.size * plan.parts > 1:
            who = f"{plan.communicator.size} processes" if plan.communicator.size > 1 else "reproducible parts"
            raise ValueError(
                f"got micro_batch_size={plan.micro_batch_size} with Dropout or BatchNorm on {who}, expected none: "
                "leave it out, since each process computes only its rows of a batch at once"
            )
        if plan.communicator.leaves and isinstance(self.model.optimizer, LBFGS):
            raise ValueError(
                "got LBFGS with reproducible=True, expected an optimizer that takes batches, whose sums have one order "
                "on any number of processes: Adam, SGD, ..."
            )
        with plan.in_parts():
            super().run(*given, **options)

    def _first_not_finite(self, stop: Any, x: Array, y: Array, note: str = "") -> str:
        """What is the first not to be finite among the rows of the first process that finds some."""
        self.plan.release()  # layer by layer, every process looks at its own rows alone
        own = super()._first_not_finite(stop, x, y, note) if x.shape[0] else ""
        found = enumerate(self.plan.communicator.gather(own))
        return next((f"{text} (in the rows of process {rank})" for rank, text in found if text), "")
