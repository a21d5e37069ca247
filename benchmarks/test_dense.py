"""A dense layer's forward and backward."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import Products, dense_products
from nnxp import Backend, Dense

ROUNDS = 50


@pytest.mark.parametrize(
    ("n", "n_in", "n_out"),
    [(32, 784, 128), (128, 512, 512), (1024, 512, 512)],
    ids=lambda length: str(length),
)
def test_forward_and_backward(
    n: int, n_in: int, n_out: int, backend: Backend, dtype: str, measure: Callable[..., Any]
) -> None:
    generator = np.random.default_rng(0)
    x, dy = generator.standard_normal((n, n_in)), generator.standard_normal((n, n_out))
    inputs, dvalues = (backend.asarray(a, dtype=dtype) for a in (x, dy))
    layer = Dense(n_in, n_out, backend=backend, dtype=dtype, seed=0)

    def action() -> tuple[Any, Any]:
        return layer.forward(inputs), layer.backward(dvalues)

    products = Products(backend, dtype, dense_products(n, n_in, n_out))
    output, dinputs = (backend.to_numpy(a) for a in measure(action, products, ROUNDS))

    weights = backend.to_numpy(layer.weights).astype(np.float64)
    epsilon = np.finfo(dtype).eps
    for got, a, b in (
        (output, x, weights),
        (dinputs, dy, weights.T),
        (backend.to_numpy(layer.dweights), x.T, dy),
    ):
        assert (abs(got - a @ b) <= (a.shape[1] + 2) * epsilon * (abs(a) @ abs(b))).all()
