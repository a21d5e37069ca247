"""Every activation of the registry: values, derivatives, extremes, and what it leaves alone.

The expected values are the textbook's equations in Python's `math`, element by element.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnxp
from nnxp.activations import ACTIVATIONS, Activation, get_activation
from tests.helpers.matrix import Target
from tests.helpers.registry import defined

Host = npt.NDArray[Any]
SELU_ALPHA, SELU_LAMBDA = 1.6732632423543772848, 1.0507009873554804934  # Klambauer et al. 2017, page 4


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def normal_cdf(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def normal_pdf(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gelu_tanh(x: float) -> float:
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu_tanh_slope(x: float) -> float:
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return (1 + math.tanh(u)) / 2 + x / 2 * inner / math.cosh(u) ** 2


@dataclass
class Case:
    """One activation: its equation, the derivative of it, and the same function of PyTorch."""

    cls: type[Activation]
    equation: Callable[[float], float] | None  # None: not element-wise
    slope: Callable[[float], float] | None
    torch: Callable[[Any, Any], Any]
    options: dict[str, Any] = field(default_factory=dict)

    def expected(self, x: Host, dy: Host) -> tuple[Host, Host]:
        """(y, dx) in float64."""
        x, dy = x.astype(np.float64), dy.astype(np.float64)
        if self.equation is None or self.slope is None:
            return softmax_by_jacobian(x, dy)
        y = [[self.equation(float(v)) for v in row] for row in x]
        slope = [[self.slope(float(v)) for v in row] for row in x]
        return np.reshape(y, x.shape), np.reshape(slope, x.shape) * dy


def softmax_by_jacobian(x: Host, dy: Host) -> tuple[Host, Host]:
    y, dx = np.zeros(x.shape), np.zeros(x.shape)
    for i in range(len(x)):
        y[i] = np.exp(x[i]) / np.sum(np.exp(x[i]))
        dx[i] = (np.diag(y[i]) - np.outer(y[i], y[i])) @ dy[i]
    return y, dx


CASES = {
    "linear": Case(nnxp.Linear, lambda x: x, lambda x: 1.0, lambda f, x: x * 1),
    "relu": Case(nnxp.ReLU, lambda x: max(0.0, x), lambda x: float(x > 0), lambda f, x: f.relu(x)),
    "leaky_relu": Case(
        nnxp.LeakyReLU,
        lambda x: x if x > 0 else 0.01 * x,
        lambda x: 1.0 if x > 0 else 0.01,
        lambda f, x: f.leaky_relu(x),
    ),
    "leaky_relu slope": Case(
        nnxp.LeakyReLU,
        lambda x: x if x > 0 else 0.3 * x,
        lambda x: 1.0 if x > 0 else 0.3,
        lambda f, x: f.leaky_relu(x, 0.3),
        {"slope": 0.3},
    ),
    "elu": Case(
        nnxp.ELU,
        lambda x: x if x > 0 else math.exp(x) - 1,
        lambda x: 1.0 if x > 0 else math.exp(x),
        lambda f, x: f.elu(x),
    ),
    "elu alpha": Case(
        nnxp.ELU,
        lambda x: x if x > 0 else 2.5 * (math.exp(x) - 1),
        lambda x: 1.0 if x > 0 else 2.5 * math.exp(x),
        lambda f, x: f.elu(x, 2.5),
        {"alpha": 2.5},
    ),
    "selu": Case(
        nnxp.SELU,
        lambda x: SELU_LAMBDA * (x if x > 0 else SELU_ALPHA * (math.exp(x) - 1)),
        lambda x: SELU_LAMBDA * (1.0 if x > 0 else SELU_ALPHA * math.exp(x)),
        lambda f, x: f.selu(x),
    ),
    "gelu": Case(
        nnxp.GELU,
        lambda x: x * normal_cdf(x),
        lambda x: normal_cdf(x) + x * normal_pdf(x),
        lambda f, x: f.gelu(x),
    ),
    "gelu tanh": Case(
        nnxp.GELU,
        gelu_tanh,
        gelu_tanh_slope,
        lambda f, x: f.gelu(x, approximate="tanh"),
        {"approximate": "tanh"},
    ),
    "silu": Case(
        nnxp.SiLU,
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
        lambda f, x: f.silu(x),
    ),
    "mish": Case(
        nnxp.Mish,
        lambda x: x * math.tanh(softplus(x)),
        lambda x: math.tanh(softplus(x)) + x * sigmoid(x) / math.cosh(softplus(x)) ** 2,
        lambda f, x: f.mish(x),
    ),
    "sigmoid": Case(nnxp.Sigmoid, sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), lambda f, x: x.sigmoid()),
    "tanh": Case(nnxp.Tanh, math.tanh, lambda x: 1 / math.cosh(x) ** 2, lambda f, x: x.tanh()),
    "softplus": Case(nnxp.Softplus, softplus, sigmoid, lambda f, x: f.softplus(x)),
    "softmax": Case(nnxp.Softmax, None, None, lambda f, x: f.softmax(x, dim=1)),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

LARGEST = 8.0
ROUNDINGS = 32
"""The formulas round some 20 times, each time something no larger than the input or 1."""


def tolerance(dtype: str) -> float:
    return ROUNDINGS * LARGEST * float(np.finfo(dtype).eps)


def draw(shape: tuple[int, int], dtype: str, seed: int = 0) -> tuple[Host, Host]:
    """Inputs away from the kink at 0, within ±LARGEST, and gradients."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.01, LARGEST, shape) * rng.choice((-1, 1), shape)
    return x.astype(dtype), rng.standard_normal(shape).clip(-3, 3).astype(dtype)


