"""Kernels bound to arrays that stay: the same results, and nothing asked of the arrays again."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.kernels import compose, formulas
from nnxp.kernels.binding import bound
from nnxp.kernels.numpy_kernels import NUMPY
from nnxp.kernels.reference import reference
from nnxp.kernels.register_machine import Machine
from tests.helpers.matrix import Target

NEEDS_NUMBA = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is the extra `fast`: pip install nnxp[fast]"
)
FAST = [False, pytest.param(True, marks=NEEDS_NUMBA)]


def test_a_bound_kernel_writes_what_the_kernel_writes(backend: Target) -> None:
    """Arrays and first numbers given before, numbers between arrays included; the last numbers at the call."""
    own, rng = nnxp.get_backend(backend.spec), np.random.default_rng(0)
    z, b, dy, out, sums = (
        rng.normal(size=shape).astype("float32") for shape in ((6, 3), (1, 3), (6, 3), (6, 3), (1, 3))
    )

    def arrays(*given: Any) -> list[Any]:
        return [own.asarray(a, copy=True) for a in given]

    gradient = compose(formulas.leaky_relu_grad, formulas.scaled_add_row)
    whole = own.fuse(gradient, into=("dy",), column_sums=True)
    alone = arrays(z, b, dy, sums)
    whole(alone[0], alone[1], 0.5, alone[2], 0.25, sums=alone[3])
    given = arrays(z, b, dy, sums)
    bound(whole, given[0], given[1], 0.5, given[2], sums=given[3])(0.25)
    for mine, theirs in zip(given, alone, strict=True):
        assert own.to_numpy(mine).tobytes() == own.to_numpy(theirs).tobytes()

    kernel = own.fuse(formulas.add_row)
    (x, row, target) = arrays(z, b, out)
    call = bound(kernel, x, row, out=target)
    call()
    expected = own.to_numpy(kernel(x, row))
    assert own.to_numpy(target).tobytes() == expected.tobytes()
    x[...] = 2 * x  # the arrays are the same: what is in them may change
    call()
    assert own.to_numpy(target).tobytes() == own.to_numpy(kernel(x, row)).tobytes()


@NEEDS_NUMBA
def test_what_a_loop_cannot_take_is_not_bound_to_it() -> None:
    """Arrays of two dtypes, and one that is not contiguous, go to the kernel as they are."""
    kernel = nnxp.get_backend("numpy", fast=True).fuse(formulas.times)
    wide = np.arange(8, dtype="float32").reshape(2, 4)
    for x in (wide[:, ::2], wide.astype("float64")):
        out = np.zeros(x.shape, "float32")
        bound(kernel, x, 3.0, out=out)()
        np.testing.assert_array_equal(out, 3 * x)


@pytest.mark.parametrize("fast", FAST, ids=["numpy", "numba"])
@pytest.mark.parametrize("smoothing", [0.0, 0.125])
@pytest.mark.parametrize(("n", "m"), [(5, 3), (5, 6), (300, 3), (300, 6)])
def test_labels_of_each_call_are_looked_at(n: int, m: int, fast: bool, smoothing: float) -> None:
    """The softmax cross-entropy is bound to all but the labels: those beyond the classes and rows of shares, too. Few
    classes have loops of their own, and many rows one logarithm."""
    kernel, rng = nnxp.get_backend("numpy", fast=fast).kernels["bias_softmax_crossentropy"], np.random.default_rng(0)
    z, b, factors = rng.normal(size=(n, m)), rng.normal(size=(1, m)), rng.uniform(size=(n, 1))
    given, out = z.copy(), (np.empty(n), np.empty((n, m)))
    call = bound(kernel, given, b, factors=factors, out=out)
    whole, beyond = rng.integers(0, m, n), rng.integers(0, m, n)
    beyond[[1, -2]] = m, -1
    for labels in (whole, beyond, np.eye(m)[whole]):
        given[...] = z
        call(labels, smoothing=smoothing)
        losses, dz = reference(np)["bias_softmax_crossentropy"](z.copy(), b, labels, factors, smoothing)
        np.testing.assert_allclose(out[0], losses, rtol=1e-13)
        np.testing.assert_allclose(out[1], dz, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("fast", FAST, ids=["numpy", "numba"])
@pytest.mark.parametrize("smoothing", [0.0, 0.125])
@pytest.mark.parametrize("m", [3, 6])
def test_whether_the_largest_logit_is_at_the_label(m: int, fast: bool, smoothing: float) -> None:
    """The first of equals, NaN being the largest, as `argmax` has it; of labels of each row or of two in turn."""
    kernel = nnxp.get_backend("numpy", fast=fast).kernels["bias_softmax_crossentropy"]
    nan, bias = np.nan, np.zeros((2, m))
    bias[1, 1], z = 1, np.full((6, m), -np.inf)
    z[:, :3] = [[2.0, 2, 1], [2, 1, 1], [nan, 3, nan], [0, np.inf, np.inf], [-np.inf] * 3, [3, 1, 2]]
    for labels in (np.array([0, 1, 2, 1, 2, 7]), np.array([0, 1, -1]), np.eye(m)[[0, 1, 2, 1, 2, 0]], np.eye(m)[:3]):
        truth = np.repeat(labels, 6 // len(labels), axis=0)
        truth = truth if truth.ndim == 1 else np.argmax(truth, axis=1)
        found = []
        for hits in ((), (np.full(6, 7.0),)):
            out = np.empty(6), np.empty((6, m)), *hits
            with np.errstate(invalid="ignore"):
                bound(kernel, z.copy(), bias, factors=np.ones((6, 1)), out=out)(labels, smoothing=smoothing)
            found.append(out)
        np.testing.assert_array_equal(found[1][2], np.argmax(z + np.tile(bias, (3, 1)), axis=1) == truth)
        np.testing.assert_array_equal(found[0][0], found[1][0])
        np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("fast", FAST, ids=["numpy", "numba"])
def test_a_step_asks_nothing_of_arrays_that_it_knows(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two batch sizes in turn, as at the end of an epoch."""
    own = nnxp.get_backend("numpy", fast=fast)
    layers = [nnxp.Dense(4, 8), "relu", nnxp.Dense(8, 6), "tanh", nnxp.Dense(6, 3), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", "adamw", backend=own, seed=0)
    X, y = np.random.default_rng(0).normal(size=(8, 4)).astype("float32"), np.arange(8) % 3
    sizes = (8, 5, 8, 5)
    for n in sizes:
        model.train_step(X[:n], y[:n])
    asked: list[str] = []

    def counting(self: Machine, *arguments: Any) -> Any:
        asked.append(self.graph.name)
        return call(self, *arguments)

    call: Callable[..., Any] = Machine._call
    monkeypatch.setattr(Machine, "_call", counting)
    for n in sizes:
        model.train_step(X[:n], y[:n])
    assert asked == []
    model.train_step(X[:7], y[:7])  # another size is asked about
    assert asked


def within(got: Any, a: Any, b: Any) -> None:
    """Whether a product is that of `np.matmul`, but for the order of its sums."""
    bound = 2 * a.shape[-1] * np.finfo(a.dtype).eps * (np.abs(a) @ np.abs(b))
    assert (np.abs(got - np.matmul(a, b)) <= bound).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpys_product_is_that_of_matmul(dtype: str) -> None:
    """Whatever the shapes; into what is not contiguous and of several matrices, too. Each of two sums of k products is
    within k roundings of its own, of the magnitudes' sum: which BLAS adds in which order is its own affair."""
    rng, matmul = np.random.default_rng(0), NUMPY["matmul"]
    sizes = (0, 2, 3, 17, 64, 100)
    for n, k, m in [(n, k, m) for n in sizes for k in (1, *sizes) for m in (1, *sizes)]:
        a, b = rng.normal(size=(n, k)).astype(dtype), rng.normal(size=(k, m)).astype(dtype)
        turned = np.ascontiguousarray(a.T).T, np.ascontiguousarray(b.T).T
        for x, w in ((a, b), (turned[0], b), (a, turned[1])):
            out = np.empty((n, m), dtype)
            assert matmul(x, w, out=out) is out
            within(out, x, w)
    x, w = rng.normal(size=(3, 4, 5)).astype(dtype), rng.normal(size=(3, 5, 2)).astype(dtype)
    within(matmul(x, w, out=np.empty((3, 4, 2), dtype)), x, w)
    wide = np.zeros((4, 4), dtype)
    within(matmul(x[0], w[0], out=wide[:, ::2]), x[0], w[0])
    assert not wide[:, 1::2].any()
    with pytest.raises(ValueError, match="matmul"):
        matmul(x[0], x[0], out=np.empty((4, 5), dtype))
