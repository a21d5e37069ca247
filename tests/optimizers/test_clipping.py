"""Clipping where Σg² leaves the dtype: exploded and tiny gradients, huge and tiny bounds, on every backend. What is
expected is computed from the gradient without its size."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.kernels.numpy_kernels import BLOCK
from tests.helpers.matrix import Target

SHAPE = np.array([0.75, -1.0, 0.0, 0.5])
"""A gradient without its size: two weights', a third's, and the bias's."""
SIZES = {
    "float32": (3e38, 1e30, 1e22, 1e7, 1.0, 1e-13, 1e-25, 1e-36),
    "float64": (1e308, 1e200, 1e7, 1.0, 1e-13, 1e-200, 1e-306),
}
BOUNDS = {"float32": (1e-30, 1e-3, 1.0, 1e20, 1e39, 1e300), "float64": (1e-290, 1e-3, 1.0, 1e20, 1e39, 1e300)}
every_size = pytest.mark.parametrize(("dtype", "size"), [(dtype, size) for dtype in SIZES for size in SIZES[dtype]])


def given(backend: Any, dtype: str, gradient: Any) -> nnxp.Dense:
    """A layer of zeros with this gradient."""
    layer = nnxp.Dense(3, 1, initializer="zeros", backend=backend, dtype=dtype)
    layer.forward([[0.0, 0.0, 0.0]])
    layer.backward([[0.0]])
    layer.store.gradients[...] = layer.backend.asarray(gradient, dtype=dtype)
    return layer


def step(layers: list[nnxp.Dense], **clips: float) -> np.ndarray[Any, Any]:
    """What is subtracted from the parameters at a learning rate of 1, in float64."""
    nnxp.SGD(1.0, **clips).update_params(layers)
    return -np.concatenate([layer.backend.to_numpy(layer.store.values) for layer in layers]).astype(float)


def close(got: Any, expected: Any, dtype: str) -> None:
    """Five roundings, and what is below the smallest normal number, whose digits are not all there."""
    info = np.finfo(dtype)
    np.testing.assert_allclose(got, expected, rtol=16 * info.eps, atol=float(info.smallest_normal))


@every_size
def test_the_step_is_as_long_as_the_bound_or_the_gradient(backend: Target, dtype: str, size: float) -> None:
    for bound in BOUNDS[dtype]:
        expected = SHAPE * min(size, bound / float(np.linalg.norm(SHAPE)))
        close(step([given(backend.spec, dtype, SHAPE * size)], clip_norm=bound), expected, dtype)


@pytest.mark.long
@every_size
def test_several_layers_have_one_norm(backend: Target, dtype: str, size: float) -> None:
    """Of different sizes, one of 0."""
    parts = [SHAPE * 2.0**-20, SHAPE, 0 * SHAPE]
    for bound in BOUNDS[dtype]:
        expected = np.concatenate(parts) * min(size, bound / float(np.linalg.norm(parts)))
        close(step([given(backend.spec, dtype, part * size) for part in parts], clip_norm=bound), expected, dtype)


@pytest.mark.parametrize("norm", [None, 1e-3, 1e300])
@pytest.mark.parametrize("value", [1e-60, 0.25, 1e39, 1e300])
def test_a_value_that_the_dtype_does_not_hold(backend: Target, value: float, norm: float | None) -> None:
    """Before the norm."""
    g = np.clip(SHAPE, -value, value)
    expected = g if norm is None else g * min(1, norm / float(np.linalg.norm(g)))
    clips = {"clip_value": value} if norm is None else {"clip_value": value, "clip_norm": norm}
    close(step([given(backend.spec, "float32", SHAPE)], **clips), expected, "float32")


def test_a_gradient_of_zeros_stays(backend: Target) -> None:
    for bound in (1e-300, 1.0, 1e300):
        assert not step([given(backend.spec, "float32", 0 * SHAPE)], clip_norm=bound).any()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_so(backend: Target, value: float) -> None:
    """And so the loss after it, which stops a training, and names it."""
    g = np.where(SHAPE == 0.5, value, SHAPE)
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(step([given(backend.spec, "float32", g)], clip_norm=1.0)).all()


@pytest.mark.parametrize("size", [1e-30, 0.0, 1e30])
def test_on_numpy_it_allocates_nothing_where_it_scales(size: float) -> None:
    n = 8 * BLOCK
    layer = nnxp.Dense(n, 1, initializer="zeros")
    layer.forward(np.zeros((1, n), np.float32))
    layer.backward(np.zeros((1, 1), np.float32))
    layer.store.gradients[...] = size
    optimizer = nnxp.SGD(1.0, clip_norm=1e-35)
    optimizer.update_params(layer)
    tracemalloc.start()
    try:
        optimizer.update_params(layer)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n  # a quarter of an array of them
