"""`get_backend` for everything that names a backend, what moves in and out, and what is said where one is missing."""

import importlib.util
import os
import pickle
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnxp
from nnxp import Backend, BackendMismatchError, BackendUnavailableError, get_backend
from nnxp.backends import finding
from tests.helpers.matrix import Target

torch_only = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
strict_only = pytest.mark.skipif(importlib.util.find_spec("array_api_strict") is None, reason="needs array-api-strict")


# --- what names a backend --------------------------------------------------------------------------


def test_by_name_and_by_array(backend: Target) -> None:
    named = get_backend(backend.spec)
    followed = get_backend(backend.asarray([1.0]))
    assert named == followed and hash(named) == hash(followed)
    assert named.name == backend.spec and named.library == backend.module
    assert named.dtype == "float32" and named.reason == ""
    assert repr(named) == f"<nnxp backend {backend.spec}, float32{', fast' if named.fast else ''}>"
    assert named.device == backend.device
    assert get_backend(named) is named


def test_by_namespace(backend: Target) -> None:
    """The library itself and array-api-compat's wrapping of it."""
    assert get_backend(backend.xp).library == backend.module
    assert get_backend(get_backend(backend.spec).xp).library == backend.module
    if backend.module != "array_api_strict":
        import array_api_compat

        wrapped = array_api_compat.array_namespace(backend.asarray([1.0]))
        assert get_backend(wrapped).library == backend.module


@torch_only
def test_array_api_compats_modules_by_hand() -> None:
    import array_api_compat.numpy
    import array_api_compat.torch

    assert get_backend(array_api_compat.numpy) == get_backend("numpy")
    assert get_backend(array_api_compat.torch) == get_backend("torch")


@pytest.mark.parametrize("x", [[1.0, 2.0], ((1, 2),), 3.0, 3, True, np.float32(1), np.ones(2, np.int8)])
def test_what_numpy_reads_is_numpys(x: Any) -> None:
    assert get_backend(x).name == "numpy"


@strict_only
def test_a_name_with_a_dash() -> None:
    assert get_backend("array-api-strict") == get_backend("array_api_strict")


def test_numpy_has_one_device() -> None:
    assert get_backend("numpy:cpu") == get_backend("numpy")


@torch_only
def test_torch_has_its_cpu_by_any_name() -> None:
    assert get_backend("torch:cpu") == get_backend("torch") == get_backend("torch", "float32")


def test_dtypes(backend: Target) -> None:
    double = get_backend(backend.spec, "float64")
    assert double.dtype == "float64" and double != get_backend(backend.spec)
    assert get_backend(double, "float32") == double.with_dtype("float32") == get_backend(backend.spec)
    assert get_backend(double).dtype == "float64"
    assert double.with_dtype("float64") is double
    assert get_backend("numpy", np.float64).dtype == get_backend("numpy", np.dtype("float64")).dtype == "float64"


def test_backends_travel(backend: Target) -> None:
    """By name: a pickled layer finds its library again."""
    double = get_backend(backend.spec, "float64")
    assert pickle.loads(pickle.dumps(double)) == double


def test_auto_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = get_backend("auto")
    assert chosen.reason
    monkeypatch.setattr(finding, "_import", missing)
    alone = get_backend("auto", "float64")
    assert (alone.name, alone.dtype) == ("numpy", "float64")
    assert alone.reason.startswith("no GPU backend runs here (") and alone.reason.count("missing") == 2  # CuPy, PyTorch


def missing(library: str) -> ModuleType:
    raise BackendUnavailableError(f"{library} is missing")


# --- what moves in and out -------------------------------------------------------------------------

NUMBERS = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.int8, np.uint8, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    elements={"min_value": 0, "max_value": 1},
)


@given(host=NUMBERS, dtype=st.sampled_from((None, "float32", "float64", "int64")))
def test_asarray_and_back(backend: Target, host: Any, dtype: str | None) -> None:
    """From the host and from the backend itself: floating arrays keep their precision, all else takes the default."""
    here = get_backend(backend.spec)
    wanted = dtype or (str(host.dtype) if host.dtype.kind == "f" else "float32")
    array = backend.asarray(host)
    for x in (host, array):
        moved = here.asarray(x, dtype=dtype)
        backend.assert_close(moved, host.astype(wanted))
        back = here.to_numpy(moved)
        assert type(back) is np.ndarray and back.dtype == wanted
    backend.assert_close(array, host)


