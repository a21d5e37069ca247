"""A model's whole training step: forward, loss, backward, Adam."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import Products, dense_products
from nnxp import Backend, Dense, Sequential

CASES = {"32: 784-128-10": (32, [784, 128, 10], 200), "128: 784-512-512-10": (128, [784, 512, 512, 10], 50)}


@pytest.mark.parametrize("case", CASES)
def test_train_step(case: str, backend: Backend, dtype: str, measure: Callable[..., Any]) -> None:
    n, widths, rounds = CASES[case]
    generator = np.random.default_rng(0)
    X = backend.asarray(generator.standard_normal((n, widths[0])), dtype=dtype)
    y = backend.asarray(generator.integers(0, widths[-1], n), dtype="int64")
    hidden = [part for pair in pairwise(widths[:-1]) for part in (Dense(*pair), "relu")]
    layers = [*hidden, Dense(*widths[-2:]), "softmax"]
    model = Sequential(layers, "categorical_crossentropy", "adam", backend=backend, dtype=dtype, seed=0)
    first = model.evaluate(X, y)["loss"]

    shapes = [shape for i, pair in enumerate(pairwise(widths)) for shape in dense_products(n, *pair, dinputs=i > 0)]
    products = Products(backend, dtype, shapes)
    measure(lambda: model.train_step(X, y), products, rounds)

    probabilities = backend.to_numpy(model.predict(X)).astype(np.float64)
    expected = -np.log(probabilities[np.arange(n), backend.to_numpy(y)]).mean()
    assert float(model.train_step(X, y)) == pytest.approx(expected, rel=1e-3) and expected < first
