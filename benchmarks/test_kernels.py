"""Single kernels. Their floor is no product but memory: one pass over as many numbers as they read and write."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import Measure
from nnxp.kernels import formulas

SIZES = [(32, 128), (128, 512), (1024, 4096)]
LR, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


class Kernels:
    """Arrays of one shape on the backend, and what every kernel's measurement says."""

    def __init__(self, measure: Measure, dtype: str, shape: tuple[int, int], small: bool) -> None:
        self.measure, self.dtype = measure, dtype
        self.shape = (shape[0] // 8, shape[1] // 8) if small else shape
        self.generator = np.random.default_rng(0)

    def normal(self, *shape: int) -> Any:
        values = self.generator.standard_normal(shape or self.shape)
        return self.measure.backend.asarray(values, dtype=self.dtype, copy=True)

    def __call__(self, name: str, action: Callable[[], Any], passes: int) -> Any:
        return self.measure(
            action,
            self.measure.passing(self.dtype, self.shape[0] * self.shape[1] * passes),
            floor_is="one pass over as many numbers",
            kind="kernel",
            case=f"{name} {self.shape}",
            dtype=self.dtype,
            shapes=self.shape,
        )

    def host(self, x: Any) -> Any:
        return self.measure.backend.to_numpy(x).astype(np.float64)

    def assert_close(self, actual: Any, expected: Any, terms: int = 8) -> None:
        """`terms` roundings of numbers as large as the largest."""
        tolerance = terms * np.finfo(self.dtype).eps
        np.testing.assert_allclose(self.host(actual), expected, rtol=tolerance, atol=tolerance * abs(expected).max())


@pytest.fixture(params=SIZES, ids=str)
def kernels(request: pytest.FixtureRequest, measure: Measure, dtype: str, small: bool) -> Kernels:
    return Kernels(measure, dtype, request.param, small)


def test_adam(kernels: Kernels) -> None:
    w, g = kernels.normal(), kernels.normal()
    m, c = w * 0, w * 0
    before, gradient = kernels.host(w), kernels.host(g)
    kernel = kernels.measure.backend.fuse(formulas.adam, into=("w", "m", "c"))
    kernel(w, g, m, c, LR, BETA_1, BETA_2, EPSILON, 1 - BETA_1, 1 - BETA_2)
    # the first step of Adam is lr · sign(g), but for ε
    kernels.assert_close(w, before - LR * gradient / (abs(gradient) + EPSILON))
    kernels("adam", lambda: kernel(w, g, m, c, LR, BETA_1, BETA_2, EPSILON, 0.9, 0.9), 7)


def test_relu_and_bias(kernels: Kernels) -> None:
    def relu_of_sum(z: Any, b: formulas.Row) -> Any:
        return formulas.relu(formulas.add_row(z, b))

    z, b = kernels.normal(), kernels.normal(1, kernels.shape[1])
    out = z * 0
    kernel = kernels.measure.backend.fuse(relu_of_sum)
    result = kernels("relu + bias", lambda: kernel(z, b, out=out), 2)
    kernels.assert_close(result, np.maximum(kernels.host(z) + kernels.host(b), 0))


def test_relu_gradient_and_column_sums(kernels: Kernels) -> None:
    y, dy = kernels.normal(), kernels.normal()
    backend, out, sums = kernels.measure.backend, y * 0, kernels.normal(1, kernels.shape[1])
    kernel = backend.fuse(formulas.relu_grad, column_sums=True)
    kernels("relu gradient + column sums", lambda: kernel(y, dy, out=out, sums=sums), 3)
    expected = np.where(kernels.host(y) > 0, kernels.host(dy), 0)
    kernels.assert_close(out, expected)
    kernels.assert_close(sums, expected.sum(axis=0, keepdims=True), terms=kernels.shape[0])


def test_softmax_crossentropy(kernels: Kernels) -> None:
    n, classes = kernels.shape
    backend, z = kernels.measure.backend, kernels.normal()
    labels = backend.asarray(kernels.generator.integers(0, classes, n), dtype="int64")
    out = (z[:, 0] * 0, z * 0)
    kernel = backend.kernels["softmax_crossentropy"]
    losses, gradient = kernels("softmax cross-entropy", lambda: kernel(z, labels, out=out), 2)
    e = np.exp(kernels.host(z))
    p, picked = e / e.sum(axis=1, keepdims=True), (np.arange(n), backend.to_numpy(labels))
    kernels.assert_close(losses, -np.log(p[picked]), terms=classes + 8)
    p[picked] -= 1
    kernels.assert_close(gradient, p, terms=classes + 8)


def test_gather(kernels: Kernels) -> None:
    """A batch of rows out of eight times as many."""
    n, width = kernels.shape
    backend, X = kernels.measure.backend, kernels.normal(8 * n, width)
    rows = backend.asarray(kernels.generator.permutation(8 * n)[:n], dtype="int64")
    out = X[:n, ...] * 0
    kernel = backend.kernels["gather"]
    result = kernels("gather", lambda: kernel(X, rows, out=out), 2)
    np.testing.assert_array_equal(kernels.host(result), kernels.host(X)[backend.to_numpy(rows)])
