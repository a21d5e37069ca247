"""JSON as the model file has it: one text for one value, and nothing in it that is not JSON."""

import json
import math
from typing import Any

DEEPEST = 64
"""How many lists and objects may stand in each other."""
MOST = 2**17
"""How many lists and objects a text may have: Python keeps one in some thirty times its two bytes."""


def canonical(value: Any, sort_keys: bool = True) -> str:
    """The value's one text: no spaces, no escapes that are not needed, keys sorted.

    Raises
    ------
    TypeError, ValueError
        The value does not fit in JSON, or not within what `parse` reads.
    """
    text = json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()  # raises where text holds half a character
    return text


def parse(text: str) -> dict[str, Any]:
    """The object that a text holds. Raises ValueError where it holds none, or `value_of` does."""
    value = value_of(text)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


def value_of(text: str) -> Any:
    """What a text holds.

    Raises
    ------
    ValueError
        It is no JSON; a key occurs twice; a number is not finite; it is nested too deeply, or has too
        many parts.
    """
    if text.count("[") + text.count("{") > MOST:
        raise ValueError(f"it has more than {MOST} lists and objects")
    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    check_depth(value)
    if "\\u" in text:
        canonical(value)  # raises where an escape is half a character, which could not be saved again
    return value


def check_depth(value: Any) -> None:
    """Raises ValueError where a value is nested too deeply."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} deep")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as an object; raises where a key occurs twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _children(value: Any) -> list[Any]:
    """The lists and objects right inside a value."""
    if not isinstance(value, dict | list):
        return []
    return [part for part in (value.values() if isinstance(value, dict) else value) if isinstance(part, dict | list)]


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits:.20} is no finite number")
    return number
