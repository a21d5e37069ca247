"""Products by cuBLAS itself: NumPy's numbers for every layout, and what is left to CuPy."""

from typing import Any

import numpy as np
import pytest

import nnxp
from tests.helpers import needs

pytestmark = needs.cupy_on_host
RNG = np.random.default_rng(0)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many products went to cuBLAS, and how many of them had to be looked at."""
    from nnxp.kernels.cuda import cupy_kernels, products

    counts, looked_at, gemm = {"taken": 0, "looked at": 0, "left": 0}, products.looked_at, products.gemm

    def look(*given: Any) -> Any:
        counts["looked at"] += 1
        return looked_at(*given)

    def made() -> Any:
        product = gemm()

        def counted(*given: Any) -> bool:
            taken = product(*given)
            counts["taken" if taken else "left"] += 1
            return taken

        return counted

    monkeypatch.setattr(products, "looked_at", look)
    monkeypatch.setattr(cupy_kernels, "gemm", made)
    return counts


def matmul() -> Any:
    """The kernel, of a table of its own, so that nothing is known yet."""
    import array_api_compat.cupy
    import cupy

    from nnxp.kernels.cuda.cupy_kernels import cupy_kernels

    return cupy_kernels(cupy, array_api_compat.cupy)["matmul"]


def arrays(m: int, k: int, n: int, dtype: str, a_by_rows: bool, b_by_rows: bool) -> tuple[Any, Any, Any]:
    import cupy

    a = cupy.asarray(RNG.standard_normal((m, k) if a_by_rows else (k, m)).astype(dtype))
    b = cupy.asarray(RNG.standard_normal((k, n) if b_by_rows else (n, k)).astype(dtype))
    return a if a_by_rows else a.T, b if b_by_rows else b.T, cupy.full((m, n), np.nan, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 7, 3), (5, 1, 3), (5, 7, 1), (1, 1, 1), (64, 33, 17)])
@pytest.mark.parametrize(("a_by_rows", "b_by_rows"), [(True, True), (False, True), (True, False), (False, False)])
def test_every_layout(
    dtype: str, shape: tuple[int, int, int], a_by_rows: bool, b_by_rows: bool, seen: dict[str, int]
) -> None:
    a, b, out = arrays(*shape, dtype, a_by_rows, b_by_rows)
    kernel = matmul()
    assert kernel(a, b, out=out) is out
    bound = 2 * shape[1] * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(out.get(), a.get() @ b.get(), rtol=0, atol=bound * np.abs(a.get()).max() * 8)
    a *= 2  # the same arrays with other values: known, and computed anew
    kernel(a, b, out=out)
    np.testing.assert_allclose(out.get(), a.get() @ b.get(), rtol=0, atol=bound * np.abs(a.get()).max() * 8)
    assert seen == {"taken": 2, "looked at": 1, "left": 0}


def test_what_is_left_to_cupy(seen: dict[str, int]) -> None:
    import cupy

    a, b, out = arrays(4, 6, 5, "float32", True, True)
    wide, square = cupy.ones((8, 12), "float32"), cupy.ones((4, 4), "float32")
    kernel = matmul()
    cases = {
        "a view with gaps": (wide[::2, ::2], b, out),
        "integers": (a.astype("int32"), b.astype("int32"), out.astype("int32")),
        "nothing to add": (a[:, :0], b[:0], out),
        "no rows": (a[:0], b, out[:0]),
    }
    for name, (x, y, z) in cases.items():
        np.testing.assert_allclose(kernel(x, y, out=z).get(), x.get() @ y.get(), rtol=1e-5, err_msg=name)
    expected = square.get() @ square.get()
    np.testing.assert_allclose(kernel(square, square, out=square).get(), expected)  # CuPy makes a copy
    assert seen["taken"] == 0 and seen["left"] == 5
    with pytest.raises(ValueError):
        kernel(a, a, out=out)
    with pytest.raises(ValueError):
        kernel(a, b, out=out[:2])


def test_a_shape_that_is_assigned_to_is_seen(seen: dict[str, int]) -> None:
    a, b, out = arrays(6, 4, 5, "float32", True, True)
    kernel = matmul()
    kernel(a, b, out=out)
    a.shape = (4, 6)
    with pytest.raises(ValueError):
        kernel(a, b, out=out)


def test_an_identity_that_is_used_again_is_seen(seen: dict[str, int]) -> None:
    kernel = matmul()
    for size in (3, 4, 5) * 4:  # each array is gone before the next is made, often at the same address
        a, b, out = arrays(size, size, size, "float64", True, True)
        kernel(a, b, out=out)
        np.testing.assert_allclose(out.get(), a.get() @ b.get(), rtol=1e-12, atol=1e-14)
        del a, b, out


def test_cupys_other_compute_types_stay_with_it(seen: dict[str, int]) -> None:
    from cupy._core import _routines_linalg as linalg

    a, b, out = arrays(3, 3, 3, "float32", True, True)
    kernel, before = matmul(), linalg.get_compute_type("float32")
    try:
        linalg.set_compute_type("float32", linalg.COMPUTE_TYPE_PEDANTIC)
        kernel(a, b, out=out)
        assert seen["left"] == 1
        linalg.set_compute_type("float32", linalg.COMPUTE_TYPE_TF32)
        kernel(a, b, out=out)
        assert seen["taken"] == 1
    finally:
        linalg.set_compute_type("float32", before)


def test_a_training_step_looks_at_one_product_of_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the first layer's, whose batch is the caller's and is turned round anew."""
    import cupy

    from nnxp.kernels.cuda import products

    looks, looked_at = [0], products.looked_at
    monkeypatch.setattr(products, "looked_at", lambda *given: (looks.append(1), looked_at(*given))[1])
    layers = [nnxp.Dense(6, 5), "relu", nnxp.Dense(5, 4), "relu", nnxp.Dense(4, 3), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", backend="cupy", seed=0)
    X, y = cupy.ones((8, 6), "float32"), cupy.zeros(8, "int64")
    for _ in range(3):
        model.train_step(X, y)
    before = sum(looks)
    for _ in range(5):
        model.train_step(X, y)
    assert sum(looks) - before == 5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(16, 16), (17, 40), (15, 40)])
