"""Turns a formula into a kernel.

Here every backend gets the generic kernel: the formula, bound to the backend's namespace, and its
results written where they are wanted.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from nnxp.kernels import vocabulary
from nnxp.typing import Kernel, Namespace


def fuse(formula: Callable[..., Any], namespace: Namespace, into: Sequence[str] = (), **fixed: Any) -> Kernel:
    """A kernel `kernel(*arrays, *floats, out=None) -> out` that computes `formula` on `namespace`.

    Parameters
    ----------
    formula
        A function of `nnxp.kernels.formulas`, or one written like them.
    namespace
        The array namespace whose arrays the kernel takes.
    into
        Names of parameters that the outputs overwrite, in the order of the outputs. Such a kernel
        returns those arrays and takes no `out`.
    fixed
        Values of the formula's keyword-only parameters.

    Returns
    -------
    Kernel
        Without `into`, a kernel that returns a new array, or writes into `out` and returns it; `out` is a
        tuple where there are several results.

    Raises
    ------
    TypeError
        `into` or `fixed` names no parameter of the formula.
    ValueError
        At a call: `out` is one of the inputs. Declare that with `into`.
    """
    parameters = list(inspect.signature(formula).parameters)
    for keyword, names in (("into", into), ("fixed", fixed)):
        if unknown := [name for name in names if name not in parameters]:
            raise TypeError(f"got {keyword}={unknown}, expected parameters of {formula.__name__}: {parameters}")
    positions = [parameters.index(name) for name in into]
    compute = vocabulary.bind(formula, vocabulary.bound(namespace))
    copied = functools.partial(namespace.asarray, copy=True)

    def overwriting(*arguments: Any) -> Any:
        results = _several(compute(*arguments, **fixed))
        targets = tuple(arguments[position] for position in positions)
        if len(results) > 1:  # an output that is an input itself would be overwritten before it is written
            results = tuple(copied(r) if any(r is t for t in targets) else r for r in results)
        return _written(results, targets)

    def fresh(*arguments: Any, out: Any = None) -> Any:
        result = compute(*arguments, **fixed)
        if out is None:
            return result
        if any(target is argument for target in _several(out) for argument in arguments):
            raise ValueError(
                f"got an out that is also an input of {formula.__name__}, expected another array: "
                "fuse it with into=(name of that input,) to overwrite it"
            )
        return _written(_several(result), _several(out))

    return overwriting if into else fresh


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _written(results: tuple[Any, ...], targets: tuple[Any, ...]) -> Any:
    """The targets, with the results in them; one alone is no tuple."""
    for target, result in zip(targets, results, strict=True):
        target[...] = result
    return targets if len(targets) > 1 else targets[0]