@pytest.mark.parametrize("x", [[[1.5, 2.0]], ((1.5, 2.0),), [1, 2], [True, False], 1.5, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lists_and_numbers_take_the_default(backend: Target, x: Any, dtype: str) -> None:
    here = get_backend(backend.spec, dtype)
    backend.assert_close(here.asarray(x), np.array(x, dtype))


def test_asarray_copies_where_it_is_told_to(backend: Target) -> None:
    here = get_backend(backend.spec)
    array = here.asarray(np.ones((2, 2), np.float32), copy=True)
    assert here.asarray(array) is array or backend.module == "torch"
    same, other = here.asarray(array), here.asarray(array, copy=True)
    array[...] = 5.0
    backend.assert_close(same, np.full((2, 2), 5, np.float32))
    backend.assert_close(other, np.ones((2, 2), np.float32))


def test_what_moves_to_a_device_is_a_copy(backend: Target) -> None:
    """NumPy's own arrays are at home: those are not copied."""
    host = np.ones(3, np.float32)
    moved = get_backend(backend.spec).asarray(host)
    host[...] = 5
    assert (moved is host) == (backend.module == "numpy")
    backend.assert_close(moved, np.full(3, 5 if moved is host else 1, np.float32))


@strict_only
def test_a_third_library_is_refused(backend: Target) -> None:
    stranger = {"array_api_strict": "torch"}.get(backend.module, "array_api_strict")
    if importlib.util.find_spec(stranger) is None:
        pytest.skip("needs two libraries besides NumPy")
    array = get_backend(stranger).asarray([1.0])
    message = f"got an array of {stranger} on .*, where {backend.spec} is used: convert it first.*get_backend"
    with pytest.raises(BackendMismatchError, match=message):
        get_backend(backend.spec).asarray(array)


@strict_only
def test_another_device_is_refused() -> None:
    here, there = get_backend("array_api_strict"), get_backend("array_api_strict:device1")
    for one, other in ((here, there), (there, here)):
        assert one != other and not one.owns(other.asarray([1.0]))
        with pytest.raises(BackendMismatchError, match="got an array of array_api_strict on"):
            one.asarray(other.asarray([1.0]))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (["a"], "got text, expected numbers: encode text as numbers"),
        ([b"a"], "got bytes, expected numbers"),
        ([None, 1.0], "got objects, expected numbers"),
        (np.array([1, 2], object), "got objects, expected numbers"),
        ([1j], "got complex numbers, expected numbers"),
        ([[1.0], [1.0, 2.0]], "got nested lists of unequal lengths"),
        (np.array(["2020-01-01"], "datetime64[D]"), "got datetime64.*, expected numbers"),
    ],
)
def test_what_is_no_number_is_refused(backend: Target, x: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        get_backend(backend.spec).asarray(x)


@torch_only
def test_tensors_leave_their_graph() -> None:
    import torch

    class Mine(torch.Tensor):
        pass

    here = get_backend("torch")
    source = torch.ones(2, requires_grad=True)
    for x in (source, source * 2, torch.nn.Parameter(torch.ones(2)), torch.ones(2).as_subclass(Mine)):
        assert get_backend(x) == here and here.owns(x)
        moved = here.asarray(x)
        assert not moved.requires_grad and moved.grad_fn is None
    layer = nnxp.Dense(2, 1, backend="torch")
    layer.weights = torch.ones((2, 1), requires_grad=True)
    layer.forward(source[None, :])
    assert not layer.weights.requires_grad and not layer.output.requires_grad
    assert source.requires_grad


def test_numpys_subclasses_become_arrays() -> None:
    """A matrix's `*` is another product."""
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0]])
    assert type(get_backend("numpy").asarray(matrix)) is np.ndarray


def test_synchronize_and_context(backend: Target) -> None:
    here = get_backend(backend.spec)
    with here.context():
        here.synchronize()


