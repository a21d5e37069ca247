"""Layers: the neuron, `NeuronLayer`, `Dense`, `Dropout`, `Rescaling`, a layer of one's own, and what all share."""

import inspect
import math
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnxp
from nnxp import layers, random
from nnxp.layers import LAYERS, Layer
from nnxp.layers.columnwise import Columnwise
from nnxp.layers.normalization import Normalization
from nnxp.layers.scaling import FeatureFactors
from tests.helpers.matrix import Target

Host = npt.NDArray[Any]
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def test_the_registry_holds_every_layer() -> None:
    """Of the package's modules; `Neuron` and `NeuronLayer` are no layers of a model."""
    modules = [m for m in vars(layers).values() if inspect.ismodule(m)]
    defined = {
        c
        for module in modules
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, Layer) and c.__module__ == module.__name__
    }
    assert defined - {Layer, Normalization, FeatureFactors, Columnwise} == set(LAYERS)
    assert all(getattr(nnxp, name) is getattr(layers, name) for name in layers.__all__)


# --- Neuron, NeuronLayer ---------------------------------------------------------------------------


def test_a_neuron_is_a_weighted_sum(backend: Target) -> None:
    """In float64, as Python's own would be, and a Python number."""
    inputs, weights = [1.1, 2.2, 3.3], [0.2, 0.8, -0.5]
    neuron = nnxp.Neuron(backend.asarray(np.array(weights)), 2)
    output = neuron.forward(backend.asarray(np.array(inputs)))
    expected = math.fsum(a * b for a, b in zip(inputs, weights, strict=True)) + 2
    assert type(output) is float and neuron.output is output
    assert abs(output - expected) <= 4 * 4 * np.finfo(float).eps
    assert nnxp.Neuron(weights, 2, backend=backend.spec).forward(inputs) == output


def test_a_neuron_layer_is_a_list() -> None:
    neurons = [nnxp.Neuron([1.0, 2.0], 3.0), nnxp.Neuron([-1.0, 0.5], 0)]
    layer = nnxp.NeuronLayer(neurons)
    assert layer.forward([4.0, 5.0]) == layer.output == [17.0, -1.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nnxp.Neuron([[1.0]], 0), r"got weights of shape \(1, 1\), expected one dimension"),
        (lambda: nnxp.Neuron(3.0), r"got weights of shape \(\), expected one dimension"),
        (lambda: nnxp.Neuron([1.0, 2.0]).forward([1.0]), "got 1 inputs, expected 2, one for each weight"),
        (lambda: nnxp.Neuron([1.0]).forward([[1.0]]), r"got inputs of shape \(1, 1\), expected one dimension"),
        (lambda: nnxp.NeuronLayer([]), r"got \[\], expected a list of at least one Neuron"),
        (lambda: nnxp.NeuronLayer([1.0]), r"got \[1.0\], expected a list of at least one Neuron"),
    ],
)
def test_bad_neurons(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- Dense -----------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    n=st.integers(0, 5),
    n_in=st.integers(1, 5),
    n_out=st.integers(1, 5),
    dtype=st.sampled_from(("float32", "float64")),
    transposed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_dense(backend: Target, n: int, n_in: int, n_out: int, dtype: str, transposed: bool, seed: int) -> None:
    """y = x W + b and its gradients, also of no rows, one row and transposed arrays; the inputs stay."""
    rng = np.random.default_rng(seed)
    x, w, b, dy = (rng.uniform(-2, 2, s).astype(dtype) for s in ((n, n_in), (n_in, n_out), (1, n_out), (n, n_out)))
    arrays = [backend.asarray(a.T).T if transposed else backend.asarray(a) for a in (x, dy)]
    layer = nnxp.Dense(n_in, n_out, dtype=dtype)
    layer.weights, layer.biases = w, b
    layer.forward(arrays[0])
    layer.backward(arrays[1])
    x64, w64, dy64 = x.astype(float), w.astype(float), dy.astype(float)
    terms = max(n, n_in) + n_out + 1
    tolerance = terms * 4 * terms * float(np.finfo(dtype).eps)  # a rounding for each of the terms, up to 2² each
    for got, expected in (
        (layer.output, x64 @ w64 + b),
        (layer.dinputs, dy64 @ w64.T),
        (layer.dweights, x64.T @ dy64),
        (layer.dbiases, np.sum(dy64, axis=0, keepdims=True)),
    ):
        backend.assert_close(got, expected.astype(dtype), atol=tolerance)
    for array, before in zip(arrays, (x, dy), strict=True):
        backend.assert_close(array, before)


def test_dense_penalties(backend: Target) -> None:
    layer = nnxp.Dense(2, 1, l1=0.5, l2=0.25, bias_l1=2.0, bias_l2=1.0, backend=backend.spec)
    layer.weights, layer.biases = [[2.0], [-4.0]], [3.0]
    penalty = 0.5 * (2 + 4) + 0.25 * (4 + 16) + 2 * 3 + 1 * 9
    backend.assert_close(layer.penalty(), np.array(penalty, np.float32))
    layer.forward([[1.0, 1.0]])
    layer.backward([[0.0]])
    backend.assert_close(layer.dweights, np.array([[0.5 + 0.5 * 2], [-0.5 - 0.5 * 4]], np.float32))
    backend.assert_close(layer.dbiases, np.array([[2 + 2 * 3]], np.float32))
    assert nnxp.Dense(2, 1).penalty() is None


def test_dense_seeds() -> None:
    """The same seed gives the same weights, no seed fresh ones; the host draws them (see initializers)."""
    first, again, other, *free = (nnxp.Dense(4, 3, seed=seed).weights for seed in (0, 0, 1, None, None))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other) and not np.any(free[0] == free[1])


