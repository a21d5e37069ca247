"""The book's names: what they keep of the book, where they must differ, and the book's own training runs."""

import functools
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import get_backend, nnfs
from tests.helpers import book
from tests.helpers.matrix import Target

ROOT = Path(__file__).resolve().parents[2]
U32, U64 = 2.0**-24, 2.0**-53  # what one rounding may cost, relative

PROBABILITIES = [[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]]
CLASSES = [0, 1, 1]
ONE_HOT = np.eye(3)[CLASSES]


def names(target: Target, dtype: str = "float64") -> Any:
    return nnfs.on(get_backend(target.spec, dtype))


def address(target: Target, array: Any) -> int:
    """Where an array's numbers begin in memory."""
    if target.module == "torch":
        return int(array.data_ptr())
    if target.module == "cupy":
        return int(array.data.ptr)
    host = array._array if target.module == "array_api_strict" else array
    return int(host.__array_interface__["data"][0])


# --- names -----------------------------------------------------------------------------------------


def test_the_other_spellings_are_the_same_classes() -> None:
    for there in (nnfs, nnfs.on("numpy")):
        assert there.LayerDense is there.Layer_Dense
        assert there.Activation_ReLU is there.ActivationReLU
        assert there.Activation_Softmax is there.ActivationSoftmax
    assert nnfs.Neuron is nnxp.Neuron
    assert nnfs.Layer is nnxp.NeuronLayer


def test_on_gives_every_name(backend: Target) -> None:
    assert set(vars(nnfs.on(backend.spec))) == set(nnfs.__all__)


def test_on_moves_lists_and_host_arrays_in(backend: Target) -> None:
    bound = nnfs.on(backend.spec)
    layer = bound.Layer_Dense(2, 3)
    layer.weights = np.ones((2, 3))
    for inputs in (
        [[1.0, 2.0]],
        np.array([[1.0, 2.0]], dtype=np.float32),
        backend.asarray([[1, 2]], "float32"),
    ):
        backend.assert_close(layer.forward(inputs), np.full((1, 3), 3, dtype=np.float32))
        backend.assert_close(bound.ActivationReLU().forward(inputs), np.array([[1, 2]], dtype=np.float32))
    backend.assert_close(bound.Activation_Softmax().forward([[0.0, 0.0]]), np.full((1, 2), 0.5, dtype=np.float32))
    assert bound.Neuron([2.0], 1.0).forward(backend.asarray([3.0])) == 7.0


def test_on_refuses_at_once_what_is_not_there() -> None:
    with pytest.raises(nnxp.BackendUnavailableError, match="no_such_library"):
        nnfs.on("no_such_library")


def test_without_on_the_inputs_decide(backend: Target) -> None:
    layer, relu = nnfs.Layer_Dense(2, 1), nnfs.ActivationReLU()
    layer.weights, layer.biases = [[1.0], [2.0]], [[0.5]]
    output = relu.forward(layer.forward(backend.asarray([[1.0, 1.0]], "float32")))
    backend.assert_close(output, np.array([[3.5]], dtype=np.float32))


def test_arguments_stand_in_the_books_order() -> None:
    sgd = nnfs.Optimizer_SGD(0.5, 0.1, 0.9)
    assert (sgd.learning_rate, sgd.decay, sgd.momentum) == (0.5, 0.1, 0.9)
    adagrad = nnfs.Optimizer_Adagrad(0.5, 0.1, 1e-3)
    assert (adagrad.learning_rate, adagrad.decay, adagrad.epsilon) == (0.5, 0.1, 1e-3)
    rmsprop = nnfs.Optimizer_RMSprop(0.5, 0.1, 1e-3, 0.8)
    assert (rmsprop.learning_rate, rmsprop.decay, rmsprop.epsilon, rmsprop.rho) == (0.5, 0.1, 1e-3, 0.8)
    adam = nnfs.Optimizer_Adam(0.5, 0.1, 1e-3, 0.8, 0.7)
    assert (adam.learning_rate, adam.decay, adam.epsilon, adam.beta_1, adam.beta_2) == (
        0.5,
        0.1,
        1e-3,
        0.8,
        0.7,
    )


