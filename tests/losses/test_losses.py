"""Every loss of the registry: values, gradients, sample weights, fused pairs, labels and extremes.

The expected values are the textbook's equations, a sample at a time, in Python's `math`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnxp
from nnxp.doors.naming import snake_case
from nnxp.losses import ELEMENTWISE, LOSSES, Loss, StandardisedLoss, get_loss
from nnxp.losses.base import ElementwiseLoss
from tests.helpers.matrix import Target
from tests.helpers.registry import defined

Host = npt.NDArray[Any]
Row = list[float]


def huber(e: float, delta: float) -> float:
    return e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2)


def poisson(p: float, y: float) -> float:
    return math.exp(p) - y - y * (p - math.log(y or 1))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def softmax(z: Row) -> Row:
    total = math.fsum(map(math.exp, z))
    return [math.exp(v) / total for v in z]


def binary(p: float, y: float) -> float:
    return -(y * math.log(p) + (1 - y) * math.log(1 - p))


def mean(values: Any) -> float:
    values = list(values)
    return math.fsum(values) / len(values)


def categorical(p: Row, t: Row) -> float:
    return -math.fsum(b * math.log(a) for a, b in zip(p, t, strict=True))


@dataclass
class Case:
    """One loss: its equation for a sample and the gradient of it, its predictions and labels, and PyTorch's."""

    cls: type[Loss]
    equation: Callable[[Row, Row], float]
    gradient: Callable[[Row, Row], Row]
    predictions: str  # "logits", "probabilities", "distributions", "numbers"
    labels: str  # "classes", "one-hot", "shares", "binary", "soft binary", "numbers", "counts"
    torch: Callable[[Any, Any, Any], Any]  # (torch.nn.functional, predictions, labels) -> (n,)
    options: dict[str, Any] = field(default_factory=dict)

    def draw(self, n: int, m: int, dtype: str, seed: int = 0) -> tuple[Host, Host]:
        rng = np.random.default_rng(seed)
        z = rng.uniform(-4, 4, (n, m))
        p = {
            "logits": z,
            "numbers": z,
            "probabilities": 1 / (1 + np.exp(-z)),
            "distributions": np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True),
        }[self.predictions].astype(dtype)
        classes = rng.integers(0, m, n)
        shares = rng.uniform(0.1, 1, (n, m))
        y = {
            "classes": classes,
            "one-hot": np.eye(m, dtype=dtype)[classes],
            "shares": (shares / np.sum(shares, axis=1, keepdims=True)).astype(dtype),
            "binary": rng.integers(0, 2, (n, m)),
            "soft binary": rng.uniform(0, 1, (n, m)).astype(dtype),
            "counts": rng.poisson(2.0, (n, m)),
            # within and beyond Huber's δ, and away from the kinks at 0 and at ±δ
            "numbers": (p - rng.choice((-3, -0.4, 0.3, 1.2), (n, m))).astype(dtype),
        }[self.labels]
        return p, y

    def expected(self, p: Host, y: Host) -> tuple[Host, Host]:
        """Each sample's loss, (n,), and the gradient of their mean, (n, m), in float64."""
        rows = np.eye(p.shape[1])[y] if self.labels == "classes" else y
        pairs = list(zip(p.astype(float).tolist(), rows.astype(float).tolist(), strict=True))
        gradient = np.array([self.gradient(a, b) for a, b in pairs]) / len(pairs)
        return np.array([self.equation(a, b) for a, b in pairs]), gradient


def elementwise(f: Callable[[float, float], float]) -> Callable[[Row, Row], float]:
    return lambda p, y: mean(f(a, b) for a, b in zip(p, y, strict=True))


def slopes(f: Callable[[float, float], float]) -> Callable[[Row, Row], Row]:
    return lambda p, y: [f(a, b) / len(p) for a, b in zip(p, y, strict=True)]


def of_logits(p: Row, t: Row) -> float:
    return categorical(softmax(p), t)


def smoothed(t: Row, s: float = 0.3) -> Row:
    return [(1 - s) * share + s / len(t) for share in t]


