"""What a stage has for batches of a size: memory, and calls on it that are prepared once."""

from collections.abc import Callable
from typing import Any, TypeVar

from nnxp.typing import Array

T = TypeVar("T")
SIZES = 16
"""How many batch sizes are remembered at most."""


class Sized:
    """Memory for so many rows, which stays the same, and calls on it.

    Attributes
    ----------
    z, a, difference, dz, dinputs : Array
        (n, n_out), the product, the activation, what a parametric one keeps, the gradient of the product where it has a
        place of its own; and (n, n_in), None where it is not wanted.
    read, written : tuple
        What backward takes of forward; what a head's kernel writes.
    losses, scores, both : Array
        (n,), of a head, and the matrix (2, n) of which they may be the rows.
    scored : bool
        Whether a head's `backward` gives scores.
    forward, backward, flush : callable
        The kernels after the product and before the products of the gradients.
    by : Array
        Whose call `backward` is.
    """

    a: Array = None
    difference: Array = None
    losses: Array = None
    scores: Array = None
    both: Array = None
    scored = False
    dz: Array = None
    read: tuple[Any, ...]
    written: tuple[Any, ...]
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    flush: Callable[..., Any]
    by: Array = None

    def __init__(self, z: Array, dinputs: Array) -> None:
        self.z, self.dinputs = z, dinputs


def remember(sizes: dict[int, T], n: int, made: T) -> T:
    """Puts what was made for n rows into `sizes`, and gives it. More rows than before are new memory for all sizes
    (see `Buffers`): what was made on the old is forgotten."""
    if len(sizes) >= SIZES or n > max(sizes, default=n):
        sizes.clear()
    sizes[n] = made
    return made
