"""NumPy's products of matrices side by side, (n, d k) being d matrices (n, k)."""

import numpy as np

from nnxp.kernels.scratch import Scratch
from nnxp.kernels.writing import table
from nnxp.typing import Array, Kernel

SMALL_BLOCK = 1 << 12
"""How large a matrix of `block_dinputs` is turned over in memory: BLAS takes up to twice as long for small ones as they
stand."""
_scratch = Scratch(lambda n, dtype: np.empty(n, dtype=dtype))


def _in_blocks(x: Array, d: int) -> Array:
    """(n, d k) as d matrices (n, k), the same memory."""
    return x.reshape(x.shape[0], d, x.shape[1] // d).transpose(1, 0, 2)


def block_products(x: Array, w: Array, out: Array = None) -> Array:
    """xⱼ wⱼ side by side, (n, d k), for x (n, d h) and w (d, h, k)."""
    d, _, k = w.shape
    out = np.empty((x.shape[0], d * k), x.dtype) if out is None else out
    np.matmul(_in_blocks(x, d), w, out=_in_blocks(out, d))
    return out


def block_dinputs(dy: Array, w: Array, out: Array = None) -> Array:
    """dyⱼ wⱼᵀ side by side, (n, d h): the gradient of x in `block_products`."""
    d, h, k = w.shape
    across = w.transpose(0, 2, 1)
    if k == 1:  # a column by a row, which `np.matmul` does not leave to BLAS: it takes ten times as long
        out = np.empty((dy.shape[0], d * h), dy.dtype) if out is None else out
        np.multiply(_in_blocks(dy, d), across, out=_in_blocks(out, d))
        return out
    if h * k <= SMALL_BLOCK:
        copied = _scratch.take("across", w.size, w.dtype).reshape(d, k, h)
        np.copyto(copied, across)
        across = copied
    return block_products(dy, across, out)


def block_dweights(x: Array, dy: Array, like: Array, out: Array = None) -> Array:
    """xⱼᵀ dyⱼ, (d, h, k): the gradient of w in `block_products`."""
    d = like.shape[0]
    return np.matmul(_in_blocks(x, d).transpose(0, 2, 1), _in_blocks(dy, d), out=out)


BLOCKS: dict[str, Kernel] = table(block_products, block_dinputs, block_dweights)