def smoothed_rows(f: Any, p: Any, y: Any, s: float = 0.3) -> Any:
    rows = y if y.ndim == 2 else f.one_hot(y, p.shape[1])
    return (1 - s) * rows.to(p.dtype) + s / p.shape[1]


def rowwise(loss: Any) -> Any:
    return loss.mean(dim=1)


CASES = {
    "mean_squared_error": Case(
        nnxp.MeanSquaredError,
        elementwise(lambda p, y: (p - y) ** 2),
        slopes(lambda p, y: 2 * (p - y)),
        "numbers",
        "numbers",
        lambda f, p, y: rowwise(f.mse_loss(p, y, reduction="none")),
    ),
    "mean_absolute_error": Case(
        nnxp.MeanAbsoluteError,
        elementwise(lambda p, y: abs(p - y)),
        slopes(lambda p, y: math.copysign(1, p - y)),
        "numbers",
        "numbers",
        lambda f, p, y: rowwise(f.l1_loss(p, y, reduction="none")),
    ),
    "huber": Case(
        nnxp.Huber,
        elementwise(lambda p, y: huber(p - y, 1.0)),
        slopes(lambda p, y: min(max(p - y, -1.0), 1.0)),
        "numbers",
        "numbers",
        lambda f, p, y: rowwise(f.huber_loss(p, y, reduction="none")),
    ),
    "huber delta": Case(
        nnxp.Huber,
        elementwise(lambda p, y: huber(p - y, 0.35)),
        slopes(lambda p, y: min(max(p - y, -0.35), 0.35)),
        "numbers",
        "numbers",
        lambda f, p, y: rowwise(f.huber_loss(p, y, reduction="none", delta=0.35)),
        {"delta": 0.35},
    ),
    "poisson": Case(
        nnxp.Poisson,
        elementwise(poisson),
        slopes(lambda p, y: math.exp(p) - y),
        "numbers",
        "counts",
        lambda f, p, y: rowwise(f.poisson_nll_loss(p, y, reduction="none") + y.to(p.dtype).xlogy(y) - y),
    ),
    **{
        f"binary_crossentropy {labels}": Case(
            nnxp.BinaryCrossentropy,
            elementwise(binary),
            slopes(lambda p, y: (1 - y) / (1 - p) - y / p),
            "probabilities",
            labels,
            lambda f, p, y: rowwise(f.binary_cross_entropy(p, y.to(p.dtype), reduction="none")),
        )
        for labels in ("binary", "soft binary")
    },
    **{
        f"sigmoid_crossentropy {labels}": Case(
            nnxp.SigmoidCrossentropy,
            elementwise(lambda z, y: binary(sigmoid(z), y)),
            slopes(lambda z, y: sigmoid(z) - y),
            "logits",
            labels,
            lambda f, p, y: rowwise(f.binary_cross_entropy_with_logits(p, y.to(p.dtype), reduction="none")),
        )
        for labels in ("binary", "soft binary")
    },
    **{
        f"categorical_crossentropy {labels}": Case(
            nnxp.CategoricalCrossentropy,
            categorical,
            lambda p, t: [-b / a for a, b in zip(p, t, strict=True)],
            "distributions",
            labels,
            lambda f, p, y: f.nll_loss(p.log(), y, reduction="none") if y.ndim == 1 else -(y * p.log()).sum(dim=1),
        )
        for labels in ("classes", "one-hot", "shares")
    },
    **{
        f"softmax_crossentropy {labels}": Case(
            nnxp.SoftmaxCrossentropy,
            of_logits,
            lambda z, t: [a - b for a, b in zip(softmax(z), t, strict=True)],
            "logits",
            labels,
            lambda f, p, y: f.cross_entropy(p, y, reduction="none"),
        )
        for labels in ("classes", "one-hot", "shares")
    },
    **{
        f"categorical_crossentropy smoothed {labels}": Case(
            nnxp.CategoricalCrossentropy,
            lambda p, t: categorical(p, smoothed(t)),
            lambda p, t: [-b / a for a, b in zip(p, smoothed(t), strict=True)],
            "distributions",
            labels,
            lambda f, p, y: -(smoothed_rows(f, p, y) * p.log()).sum(dim=1),  # PyTorch's own takes logits
            {"label_smoothing": 0.3},
        )
        for labels in ("classes", "shares")
    },
    **{
        f"softmax_crossentropy smoothed {labels}": Case(
            nnxp.SoftmaxCrossentropy,
            lambda z, t: of_logits(z, smoothed(t)),
            lambda z, t: [a - b for a, b in zip(softmax(z), smoothed(t), strict=True)],
            "logits",
            labels,
            lambda f, p, y: f.cross_entropy(p, y, reduction="none", label_smoothing=0.3),
            {"label_smoothing": 0.3},
        )
        for labels in ("classes", "shares")
    },
}
FUSED = {name: case for name, case in CASES.items() if case.predictions == "logits"}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def tolerance(dtype: str, terms: int, values: Host) -> float:
    """A sum of so many terms after some 16 roundings, each of a term as large as the values, or 1."""
    return (terms + 16) * max(1.0, float(np.max(np.abs(values)))) * float(np.finfo(dtype).eps)


