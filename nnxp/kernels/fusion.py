"""Turns a formula into a kernel: the formula is traced, and what its graph becomes depends on the library."""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnxp.kernels import formulas, source, vocabulary
from nnxp.kernels.composing import compose, scaled  # noqa: F401  pickles of before look for them here
from nnxp.kernels.graph import Graph, parameters_of, trace
from nnxp.kernels.libraries import Library, library_for
from nnxp.kernels.register_machine import Machine, refusal, wrapper
from nnxp.typing import Array, Kernel, Namespace


def fuse(
    formula: Callable[..., Any],
    namespace: Namespace,
    into: Sequence[str] = (),
    column_sums: bool = False,
    fast: bool = False,
    **fixed: Any,
) -> Kernel:
    """A kernel `kernel(*arrays, *floats, out=None) -> out` that computes `formula` on `namespace`.

    Numbers take the arrays' dtype. Among floating-point arrays, integer ones are converted as they are read; where
    all arrays are integers, in a formula of floats, the result has the dtype of `out`, by default float32 on
    libraries that compute in place.

    Parameters
    ----------
    formula
        A function of `nnxp.kernels.formulas`, or one written like them.
    namespace
        The array namespace whose arrays the kernel takes.
    into
        Names of parameters that the outputs overwrite, in the order of the outputs. Such a kernel
        returns those arrays and takes no `out`.
    column_sums
        For a single result of shape (n, m): the kernel takes `sums`, too, an array (1, m) that receives the
        result's sums over its rows.
    fast
        Compile with numba, on NumPy, what numba is good at.
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
        `into` or `fixed` names no parameter of the formula, or the formula does what cannot be traced.
    ValueError
        `into` has not one name for each result. At a call: `out` is one of the inputs, or shares memory with one;
        declare that with `into`.
    """
    return _kernel(formula, namespace, tuple(into), column_sums, fast, tuple(fixed.items()))


def check_names(formula: Callable[..., Any], into: Sequence[str], fixed: Mapping[str, Any]) -> None:
    """Raises TypeError where `into` or `fixed` names no parameter."""
    parameters = list(parameters_of(formula))
    for keyword, names in (("into", into), ("fixed", fixed)):
        if unknown := [name for name in names if name not in parameters]:
            raise TypeError(f"got {keyword}={unknown}, expected parameters of {formula.__name__}: {parameters}")


@functools.lru_cache(1024)
def _kernel(
    formula: Callable[..., Any],
    namespace: Namespace,
    into: tuple[str, ...],
    column_sums: bool,
    fast: bool,
    fixed: tuple[tuple[str, Any], ...],
) -> Kernel:
    check_names(formula, into, dict(fixed))
    made = lowered(formula, namespace, into, column_sums, fast, fixed)
    if isinstance(made, Machine):
        return wrapper(made)
    return _generic(made, namespace, into, column_sums)


def lowered(
    formula: Callable[..., Any],
    namespace: Namespace,
    into: tuple[str, ...],
    column_sums: bool,
    fast: bool,
    fixed: tuple[tuple[str, Any], ...],
) -> Machine | Graph:
    """The register machine, or the graph alone where the library does not compute in place."""
    library = library_for(namespace)
    graph = trace(formula, dict(fixed), _expansions(namespace, library))
    check_outputs(graph, into, column_sums)
    if library is None or all(p.scalar for p in graph.parameters):
        return graph
    compiled: Any = None
    if library.instructions is None:
        from nnxp.kernels import cuda

        compiled = cuda.Compiled(graph, into, column_sums)
    elif fast:
        from nnxp.kernels.cutting import compiled_of

        compiled = compiled_of(graph, into, column_sums)
    return Machine(library, graph, into, column_sums, _odd(graph, namespace, into, column_sums), compiled)


def check_outputs(graph: Graph, into: Sequence[str], column_sums: bool) -> None:
    """Raises ValueError where `into` has not one name for each result, or one is not all there is to sum."""
    count = len(graph.outputs)
    if into and not len(into) == len(set(into)) == count:
        raise ValueError(f"got into={tuple(into)}, expected one name for each of the {count} results of {graph.name}")
    if column_sums and count > 1:
        raise ValueError(f"got column_sums=True for {graph.name}, which has {count} results, expected one")


def _expansions(namespace: Namespace, library: Library | None) -> Mapping[str, Callable[..., Any]]:
    """The words that a library lacks, as formulas."""
    words: dict[str, Callable[..., Any]] = {}
    if not hasattr(namespace, "erf") and not namespace.__name__.endswith("cupy"):
        words["erf"] = formulas.erf
    if library is not None and namespace.__name__.endswith("torch"):
        words["sign"] = vocabulary.sign_by_comparison  # its own gives 0 for NaN
    return words


def _odd(graph: Graph, namespace: Namespace, into: Sequence[str], column_sums: bool) -> Callable[..., Any]:
    """The formula, line by line, on a machine's arguments: `odd(*arrays, *outs, *sums, *numbers)`."""
    generic = _generic(graph, namespace, into, column_sums)
    arrays = sum(not p.scalar for p in graph.parameters)
    outs = 0 if into else len(graph.outputs)

    def odd(*values: Any) -> Any:
        inputs, numbers = iter(values[:arrays]), iter(values[arrays + outs + column_sums :])
        given = values[arrays : arrays + outs]
        keywords = {"sums": values[arrays + outs]} if column_sums else {}
        if given and given[0] is not None:
            keywords["out"] = given if outs > 1 else given[0]
        return generic(*(next(numbers if p.scalar else inputs) for p in graph.parameters), **keywords)

    return odd


def _generic(graph: Graph, namespace: Namespace, into: Sequence[str], column_sums: bool) -> Kernel:
    """The kernel on any namespace: the results are computed, then written where they are wanted."""
    names = [p.value for p in graph.parameters]
    positions = [names.index(name) for name in into]
    copied = functools.partial(namespace.asarray, copy=True)

    @functools.cache
    def built() -> Callable[..., Any]:
        return source.build(source.straight(graph), graph.name, **source.words(namespace))

    def compute(*arguments: Any) -> Any:
        return built()(*arguments)

    def overwriting(*arguments: Any) -> Any:
        results = _several(compute(*arguments))
        targets = tuple(arguments[position] for position in positions)
        if len(results) > 1:  # an output that is an input itself would be overwritten before it is written
            results = tuple(copied(r) if any(r is a for a in arguments) else r for r in results)
        return _written(results, targets)

    def fresh(*arguments: Any, out: Any = None) -> Any:
        if out is not None and any(target is argument for target in _several(out) for argument in arguments):
            raise ValueError(refusal(graph.name))
        result = compute(*arguments)
        return result if out is None else _written(_several(result), _several(out))

    kernel = overwriting if into else fresh

    def summing(*arguments: Any, sums: Array, **keywords: Any) -> Any:
        result = kernel(*arguments, **keywords)
        sums[...] = namespace.sum(result, axis=0, keepdims=True)
        return result

    return summing if column_sums else kernel


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _written(results: tuple[Any, ...], targets: tuple[Any, ...]) -> Any:
    """The targets, with the results in them; one alone is no tuple."""
    for target, result in zip(targets, results, strict=True):
        target[...] = result
    return targets if len(targets) > 1 else targets[0]


def __getattr__(name: str) -> Any:
    """`show`, where a pickle of before it stood above the backends looks for it."""
    if name == "show":
        return importlib.import_module("nnxp.show").show
    raise AttributeError(f"module 'nnxp.kernels.fusion' has no attribute {name!r}")
