"""A formula and its slope as one, so that backward has nothing to compute again."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from nnxp.kernels.graph import parameters_of


@functools.cache
def with_slope(formula: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """The formula of what `formula(x, *constants)` gives, and `gradient(x, dy, *constants)` beside it for a number dy.

    Parameters
    ----------
    formula
        A formula, of one result or several.
    gradient
        The formula of its gradient.

    Returns
    -------
    callable
        A formula of x, the constants, and dy: it can be fused, or called on arrays.

    Examples
    --------
    >>> from nnxp.kernels import formulas
    >>> both = with_slope(formulas.leaky_relu, formulas.leaky_relu_grad)
    >>> both.__name__, list(inspect.signature(both).parameters)
    ('leaky_relu_with_slope', ['x', 'slope', 'dy'])
    >>> both(-2.0, 0.5, 3.0)
    (-1.0, 1.5)
    """
    inside = [*parameters_of(formula).values()]
    dy = [*parameters_of(gradient).values()][1].replace(annotation=float)
    signature = inspect.Signature([*inside, dy])

    def both(*arguments: Any, **keywords: Any) -> Any:
        x, *constants, dy = signature.bind(*arguments, **keywords).args
        results = formula(x, *constants)
        return *(results if isinstance(results, tuple) else (results,)), gradient(x, dy, *constants)

    both.__name__ = both.__qualname__ = f"{formula.__name__}_with_slope"
    both.__signature__ = signature  # type: ignore[attr-defined]
    both.__doc__ = f"`{formula.__name__}`, and `{gradient.__name__}` of a number."
    return both
