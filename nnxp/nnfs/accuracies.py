"""The book's accuracies: the share of predictions that are right."""

from typing import Any

from nnxp.backends import get_backend
from nnxp.typing import Array, ArrayLike


class Accuracy:
    """What the book's accuracies share; `compare(predictions, y)` says what is right.

    Attributes
    ----------
    accumulated_sum, accumulated_count
        Of all comparisons since `new_pass`.
    """

    default_backend: Any = None
    accumulated_sum: Any = 0.0
    accumulated_count: int = 0

    def init(self, y: ArrayLike) -> None:
        """Looks at all targets, before any is compared."""

    def compare(self, predictions: Array, y: Array) -> Array:
        """Where predictions are right."""
        raise NotImplementedError(f"{type(self).__name__} defines no compare(self, predictions, y)")

    def calculate(self, predictions: ArrayLike, y: ArrayLike) -> float:
        """The share that is right."""
        backend = get_backend(predictions if hasattr(predictions, "dtype") else self.default_backend or "numpy")
        right = self.compare(backend.asarray(predictions), backend.asarray(y))
        count, total = float(backend.xp.count_nonzero(right)), 1
        for length in right.shape:
            total *= length
        self.accumulated_sum += count
        self.accumulated_count += total
        return count / total

    def calculate_accumulated(self) -> float:
        """The share that is right of all since `new_pass`."""
        return float(self.accumulated_sum / self.accumulated_count)

    def new_pass(self) -> None:
        """Begins a share over many batches."""
        self.accumulated_sum, self.accumulated_count = 0.0, 0


class Accuracy_Categorical(Accuracy):
    """Of classes: indices, or one-hot rows unless they are `binary`."""

    def __init__(self, *, binary: bool = False) -> None:
        self.binary = binary

    def compare(self, predictions: Array, y: Array) -> Array:
        """Where the classes are equal."""
        if not self.binary and y.ndim == 2:
            y = get_backend(y).xp.argmax(y, axis=1)
        return predictions == y


class Accuracy_Regression(Accuracy):
    """Of numbers: right is what is closer than `precision`, the targets' standard deviation / 250."""

    precision: float | None = None

    def init(self, y: ArrayLike, reinit: bool = False) -> None:
        """Sets the precision from the targets, where there is none yet or `reinit` is given."""
        if self.precision is None or reinit:
            backend = get_backend(y if hasattr(y, "dtype") else "numpy")
            self.precision = float(backend.xp.std(backend.asarray(y))) / 250

    def compare(self, predictions: Array, y: Array) -> Array:
        """Where |prediction - target| < precision."""
        if self.precision is None:
            raise ValueError("got no precision, expected targets to take it from: call init(y) first")
        return abs(predictions - y) < self.precision