def test_the_registry_holds_every_loss() -> None:
    # `StandardisedLoss` needs a target's σ, so it has no name: tests/cli/test_cli.py holds it
    assert defined("nnxp.losses", Loss) - {StandardisedLoss} == set(LOSSES) == {case.cls for case in CASES.values()}
    assert all(getattr(nnxp, cls.__name__) is cls for cls in LOSSES)


@every_case
@settings(max_examples=15)
@given(
    n=st.integers(1, 5),
    m=st.integers(2, 5),
    dtype=st.sampled_from(("float32", "float64")),
    transposed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_values(backend: Target, case: Case, n: int, m: int, dtype: str, transposed: bool, seed: int) -> None:
    p, y = case.draw(n, m, dtype, seed)
    arrays = [backend.asarray(a.T).T if transposed and a.ndim == 2 else backend.asarray(a) for a in (p, y)]
    loss = case.cls(**case.options)
    each, gradient = case.expected(p, y)
    backend.assert_close(loss.forward(*arrays), each.astype(dtype), atol=tolerance(dtype, m, each))
    mean_loss = np.array(np.mean(each), dtype)
    backend.assert_close(loss.calculate(*arrays), mean_loss, atol=tolerance(dtype, m + n, each))
    dinputs = loss.backward(*arrays)
    backend.assert_close(dinputs, gradient.astype(dtype), atol=tolerance(dtype, m, gradient))
    assert loss.dinputs is dinputs
    for array, before in zip(arrays, (p, y), strict=True):
        backend.assert_close(array, before)


@every_dtype
@every_case
def test_no_rows(backend: Target, case: Case, dtype: str) -> None:
    """Samples that do not exist have no losses; their mean and its gradient are refused."""
    p, y = (backend.asarray(a) for a in case.draw(0, 3, dtype))
    loss = case.cls(**case.options)
    backend.assert_close(loss.forward(p, y), np.zeros(0, dtype))
    for method in (loss.calculate, loss.backward):
        with pytest.raises(ValueError, match="got no samples, expected at least one"):
            method(p, y)


@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_agree_with_pytorch(case: Case, weighted: bool) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch's autograd")
    p, y = case.draw(6, 4, "float64")
    w = np.array([1, 0, 2.5, 1, 0.25, 3]) if weighted else np.ones(6)
    leaf, weights = torch.from_numpy(p.copy()).requires_grad_(), torch.from_numpy(w)
    value = (weights * case.torch(torch.nn.functional, leaf, torch.from_numpy(y))).sum() / weights.sum()
    value.backward()
    loss = case.cls(**case.options)
    ours = loss.calculate(p, y, w if weighted else None)
    assert abs(float(ours) - value.item()) <= 1e-10 * abs(value.item())
    difference = loss.backward(p, y, w if weighted else None) - leaf.grad.numpy()
    assert np.max(np.abs(difference)) <= 1e-10 * float(leaf.grad.abs().max())


@every_case
def test_gradients_agree_with_central_differences(case: Case) -> None:
    p, y = case.draw(4, 3, "float64")
    if case.cls in (nnxp.BinaryCrossentropy, nnxp.CategoricalCrossentropy):
        p = 0.2 + p / 2  # where 1 / p bends little within a step
    subject = case.cls(**case.options)
    report = nnxp.check_gradients(subject, p, y, tolerance=1e-6)
    assert report.passed, str(report)


@every_case
def test_weights_equal_repeated_samples(backend: Target, case: Case) -> None:
    p, y = case.draw(4, 3, "float64")
    counts = np.array([1, 3, 0, 2])
    rows = np.repeat(np.arange(4), counts)
    loss = case.cls(**case.options)
    weighted = [backend.asarray(a) for a in (p, y, counts.astype(float))]
    repeated = [backend.asarray(a) for a in (p[rows], y[rows])]
    expected = np.asarray(backend.to_numpy(loss.calculate(*repeated)))
    backend.assert_close(loss.calculate(*weighted), expected, rtol=1e-14)
    gradient = np.zeros_like(p)
    np.add.at(gradient, rows, backend.to_numpy(loss.backward(*repeated)))
    backend.assert_close(loss.backward(*weighted), gradient, rtol=1e-13, atol=1e-13 * float(np.abs(gradient).max()))


@every_dtype
@pytest.mark.parametrize("case", FUSED.values(), ids=FUSED)
def test_fused_pairs_equal_their_composition(backend: Target, case: Case, dtype: str) -> None:
    softmaxed = case.cls is nnxp.SoftmaxCrossentropy
    z, y = (backend.asarray(a) for a in case.draw(5, 4, dtype))
    activation = nnxp.Softmax() if softmaxed else nnxp.Sigmoid()
    loss = nnxp.CategoricalCrossentropy() if softmaxed else nnxp.BinaryCrossentropy()
    p = activation.forward(z)
    composed = activation.backward(loss.backward(p, y))
    pair, eps = case.cls(), float(np.finfo(dtype).eps)
    # p is rounded to eps, of which the logarithm makes eps / p, p ≥ 1 / (1 + 3e⁸)
    backend.assert_close(pair.forward(z, y), backend.to_numpy(loss.forward(p, y)), atol=2e4 * eps)
    backend.assert_close(pair.backward(z, y), backend.to_numpy(composed), atol=32 * eps)


@every_dtype
def test_extremes_of_the_fused_pairs_stay_finite(backend: Target, dtype: str) -> None:
    """And equal their limits: 0 where right, the distance of the logits where wrong."""
    eps = float(np.finfo(dtype).eps)
    sizes = np.array([1e30, 1e4, 88.0, 1e-30, float(np.finfo(dtype).tiny) / 4], dtype)[:, None]
    z = np.concatenate([sizes, -sizes])  # of class 1, that of class 0 is 0
    logits, one = backend.asarray(np.concatenate([z, 0 * z], axis=1)[:, ::-1]), backend.asarray(z)
    for label, wrong in ((0, z), (1, -z)):
        wrong = wrong[:, 0].astype(float)
        expected = (np.maximum(wrong, 0) + np.log1p(np.exp(-np.abs(wrong)))).astype(dtype)
        y = backend.asarray(np.full(len(z), label))
        for loss, x in ((nnxp.SoftmaxCrossentropy(), logits), (nnxp.SigmoidCrossentropy(), one)):
            backend.assert_close(loss.forward(x, y), expected, rtol=4 * eps, atol=eps)
            assert np.all(np.abs(backend.to_numpy(loss.backward(x, y))) <= 1 / len(z))


@every_dtype
def test_certain_probabilities_stay_finite(backend: Target, dtype: str) -> None:
    """A softmax in float32 gives 0 and 1: the logarithm of 0 is never taken."""
    p = backend.asarray([[0.0, 1.0], [1.0, 0.0]], dtype)
    for loss, y in (
        (nnxp.CategoricalCrossentropy(), [0, 0]),
        (nnxp.BinaryCrossentropy(), [[1, 0], [1, 0]]),
    ):
        for values in (loss.forward(p, y), loss.backward(p, y)):
            assert np.all(np.isfinite(backend.to_numpy(values)))


@pytest.mark.parametrize("name", ["crossentropy", "softmax_crossentropy", "probability_error"])
@every_dtype
def test_a_label_out_of_range_spoils_its_own_row_alone(backend: Target, name: str, dtype: str) -> None:
    """Past the door, where nobody checked: NaN for its loss and 0 for its gradient, nothing read out of
    bounds."""
    xp_backend = nnxp.get_backend(backend.spec)
    kernel = xp_backend.kernels[name]
    p = np.array([[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]], dtype)
    labels = backend.asarray(np.array([2, 1, -1]))
    floor = (1e-30,) if name == "crossentropy" else ()
    result = kernel(backend.asarray(p), labels, *floor)
    losses_, gradient = (None, result) if name == "probability_error" else result
    gradient = backend.to_numpy(gradient)
    assert gradient[0].tolist() == gradient[2].tolist() == [0, 0]
    assert np.all(gradient[1] != 0) or (name == "crossentropy" and gradient[1].tolist() == [0, -2])
    if losses_ is not None:
        assert np.isnan(backend.to_numpy(losses_)).tolist() == [True, False, True]


def test_backward_needs_no_forward_and_takes_a_list(backend: Target) -> None:
    loss = nnxp.MeanAbsoluteError(backend=backend.spec)
    backend.assert_close(
        loss.backward([[1.0, 2.0], [3.0, 4.0]], [[0.0, 4.0], [3.0, 3.0]]),
        np.array([[0.25, -0.25], [0, 0.25]], np.float32),
    )


def test_a_vector_of_targets_is_a_column_and_never_broadcast() -> None:
    p = [[1.0], [2.0], [3.0]]
    loss = nnxp.MeanSquaredError()
    assert loss.forward(p, [1.0, 1.0, 1.0]).tolist() == [0, 1, 4]
    with pytest.raises(ValueError, match=r"got targets of shape \(3, 1\), expected \(n, 3\)"):
        loss.forward([p[0] * 3] * 3, [1.0, 1.0, 1.0])


@pytest.mark.parametrize("kind", [nnxp.CategoricalCrossentropy, nnxp.BinaryCrossentropy])
def test_from_logits_gives_the_fused_pair(kind: Any) -> None:
    pair = {nnxp.CategoricalCrossentropy: nnxp.SoftmaxCrossentropy}.get(kind, nnxp.SigmoidCrossentropy)
    assert type(kind(from_logits=True)) is type(kind().from_logits_kind()) is pair
    assert type(kind(from_logits=False)) is kind


def test_predictions_stand_for_classes(backend: Target) -> None:
    """`decide` and `truth`, which the accuracy compares."""
    p = backend.asarray([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], "float32")
    for loss in (nnxp.CategoricalCrossentropy(), nnxp.SoftmaxCrossentropy()):
        loss.forward(p, backend.asarray([0, 1, 1]))
        backend.assert_close(loss.decide(p), np.array([1, 0, 0]))
    several = nnxp.BinaryCrossentropy()
    several.forward(p, backend.asarray([[0, 1], [1, 0], [1, 1]]))
    backend.assert_close(several.decide(p), np.array([[0, 1], [1, 0], [0, 0]]))
    one = nnxp.SigmoidCrossentropy()
    one.forward(p[:, :1], backend.asarray([0, 1, 1]))
    backend.assert_close(one.decide(p[:, :1] - 0.4), np.array([0, 1, 1]))


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_a_step_takes_at_once_what_a_loss_gives_by_itself(kind: type[ElementwiseLoss], m: int, backend: Target) -> None:
    """Loss, gradient by a sample's factor and the metric, of predictions on both sides of a threshold and on it."""
    xp, rng, dtype = backend.xp, np.random.default_rng(7), "float64"
    loss = kind("huber", [0.5 + j for j in range(m)]) if kind is StandardisedLoss else kind()
    p = rng.uniform(0, 1, (40, m)) if kind is nnxp.BinaryCrossentropy else rng.normal(0, 1, (40, m))
    p[0] = 0.5 if kind is nnxp.BinaryCrossentropy else 0
    y = rng.integers(0, 2, (40, m)).astype(float) if loss.classifies else rng.uniform(0, 3, (40, m))
    y[1] = 0.5 if loss.classifies else y[1]
    p, y, factors = (backend.asarray(a) for a in (p, y, rng.uniform(0, 1, (40, 1))))
    loss._on(nnxp.get_backend(p), dtype)
    prepared = loss.prepare(y, m, dtype)
    got = loss.backend.fuse(loss.step_formula())(p, prepared, *loss._constants(p), factors, 1 / m)
    expected = loss.losses(p, prepared), loss.gradients(p, prepared) * factors, loss.score(p, prepared)
    for part, whole in zip((xp.mean(got[0], axis=1), got[1], xp.mean(got[2], axis=1)), expected, strict=True):
        backend.assert_close(part, backend.to_numpy(whole), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("cls", LOSSES)
def test_names(cls: type[Loss]) -> None:
    assert type(get_loss(snake_case(cls.__name__))) is type(get_loss(cls)) is cls


@every_dtype
def test_poisson_is_half_the_deviance_of_scikit_learn(dtype: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn's deviance")
    p, y = CASES["poisson"].draw(20, 1, dtype)
    half = metrics.mean_poisson_deviance(y[:, 0], np.exp(p[:, 0].astype(float))) / 2
    assert float(nnxp.Poisson().calculate(p, y)) == pytest.approx(half, rel=tolerance(dtype, 20, p))


def test_poisson_of_large_counts_rates_beyond_the_dtype_and_targets_below_0(backend: Target) -> None:
    """A perfect prediction's loss is that of the rounding of its logarithm; what nobody checked spoils its own row."""
    counts, eps = np.array([[1e6], [1.0], [0.0]], np.float32), float(np.finfo(np.float32).eps)
    p = backend.asarray(np.array([[math.log(1e6)], [0.0], [-100.0]], np.float32))
    losses = backend.to_numpy(nnxp.Poisson().forward(p, backend.asarray(counts)))
    assert np.all(np.abs(losses) <= 32 * eps * np.maximum(counts[:, 0], 1))
    loss = nnxp.Poisson(backend=backend.spec)
    unchecked = backend.asarray(np.array([[-1.0], [2.0], [0.0]], np.float32))
    with np.errstate(all="ignore"):
        found = loss.losses(backend.asarray(np.array([[0.5], [0.5], [1000.0]], np.float32)), unchecked)
    assert np.isfinite(backend.to_numpy(found)).tolist() == [False, True, False]


def test_the_metric_of_poisson_is_of_rates(backend: Target) -> None:
    p, y = backend.asarray(np.log([[2.0], [4.0]])), backend.asarray([[1.0], [4.0]], "float64")
    backend.assert_close(nnxp.Poisson(backend=backend.spec).score(p, y), np.array([1.0, 0.0]), atol=1e-14)


def test_a_loss_in_units_has_one_for_each_output() -> None:
    with pytest.raises(ValueError, match=r"got sigma=\[\], expected a list of numbers above 0, one for each output"):
        StandardisedLoss("huber", [])
    x, y = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    model = nnxp.Sequential([nnxp.Dense(3, 2)], StandardisedLoss("huber", [1.0, 2.0, 3.0]), seed=0)
    for call in (model.fit, model.evaluate, model.train_step):
        with pytest.raises(ValueError, match="got sigma of 3 outputs for a model of 2, expected one for each"):
            call(x, y)


@pytest.mark.parametrize("delta", [0, -1.0, math.inf, math.nan, "1", True])
def test_huber_refuses_a_delta_that_is_none(delta: Any) -> None:
    with pytest.raises(ValueError, match="got delta=.*, expected a number above 0"):
        nnxp.Huber(delta)


def test_a_loss_that_is_not_finished_says_what_is_missing() -> None:
    class Unfinished(nnxp.Loss):
        pass

    for method, missing in (("calculate", "losses"), ("backward", "gradients")):
        with pytest.raises(NotImplementedError, match=rf"Unfinished defines no {missing}\(self, p, y\)"):
            getattr(Unfinished(), method)([[1.0]], [1.0])
