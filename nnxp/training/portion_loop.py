"""The epochs of several processes that train together: every decision is made alike on what was added up."""

from typing import Any

from nnxp.optimizers import LBFGS
from nnxp.training.loop import Training
from nnxp.training.portion_plan import PortionPlan
from nnxp.typing import Array, ArrayLike


class PortionTraining(Training):
    """Runs the epochs of a model with a communicator."""

    plan: PortionPlan

    def at_once(self, X: ArrayLike, y: ArrayLike) -> Array | None:
        """Nothing: see `checked`."""
        return None

    def checked(self, x: Array, y: ArrayLike, w: ArrayLike | None) -> Array:
        """Raises: nobody says whose rows these are."""
        raise ValueError(
            "got a train_step of a model with a communicator or reproducible=True, expected fit, which gives each "
            "process its rows: fit(X, y, batch_size=len(X))"
        )

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
        super().run(*given, **options)

    def _first_not_finite(self, stop: Any, x: Array, y: Array, note: str = "") -> str:
        """What is the first not to be finite among the rows of the first process that finds some."""
        self.plan.release()  # layer by layer, every process looks at its own rows alone
        own = super()._first_not_finite(stop, x, y, note) if x.shape[0] else ""
        found = enumerate(self.plan.communicator.gather(own))
        return next((f"{text} (in the rows of process {rank})" for rank, text in found if text), "")
