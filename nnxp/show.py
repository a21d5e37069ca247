"""What a formula becomes on a backend, for a reader."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from nnxp.backends import Backend, get_backend, library_of
from nnxp.backends.record import library_name
from nnxp.kernels import formulas, source
from nnxp.kernels.fusion import check_names, check_outputs, lowered
from nnxp.kernels.graph import Graph, parameters_of, shape_of, trace


def show(
    formula: str | Callable[..., Any],
    backend: Any = "numpy",
    into: Sequence[str] | None = None,
    column_sums: bool = False,
    **fixed: Any,
) -> None:
    """Prints the source that a formula becomes on a backend; nothing is run. "cupy" needs neither CuPy nor a GPU here.

    Parameters
    ----------
    formula
        A formula, or the name of one of `nnxp.kernels.formulas`.
    backend
        See `nnxp.get_backend`.
    into
        As in `fuse`; by default an optimizer's formula overwrites all its arrays but the gradient, others nothing.
    column_sums, fixed
        As in `fuse`.

    Examples
    --------
    A register machine's source: r0 is a register, and `out` serves as one.

    >>> import nnxp
    >>> show("huber", backend=nnxp.get_backend("numpy", fast=False))
    def huber(p, y, out, delta, r0, r1):
        delta = _float(delta)
        _subtract(p, y, out=out)
        _absolute(out, out=out)
        _minimum(out, delta, out=r0)
        _multiply(0.5, r0, out=r1)
        _subtract(out, r1, out=out)
        _multiply(r0, out, out=out)
    """
    formula = _named(formula) if isinstance(formula, str) else formula
    parameters = [p for p in parameters_of(formula).values() if p.kind is not p.KEYWORD_ONLY]
    arrays = [p.name for p in parameters if shape_of(p) == "full"]
    if into is None:
        into = [name for name in arrays if name != "g"] if {"w", "g"} <= {*arrays} and "dw" not in arrays else ()
    check_names(formula, into, fixed)
    if _is_cupy(backend):  # nothing is asked of CuPy, which may not be here
        from nnxp.kernels.cuda import shown

        graph = trace(formula, fixed, {})
        check_outputs(graph, into, column_sums)
        print(shown(graph, into, column_sums), end="")
        return
    chosen = get_backend(backend)
    made = lowered(formula, chosen.xp, tuple(into), column_sums, chosen.fast, tuple(fixed.items()))
    if isinstance(made, Graph):
        text = source.straight(made)
    elif made.compiled is not None:
        flat = not column_sums and all(p.shape == "full" for p in made.arrays)
        kind = "int64" if made.integral else chosen.dtype
        text = made.compiled.text(kind, flat)
    else:
        text = source.straight(made.graph) if made.program is None else made.written[0]
    print(text, end="")


def _is_cupy(backend: Any) -> bool:
    """Whether a backend's name, namespace, record or array is CuPy's."""
    if isinstance(backend, Backend):
        return backend.library == "cupy"
    if isinstance(backend, ModuleType):
        return library_name(backend) == "cupy"
    return (backend.partition(":")[0] if isinstance(backend, str) else library_of(backend)) == "cupy"


def _named(name: str) -> Callable[..., Any]:
    found = getattr(formulas, name, None)
    if not callable(found):
        raise ValueError(f"got formula={name!r}, expected a function, or the name of one of nnxp.kernels.formulas")
    return found  # type: ignore[no-any-return]