def test_dense_draws_when_first_read() -> None:
    """Assigned before, nothing is drawn."""
    layer = nnxp.Dense(2, 1, initializer="zeros")
    layer.weights = [[1.0], [2.0]]
    assert layer.weights.tolist() == [[1], [2]] and layer.biases.tolist() == [[0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nnxp.Dense(0, 1), "got n_in=0, expected a whole number from 1 up"),
        (lambda: nnxp.Dense(1, -2), "got n_out=-2, expected"),
        (lambda: nnxp.Dense(1.5, 1), "got n_in=1.5, expected"),
        (lambda: nnxp.Dense(True, 1), "got n_in=True, expected"),
        (lambda: nnxp.Dense(1, 1, l2=-1), "got l2=-1, expected a number from 0 up"),
        (lambda: nnxp.Dense(1, 1, bias_l1=math.nan), "got bias_l1=nan, expected"),
        (lambda: nnxp.Dense(1, 1, dtype="float16"), 'got dtype=.float16., expected "float32" or "float64"'),
        (lambda: nnxp.Dense(2, 1).forward([[1.0]]), r"got 1 features a sample, expected 2.*Dense\(2, 1\)"),
    ],
)
def test_bad_dense(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- Dropout ---------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout(backend: Target, rate: float, dtype: str) -> None:
    """0 or x / (1 - rate), by the same mask on every backend, forward and backward; a new mask each call."""
    x = np.random.default_rng(0).uniform(1, 2, (40, 30)).astype(dtype)
    array, layer = backend.asarray(x), nnxp.Dropout(rate, seed=3)
    masks = []
    for call in range(2):
        kept = np.ones(x.shape, bool)
        if rate:
            key = random.key(3, "dropout", 0, 0, call)
            kept = random.kept(nnxp.get_backend("numpy"), key, x.shape, rate)
        expected = np.where(kept, x / (1 - rate), 0).astype(dtype)
        masks.append(kept)
        tolerance = 2 * float(np.finfo(dtype).eps)
        backend.assert_close(layer.forward(array, training=True), expected, rtol=tolerance)
        backend.assert_close(layer.backward(array), expected, rtol=tolerance)
    assert rate == 0 or np.any(masks[0] != masks[1])
    backend.assert_close(array, x)


def test_dropout_outside_training_is_the_identity(backend: Target) -> None:
    x = backend.asarray(np.ones((4, 5), np.float32))
    layer = nnxp.Dropout(0.5, seed=0)
    layer.forward(x, training=True)
    for output in (layer.forward(x), layer.backward(x)):
        backend.assert_close(output, np.ones((4, 5), np.float32))


def test_a_call_outside_training_does_not_move_the_masks() -> None:
    x = np.ones((20, 20))
    first, second = nnxp.Dropout(0.5, seed=0), nnxp.Dropout(0.5, seed=0)
    second.forward(x)
    np.testing.assert_array_equal(first.forward(x, training=True), second.forward(x, training=True))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 2, math.nan, "0.5", True])
def test_bad_dropout(rate: Any) -> None:
    with pytest.raises(ValueError, match="got rate=.*, expected a number from 0 up to but not incl"):
        nnxp.Dropout(rate)


