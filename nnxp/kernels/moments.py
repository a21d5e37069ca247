"""Named kernels of normalisation for NumPy and PyTorch, whose functions write into `out=`: no temporary is made."""

from collections.abc import Callable
from typing import Any

from nnxp.kernels.reference import reference
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel, Namespace


def normalization(library: Any, xp: Namespace, scratch: Callable[[Array], Array]) -> dict[str, Kernel]:
    """The table for `library`, the package itself, whose standard namespace is `xp`; `scratch` gives memory of an
    array's shape, type and place, whatever it last held."""
    plain = reference(xp)

    def moments(a: Array, axis: int, epsilon: float, out: Any) -> Any:
        mean, variance, scale = out
        d = library.subtract(a, library.mean(a, axis=axis, keepdims=True, out=mean), out=scratch(a))
        error = library.mean(d, axis=axis, keepdims=True, out=scale)
        mean += error
        d -= error
        library.mean(library.multiply(d, d, out=d), axis=axis, keepdims=True, out=variance)
        library.sqrt(library.add(variance, epsilon, out=scale), out=scale)
        library.reciprocal(scale, out=scale)
        return out

    def column_moments(a: Array, epsilon: float, out: Any = None) -> Any:
        """μⱼ = Σᵢ aᵢⱼ / n, σ²ⱼ = Σᵢ (aᵢⱼ - μⱼ)² / n and 1 / √(σ²ⱼ + ε), each of shape (1, m)."""
        return plain["column_moments"](a, epsilon) if out is None else moments(a, 0, epsilon, out)

    def row_moments(a: Array, epsilon: float, out: Any = None) -> Any:
        """The same along each row, each of shape (n, 1)."""
        return plain["row_moments"](a, epsilon) if out is None else moments(a, 1, epsilon, out)

    def affine_grads(x: Array, dy: Array, out: Any = None) -> Any:
        """Σᵢ dyᵢⱼxᵢⱼ and Σᵢ dyᵢⱼ, each of shape (1, m): the gradients of γ and β in γx + β."""
        if out is None:
            return plain["affine_grads"](x, dy)
        library.sum(library.multiply(dy, x, out=scratch(x)), axis=0, keepdims=True, out=out[0])
        library.sum(dy, axis=0, keepdims=True, out=out[1])
        return out

    def row_products(x: Array, dy: Array, gain: Array, out: Any = None) -> Any:
        """Σⱼ γⱼdyᵢⱼ / m and Σⱼ γⱼdyᵢⱼxᵢⱼ / m, each of shape (n, 1)."""
        if out is None:
            return plain["row_products"](x, dy, gain)
        g = library.multiply(dy, gain, out=scratch(x))
        library.mean(g, axis=1, keepdims=True, out=out[0])
        library.mean(library.multiply(g, x, out=g), axis=1, keepdims=True, out=out[1])
        return out

    return table(column_moments, row_moments, affine_grads, row_products)