@pytest.mark.parametrize("beside", [False, True], ids=["", "weights side by side"])
def test_blocks_side_by_side(dtype: str, sizes: tuple[int, int], beside: bool) -> None:
    """Each of the three is one launch for all blocks, by cuBLAS where they are wide, however these lie in memory."""
    import array_api_compat.cupy
    import cupy

    from nnxp.kernels.cuda.cupy_kernels import cupy_kernels
    from tests.helpers.hostcuda import counters

    kernels, (h, k), n, d = cupy_kernels(cupy, array_api_compat.cupy), sizes, 21, 3
    x, w, dy = (RNG.standard_normal(s) for s in ((n, d, h), (d, h, k), (n, d, k)))
    x, w, dy = (a.astype(dtype).astype(float) for a in (x, w, dy))
    for name, given, spec, terms in (
        ("block_products", (x, w), "ndh,dhk->ndk", h),
        ("block_dinputs", (dy, w), "ndk,dhk->ndh", k),
        ("block_dweights", (x, dy), "ndh,ndk->dhk", n),
    ):
        arrays = [cupy.asarray(a.astype(dtype)) for a in given]
        arrays = [a if a.shape[0] == d else a.reshape(n, -1) for a in arrays]
        like = [cupy.asarray(w.astype(dtype))] if name == "block_dweights" else []
        if beside:
            arrays = [cupy.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1) if a.ndim == 3 else a for a in arrays]
        out = cupy.empty((h, d, k), dtype).swapaxes(0, 1) if beside and like else None
        kernels[name](*arrays, *like, out=out)  # the first time CuPy may ask the device for more than the launch
        counters(reset=True)
        got = kernels[name](*arrays, *like, out=out)
        counted = counters()
        assert (counted["launches"], counted["products"]) == (1, int(min(sizes) >= 16))
        exact, size = np.einsum(spec, *given), np.einsum(spec, *map(np.abs, given))
        error = np.abs(got.get().reshape(exact.shape) - exact)
        assert (error <= 2 * terms * np.finfo(dtype).eps * size).all()