# --- Rescaling -------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (0.5, 0.0),
        (1 / 255, -0.5),
        ([0.5, 2.0, 3.0], -1.0),
        (2, [0.1, 0.2, 0.3]),
        (np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.25, 0.125], np.float32)),
    ],
)
def test_rescaling(backend: Target, scale: Any, offset: Any, dtype: str) -> None:
    x = np.array([[1, 2, 3], [-4, 5, 0.5]], dtype)
    layer = nnxp.Rescaling(scale, offset)
    eps = float(np.finfo(dtype).eps)
    exact = x.astype(float) * np.asarray(scale, float) + np.asarray(offset, float)
    backend.assert_close(layer.forward(backend.asarray(x)), exact.astype(dtype), rtol=4 * eps, atol=4 * eps)
    expected = (x.astype(float) * np.asarray(scale, float)).astype(dtype)
    backend.assert_close(layer.backward(backend.asarray(x)), expected, rtol=4 * eps)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nnxp.Rescaling("2"), "got scale='2', expected a finite number, or a sequence with one for"),
        (lambda: nnxp.Rescaling([1.0, "a"]), "got scale=.*'a'.*, expected a finite number"),
        (lambda: nnxp.Rescaling([[1.0], [1.0, 2.0]]), "got scale=.*, expected a finite number"),
        (lambda: nnxp.Rescaling([]), r"got scale=\[\], expected"),
        (lambda: nnxp.Rescaling(1.0, math.inf), "got offset=inf, expected"),
        (lambda: nnxp.Rescaling(True), "got scale=True, expected"),
        (lambda: nnxp.Rescaling([1.0, 2.0], [1.0]), r"got scale and offset for \[1, 2\] features, expected"),
        (lambda: nnxp.Rescaling([1.0, 2.0]).forward([[1.0]]), "got 1 features a sample, expected 2"),
    ],
)
def test_bad_rescaling(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- what all layers share -------------------------------------------------------------------------


MAKE: dict[str, Any] = {
    "Dense": lambda **switch: nnxp.Dense(3, 3, seed=0, **switch),
    "BatchNorm": lambda **switch: nnxp.BatchNorm(3, **switch),
    "LayerNorm": lambda **switch: nnxp.LayerNorm(3, **switch),
    "Dropout": lambda **switch: nnxp.Dropout(0.5, seed=0, **switch),
    "Rescaling": lambda **switch: nnxp.Rescaling(0.5, **switch),
    "Scaling": lambda **switch: nnxp.Scaling(3, **switch),
    "ParametricActivation": lambda **switch: nnxp.ParametricActivation(3, "tanh", **switch),
    "Embedding": lambda **switch: nnxp.Embedding(3, [2, 4], 2, [0, 2], seed=0, **switch),
    "PeriodicEmbedding": lambda **switch: nnxp.PeriodicEmbedding(3, seed=0, **switch),
    "PiecewiseLinearEmbedding": lambda **switch: nnxp.PiecewiseLinearEmbedding(
        3, 3 * [[-3.0, 0.5, 2.0]], 2, seed=0, **switch
    ),
    "bins": lambda **switch: nnxp.PiecewiseLinearEmbedding(3, [[-3.0, 0.5, 2.0]], columns=[1], **switch),
    "SharedDense": lambda **switch: nnxp.SharedDense(3, 3, seed=0, **switch),
    "ReLU": nnxp.ReLU,
    "Softmax": nnxp.Softmax,
}
every_layer = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


def test_every_layer_is_made() -> None:
    assert {cls.__name__ for cls in LAYERS} <= set(MAKE)


@every_layer
def test_a_vector_is_one_row(backend: Target, make: Any) -> None:
    layer = make()
    one, rows = ([1.0, -2.0, 3.0], [[1.0, -2.0, 3.0]])
    output = layer.forward(backend.asarray(one, "float32"))
    backend.assert_close(output, backend.to_numpy(make().forward(backend.asarray(rows, "float32"))))
    assert tuple(layer.backward(backend.asarray(backend.to_numpy(output)[0])).shape) == (1, 3)


@every_layer
def test_a_named_backend_lets_lists_and_host_arrays_in(backend: Target, make: Any) -> None:
    layer = make(backend=backend.spec)
    for x in ([[1.0, 2.0, 3.0]], ((1, 2, 3),), np.array([[1, 2, 3]]), np.array([[1, 2, 3]], np.float32)):
        output = layer.forward(x)
        backend.assert_close(output, backend.to_numpy(output).astype(np.float32))


@every_layer
def test_the_first_array_decides(backend: Target, make: Any) -> None:
    layer = make()
    x = backend.asarray(np.ones((2, 3), np.float32))
    backend.assert_close(layer.forward(x), backend.to_numpy(layer.output))
    assert layer.backend.name == nnxp.get_backend(x).name
    layer.backward(backend.to_numpy(layer.output).tolist())  # a list moves in
    other = {"numpy": "array_api_strict"}.get(backend.module, "numpy")
    stranger = nnxp.get_backend(other).asarray(np.ones((2, 3)))
    with pytest.raises(nnxp.BackendMismatchError, match="follows .*, which it saw first: pass an array of"):
        layer.forward(stranger)


@every_layer
def test_a_named_backend_refuses_a_third_library(make: Any) -> None:
    pytest.importorskip("array_api_strict", reason="a third library")
    layer = make(backend="numpy")
    stranger = nnxp.get_backend("array_api_strict").asarray(np.ones((2, 3)))
    with pytest.raises(nnxp.BackendMismatchError, match="got an array of array_api_strict on .*, where numpy"):
        layer.forward(stranger)


@every_layer
def test_attributes_before_their_time(make: Any) -> None:
    layer = make()
    for name, method in (("inputs", "forward"), ("output", "forward"), ("dinputs", "backward")):
        with pytest.raises(nnxp.NotComputedError, match=f"has no {name}: call {method}"):
            getattr(layer, name)
    with pytest.raises(AttributeError, match="object has no attribute 'weight'"):
        _ = layer.weight
    for name in layer.parameters:
        with pytest.raises(nnxp.NotComputedError, match=rf"has no d{name} yet: call backward\(dvalues\) first"):
            getattr(layer, "d" + name)


@every_layer
def test_config_makes_the_same_layer(make: Any) -> None:
    def made(config: Any) -> Any:
        if not isinstance(config, dict):
            return config
        options = {name: made(value) for name, value in config.items() if name != "class"}
        return getattr(nnxp, config["class"])(**options)

    layer = make()
    assert layer.config()["class"] == type(layer).__name__
    assert made(layer.config()).config() == layer.config()


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            np.zeros((2, 3, 1)),
            ValueError,
            r"got inputs of shape \(2, 3, 1\), expected two dim.*X.reshape\(len\(X\), -1\)",
        ),
        (3.0, ValueError, r"got inputs of shape \(\), expected two dimensions.*wrap the number in a list"),
        ([["a", "b", "c"]], TypeError, "got text, expected numbers"),
        ([[1.0, None, 2.0]], TypeError, "got objects, expected numbers"),
        ([[1.0], [1.0, 2.0]], TypeError, "got nested lists of unequal lengths"),
        ([[1j, 2.0, 3.0]], TypeError, "got complex numbers, expected numbers"),
    ],
)
@every_layer
def test_bad_inputs(make: Any, x: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make().forward(x)


def test_backward_checks_its_rows() -> None:
    layer = nnxp.Tanh()
    layer.forward([[1.0], [2.0]])
    with pytest.raises(ValueError, match="got dvalues with 1 rows, expected 2, as many as the last forward had"):
        layer.backward([[1.0]])


# --- a layer of one's own --------------------------------------------------------------------------


class Shift(Layer):
    """The least a layer with a parameter needs; its forward takes no `training`."""

    parameters = ("shift",)

    def __init__(self, n: int, **switch: Any) -> None:
        super().__init__(**switch)
        self.shift = np.zeros((1, n))

    def forward(self, inputs: Any) -> Any:
        self.inputs = inputs
        self.output = inputs + self.shift
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dshift = self.backend.kernels["column_sums"](dvalues)
        self.dinputs = dvalues
        return self.dinputs


def test_a_layer_of_ones_own_trains(backend: Target) -> None:
    layer = Shift(2, backend=backend.spec)
    layer.forward([[1.0, 2.0], [3.0, 4.0]], training=True)
    layer.backward([[1.0, 0.5], [1.0, 0.5]])
    nnxp.SGD(1.0).update_params(layer)
    backend.assert_close(layer.shift, np.array([[-2, -1]], np.float32))


def test_a_layer_that_is_not_finished_says_what_is_missing() -> None:
    class Empty(Layer):
        pass

    class Unassigned(Layer):
        parameters = ("scale",)

    for call, message in (
        (lambda: Empty().forward([[1.0]]), r"Empty defines no forward\(self, inputs, training=False\)"),
        (lambda: Empty().backward([[1.0]]), r"Empty defines no backward\(self, dvalues\)"),
    ):
        with pytest.raises(NotImplementedError, match=message):
            call()
    with pytest.raises(ValueError, match="declares the parameter 'scale' but never assigns it"):
        _ = Unassigned().scale


def test_a_dropout_layer_can_be_pickled_after_a_step(backend: Target) -> None:
    if backend.module == "array_api_strict":
        pytest.skip("arrays of array-api-strict cannot be pickled")
    layer = nnxp.Dropout(0.5, seed=1)
    x = backend.asarray(np.ones((4, 3), np.float32))
    layer.forward(x, training=True)
    twin = pickle.loads(pickle.dumps(layer))
    backend.assert_close(twin.backward(x), backend.to_numpy(layer.backward(x)))
