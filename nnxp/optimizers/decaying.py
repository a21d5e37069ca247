"""Weight decay beside the gradient: what the optimizers that have it share."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from nnxp.doors.options import factors_by_name, not_negative
from nnxp.optimizers.base import Optimizer
from nnxp.optimizers.factors import Factors

if TYPE_CHECKING:
    from nnxp.schedules import Schedule


class Decaying(Optimizer):
    """An optimizer that takes lr · λ · w off each parameter at every step.

    Parameters
    ----------
    learning_rate
        See `Optimizer`.
    weight_decay : float
        λ.
    decay_biases : bool
        True: every parameter decays. False: weights only, neither biases nor the gains of a normalisation, whatever
        their factors.
    weight_decay_schedule : str, Schedule or callable, optional
        What multiplies λ at each step, as `schedule` the learning rate; a curve over the steps.
    decay_factors : dict of float, optional
        What multiplies λ, by the names that `factors` takes.
    others
        See `Optimizer`.
    """

    options: ClassVar[tuple[str, ...]] = ("weight_decay", "decay_biases", "weight_decay_schedule", "decay_factors")
    weight_decay_schedule: "Schedule | None" = None
    decay_factors: dict[str, Any] | None = None
    _if_given = (*Optimizer._if_given, "weight_decay_schedule", "decay_factors")
    _by_name = (*Optimizer._by_name, "decay_factors")

    def __init__(
        self,
        learning_rate: float,
        *,
        weight_decay: float,
        decay_biases: bool = True,
        weight_decay_schedule: Any = None,
        decay_factors: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, **others)
        self.weight_decay, self.decay_biases = not_negative("weight_decay", weight_decay), bool(decay_biases)
        if weight_decay_schedule is not None:
            from nnxp.schedules import get_curve

            self.weight_decay_schedule = get_curve(weight_decay_schedule)
        self.decay_factors = factors_by_name("decay_factors", decay_factors)

    @property
    def by_kind(self) -> bool:  # type: ignore[override]
        """Where biases do not decay."""
        return not self.decay_biases

    def _decay(self, factors: Factors) -> float:
        """λ of this step, of a stretch."""
        if not self.decay_biases and factors.kind == "biases":
            return 0.0
        curve, decay = self.weight_decay_schedule, self.weight_decay * factors.decay
        return decay if curve is None else decay * curve(self.iterations, self.total)
