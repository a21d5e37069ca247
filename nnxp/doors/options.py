"""What a constructor's numbers may be: each function gives the value, or says what was expected."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in ("float32", "float64")}
SMALLEST_NORMAL = {dtype: float(np.finfo(dtype).smallest_normal) for dtype in LARGEST}
SMALLEST = {dtype: float(np.finfo(dtype).smallest_subnormal) for dtype in LARGEST}
"""What a dtype holds, 0 apart: numbers up to the largest, with all their digits from the smallest normal one on."""
NEVER_0 = ("epsilon", "delta")
"""Options that are above 0, in the dtype too."""


def beyond(name: str, value: float, dtype: str) -> ValueError:
    """The error about a finite number that a dtype does not hold."""
    small = abs(value) < 1
    where = f"below {dtype}, which rounds it to 0" if small else f"beyond {dtype}, which ends at {LARGEST[dtype]:.3g}"
    wider = 'take dtype="float64", or ' if dtype == "float32" else "take "
    return ValueError(f"got {name}{value:.6g}, {where}: {wider}{'larger' if small else 'smaller'} numbers")


def held(name: str, value: Any, dtype: str) -> None:
    """Raises ValueError where a finite float, or one of a list, is beyond what the dtype holds, or becomes 0
    in it and may not be 0."""
    least = SMALLEST[dtype] / 2 if name in NEVER_0 else -1
    for number in value if isinstance(value, list | tuple) else (value,):
        if isinstance(number, float) and math.isfinite(number) and not least < abs(number) <= LARGEST[dtype]:
            raise beyond(f"{name}=", number, dtype)


def positive(name: str, value: Any) -> int:
    """The value, if it is a whole number from 1 up."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"got {name}={value!r}, expected a whole number from 1 up")
    return int(value)


def whole(name: str, value: Any) -> int:
    """The value, if it is a whole number."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"got {name}={value!r}, expected a whole number")
    return operator.index(value)


def boolean(name: str, value: Any, other: str = "") -> bool:
    """The value, if it is True or False; `other` says what else may be given."""
    if not isinstance(value, bool | np.bool):
        raise ValueError(f"got {name}={value!r}, expected True or False{other}")
    return bool(value)


def _checked(name: str, value: Any, low: float, high: float, expected: str) -> float:
    """The value as a float, if it is a number with low <= value < high."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not low <= float(value) < high:
        raise ValueError(f"got {name}={value!r}, expected {expected}")
    return float(value)


def finite_number(name: str, value: Any) -> float:
    """The value as a float, if it is a finite number."""
    return _checked(name, value, math.nextafter(-math.inf, 0), math.inf, "a finite number")


def not_negative(name: str, value: Any) -> float:
    """The value as a float, if it is a number from 0 up."""
    return _checked(name, value, 0, math.inf, "a number from 0 up")


def above_zero(name: str, value: Any) -> float:
    """The value as a float, if it is a number above 0."""
    return _checked(name, value, math.nextafter(0, 1), math.inf, "a number above 0")


def class_weights(value: Any, classes: int | None = None) -> list[float] | None:
    """The weights of classes, if they are numbers from 0 up, not all 0, and one for each class; None stays."""
    if value is None:
        return None
    if isinstance(value, dict | str) or not hasattr(value, "__len__") or (classes or len(value)) != len(value):
        raise ValueError(f"got class_weight={value!r}, expected {classes or 'a list of'} numbers, one for each class")
    weights = [not_negative("class_weight", weight) for weight in value]
    if not any(weights):
        raise ValueError(f"got class_weight={value!r}, expected some above 0: nothing would be learned")
    return weights


def balanced(counts: Any) -> list[float]:
    """Class weights n / (k · nₖ) from the counts nₖ of k classes that occur, so that each counts alike (King and Zeng
    2001); 0 for one that does not."""
    counts = np.asarray(counts, dtype=np.float64).tolist()
    known = sum(count > 0 for count in counts)
    return [sum(counts) / (known * count) if count > 0 else 0.0 for count in counts]


def share(name: str, value: Any) -> float:
    """The value as a float, if it is a number from 0 up to but not including 1."""
    return _checked(name, value, 0, 1, "a number from 0 up to but not including 1")


def each_member(name: str, value: Any, check: Callable[[str, Any], float]) -> Any:
    """The value as a float, or where it is a sequence, a number for each member of a model, as a tuple of them."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return tuple(check(name, number) for number in value)
    if getattr(value, "ndim", 0) == 1 and len(value):
        return tuple(check(name, number) for number in value.tolist())
    return check(name, value)


def factors_by_name(name: str, value: Any) -> dict[str, Any] | None:
    """The value as a dict of its own, if it has numbers from 0 up by their names, and for "members" one for each; None
    where it has none."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise TypeError(f'got {name}={value!r}, expected a dict of numbers by name: {name}={{"biases": 0.1}}')
    found: dict[str, Any] = {}
    for key, number in value.items():
        title = f"{name}[{key!r}]"
        found[key] = each_member(title, number, not_negative) if key == "members" else not_negative(title, number)
    if isinstance(found.get("members"), float):
        raise ValueError(f"got {name}['members']={found['members']!r}, expected a list of numbers, one for each member")
    return found or None
