"""Named kernels for libraries whose functions write into `out=`: NumPy, CuPy and PyTorch.

Each does what the entry of the same name in `reference` does, without a temporary of its arguments' size.
"""

from collections.abc import Callable
from typing import Any

from nnxp.typing import Array, Kernel


def writing(library: Any) -> dict[str, Kernel]:
    """The table for `library`, the package itself."""

    def matmul(a: Array, b: Array, out: Array = None) -> Array:
        """a b, the matrix product."""
        return library.matmul(a, b, out=out)

    def column_sums(a: Array, out: Array = None) -> Array:
        """Σᵢ aᵢⱼ, shape (1, m)."""
        return library.sum(a, axis=0, keepdims=True, out=out)

    def row_means(a: Array, out: Array = None) -> Array:
        """Σⱼ aᵢⱼ / m, shape (n,)."""
        return library.mean(a, axis=1, out=out)

    def gather(a: Array, rows: Array, out: Array = None) -> Array:
        """a's rows in the order of the indices `rows`, which the caller has checked."""
        return library.take(a, rows, axis=0, out=out)

    def gather_columns(a: Array, columns: Array, out: Array = None) -> Array:
        """a's columns in the order of the indices `columns`, which the caller has checked."""
        return library.take(a, columns, axis=1, out=out)

    def argmax(a: Array, out: Array = None) -> Array:
        """Each row's index of the largest value, the first of equals, shape (n,)."""
        return library.argmax(a, axis=1, out=out)

    return table(matmul, column_sums, row_means, gather, gather_columns, argmax)


def table(*kernels: Callable[..., Any]) -> dict[str, Kernel]:
    """Kernels by their names."""
    return {kernel.__name__: kernel for kernel in kernels}
