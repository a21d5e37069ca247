"""How numbers are written for people, on the terminal and in the report: one rule."""

import math

NOTHING = "–"
"""Stands where there is no number."""
GROUPED = 9
"""Numbers of more digits are written with a power of ten."""
DECIMALS = 6
"""Where an error is smaller, it does not say how many digits its number has."""
_raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """A number for people: so many digits, whole ones with all of theirs; `NOTHING` for None and NaN.

    Examples
    --------
    >>> number(0.85123), number(1234567.8), number(12), number(-0.5), number(1.5e-7), number(None)
    ('0.8512', '1,234,568', '12', '−0.5', '1.5·10⁻⁷', '–')
    >>> number(0.0123456, 2), number(float("inf"))
    ('0.012', '∞')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        text = "∞" if value > 0 else "-∞"
    elif isinstance(value, int):
        text = f"{value:,}"
    else:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        power = int(exponent)
        if -5 < power < GROUPED:
            text = _short(f"{value:z,.{max(0, digits - 1 - power)}f}")
        else:
            text = f"{_short(mantissa)}·10{str(power).translate(_raised)}"
    return text.replace("-", "−")


def with_error(value: float | None, error: float | None = None) -> str:
    """A number with its standard error: both to two digits of the error.

    Examples
    --------
    >>> with_error(0.85123, 0.0123), with_error(12345.6, 234.5), with_error(0.85123, None)
    ('0.851 ± 0.012', '12,346 ± 234', '0.8512')
    >>> with_error(2.34e-7, 1e-9), with_error(1.0, 0.0)
    ('2.34·10⁻⁷ ± 1·10⁻⁹', '1 ± 0')
    """
    text = number(value)
    if text == NOTHING or value is None or error is None or not math.isfinite(error):
        return text
    decimals = 1 - int(f"{error:.1e}".split("e")[1])
    if error == 0 or decimals > DECIMALS or max(abs(value), error) >= 10**GROUPED:
        return f"{text} ± {number(error, 2)}"
    shown, bound = (f"{each:z,.{max(0, decimals)}f}" for each in (value, error))
    return f"{shown.replace('-', '−')} ± {bound}"


def share(value: float | None, error: float | None = None) -> str:
    """A share of 1 as a percentage, with its standard error where there is one.

    Examples
    --------
    >>> share(0.85123), share(0.85123, 0.0123), share(None)
    ('85.12 %', '85.1 ± 1.2 %', '–')
    """
    text = with_error(*(None if each is None else 100 * each for each in (value, error)))
    return text if text == NOTHING else f"{text} %"


def _short(decimal: str) -> str:
    """A decimal number without zeros at its end."""
    return decimal.rstrip("0").rstrip(".") if "." in decimal else decimal
