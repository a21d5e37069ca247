"""Gradients limited by value and by norm (Pascanu et al. 2013, algorithm 1), on their devices and without waiting."""

from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.optimizers.targets import Stretch
from nnxp.typing import Array


def clip(stretches: list[Stretch], value: float | None, norm: float | None) -> None:
    """Writes `clipped`: the gradients limited by value, and then by the norm of all."""
    limited = []
    for backend, _, _, g, _, _, clipped in stretches:
        with backend.context():
            if not clipped:
                xp = backend.xp
                clipped += [xp.empty_like(g), xp.empty((), dtype=g.dtype, device=backend.device)]
            if value is not None:
                g = backend.fuse(formulas.clipped)(g, value, out=clipped[0])
        limited.append((backend, g, *clipped))
    if norm is None or not limited:
        return
    factor = _factor(limited, norm)
    for backend, g, clipped, _ in limited:
        with backend.context():
            if g is clipped:
                backend.fuse(formulas.scaled, into=("g",))(g, factor)
            else:
                backend.fuse(formulas.scaled)(g, factor, out=clipped)


def _factor(gradients: list[tuple[Backend, Array, Array, Array]], bound: float) -> Array:
    """What shortens the gradients together to the norm `bound`, 0-d, on the device. The last of each four has room."""
    if len(gradients) == 1:
        backend, g, _, factor = gradients[0]
        with backend.context():
            return backend.kernels["clip_factor"](g, bound, out=factor)
    squares = []
    for backend, g, *_ in gradients:
        with backend.context():
            squares.append(backend.kernels["squared_norm"](g))
    first = gradients[0][0]
    with first.context():
        return first.xp.asarray(bound / first.xp.maximum(first.xp.sqrt(sum(squares)), bound))
