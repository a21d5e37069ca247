"""When a training has gone on for long enough: scikit-learn's rule."""

import math


class Patience:
    """Ends a training after more than `patience` values in a row that were not better than the best by `tol`.

    Higher is better. The best is the highest so far, by however little, as scikit-learn's MLP has it: an improvement
    that is steady but below `tol` ends the training too.

    Attributes
    ----------
    best : float
        The highest value so far; -inf before the first.
    stopped : bool
        Whether the training is to end.
    """

    def __init__(self, tol: float, patience: float) -> None:
        self.tol, self.patience = tol, patience
        self.best, self.count, self.stopped = -math.inf, 0, False

    def follow(self, value: float) -> bool:
        """Takes the next value: whether it is the highest so far."""
        self.count = 0 if value >= self.best + self.tol else self.count + 1  # NaN is no better
        self.stopped = self.count > self.patience
        highest = value > self.best
        self.best = value if highest else self.best
        return highest
