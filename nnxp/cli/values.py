"""What the text of an option comes to."""

import argparse
import math
import re


def epochs(text: str) -> int:
    """Epochs, a whole number; the option's own check says which."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"got {text!r}, expected a number of epochs: --early-stopping=10, or the name of the data first"
        ) from None


def members(text: str) -> int:
    """How many networks."""
    if not re.fullmatch("0*[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number of networks from 1 to 9999, 8 say")
    return int(text)


def port(text: str) -> int:
    """A port of an address."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a port from 0 to 65535, 8000 say")
    return int(text)


def hidden(text: str) -> tuple[int, ...]:
    """The units of each hidden layer: "512,512", or "none"."""
    if text == "none":
        return ()
    if not re.fullmatch(r"0*[1-9][0-9]*(,0*[1-9][0-9]*)*", text):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected whole numbers above 0 such as 512,512, or none")
    return tuple(int(width) for width in text.split(","))


def class_weight(text: str) -> str | list[float]:
    """The weights of the classes: "1,2.5", or "balanced"."""
    if text == "balanced":
        return text
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected numbers such as 1,5,2, or balanced") from None


def every(text: str) -> dict[str, float]:
    """The keyword of a `Checkpoint`."""
    unit, number = ("every_minutes", text[:-1]) if text.endswith("m") else ("every_steps", text)
    plain = r"[0-9]+(\.[0-9]+)?" if unit == "every_minutes" else "[0-9]{1,18}"
    value = 0.0
    if re.fullmatch(plain, number):  # int and float take "1_000" and " 5" too
        value = float(number) if unit == "every_minutes" else int(number)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number of steps such as 1000, or of minutes, 10m")
    return {unit: value}


def share(text: str) -> float:
    """A number from 0 up to but not including 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from 0 up to but not including 1")
    return share


def kind(text: str) -> tuple[str, str]:
    """A column and its kind."""
    name, sign, value = text.rpartition("=")
    if not sign or not name or not value:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a column and its kind such as postcode=category")
    return name, value


def names(text: str) -> tuple[str, ...]:
    """Names of columns, separated by commas."""
    return tuple(name.strip() for name in text.split(","))


def rows(text: str) -> int:
    """A number of rows."""
    if not re.fullmatch("0*[1-9][0-9]{0,17}", text):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of rows above 0")
    return int(text)


def stretch(text: str) -> slice:
    """Rows from one up to but not including another."""
    start, _, stop = text.partition(":")
    if not re.fullmatch("[0-9]{1,18}:[0-9]{1,18}", text) or int(start) >= int(stop):
        raise argparse.ArgumentTypeError(
            f"got {text!r}, expected rows from 0 on, the first and the one after the last: 0:2"
        )
    return slice(int(start), int(stop))


def folds(text: str) -> int:
    """A number of parts."""
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) < 2:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number of parts from 2 on, such as 5")
    return int(text)