def test_defaults_are_the_books() -> None:
    for name in ("SGD", "Adagrad", "RMSprop", "Adam"):
        ours, theirs = getattr(nnfs, f"Optimizer_{name}")(), getattr(book, f"Optimizer_{name}")()
        assert {key: getattr(ours, key) for key in vars(theirs)} == vars(theirs)


# --- layers and activations ------------------------------------------------------------------------


def test_the_books_seed_gives_the_books_weights(backend: Target) -> None:
    """randn after np.random.seed(0) begins 1.76405235, 0.40015721, 0.97873798 (the book's chapter 3)."""
    np.random.seed(0)
    layer = names(backend).Layer_Dense(2, 3)
    np.random.seed(0)
    theirs = book.Layer_Dense(2, 3)
    backend.assert_close(layer.weights, theirs.weights)
    backend.assert_close(layer.weights[0, ...], np.array([0.0176405235, 0.0040015721, 0.0097873798]), atol=1e-10)
    backend.assert_close(layer.biases, np.zeros((1, 3)))


def test_weights_are_drawn_when_the_layer_is_built(backend: Target) -> None:
    np.random.seed(0)
    first, second = names(backend).Layer_Dense(1, 2), names(backend).Layer_Dense(2, 1)
    draws = 0.01 * np.random.RandomState(0).randn(4)
    backend.assert_close(second.weights, draws[2:].reshape(2, 1))  # read in the other order
    backend.assert_close(first.weights, draws[:2].reshape(1, 2))


def test_a_vector_is_one_row(backend: Target) -> None:
    layer = names(backend).Layer_Dense(4, 3)
    layer.weights, layer.biases = np.arange(12.0).reshape(4, 3), [1.0, 0.0, -1.0]
    backend.assert_close(layer.forward([1.0, 0.0, 0.0, 1.0]), np.array([[10.0, 11.0, 12.0]]))
    backend.assert_close(layer.forward(backend.asarray([1.0, 0.0, 0.0, 1.0])), np.array([[10.0, 11.0, 12.0]]))


