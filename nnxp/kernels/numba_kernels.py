"""Named kernels compiled by numba: those that NumPy needs many small calls for."""

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.kernels import source
from nnxp.kernels.numpy_kernels import NUMPY
from nnxp.kernels.scratch import Scratch
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel

NARROW = 4
"""Up to how many columns a product of small matrices is faster as sums that are written out than by BLAS, and loops
over the classes of a row are compiled for their number."""
MANY = 256
"""From how many rows on NumPy's logarithm, of all at once, is faster than a loop's."""
_scratch = Scratch(lambda n, dtype: np.empty(n, dtype=dtype))


@functools.cache
def numba_imports() -> bool:
    """Whether numba imports: asked when a kernel is first called."""
    from nnxp.kernels import numba_fusion

    return numba_fusion.numba_imports()


@functools.cache
def _loop(title: str, dtype: Any, m: int | None = None) -> Callable[..., Any]:
    """A function of numba_loops.txt, for C-contiguous arrays of a dtype and labels of int64; of m columns alone, where
    that is said."""
    from importlib import resources  # slow, and wanted only where a loop is

    import numba

    from nnxp.kernels.numba_fusion import compile_function

    number = getattr(numba, dtype.name)
    matrix, vector, labels = number[:, ::1], number[::1], numba.int64[::1]
    signature = numba.void(
        *{
            "shift": (matrix, matrix),
            "normalise": (matrix,),
            "shift_logits": (matrix, matrix, matrix, labels, vector, vector),
            "softmax_crossentropy": (matrix, labels, matrix, vector, vector),
        }[title]
    )
    text = resources.files(__package__).joinpath("numba_loops.txt").read_text(encoding="utf-8")
    if m is not None:
        text = re.sub(r"\bm = \w\.shape\[1\]", f"m = {m}", text).replace(f"def {title}(", f"def {title}_{m}(")
        title = f"{title}_{m}"
    # The callers here have looked at the types: numba need not look at them again at every call.
    loop: Callable[..., Any] = compile_function(text, title, signature).overloads[signature.args].entry_point
    return loop


def softmax(x: Array, out: Array = None) -> Array:
    """exp(xᵢⱼ - maxⱼ xᵢⱼ) / Σⱼ exp(xᵢⱼ - maxⱼ xᵢⱼ)."""
    out = np.empty_like(x, order="C") if out is None else out
    suit = x.flags.c_contiguous and out.flags.c_contiguous and x.dtype == out.dtype and x.shape == out.shape
    if not (suit and x.dtype.kind == "f" and x.shape[1] and numba_imports()):
        return NUMPY["softmax"](x, out=out)
    _loop("shift", x.dtype)(x, out)
    np.exp(out, out=out)
    _loop("normalise", x.dtype)(out)
    return out


def _suit(z: Array, b: Array, factors: Array, losses: Array, dz: Array, *hits: Array) -> bool:
    """Whether the arrays beside the labels are what the loops index without a check: types, layouts and shapes."""
    n, m = z.shape
    vectors = losses, *hits
    return (
        all(x.shape == (n,) for x in vectors)
        and b.shape[1] == m
        and n % b.shape[0] == 0
        and factors.shape == (n, 1)
        and dz.shape == (n, m)
        and all(x.flags.c_contiguous and x.dtype == z.dtype for x in (z, b, factors, dz, *vectors))
        and numba_imports()
    )


def _bound(z: Array, b: Array, *, factors: Array, out: Any) -> Callable[..., Any] | None:
    """`bias_softmax_crossentropy` of labels and smoothing alone (see `nnxp.kernels.binding`)."""
    if not _suit(z, b, factors, *out):
        return None
    (n, m), (losses, dz, *hits) = z.shape, out
    shift, rest = (
        _loop(name, z.dtype, m if m <= NARROW else None) for name in ("shift_logits", "softmax_crossentropy")
    )
    counted, rows, turns = hits[0] if hits else losses[:0], losses.shape, (n // b.shape[0],)
    totals = np.empty(n if n >= MANY else 0, z.dtype)

    def of_labels(labels: Array, smoothing: float = 0.0) -> Any:
        known = labels.dtype == np.int64 and labels.shape in (rows, turns) and labels.flags.c_contiguous
        if smoothing or not known:
            return NUMPY["bias_softmax_crossentropy"](z, b, labels, factors, smoothing, out=out)
        shift(z, b, dz, labels, losses, counted)
        np.exp(dz, out=dz)
        rest(dz, labels, factors, losses, totals)
        if n >= MANY:
            np.add(losses, np.log(totals, out=totals), out=losses)
        return out

    return of_labels


def bias_softmax_crossentropy(
    z: Array, b: Array, labels: Array, factors: Array, smoothing: float = 0.0, out: Any = None
) -> Any:
    """`softmax_crossentropy` of z + b, which `z` then holds, and each row's gradient times its factor; hits as in the
    kernel of `NUMPY`."""
    prepared = None if out is None else _bound(z, b, factors=factors, out=out)
    if prepared is None:
        return NUMPY["bias_softmax_crossentropy"](z, b, labels, factors, smoothing, out=out)
    return prepared(labels, smoothing)


@functools.cache
def _narrow(k: int, dtype: Any) -> Callable[..., Any]:
    """The loop of `block_dinputs` for matrices of k columns, the sum of its k products written out."""
    import numba

    from nnxp.kernels.numba_fusion import compile_function

    factors = ["o = j * h", *(f"f{c} = dy[i, j * {k} + {c}]" for c in range(k))]
    total = " + ".join(f"f{c} * across[j, {c}, a]" for c in range(k))
    rows = ["for i in range(dy.shape[0]):", "    for j in range(d):", *(f"        {line}" for line in factors)]
    rows += ["        for a in range(h):", f"            out[i, o + a] = {total}"]
    turned = ["for j in range(d):", "    for a in range(h):"]
    turned += [f"        across[j, {c}, a] = w[j, a, {c}]" for c in range(k)]
    title, number = f"block_dinputs_{k}", getattr(numba, dtype.name)
    text = source.function(title, ["dy", "w", "across", "out"], ["d, h, _ = w.shape", *turned, *rows])
    matrix, matrices = number[:, ::1], number[:, :, ::1]
    signature = numba.void(matrix, matrices, matrices, matrix)
    loop: Callable[..., Any] = compile_function(text, title, signature).overloads[signature.args].entry_point
    return loop


def block_dinputs(dy: Array, w: Array, out: Array = None) -> Array:
    """dyⱼ wⱼᵀ side by side, (n, d h): the gradient of x in `block_products`."""
    d, h, k = w.shape
    suit = out is not None and 0 < k <= NARROW and dy.shape[1] == d * k and out.shape == (dy.shape[0], d * h)
    if not (suit and all(x.flags.c_contiguous and x.dtype == w.dtype for x in (dy, w, out)) and numba_imports()):
        return NUMPY["block_dinputs"](dy, w, out=out)
    _narrow(k, w.dtype)(dy, w, _scratch.take("across", w.size, w.dtype).reshape(d, k, h), out)
    return out


bias_softmax_crossentropy.bound = _bound  # type: ignore[attr-defined]
NUMBA: dict[str, Kernel] = table(softmax, bias_softmax_crossentropy, block_dinputs)
