"""The flat store and its views, and the buffers of a training step."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnxp
from nnxp.memory.buffers import Buffers
from nnxp.memory.parameters import Entry, ParameterStore, Span
from tests.helpers.matrix import Target

ENTRIES = [
    Entry(0, "weights", (3, 2), "weights"),
    Entry(0, "biases", (1, 2), "biases"),
    Entry(1, "mean", (1, 2), "state"),
    Entry(2, "weights", (2, 4), "weights"),
    Entry(2, "biases", (1, 4), "biases"),
]


def store(target: Target, dtype: str = "float32") -> ParameterStore:
    return ParameterStore(nnxp.get_backend(target.spec), dtype, ENTRIES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_then_biases_then_state(backend: Target, dtype: str) -> None:
    """In two flat arrays without padding; what is not trained has no gradients."""
    flat = store(backend, dtype)
    assert [(e.owner, e.name) for e in flat.entries] == [
        (0, "weights"), (2, "weights"), (0, "biases"), (2, "biases"), (1, "mean"),
    ]  # fmt: skip
    assert flat.offsets == [0, 6, 14, 16, 20, 22] and flat.trained == 20
    backend.assert_close(flat.values, np.zeros(22, dtype))
    backend.assert_close(flat.gradients, np.zeros(20, dtype))


def test_views_write_through(backend: Target) -> None:
    flat = store(backend)
    for number, entry in enumerate(flat.entries, 1):
        flat.write(flat.view(entry.owner, entry.name), np.full(entry.shape, number), entry.name)
        if entry.kind != "state":
            flat.write(flat.gradient(entry.owner, entry.name), np.full(entry.shape, -number), entry.name)
    expected = np.repeat([1, 2, 3, 4, 5], [6, 8, 2, 4, 2]).astype(np.float32)
    backend.assert_close(flat.values, expected)
    backend.assert_close(flat.gradients, -expected[:20])
    flat.values[6:14] = 9.0
    backend.assert_close(flat.view(2, "weights"), np.full((2, 4), 9, np.float32))


def test_spans_join_what_is_contiguous_and_of_one_kind(backend: Target) -> None:
    flat = store(backend)
    assert flat.spans() == [Span(0, 14, "weights"), Span(14, 20, "biases")]
    assert flat.spans(0) == [Span(0, 6, "weights"), Span(14, 16, "biases")]
    assert flat.spans(2) == [Span(6, 14, "weights"), Span(16, 20, "biases")]
    assert flat.spans(1) == []


@given(
    shapes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(("weights", "biases", "state"))))
)
def test_every_element_has_one_place(shapes: list[tuple[int, int, str]]) -> None:
    """Views fill the store without gap or overlap, and spans cover what is trained."""
    entries = [Entry(i, "x", shape, kind) for i, (*shape, kind) in enumerate(shapes)]  # type: ignore[arg-type]
    flat = ParameterStore(nnxp.get_backend("numpy"), "float32", entries)
    for i in range(len(shapes)):
        flat.view(i, "x")[...] += 1
    np.testing.assert_array_equal(flat.values, np.ones(flat.offsets[-1]))
    covered = [i for span in flat.spans() for i in range(span.start, span.stop)]
    assert covered == list(range(flat.trained))


@pytest.mark.parametrize("shape", [(2, 3), (6,), (1,), (3, 2, 1), ()])
def test_another_shape_is_refused(backend: Target, shape: tuple[int, ...]) -> None:
    layer = nnxp.Dense(3, 2, backend=backend.spec)
    for phase in ("assigned", "drawn"):
        with pytest.raises(ValueError, match=r"got weights of shape \(.*\), expected \(3, 2\)"):
            layer.weights = np.zeros(shape)
        _ = layer.weights, phase
    with pytest.raises(ValueError, match=r"got dbiases of shape \(3,\), expected \(1, 2\)"):
        layer.dbiases = [1.0, 2.0, 3.0]


def test_a_vector_fits_a_row(backend: Target) -> None:
    layer = nnxp.Dense(3, 2, backend=backend.spec)
    layer.biases = [1.0, 2.0]
    backend.assert_close(layer.biases, np.array([[1, 2]], np.float32))
    layer.biases = np.array([3.0, 4.0])
    backend.assert_close(layer.biases, np.array([[3, 4]], np.float32))


def test_assigning_copies_in(backend: Target) -> None:
    """Before and after the store exists: nothing detaches a view, and the source stays free."""
    layer = nnxp.Dense(2, 2, backend=backend.spec)
    make = nnxp.get_backend(backend.spec).asarray
    source = make(np.ones((2, 2), np.float32), copy=True)
    layer.weights = source
    view = layer.weights
    source[...] = 5.0
    backend.assert_close(view, np.ones((2, 2), np.float32))
    layer.weights = source
    source[...] = 7.0
    assert layer.weights is view
    backend.assert_close(view, np.full((2, 2), 5, np.float32))
    view[...] = 8.0
    backend.assert_close(layer.store.values[:4], np.full(4, 8, np.float32))


def test_gradients_keep_their_memory(backend: Target) -> None:
    layer = nnxp.Dense(2, 2, seed=0, backend=backend.spec)
    layer.forward(backend.asarray([[1, 2]], "float32"))
    layer.backward(backend.asarray([[1, 1]], "float32"))
    before = layer.dweights, layer.dbiases
    layer.backward(backend.asarray([[3, 3]], "float32"))
    assert layer.dweights is before[0] and layer.dbiases is before[1]
    backend.assert_close(before[0], np.array([[3, 3], [6, 6]], np.float32))


def test_parameters_have_their_own_dtype(backend: Target) -> None:
    layer = nnxp.Dense(2, 2, seed=0, dtype="float64", backend=backend.spec)
    layer.weights = backend.asarray(np.ones((2, 2), np.float32))
    output = layer.forward(backend.asarray(np.ones((1, 2), np.float32)))
    backend.assert_close(output, np.full((1, 2), 2, np.float64))


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda layer: pickle.loads(pickle.dumps(layer))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copied_layer_has_views_of_its_own_store(backend: Target, copied: Any) -> None:
    layer = nnxp.Dense(2, 3, seed=0, backend=backend.spec)
    layer.forward([[1.0, 2.0]])
    layer.backward([[1.0, 2.0, 3.0]])
    twin = copied(layer)
    backend.assert_close(twin.weights, backend.to_numpy(layer.weights))
    backend.assert_close(twin.dbiases, np.array([[1, 2, 3]], np.float32))
    twin.store.values[...] = 0.5
    backend.assert_close(twin.weights, np.full((2, 3), 0.5, np.float32))
    assert not np.any(backend.to_numpy(layer.weights) == 0.5)
    nnxp.SGD(1.0).update_params(twin)
    backend.assert_close(twin.biases, np.array([[-0.5, -1.5, -2.5]], np.float32))


def test_arrays_that_cannot_be_written_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen(np.ndarray):
        def __setitem__(self, key: Any, value: Any) -> None:
            raise TypeError("immutable")

    monkeypatch.setattr(np, "zeros", lambda *shape, **options: np.empty((0,)).view(Frozen))
    with pytest.raises(TypeError, match="numpy's arrays cannot be written in place, which parameters need"):
        ParameterStore(nnxp.get_backend("numpy"), "float32", [])


# --- buffers ---------------------------------------------------------------------------------------


def test_unbound_buffers_hand_out_nothing() -> None:
    assert Buffers().take(object(), "output", (2, 3)) is None


def test_bound_buffers_are_used_again(backend: Target) -> None:
    """Sized for the largest batch; a shorter one gets the first rows; names and owners do not share."""
    buffers, owner = Buffers(nnxp.get_backend(backend.spec), "float64"), object()
    large = buffers.take(owner, "output", (4, 3))
    large[...] = 1.0
    backend.assert_close(large, np.ones((4, 3)))
    assert buffers.take(owner, "output", (4, 3)) is large
    short = buffers.take(owner, "output", (2, 3))
    short[...] = 2.0
    backend.assert_close(large, np.array([[2.0] * 3] * 2 + [[1.0] * 3] * 2))
    assert buffers.take(owner, "output", (4, 3)) is large
    for other in (buffers.take(owner, "dinputs", (4, 3)), buffers.take(object(), "output", (4, 3))):
        other[...] = 9.0
    backend.assert_close(short, np.full((2, 3), 2.0))
    assert tuple(buffers.take(owner, "output", (6, 3)).shape) == (6, 3)
    assert tuple(buffers.take(owner, "output", (2, 5)).shape) == (2, 5)