def test_the_registry_holds_every_activation() -> None:
    assert (
        defined("nnxp.activations", Activation) - {Activation}
        == set(ACTIVATIONS)
        == {case.cls for case in CASES.values()}
    )
    assert all(getattr(nnxp, cls.__name__) is cls for cls in ACTIVATIONS)


@every_case
@settings(max_examples=15)
@given(
    n=st.integers(0, 4),
    m=st.integers(1, 5),
    dtype=st.sampled_from(("float32", "float64")),
    transposed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_values(backend: Target, case: Case, n: int, m: int, dtype: str, transposed: bool, seed: int) -> None:
    """Values, namespace, dtype, shape and device, also of no rows, one row and transposed arrays; the inputs
    stay as they were."""
    x, dy = draw((n, m), dtype, seed)
    arrays = [backend.asarray(a.T).T if transposed else backend.asarray(a) for a in (x, dy)]
    layer = case.cls(**case.options)
    output = layer.forward(arrays[0])
    dinputs = layer.backward(arrays[1])
    y, dx = case.expected(x, dy)
    backend.assert_close(output, y.astype(dtype), atol=tolerance(dtype))
    backend.assert_close(dinputs, dx.astype(dtype), atol=tolerance(dtype))
    assert layer.output is output and layer.dinputs is dinputs
    for array, before in zip(arrays, (x, dy), strict=True):
        backend.assert_close(array, before)


@every_dtype
@every_case
def test_extremes_stay_finite(backend: Target, case: Case, dtype: str) -> None:
    """No branch overflows for finite input: NumPy evaluates both sides of a `where`, and warnings are errors."""
    tiny = float(np.finfo(dtype).tiny)
    values = np.array([0, 1e-30, tiny, tiny / 4, 1e-3, 20, 88, 89, 710, 1e4, 1e30])
    x = np.concatenate([values, -values]).astype(dtype)[:, None] * np.array([[1, -1, 0.5]], dtype)
    layer = case.cls(**case.options)
    output = backend.to_numpy(layer.forward(backend.asarray(x)))
    assert np.all(np.isfinite(output))
    dinputs = backend.to_numpy(layer.backward(backend.asarray(np.ones_like(x))))
    assert np.all(np.isfinite(dinputs))
    if case.cls is not nnxp.Softmax:  # there, between 0 and slope 1.13 · x
        assert np.all(np.abs(output) <= 2.5 * np.abs(x) + 2.5) and np.all(np.abs(dinputs) <= 2.5)
        at_zero = layer.forward(backend.asarray(np.zeros((1, 1), dtype)))
        limits = {nnxp.Sigmoid: 0.5, nnxp.Softplus: math.log(2)}
        expected = np.full((1, 1), limits.get(case.cls, 0), dtype)
        backend.assert_close(at_zero, expected, rtol=float(np.finfo(dtype).eps))


@every_case
def test_gradients_agree_with_central_differences(case: Case) -> None:
    report = nnxp.check_gradients(case.cls(**case.options), draw((4, 5), "float64")[0] / 4, tolerance=1e-6)
    assert report.passed, str(report)


@every_case
def test_gradients_agree_with_pytorch(case: Case) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's autograd")
    x, dy = draw((6, 5), "float64")
    layer = case.cls(**case.options)
    layer.forward(x)
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    output = case.torch(torch.nn.functional, leaf)
    output.backward(torch.from_numpy(dy))
    for ours, theirs in ((layer.output, output.detach()), (layer.backward(dy), leaf.grad)):
        assert np.max(np.abs(ours - theirs.numpy())) <= 1e-10 * float(theirs.abs().max())


@every_case
def test_backward_reads_what_it_declares_and_nothing_else(case: Case) -> None:
    """`reads` names the attributes: set by hand, they are enough."""
    x, dy = draw((3, 4), "float64")
    first, second = (case.cls(dtype="float64", **case.options) for _ in range(2))
    first.forward(x)
    for name in first.reads:
        setattr(second, name, getattr(first, name).tolist())
    np.testing.assert_array_equal(second.backward(dy), first.backward(dy))


@every_case
def test_an_earlier_output_stays_valid(case: Case) -> None:
    layer, x = case.cls(**case.options), draw((3, 4), "float64")[0]
    output = layer.forward(x)
    kept = output.copy()
    layer.forward(-x)
    np.testing.assert_array_equal(output, kept)


@pytest.mark.parametrize("x", [0.0, -0.0])
def test_gradients_at_the_kink(x: float) -> None:
    """ReLU's is 0 and the leaky one's is the slope, as documented."""
    for layer, expected in ((nnxp.ReLU(), 0.0), (nnxp.LeakyReLU(), 0.01), (nnxp.ELU(2.0), 2.0)):
        layer.forward(np.array([[x]]))
        assert layer.backward(np.array([[1.0]])).tolist() == [[expected]]


def test_nan_stays_nan(backend: Target) -> None:
    """What is not a number is never trained on in silence."""
    for cls in ACTIVATIONS:
        output = backend.to_numpy(cls().forward(backend.asarray([[math.nan, 1.0]], "float64")))
        assert math.isnan(output[0, 0]), cls


@pytest.mark.parametrize("cls", ACTIVATIONS)
def test_names(cls: type[Activation]) -> None:
    from nnxp.doors.naming import snake_case

    assert type(get_activation(snake_case(cls.__name__))) is type(get_activation(cls)) is cls
    layer = cls()
    assert get_activation(layer) is layer


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nnxp.LeakyReLU("0.1"), "got slope='0.1', expected a finite number"),
        (lambda: nnxp.ELU(True), "got alpha=True, expected a finite number"),
        (lambda: nnxp.ELU(math.nan), "got alpha=nan, expected a finite number"),
        (lambda: nnxp.GELU("sigmoid"), "got approximate='sigmoid', expected None (exact) or \"tanh\""),
        (lambda: get_activation("leakyrelu"), "got activation 'leakyrelu', expected an object or one of"),
        (lambda: get_activation(7), "got activation 7, expected an object or one of elu, gelu"),
    ],
)
def test_bad_options(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