# --- what is missing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nunpy", 'got backend "nunpy", which is not installed here; the names are "numpy", "cupy", "torch"'),
        ("json", 'got backend "json", which is no array library; the names are "numpy"'),
        ("math", 'got backend "math", which is no array library'),
        ("", "got backend '', expected"),
        (":0", "got backend '', expected"),
        ("no such thing", "got backend 'no such thing', expected"),
        ("numpy:gpu", "NumPy has no device 'gpu': use backend=\"numpy\""),
    ],
)
def test_unknown_names(spec: str, message: str) -> None:
    with pytest.raises(BackendUnavailableError, match=message):
        get_backend(spec)


@pytest.mark.parametrize("spec", [None, object(), {"a": 1}, {1, 2}, 1j, print], ids=lambda spec: type(spec).__name__)
def test_what_names_no_backend(spec: Any) -> None:
    with pytest.raises(TypeError, match="got .*, expected an array, a namespace, a name or a Backend"):
        get_backend(spec)


@pytest.mark.parametrize("dtype", ["float16", "int64", "double", np.int32, 32])
def test_unknown_dtypes(dtype: Any) -> None:
    with pytest.raises(ValueError, match='got dtype=.*, expected "float32" or "float64"'):
        get_backend("numpy", dtype)


@strict_only
def test_an_unknown_device_of_strict() -> None:
    with pytest.raises(BackendUnavailableError, match=r'array_api_strict has no device "gpu"; it has cpu_device, dev'):
        get_backend("array_api_strict:gpu")


@torch_only
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "nonsense"])
def test_an_unavailable_device_of_torch(device: str) -> None:
    import torch

    kind = device.partition(":")[0]
    if getattr(getattr(torch, kind, None), "is_available", lambda: False)() and device != "cuda:7":
        pytest.skip(f"this machine has {kind}")
    message = f'backend "torch:{device}" is not available here: .*Use backend="torch" for the CPU'
    with pytest.raises(BackendUnavailableError, match=message):
        get_backend(f"torch:{device}")


@torch_only
def test_float64_where_the_device_has_none() -> None:
    """Every statement of an Apple GPU's float32 alone, without one."""
    from dataclasses import replace

    with pytest.raises(ValueError, match='device "mps" has no float64: use dtype="float32"'):
        replace(get_backend("torch"), name="torch:mps:0").with_dtype("float64")


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # what Python itself keeps for a failed import
    message = f'backend "{library}" needs the package {library}, which is missing: pip install "nnxp'
    with pytest.raises(BackendUnavailableError, match=message):
        get_backend(library)


@pytest.mark.parametrize(
    ("library", "error", "message"),
    [
        ("cupy", ImportError("libcudart.so.12: cannot open", name="libcudart"), r"libcudart.so.12: .*\. Reinstall it"),
        ("cupy", PermissionError(13, "denied", "/cache"), r"denied: '/cache'\. Its cache folder has to be writable"),
        ("torch", OSError("libtorch.so: cannot open shared object file"), r"libtorch.so: .* file\. Reinstall it"),
        ("array_api_strict", AttributeError("partially initialised"), r"partially initialised\. Reinstall it"),
    ],
)
def test_a_package_that_does_not_import(
    monkeypatch: pytest.MonkeyPatch, library: str, error: Exception, message: str
) -> None:
    def failing(name: str) -> ModuleType:
        raise error

    monkeypatch.setattr(finding.importlib, "import_module", failing)
    with pytest.raises(BackendUnavailableError, match=f"{library} is installed but does not import: .*{message}"):
        get_backend(library)


# --- what it costs ---------------------------------------------------------------------------------


def test_numpy_needs_no_other_library() -> None:
    """A whole layer, loss and step on NumPy import none of the optional packages."""
    code = """
import sys, nnxp
layer = nnxp.Dense(2, 2, seed=0)
loss = nnxp.SoftmaxCrossentropy()
layer.backward(loss.backward(layer.forward([[1.0, 2.0]]), [0]))
nnxp.Adam().update_params(layer)
print(*sorted({"array_api_compat", "cupy", "torch", "numba", "matplotlib"} & set(sys.modules)))
"""
    env = {**os.environ, "NNXP_FAST": "0"}  # else numba, where it is installed
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert result.stdout.split() == []


def test_backend_is_public() -> None:
    assert isinstance(get_backend("numpy"), Backend)