def test_gradients_keep_their_memory(backend: Target) -> None:
    layer = names(backend).Layer_Dense(2, 3)
    layer.forward([[1.0, 2.0], [3.0, 4.0]])
    layer.backward([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    held = (layer.dweights, layer.dbiases)
    places = [address(backend, gradient) for gradient in held]
    layer.forward([[5.0, 6.0]])
    layer.backward([[0.0, 0.0, 1.0]])
    assert [address(backend, gradient) for gradient in (layer.dweights, layer.dbiases)] == places
    for gradient, new in zip(held, ([[0.0, 0.0, 5.0], [0.0, 0.0, 6.0]], [[0.0, 0.0, 1.0]]), strict=True):
        backend.assert_close(gradient, np.array(new))


def test_earlier_outputs_stay_valid(backend: Target) -> None:
    layer, relu = names(backend).Layer_Dense(1, 1), names(backend).ActivationReLU()
    layer.weights = [[2.0]]
    first, rectified = layer.forward([[1.0]]), relu.forward([[1.0]])
    layer.forward([[5.0]])
    relu.forward([[5.0]])
    backend.assert_close(first, np.array([[2.0]]))
    backend.assert_close(rectified, np.array([[1.0]]))


@pytest.mark.parametrize("given", ["array", "list"])
def test_backward_reads_an_output_set_by_hand(backend: Target, given: str) -> None:
    relu, softmax = names(backend).ActivationReLU(), names(backend).ActivationSoftmax()
    positive, p = [[1.0, 0.0, 2.0]], [[0.5, 0.25, 0.25]]
    dvalues = backend.asarray([[3.0, 5.0, 7.0]])
    relu.forward([[-1.0, 1.0, -1.0]])
    softmax.forward([[9.0, 9.0, 1.0]])
    relu.output = backend.asarray(positive) if given == "array" else positive
    softmax.output = backend.asarray(p) if given == "array" else p
    backend.assert_close(relu.backward(dvalues), np.array([[3.0, 0.0, 7.0]]))
    # y (dy - Σ dy y), Σ dy y = 1.5 + 1.25 + 1.75 = 4.5
    backend.assert_close(softmax.backward(dvalues), np.array([[-0.75, 0.125, 0.625]]))


def test_backward_of_an_output_set_by_hand_needs_no_forward(backend: Target) -> None:
    softmax = names(backend).ActivationSoftmax()
    softmax.output = [[0.5, 0.5]]
    backend.assert_close(softmax.backward([[1.0, 0.0]]), np.array([[0.25, -0.25]]))


def softmaxes(target: Target, samples: int) -> tuple[Any, Any, Any]:
    """Ours and the book's after the same forward pass, and the gradient of a loss by the output."""
    generator = np.random.RandomState(1)
    logits, dvalues = generator.randn(samples, 5) * 3, generator.randn(samples, 5)
    ours, theirs = names(target).ActivationSoftmax(), book.Activation_Softmax()
    ours.forward(target.asarray(logits))
    theirs.forward(logits)
    return ours, theirs, dvalues


def test_softmax_backward_is_the_jacobian(backend: Target) -> None:
    ours, theirs, dvalues = softmaxes(backend, 7)
    theirs.backward(dvalues)
    # Some 20 roundings, of sums whose magnitudes |y| (|dy| + Σ |dy| y) are at most 2 max |dy|.
    backend.assert_close(ours.backward(backend.asarray(dvalues)), theirs.dinputs, atol=40 * U64 * np.abs(dvalues).max())


def test_softmax_backward_has_no_loop(backend: Target) -> None:
    """As many Python calls for 100 samples as for 2."""

    def calls(samples: int) -> int:
        ours, _, dvalues = softmaxes(backend, samples)
        dvalues, count = backend.asarray(dvalues), 0

        def counted(frame: Any, event: str, argument: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        ours.backward(dvalues)  # whatever happens only the first time
        before = sys.getprofile()
        gc.disable()  # a collection calls back whoever asked, as hypothesis does
        sys.setprofile(counted)
        try:
            ours.backward(dvalues)
        finally:
            sys.setprofile(before)
            gc.enable()
        return count

    assert calls(100) == calls(2)


# --- losses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [CLASSES, ONE_HOT.tolist()], ids=["indices", "rows"])
def test_known_answer_of_the_combined_backward(backend: Target, y: Any) -> None:
    """With no forward before it."""
    combined = names(backend).Activation_Softmax_Loss_CategoricalCrossentropy()
    combined.backward(backend.asarray(PROBABILITIES), backend.asarray(y))
    printed = [[-0.1, 0.0333, 0.0667], [0.0333, -0.1667, 0.1333], [0.0067, -0.0333, 0.0267]]
    backend.assert_close(combined.dinputs, np.array(printed), atol=1e-4)
    backend.assert_close(combined.dinputs, (np.array(PROBABILITIES) - ONE_HOT) / 3, atol=3 * U64)


def test_combined_backward_is_the_composition(backend: Target) -> None:
    """And softmax's own backward, alone, is not it: each derivative is its own function's."""
    there = names(backend)
    softmax, loss = there.ActivationSoftmax(), there.Loss_CategoricalCrossentropy()
    combined = there.Activation_Softmax_Loss_CategoricalCrossentropy()
    softmax.output = backend.asarray(PROBABILITIES)
    composed = softmax.backward(loss.backward(softmax.output, CLASSES))
    theirs = book.Loss_CategoricalCrossentropy()
    theirs.backward(np.array(PROBABILITIES), np.array(CLASSES))
    backend.assert_close(loss.dinputs, theirs.dinputs, rtol=4 * U64)
    fused = backend.to_numpy(combined.backward(softmax.output, CLASSES))
    backend.assert_close(composed, fused, atol=10 * U64)


def test_loss_needs_no_forward_for_its_backward(backend: Target) -> None:
    loss = names(backend).Loss_CategoricalCrossentropy()
    assert loss.backward(PROBABILITIES, CLASSES) is loss.dinputs
    backend.assert_close(loss.dinputs, -ONE_HOT / np.array(PROBABILITIES) / 3, rtol=4 * U64)


def test_combined_forward_gives_the_mean_loss_and_the_probabilities(backend: Target) -> None:
    combined = names(backend).Activation_Softmax_Loss_CategoricalCrossentropy()
    loss = combined.forward(np.log(PROBABILITIES), CLASSES)
    backend.assert_close(loss, np.array(-np.log(0.7 * 0.5 * 0.9) / 3), atol=20 * U64)
    backend.assert_close(combined.output, np.array(PROBABILITIES), atol=20 * U64)


def test_combined_backward_reads_an_output_set_by_hand(backend: Target) -> None:
    combined = names(backend).Activation_Softmax_Loss_CategoricalCrossentropy()
    combined.forward([[0.0, 0.0, 0.0]], [0])
    combined.output = [[0.5, 0.25, 0.25]]
    combined.backward(combined.output, [1])
    backend.assert_close(combined.dinputs, np.array([[0.5, -0.75, 0.25]]))


def test_a_tiny_probability_counts_as_the_books_smallest(backend: Target) -> None:
    """In the loss, which the book clips; its gradients are those of the probability itself."""
    there, p, theirs = names(backend), np.array([[1e-9, 1 - 1e-9]]), book.Loss_CategoricalCrossentropy()
    loss, combined = (
        there.Loss_CategoricalCrossentropy(),
        there.Activation_Softmax_Loss_CategoricalCrossentropy(),
    )
    expected = np.array(-np.log(1e-7))
    assert theirs.calculate(p, np.array([0])) == expected
    backend.assert_close(loss.forward(p, [0]), expected[None], rtol=2 * U64)
    backend.assert_close(loss.calculate(p, [0]), expected, rtol=2 * U64)
    backend.assert_close(loss.backward(p, [0]), np.array([[-1e9, 0.0]]), rtol=2 * U64)
    backend.assert_close(combined.forward(np.log(p), [0]), expected, rtol=2 * U64)
    backend.assert_close(combined.backward(combined.output, [0]), np.array([[-1.0, 1.0]]), atol=2e-9)


def test_mean_absolute_error_goes_down_its_gradient(backend: Target) -> None:
    """sign(p - y) / m / n: the book's is its negative, which climbs."""
    loss = nnxp.MeanAbsoluteError(backend=backend.spec)
    p, y = np.array([[2.0, 0.0], [1.0, 5.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])
    gradient = loss.backward(backend.asarray(p), backend.asarray(y))
    backend.assert_close(gradient, np.array([[0.25, -0.25], [0.0, 0.25]]))
    backend.assert_close(loss.calculate(p, y), np.array(1.5))
    backend.assert_close(loss.calculate(p - 0.5 * backend.to_numpy(gradient), y), np.array(1.5 - 0.5 * 3 / 16))


# --- optimizers ------------------------------------------------------------------------------------


def walk(target: Target, optimizer: Any, gradients: list[float], dtype: str = "float64") -> list[float]:
    """Where a weight that begins at 0 is after each update by these gradients."""
    layer = names(target, dtype).Layer_Dense(1, 1)
    layer.weights = [[0.0]]
    places = []
    for gradient in gradients:
        layer.dweights, layer.dbiases = [[gradient]], [[0.0]]
        optimizer.pre_update_params()
        optimizer.update_params(layer)
        optimizer.post_update_params()
        places.append(float(layer.weights[0, 0]))
    return places


def test_momentum_holds_the_learning_rate(backend: Target) -> None:
    """m = βm + lr g with lr = 1/(1 + t). With lr outside, PyTorch's way, the third place would be -7/3."""
    sgd = names(backend).Optimizer_SGD(learning_rate=1.0, decay=1.0, momentum=0.5)
    m = (1.0, 0.5 + 1 / 2, 0.5 + 1 / 3)
    assert walk(backend, sgd, [1.0, 1.0, 1.0]) == pytest.approx(-np.cumsum(m), rel=8 * U64, abs=0)


def test_epsilon_stands_outside_the_root(backend: Target) -> None:
    """For g = ε: lr g / (g + ε) = lr / 2. Inside the root, lr g / √(g² + ε) would be near 0."""
    there = names(backend)
    for optimizer in (
        there.Optimizer_Adagrad(learning_rate=1.0),
        there.Optimizer_RMSprop(learning_rate=1.0, rho=0.0),
        there.Optimizer_Adam(learning_rate=1.0),
    ):
        assert walk(backend, optimizer, [1e-7]) == pytest.approx([-0.5], rel=1e-12, abs=0), optimizer


def test_rmsprop_remembers_with_rho(backend: Target) -> None:
    rmsprop = names(backend).Optimizer_RMSprop(learning_rate=1.0, rho=0.75)
    places = -np.cumsum([2 / (np.sqrt(1.0) + 1e-7), 4 / (np.sqrt(0.75 + 4.0) + 1e-7)])
    assert walk(backend, rmsprop, [2.0, 4.0]) == pytest.approx(places, rel=16 * U64, abs=0)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam"])
def test_every_optimizer_decays_by_finished_steps(backend: Target, name: str) -> None:
    optimizer = getattr(names(backend), f"Optimizer_{name}")(learning_rate=0.5, decay=0.25)
    rates = []
    for _ in range(3):
        optimizer.pre_update_params()
        rates.append(optimizer.current_learning_rate)
        optimizer.post_update_params()
    assert rates == pytest.approx([0.5, 0.5 / 1.25, 0.5 / 1.5], rel=4 * U64, abs=0)
    assert optimizer.iterations == 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-12, 1.0])
def test_adams_corrections_are_algorithm_1s(backend: Target, dtype: str, size: float) -> None:
    """Folded into the learning rate without scaling ε, the first step for a tiny gradient is √.001 of it."""
    gradients = [size, -2 * size, 3 * size]
    m = c = place = 0.0
    expected = []
    for t, g in enumerate(gradients, 1):
        m, c = 0.9 * m + 0.1 * g, 0.999 * c + 0.001 * g * g
        place -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(c / (1 - 0.999**t)) + 1e-7)
        expected.append(place)
    adam = names(backend, dtype).Optimizer_Adam(learning_rate=0.01)
    u = {"float32": U32, "float64": U64}[dtype]
    # Some 40 roundings in three steps; at a tiny gradient each step is near lr · 1e-5, and so is the sum.
    tolerance = 40 * u * 0.01 * min(1.0, size / 1e-7) * 4
    assert walk(backend, adam, gradients, dtype) == pytest.approx(expected, rel=0, abs=tolerance)


def test_state_lives_in_the_optimizer(backend: Target) -> None:
    """Two optimizers on one layer know nothing of each other; in the book they share its attributes."""
    there = names(backend)
    layer = there.Layer_Dense(1, 1)
    layer.weights = [[0.0]]
    first, second = (there.Optimizer_SGD(learning_rate=1.0, momentum=0.5) for _ in range(2))
    for optimizer in (first, second):
        layer.dweights, layer.dbiases = [[1.0]], [[0.0]]
        optimizer.update_params(layer)
    backend.assert_close(layer.weights, np.array([[-2.0]]))


def test_update_before_any_backward_is_refused(backend: Target) -> None:
    with pytest.raises(RuntimeError, match="backward"):
        names(backend).Optimizer_SGD().update_params(names(backend).Layer_Dense(1, 1))


# --- the book's training runs ----------------------------------------------------------------------

RUNS: dict[str, tuple[str, dict[str, float]]] = {
    "sgd": ("Optimizer_SGD", {"learning_rate": 1.0}),
    "sgd-momentum": ("Optimizer_SGD", {"learning_rate": 1.0, "decay": 1e-3, "momentum": 0.9}),
    "adagrad": ("Optimizer_Adagrad", {"learning_rate": 1.0, "decay": 1e-4}),
    "rmsprop": ("Optimizer_RMSprop", {"learning_rate": 0.02, "decay": 1e-5, "rho": 0.999}),
    "adam": ("Optimizer_Adam", {"learning_rate": 0.05, "decay": 5e-7}),
}
STEPS = (0, 1, 10, 100, 200)


def train(there: Any, run: str, X: Any, y: Any) -> list[float]:
    """The book's loop, by anyone's classes: the losses at `STEPS`."""
    np.random.seed(0)
    dense1, activation1, dense2 = there.Layer_Dense(2, 64), there.Activation_ReLU(), there.Layer_Dense(64, 3)
    loss_activation = there.Activation_Softmax_Loss_CategoricalCrossentropy()
    optimizer = getattr(there, RUNS[run][0])(**RUNS[run][1])
    losses = []
    for _ in range(STEPS[-1] + 1):
        dense1.forward(X)
        activation1.forward(dense1.output)
        dense2.forward(activation1.output)
        losses.append(float(loss_activation.forward(dense2.output, y)))
        loss_activation.backward(loss_activation.output, y)
        dense2.backward(loss_activation.dinputs)
        activation1.backward(dense2.dinputs)
        dense1.backward(activation1.dinputs)
        optimizer.pre_update_params()
        optimizer.update_params(dense1)
        optimizer.update_params(dense2)
        optimizer.post_update_params()
    return [losses[step] for step in STEPS]


def spiral() -> tuple[Any, Any]:
    np.random.seed(0)
    return book.spiral(100, 3)


@functools.cache
def losses_of_the_book(run: str) -> list[float]:
    losses = train(book, run, *spiral())
    assert losses[-1] < losses[0]
    return losses


@pytest.mark.long
@pytest.mark.parametrize("run", RUNS)
def test_spiral_has_the_books_losses(backend: Target, run: str) -> None:
    X, y = spiral()
    losses = train(names(backend), run, backend.asarray(X), backend.asarray(y))
    assert losses == pytest.approx(losses_of_the_book(run), rel=0, abs=1e-6)


# --- the book's package, which changes NumPy -------------------------------------------------------

PATCHED = """
import json, sys
import numpy as np
order, spec, path = sys.argv[1:]
if order == "before":
    import nnfs; nnfs.init()
import nnxp
from nnxp.nnfs import on
if order == "after":
    import nnfs; nnfs.init()
book = on(spec)
dense1, activation1, dense2 = book.Layer_Dense(2, 16), book.Activation_ReLU(), book.Layer_Dense(16, 3)
if order == "never":
    kept = np.load(path)
    X, y, dense1.weights, dense2.weights = (kept[name] for name in ("X", "y", "w1", "w2"))
else:
    try:
        np.dot(np.eye(2), np.eye(2), out=np.zeros((2, 2), dtype="float64"))
    except Exception:
        pass
    assert np.zeros(1).dtype == np.float32, "NumPy is not patched"
    from nnfs.datasets import spiral_data
    X, y = spiral_data(samples=20, classes=3)
    assert y.dtype == np.uint8
    to_numpy = nnxp.get_backend(spec).to_numpy
    np.savez(path, X=X, y=y, w1=to_numpy(dense1.weights), w2=to_numpy(dense2.weights))
loss_activation, own = book.Activation_Softmax_Loss_CategoricalCrossentropy(), nnxp.Dense(3, 4, seed=0)
results = {"own weights": own.weights.tolist(), "own biases": str(own.biases.dtype)}
for name in ("SGD", "Adagrad", "RMSprop", "Adam"):
    optimizer = getattr(book, "Optimizer_" + name)(learning_rate=0.05, decay=1e-3)
    losses = []
    for step in range(10):
        dense1.forward(X)
        activation1.forward(dense1.output)
        dense2.forward(activation1.output)
        losses.append(float(loss_activation.forward(dense2.output, y)))
        loss_activation.backward(loss_activation.output, y)
        dense2.backward(loss_activation.dinputs)
        activation1.backward(dense2.dinputs)
        dense1.backward(activation1.dinputs)
        optimizer.pre_update_params()
        optimizer.update_params(dense1)
        optimizer.update_params(dense2)
        optimizer.post_update_params()
    results[name] = losses
print(json.dumps(results))
"""


@pytest.mark.long
@pytest.mark.parametrize("spec", ["numpy", "array_api_strict"])
@pytest.mark.parametrize("order", ["before", "after"])
def test_works_while_numpy_is_patched(tmp_path: Path, order: str, spec: str) -> None:
    """`nnfs.init()` called before or after nnxp is imported: nothing changes, to the last bit."""

    def run(order: str) -> dict[str, Any]:
        command = [sys.executable, "-W", "error", "-c", PATCHED, order, spec, str(tmp_path / "kept.npz")]
        result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert result.returncode == 0, result.stderr
        values: dict[str, Any] = json.loads(result.stdout)
        return values

    patched, plain = run(order), run("never")
    assert patched == plain
    assert patched["own biases"].endswith("float32")
    assert patched["Adam"][-1] < patched["SGD"][0]
