"""Formulas made of formulas: one of another's result, one multiplied element by element, one with its slope."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from nnxp.kernels.graph import parameters_of
from nnxp.typing import Array


@functools.lru_cache(1024)
def compose(
    outer: Callable[..., Any], inner: Callable[..., Any], at: str | None = None, **shared: str
) -> Callable[..., Any]:
    """The formula outer(inner(...), ...): inner's parameters where the one stood that its result takes the place of,
    and outer's others.

    An outer parameter whose name inner has too is renamed after its function, `leaky_relu_slope`, where it is not
    `shared`.

    Parameters
    ----------
    outer
        A formula; its first parameter is inner's result, or the one named `at`.
    inner
        A formula of a single result.
    at
        See `outer`.
    shared
        What both take, outer's name for it and inner's: `x="x"`.

    Returns
    -------
    callable
        A formula: it can be fused, or called on arrays.

    Examples
    --------
    >>> from nnxp.kernels import formulas
    >>> layer = compose(formulas.relu, formulas.add_row)
    >>> layer.__name__, list(inspect.signature(layer).parameters)
    ('relu_of_add_row', ['z', 'b'])
    >>> layer(-1.0, 3.0)
    2.0
    >>> compose(formulas.residual, formulas.relu, f="x")(3.0)
    6.0
    >>> list(inspect.signature(compose(formulas.relu_grad, formulas.dropout, "dy")).parameters)
    ['y', 'x', 'kept', 'scale']
    """
    inside, every = list(parameters_of(inner).values()), list(parameters_of(outer).values())
    at = at or every[0].name
    taken = {p.name for p in inside}
    names, row = dict[str, str](), list[inspect.Parameter]()
    for p in every:
        if p.name == at:
            row += inside
        elif p.name not in shared:
            new = f"{outer.__name__}_{p.name}" if p.name in taken else p.name
            names[new] = p.name
            row.append(p.replace(name=new))
    signature = inspect.Signature(sorted(row, key=lambda p: p.kind))

    def composed(*arguments: Any, **keywords: Any) -> Any:
        values = signature.bind(*arguments, **keywords).arguments
        inner_ones = {p.name: values[p.name] for p in inside if p.name in values}
        others = {names[name]: values[name] for name in names if name in values}
        return outer(**{at: inner(**inner_ones)}, **others, **{name: values[same] for name, same in shared.items()})

    composed.__name__ = composed.__qualname__ = f"{outer.__name__}_of_{inner.__name__}"
    composed.__signature__ = signature  # type: ignore[attr-defined]
    composed.__doc__ = f"`{outer.__name__}` of the result of `{inner.__name__}`."
    return composed


@functools.lru_cache(1024)
def scaled(formula: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """The formula with some of its floats multiplied by an array each, element by element.

    The arrays are parameters after its others, `lr_factors` for `lr`.

    Parameters
    ----------
    formula
        A formula.
    names
        Names of float parameters of it.

    Returns
    -------
    callable
        A formula: it can be fused, or called on arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from nnxp.kernels import formulas
    >>> update = scaled(formulas.sgd, ("lr",))
    >>> update.__name__, list(inspect.signature(update).parameters)
    ('sgd_scaled_lr', ['w', 'g', 'lr', 'lr_factors'])
    >>> update(np.ones(2), np.ones(2), 0.5, np.asarray([1.0, 2.0])).tolist()
    [0.5, 0.0]
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    added = [inspect.Parameter(f"{name}_factors", kind, annotation=Array) for name in names]
    signature = inspect.Signature(sorted([*parameters_of(formula).values(), *added], key=lambda p: p.kind))

    def multiplied(*arguments: Any, **keywords: Any) -> Any:
        values = signature.bind(*arguments, **keywords).arguments
        for name in names:
            values[name] = values[name] * values.pop(f"{name}_factors")
        return formula(**values)

    multiplied.__name__ = multiplied.__qualname__ = f"{formula.__name__}_scaled_{'_'.join(names)}"
    multiplied.__signature__ = signature  # type: ignore[attr-defined]
    multiplied.__doc__ = f"`{formula.__name__}`, its {' and '.join(names)} multiplied element by element."
    return multiplied


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
