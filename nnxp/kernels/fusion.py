"""Turns a formula into a kernel.

Here every backend gets the generic kernel: the formula, bound to the backend's namespace, and its
results written where they are wanted.
"""

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
        Without `into`, a kernel that returns a new array, or writes into `out` and returns it.

    Raises
    ------
    TypeError
        `into` names no parameter of the formula.
    ValueError
        At a call: `out` is one of the inputs. Declare that with `into`.
    """
    parameters = list(inspect.signature(formula).parameters)
    unknown = [name for name in into if name not in parameters]
    if unknown:
        raise TypeError(f"got into={tuple(into)}, expected parameters of {formula.__name__}: {parameters}")
    positions = [parameters.index(name) for name in into]
    compute = vocabulary.bind(formula, vocabulary.bound(namespace))

    def overwriting(*arguments: Any) -> Any:
        results = compute(*arguments, **fixed)
        results = results if isinstance(results, tuple) else (results,)
        targets = tuple(arguments[position] for position in positions)
        for target, result in zip(targets, results, strict=True):
            target[...] = result
        return targets if len(targets) > 1 else targets[0]

    def fresh(*arguments: Any, out: Any = None) -> Any:
        if out is not None and any(out is argument for argument in arguments):
            raise ValueError(
                f"got an out that is also an input of {formula.__name__}, expected another array: "
                "fuse it with into=(name of that input,) to overwrite it"
            )
        result = compute(*arguments, **fixed)
        if out is None:
            return result
        out[...] = result
        return out

    return overwriting if into else fresh
