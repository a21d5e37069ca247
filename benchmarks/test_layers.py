"""A dense layer by itself, forward and backward, as the book's loop calls it; an activation beside it."""

from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import Measure
from benchmarks.problems import Case
from nnxp import Dense, ReLU

SHAPES = [(32, 784, 128), (128, 512, 512), (1024, 512, 512)]


def dense(shape: tuple[int, int, int], dtype: str, measure: Measure) -> tuple[Dense, Any, Any]:
    n, n_in, n_out = shape
    generator = np.random.default_rng(0)
    x, dy = (generator.standard_normal((n, width)) for width in (n_in, n_out))
    layer = Dense(n_in, n_out, backend=measure.backend, dtype=dtype, seed=0)
    return layer, measure.backend.asarray(x, dtype=dtype), measure.backend.asarray(dy, dtype=dtype)


def assert_product(got: Any, a: Any, b: Any, dtype: str) -> None:
    """got is a b, within the rounding of sums of that length."""
    a, b = (np.asarray(m, dtype=np.float64) for m in (a, b))
    assert (abs(got - a @ b) <= (a.shape[1] + 2) * np.finfo(dtype).eps * (abs(a) @ abs(b))).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dense_forward(shape: tuple[int, int, int], dtype: str, measure: Measure) -> None:
    layer, x, _ = dense(shape, dtype, measure)
    n, n_in, n_out = shape
    products = measure.products(Case(n, (n_in, n_out)), dtype, backward=False)
    output = measure(
        lambda: layer.forward(x), products, kind="layer", case=f"dense forward {shape}", dtype=dtype, shapes=shape
    )
    host = measure.backend.to_numpy
    assert_product(host(output), host(x), host(layer.weights), dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dense_backward(shape: tuple[int, int, int], dtype: str, measure: Measure) -> None:
    layer, x, dy = dense(shape, dtype, measure)
    layer.forward(x)
    matmul = measure.backend.xp.matmul
    weights, dx, dw = layer.weights, measure.backend.xp.empty_like(x), measure.backend.xp.empty_like(layer.weights)

    def products() -> None:
        matmul(x.T, dy, out=dw)
        matmul(dy, weights.T, out=dx)

    dinputs = measure(
        lambda: layer.backward(dy), products, kind="layer", case=f"dense backward {shape}", dtype=dtype, shapes=shape
    )
    host = measure.backend.to_numpy
    assert_product(host(dinputs), host(dy), host(weights).T, dtype)
    assert_product(host(layer.dweights), host(x).T, host(dy), dtype)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_relu(direction: str, dtype: str, measure: Measure) -> None:
    """Its floor is one pass over as many numbers as it reads and writes."""
    generator, layer, asarray = np.random.default_rng(0), ReLU(), measure.backend.asarray
    x, dy = (asarray(generator.standard_normal((128, 512)), dtype=dtype) for _ in range(2))
    layer.forward(x)
    result = measure(
        (lambda: layer.forward(x)) if direction == "forward" else (lambda: layer.backward(dy)),
        measure.passing(dtype, 128 * 512 * (2 if direction == "forward" else 3)),
        floor_is="one pass over as many numbers",
        kind="layer",
        case=f"relu {direction} (128, 512)",
        dtype=dtype,
        shapes=(128, 512),
    )
    host = measure.backend.to_numpy
    expected = np.maximum(host(x), 0) if direction == "forward" else np.where(host(x) > 0, host(dy), 0)
    np.testing.assert_array_equal(host(result), expected)
