"""What is to be predicted: classes by their names, or numbers on a scale that can be learned, and back."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from nnxp.errors import DataError
from nnxp.losses.standardised import units_of
from nnxp.tabular.encoders.words import UNKNOWN, Vocabulary
from nnxp.tabular.findings.numerals import number
from nnxp.tabular.table import Column, words_of
from nnxp.typing import Floats, Integers

TRANSFORMS = ("auto", "standard", "log", "none")
DECADES = 20
"""How many times its 5 % quantile a target's 95 % quantile is, at least, where the target is learned as its logarithm.
Of made-up targets learned both ways (six inputs, 1,500 rows), lognormal ones of σ = 1, 1.4 and 2 (ratios of 36, 124 and
1,192) were predicted better so, by RMSE, mean and median relative error; at ratios of 6 and 12 a tenth at most."""
MIDDLE = 1 / 3
"""Of the way between the two quantiles' logarithms, where the median's has to lie: else the logarithm is as lopsided as
the target was, only to the other side (a third power that comes near 0 lost two thirds of its RMSE's worth)."""


@dataclass(frozen=True)
class ClassTarget:
    """A target of classes.

    Attributes
    ----------
    name : str
        The column.
    classes : tuple of str
        Spelled as in the source; by value where all are numbers, else by code point.
    """

    name: str
    classes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, column: Column) -> "ClassTarget":
        """The classes of a training's rows."""
        vocabulary, _ = Vocabulary.of(words_of(column), rare=0)
        return cls(name, vocabulary.known)

    def encode(self, column: Column) -> Integers:
        """The index in `classes` of each cell, (n,); -1 where it is missing, or no class of the training."""
        words = words_of(column)
        codes = Vocabulary(self.classes, ()).codes(words.texts).astype(np.int64) - 1
        codes[codes < 0] = UNKNOWN
        return np.asarray(codes[words.codes], dtype=np.int64)

    def document(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return {"task": "classification", "name": self.name, "classes": [*self.classes]}


@dataclass(frozen=True)
class NumberTarget:
    """A target of numbers, learned as ``(t - mean) / deviation`` of t, the target or its logarithm.

    Attributes
    ----------
    name : str
        The column.
    transform : "standard", "log" or "none"
    mean, deviation : float
        Of t over the training's rows; 0 and 1 with "none".
    least : float
        The least target of the training: what is below it, and perhaps has no logarithm, is learned as if it were this.
    within : pair of float, optional
        Predictions are held between the two.
    """

    classes: ClassVar[None] = None
    name: str
    transform: Literal["standard", "log", "none"]
    mean: float
    deviation: float
    least: float
    within: tuple[float, float] | None = None

    @classmethod
    def of(cls, name: str, y: Floats, transform: str = "auto", margin: float | None = None) -> "NumberTarget":
        """Learns from a training's targets, (n,), finite. With a margin, predictions are held within their range, wider
        by this share of it on either side.

        With "auto", the logarithm is learned where all targets are above 0, the 95 % quantile is at least `DECADES`
        times the 5 % quantile, and the median's logarithm lies in the middle third between those of the two.

        Raises
        ------
        DataError
            "log" of a target that is not above 0.
        ValueError
            No such transform.
        """
        if transform not in TRANSFORMS:
            raise ValueError(f"got target_transform={transform!r}, expected one of {', '.join(TRANSFORMS)}")
        least, within = float(y.min()), None if margin is None else held_within(y, margin)
        if transform == "log" and least <= 0:
            raise DataError(
                f"got {least:g} in the target {name!r}, expected numbers above 0 for its logarithm: choose another "
                "target transform, standard or none"
            )
        if transform == "none":
            return cls(name, "none", 0.0, 1.0, least, within)
        log = transform == "log" or (transform == "auto" and spans_decades(y))
        deviation, mean = (float(value[0]) for value in units_of(np.log(y) if log else y))
        return cls(name, "log" if log else "standard", mean, deviation or 1.0, least, within)

    def encode(self, y: Floats) -> Floats:
        """What is learned, of targets (n,)."""
        t = np.log(np.maximum(y, self.least)) if self.transform == "log" else y
        return (t - self.mean) / self.deviation

    def inverse(self, z: Any) -> Floats:
        """Targets, in float64, of what was learned: of predictions."""
        t = np.asarray(z, dtype=np.float64) * self.deviation + self.mean
        y = np.exp(np.minimum(t, np.log(np.finfo(np.float64).max))) if self.transform == "log" else t
        return y if self.within is None else np.clip(y, *self.within)

    @property
    def sentence(self) -> str:
        """What is learned, in words."""
        if self.transform == "none":
            return f"{self.name} is learned as it is"
        what = "its logarithm is" if self.transform == "log" else "is"
        of = "the logarithms" if self.transform == "log" else "it"
        text = f"{self.name}: {what} learned, less {number(self.mean)} and in units of {number(self.deviation)}"
        within = "" if self.within is None else ", which are held within {} and {}".format(*map(number, self.within))
        return f"{text} (mean and standard deviation of {of} over the training rows), and undone in predictions{within}"

    def document(self) -> dict[str, Any]:
        """What JSON holds of it."""
        found = {"task": "regression", **asdict(self)}
        del found["within"]
        return found if self.within is None else found | {"within": [*self.within]}


@dataclass(frozen=True)
class NumberTargets:
    """Several targets of numbers.

    Attributes
    ----------
    name : str
        What they are called together.
    targets : tuple of NumberTarget
    """

    classes: ClassVar[None] = None
    name: str
    targets: tuple[NumberTarget, ...]

    def encode(self, y: Floats) -> Floats:
        """What is learned, of targets (n, k)."""
        return np.stack([one.encode(column) for one, column in zip(self.targets, y.T, strict=True)], axis=1)

    def inverse(self, z: Any) -> Floats:
        """Targets (..., k), in float64, of what was learned."""
        columns = zip(self.targets, np.moveaxis(z, -1, 0), strict=True)
        return np.stack([one.inverse(column) for one, column in columns], axis=-1)

    @property
    def sentence(self) -> str:
        """What is learned, in words."""
        return "; ".join(one.sentence for one in self.targets)

    def document(self) -> dict[str, Any]:
        """What JSON holds of them."""
        return {"task": "regression", "name": self.name, "targets": [one.document() for one in self.targets]}


Target = ClassTarget | NumberTarget | NumberTargets


def held_within(y: Floats, margin: float) -> tuple[float, float]:
    """The range of targets, wider by a share of it on either side."""
    low, high = float(y.min()), float(y.max())
    largest = float(np.finfo(np.float64).max)
    beyond = min(margin * (high / 2 - low / 2), largest / 2) * 2  # halves: the range of ±1e308 is infinite
    return max(low - beyond, -largest), min(high + beyond, largest)


def spans_decades(y: Floats) -> bool:
    """Whether targets are learned as logarithms: see `NumberTarget.of`."""
    if y.min() <= 0:
        return False
    low, median, high = (float(q) for q in np.log(np.quantile(y, [0.05, 0.5, 0.95])))
    span = high - low
    return span >= np.log(DECADES) and abs(low + high - 2 * median) <= MIDDLE * span


def target_from(document: dict[str, Any]) -> Target:
    """The target that a document describes; KeyError, TypeError or ValueError where it describes none."""
    fields = {name: value for name, value in document.items() if name != "task"}
    if document["task"] == "classification":
        found = ClassTarget(**{**fields, "classes": tuple(fields["classes"])})
        if not all(isinstance(text, str) for text in (found.name, *found.classes)):
            raise ValueError("its target has a name or a class that is no text")
        if len({*found.classes}) < len(found.classes):
            raise ValueError("its target has a class twice")
        return found
    if "targets" in fields:
        several = tuple(target_from(one) for one in fields["targets"])
        if not isinstance(fields["name"], str) or not several:
            raise ValueError("its targets have no name, or there are none")
        numbers_of = tuple(one for one in several if isinstance(one, NumberTarget))
        if len(numbers_of) < len(several) or len(fields) != 2:
            raise ValueError("its targets are not all numbers")
        return NumberTargets(fields["name"], numbers_of)
    if "within" in fields:
        low, high = fields["within"]
        fields["within"] = low, high
    target = NumberTarget(**fields)
    numbers = (target.mean, target.deviation, target.least, *(target.within or ()))
    if not isinstance(target.name, str) or target.transform not in TRANSFORMS[1:]:
        raise ValueError("its target has no name, or a transform that is none")
    if not all(type(number) is float for number in numbers) or target.deviation <= 0:
        raise ValueError("its target has a mean or deviation that is no number, or a deviation that is not above 0")
    return target
