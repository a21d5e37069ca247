"""The learning rate of `solver="sgd"` from epoch to epoch, as scikit-learn's `learning_rate` and `power_t` say."""

from dataclasses import dataclass

RATES = ("constant", "invscaling", "adaptive")
SMALLEST, STEP = 1e-6, 5
"""An adaptive rate is divided by the one until it is not above the other."""


@dataclass
class Rate:
    """`init` / `divisor`, for one optimizer's life.

    "invscaling" divides by (t + 1)^power, t being the samples `seen` at the end of an epoch. "adaptive" divides by 5
    more where the rule of `tol` and `n_iter_no_change` would end the training, as long as the rate is above 1e-6.
    Neither is one of `nnxp.schedules`: those see steps, not samples, and the best that `ReduceOnPlateau` keeps was
    better by `min_delta`, where scikit-learn's is the best by however little.
    """

    kind: str
    power: float
    init: float
    seen: int
    divisor: float = 1.0

    @property
    def now(self) -> float:
        """The learning rate of the next epoch."""
        return self.init / self.divisor

    def after(self, samples: int) -> None:
        """Counts an epoch of so many samples."""
        self.seen += samples
        if self.kind == "invscaling":
            self.divisor = (self.seen + 1) ** self.power

    def falls(self) -> bool:
        """Whether it falls where the training would end, which then goes on."""
        if self.kind != "adaptive" or self.now <= SMALLEST:
            return False
        self.divisor *= STEP
        return True
