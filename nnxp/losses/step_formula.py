"""A loss, its gradient and what the metric averages as one formula: a step reads predictions and truth once."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from nnxp.kernels import formulas
from nnxp.kernels.graph import parameters_of
from nnxp.typing import Array, Column


@functools.cache
def step_formula(
    error: Callable[..., Array], gradient: Callable[..., Array], metric: Callable[..., Array]
) -> Callable[..., tuple[Array, Array, Array]]:
    """A loss's formula f, f' · share · factor, and the metric's formula, of predictions p and truth y.

    Parameters
    ----------
    error, gradient
        f and f', of p, y and the loss's constants.
    metric
        Of p and y.

    Returns
    -------
    callable
        A formula of p, y, the constants, the column `factors`, one for each sample, and `share`, one number for all.

    Examples
    --------
    >>> of_a_step = step_formula(formulas.huber, formulas.huber_grad, formulas.squared_error)
    >>> of_a_step.__name__, list(inspect.signature(of_a_step).parameters)
    ('huber_step', ['p', 'y', 'delta', 'factors', 'share'])
    >>> of_a_step(5.0, 2.0, 1.0, 0.5, 1.0)
    (2.5, 0.5, 9.0)
    """
    p, y, *constants = parameters_of(error).values()
    factors = inspect.Parameter("factors", p.kind, annotation=Column)
    share = inspect.Parameter("share", p.kind, annotation=float)
    signature = inspect.Signature([p, y, *constants, factors, share])

    def of_a_step(*arguments: Any, **keywords: Any) -> tuple[Array, Array, Array]:
        p, y, *constants, factors, share = signature.bind(*arguments, **keywords).args
        dp = formulas.scale_rows(formulas.times(gradient(p, y, *constants), share), factors)
        return error(p, y, *constants), dp, metric(p, y)

    of_a_step.__name__ = of_a_step.__qualname__ = f"{error.__name__}_step"
    of_a_step.__signature__ = signature  # type: ignore[attr-defined]
    of_a_step.__doc__ = f"`{error.__name__}`, its gradient by the shares of samples, and `{metric.__name__}`."
    return of_a_step
