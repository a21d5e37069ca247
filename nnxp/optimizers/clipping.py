"""Gradients limited by value and by norm (Pascanu et al. 2013, algorithm 1), on their devices and without waiting."""

import functools
import math

from nnxp.backends import Backend, dtype_of
from nnxp.doors.options import LARGEST, SMALLEST_NORMAL
from nnxp.kernels import formulas
from nnxp.optimizers.targets import Stretch
from nnxp.typing import Array


def clip(stretches: list[Stretch], value: float | None, norm: float | None) -> None:
    """Writes `clipped`: the gradients limited by value, and then by the norm of all."""
    limited, parts = [], []
    for backend, _, _, g, _, _, clipped in stretches:
        with backend.context():
            if not clipped:
                xp = backend.xp
                clipped += [xp.empty_like(g), *(xp.empty((), dtype=g.dtype, device=backend.device) for _ in range(3))]
            if value is not None:
                g = backend.fuse(formulas.clipped)(g, within(value, g), out=clipped[0])
            if norm is not None:
                parts.append(backend.kernels["clip_parts"](g, within(norm, g), out=tuple(clipped[1:])))
        limited.append((backend, g, clipped[0]))
    if norm is None or not limited:
        return
    unit, factor = parts[0][::2] if len(parts) == 1 else _together(limited[0][0], parts, norm)
    for backend, g, clipped in limited:
        with backend.context():
            if g is clipped:
                backend.fuse(formulas.shortened, into=("g",))(g, unit, factor)
            else:
                backend.fuse(formulas.shortened)(g, unit, factor, out=clipped)


def within(bound: float, g: Array) -> float:
    """A bound above 0 as g's dtype holds it: infinity beyond its largest number, and no less than its smallest."""
    dtype = dtype_of(g)
    return math.inf if bound > LARGEST[dtype] else max(bound, SMALLEST_NORMAL[dtype])


def _together(backend: Backend, parts: list[tuple[Array, Array, Array]], norm: float) -> tuple[Array, Array]:
    """The unit and the factor of several gradients as one, 0-d each."""
    with backend.context():
        xp = backend.xp
        unit = xp.asarray(functools.reduce(xp.maximum, (unit for unit, *_ in parts)))
        squares = xp.asarray(sum(squares * (own / unit) ** 2 for own, squares, _ in parts))
        return unit, xp.asarray(formulas.norm_factor(unit, squares, within(norm, unit)))
