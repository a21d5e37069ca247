"""Matrix products by cuBLAS itself: what CuPy's `dot` looks at and makes on the way costs the host more than a launch.

cuBLAS's matrices are column-major: a product of rows c = a b is to it cᵀ = bᵀ aᵀ, the same memory read the other way.
"""

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnxp.typing import Array, HostArray

LARGEST = 2**31 - 1
"""Of a length that cuBLAS takes here."""
SINGLE, DOUBLE, ALGORITHM = 0, 1, -1
"""`CUDA_R_32F`, `CUDA_R_64F` and `CUBLAS_GEMM_DEFAULT`."""
REMEMBERED = 4096
"""How many products are known: a training step's arrays are the same at every step."""


class Kind(NamedTuple):
    """What cuBLAS calls a type, 1 and 0 in it, and by CuPy's compute type what the products are computed in."""

    code: int
    numbers: HostArray
    computed: dict[int, int]


class Part(NamedTuple):
    """A matrix of blocks: the array, and how many elements are from one row, and from one block, to the next."""

    array: Array
    rows: int
    blocks: int


class Known(NamedTuple):
    """A product that was looked at: its arrays, where they are, and what cuBLAS is given."""

    arrays: tuple[Callable[[], Array], ...]
    shapes: tuple[tuple[int, ...], ...]
    device: int
    kind: Kind
    arguments: tuple[int, ...]


_known: dict[tuple[int, int, int], Known] = {}


def gemm() -> Callable[[Array, Array, Array], bool]:
    """A function that writes a b into `out` and says True; False where it is left to CuPy.

    It takes arrays of one type, float32 or float64, on the current device: a and b contiguous or such an array's
    transpose, `out` contiguous and apart from both.
    """
    from cupy._core import _routines_linalg as linalg
    from cupy.cuda import device
    from cupy_backends.cuda.libs import cublas

    multiply, handle, here, compute_type = (
        cublas.gemmEx, device.get_cublas_handle, device.get_device_id, linalg.get_compute_type,
    )  # fmt: skip
    kinds = types()

    def product(a: Array, b: Array, out: Array) -> bool:
        key = id(a), id(b), id(out)
        found = _known.get(key)
        if found is None or not is_of(found, a, b, out):
            found = looked_at(kinds, a, b, out)
            if found is None:
                return False
            if len(_known) >= REMEMBERED:
                _known.clear()
            _known[key] = found
        computed = found.kind.computed.get(compute_type(found.kind.numbers.dtype))
        if computed is None or found.device != here():
            return False
        multiply(handle(), *found.arguments, computed, ALGORITHM)
        return True

    return product


def blockwise() -> Callable[..., bool]:
    """A function that writes aⱼ bⱼ into blocks cⱼ, all in one launch, and says True; False where it does not.

    `(count, (m, k, n), a, b, c, by_columns)`: each of a, b, c is an array of one type, float32 or float64, contiguous,
    how far its rows are apart, and how far its blocks; a or b of `by_columns` is the transpose of what lies there.
    """
    from cupy._core import _routines_linalg as linalg
    from cupy.cuda import device
    from cupy_backends.cuda.libs import cublas

    kinds = types()

    def products(
        count: int,
        sizes: tuple[int, int, int],
        a: Part,
        b: Part,
        c: Part,
        by_columns: tuple[bool, bool] = (False, False),
    ) -> bool:
        kind, (m, k, n) = kinds[c.array.dtype], sizes
        computed = kind.computed.get(linalg.get_compute_type(kind.numbers.dtype))
        if computed is None or max(m, k, n, a.rows, b.rows, c.rows) > LARGEST:
            return False
        one, zero = kind.numbers.ctypes.data, kind.numbers[1:].ctypes.data
        (q, p, r), code = (x.array.data.ptr for x in (b, a, c)), kind.code
        cublas.gemmStridedBatchedEx(
            device.get_cublas_handle(), int(by_columns[1]), int(by_columns[0]), n, m, k,
            one, q, code, b.rows, b.blocks, p, code, a.rows, a.blocks, zero, r, code, c.rows, c.blocks,
            count, computed, ALGORITHM,
        )  # fmt: skip
        return True

    return products


def types() -> dict[Any, Kind]:
    """What cuBLAS is told of each type that it multiplies here."""
    from cupy._core import _routines_linalg as linalg
    from cupy_backends.cuda.libs import cublas

    # CuPy's compute type says whether float32 is rounded to TF32; what else it may say stays with CuPy.
    plain, rounded = linalg.COMPUTE_TYPE_DEFAULT, linalg.COMPUTE_TYPE_TF32
    single = {plain: cublas.CUBLAS_COMPUTE_32F, rounded: cublas.CUBLAS_COMPUTE_32F_FAST_TF32}
    return {
        np.dtype("float32"): Kind(SINGLE, np.array([1, 0], "float32"), single),
        np.dtype("float64"): Kind(DOUBLE, np.array([1, 0], "float64"), {plain: cublas.CUBLAS_COMPUTE_64F}),
    }


def is_of(found: Known, a: Array, b: Array, out: Array) -> bool:
    """Whether these are the arrays that were looked at, in their shapes: one may be assigned to."""
    (a_was, b_was, out_was), (a_shape, b_shape, out_shape) = found.arrays, found.shapes
    same = a_was() is a and b_was() is b and out_was() is out
    return same and a.shape == a_shape and b.shape == b_shape and out.shape == out_shape


def looked_at(kinds: dict[Any, Kind], a: Array, b: Array, out: Array) -> Known | None:
    """What there is to know of a product that `gemm` takes; None of another."""
    kind, size = kinds.get(out.dtype), out.dtype.itemsize
    if kind is None or a.dtype != out.dtype or b.dtype != out.dtype:
        return None
    (m, k), (inner, n) = a.shape, b.shape
    if k != inner or out.shape != (m, n) or not m * k * n > 0 or max(m, k, n) > LARGEST:
        return None
    by_rows_a, by_rows_b = a.flags.c_contiguous, b.flags.c_contiguous
    if not ((by_rows_a or a.flags.f_contiguous) and (by_rows_b or b.flags.f_contiguous) and out.flags.c_contiguous):
        return None
    devices, (p, q, r) = {x.data.device_id for x in (a, b, out)}, [x.data.ptr for x in (a, b, out)]
    end = r + m * n * size
    if len(devices) > 1 or (p < end and r < p + m * k * size) or (q < end and r < q + k * n * size):
        return None
    one, zero = kind.numbers.ctypes.data, kind.numbers[1:].ctypes.data
    arguments = (
        0 if by_rows_b else 1, 0 if by_rows_a else 1, n, m, k,
        one, q, kind.code, n if by_rows_b else k, p, kind.code, k if by_rows_a else m,
        zero, r, kind.code, n,
    )  # fmt: skip
    shapes = tuple(x.shape for x in (a, b, out))
    return Known((weakref.ref(a), weakref.ref(b), weakref.ref(out)), shapes, devices.pop(), kind, arguments)
