"""Bad input at the doors of layers and losses: an error that says what was got, what was expected and the fix,
on every backend, and nothing half done."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnxp
from nnxp.doors import arrays
from nnxp.losses import LOSSES
from tests.helpers.matrix import Target

P3 = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]  # two samples of three classes
P1 = [[0.3], [0.6]]
CATEGORICAL = (nnxp.CategoricalCrossentropy, nnxp.SoftmaxCrossentropy)
BINARY = (nnxp.BinaryCrossentropy, nnxp.SigmoidCrossentropy)
REGRESSION = (nnxp.MeanSquaredError, nnxp.MeanAbsoluteError, nnxp.Huber, nnxp.Poisson)

BAD_LABELS: dict[str, tuple[Any, Any, Any, Any, str]] = {
    "out of range": (CATEGORICAL, P3, [0, 3], ValueError, "from 0 to 3, expected 0 to 2: number the classes from 0"),
    "negative": (CATEGORICAL, P3, [-1, 2], ValueError, "from -1 to 2, expected 0 to 2: number the classes from 0"),
    "floating": (CATEGORICAL, P3, [0.0, 2.0], ValueError, r"float64, expected integers from 0: y.astype\(int\)"),
    "column": (CATEGORICAL, P3, [[0], [2]], ValueError, r"\(2, 1\), a column, expected.*y.reshape\(-1\)"),
    "wide one-hot": (CATEGORICAL, P3, [[1, 0, 0, 0]] * 2, ValueError, r"\(2, 4\), expected class ind.*\(n, 3\)"),
    "narrow one-hot": (CATEGORICAL, P3, [[1, 0]] * 2, ValueError, r"\(2, 2\), expected class indices"),
    "sums to 2": (CATEGORICAL, P3, [[1, 0, 1], [0, 1, 0]], ValueError, "do not sum to 1, expected one-hot rows.*: for"),
    "sums to 0": (CATEGORICAL, P3, [[0, 0, 0], [0, 1, 0]], ValueError, "do not sum to 1, expected one-hot rows"),
    "negative share": (CATEGORICAL, P3, [[-1, 1, 1], [0, 1, 0]], ValueError, "negative or do not sum to 1, expected"),
    "three dimensions": (CATEGORICAL, P3, np.zeros((2, 3, 1)), ValueError, r"\(2, 3, 1\), expected class indices"),
    "a number": (CATEGORICAL, P3, 1, ValueError, r"shape \(\), expected class indices"),
    "too few": (CATEGORICAL, P3, [1], ValueError, "got 1 labels for 2 samples, expected one for each"),
    "too many": (CATEGORICAL, P3, [1, 2, 0], ValueError, "got 3 labels for 2 samples, expected one for each"),
    "none": (CATEGORICAL, P3, np.zeros(0, int), ValueError, "got 0 labels for 2 samples, expected one for each"),
    "text": ((*CATEGORICAL, *BINARY, *REGRESSION), P3, ["a", "b"], TypeError, "got text, expected numbers: np.unique"),
    "objects": (
        (*CATEGORICAL, *BINARY, *REGRESSION), P3, np.array([0, 1], object), TypeError,
        r"got objects, expected numbers: .*x.astype\(float\)",
    ),
    "missing": ((*CATEGORICAL, *REGRESSION), P3, [0, None], TypeError, "got objects, expected numbers"),
    "ragged": ((*CATEGORICAL, *REGRESSION), P3, [[1.0], [1.0, 2.0]], TypeError, "got nested lists of unequal lengths"),
    "beyond 1": (BINARY, P1, [0, 2], ValueError, "outside 0 to 1, expected 0 or 1 .*: for more classes use a softmax"),
    "below 0": (BINARY, P1, [-1, 1], ValueError, "outside 0 to 1, expected 0 or 1"),
    "not a number": ((*BINARY, *REGRESSION), P1, [0, math.nan], ValueError, "expected"),
    "below 0, of counts": ((nnxp.Poisson,), P1, [-1, 1], ValueError, "targets below 0, expected counts or rates from"),
    "infinite": (REGRESSION, P1, [0, math.inf], ValueError, "NaN or infinity, expected finite numbers: fill or drop"),
    "a vector for three": ((*BINARY, *REGRESSION), P3, [0, 1], ValueError, r"\(2, 1\), expected \(n, 3\).*: reshape y"),
    "another width": (REGRESSION, P3, [[1.0, 2.0]] * 2, ValueError, r"\(2, 2\), expected \(n, 3\)"),
    "cube": (REGRESSION, P1, np.zeros((2, 1, 1)), ValueError, r"\(2, 1, 1\), expected \(n, 1\)"),
    "short": ((*BINARY, *REGRESSION), P1, [1], ValueError, "got 1 labels for 2 samples, expected one for each"),
}  # fmt: skip


@pytest.mark.parametrize(("losses", "p", "y", "error", "message"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_bad_labels(backend: Target, losses: Any, p: Any, y: Any, error: Any, message: str) -> None:
    """In all three calls, from the host and, where there is such an array, from the device."""
    forms = [y]
    if error is ValueError:
        forms.append(backend.asarray(y))
    for cls in losses:
        loss = cls(backend=backend.spec)
        for labels in forms:
            for method in (loss.forward, loss.calculate, loss.backward):
                with pytest.raises(error, match=message) as raised:
                    method(backend.asarray(p, "float32"), labels)
                assert ("got" in str(raised.value) and "expected" in str(raised.value)) or error is TypeError
        assert not hasattr(loss, "dinputs")


def test_every_loss_is_in_the_table() -> None:
    assert set(CATEGORICAL + BINARY + REGRESSION) == set(LOSSES)


GOOD_LABELS: dict[str, tuple[Any, Any, Any]] = {
    "classes": (CATEGORICAL, P3, [2, 0]),
    "bytes": (CATEGORICAL, P3, np.array([2, 0], np.uint8)),
    "one-hot": (CATEGORICAL, P3, [[0, 0, 1], [1, 0, 0]]),
    "one-hot Booleans": (CATEGORICAL, P3, np.array([[0, 0, 1], [1, 0, 0]], bool)),
    "rounded shares": (CATEGORICAL, P3, np.array([[0.33333334, 0.33333334, 0.33333334], [1, 0, 0]], np.float32)),
    "yes or no": (BINARY, P1, [0, 1]),
    "Booleans": (BINARY, P1, np.array([[False], [True]])),
    "integers": (REGRESSION, P1, [1, 2]),
    "column": (REGRESSION, P1, [[1.5], [2.0]]),
}


@pytest.mark.parametrize(("losses", "p", "y"), GOOD_LABELS.values(), ids=GOOD_LABELS)
def test_good_labels(backend: Target, losses: Any, p: Any, y: Any) -> None:
    """The same from the host and from the device, and in the dtype of the predictions."""
    for cls in losses:
        for dtype in ("float32", "float64"):
            predictions = backend.asarray(p, dtype)
            host = cls(backend=backend.spec).backward(predictions, y)
            device = cls().backward(predictions, backend.asarray(y))
            backend.assert_close(host, backend.to_numpy(device).astype(dtype))


BAD_WEIGHTS = {
    "all 0": ([0.0, 0.0], ValueError, "got sample_weight that is 0 for every sample.* learned, or measured"),
    "a dict": (
        {0: 1.0, 1: 2.0},
        TypeError,
        "expected numbers: give one for each sample; weights of classes are class_w",
    ),
    "a word": (
        "balanced",
        TypeError,
        "expected numbers: give one for each sample; weights of classes are class_weight=",
    ),
    "negative": ([1.0, -1.0], ValueError, "got a sample_weight that is negative or not finite, expected"),
    "not a number": ([1.0, math.nan], ValueError, "negative or not finite, expected numbers from 0 up"),
    "infinite": ([1.0, math.inf], ValueError, "negative or not finite, expected numbers from 0 up"),
    "too few": ([1.0], ValueError, r"got sample_weight of shape \(1,\), expected \(2,\): one weight a sample"),
    "column": ([[1.0], [1.0]], ValueError, r"got sample_weight of shape \(2, 1\), expected \(2,\)"),
    "a number": (1.0, ValueError, r"got sample_weight of shape \(\), expected \(2,\)"),
    "text": (["a", "b"], TypeError, "got text, expected numbers"),
}


@pytest.mark.parametrize(("w", "error", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
@pytest.mark.parametrize("cls", LOSSES)
def test_bad_weights(backend: Target, cls: Any, w: Any, error: Any, message: str) -> None:
    y = [0, 1] if cls in CATEGORICAL else [[0.0, 1.0, 1.0]] * 2
    loss = cls(backend=backend.spec)
    for method in (loss.calculate, loss.backward):
        with pytest.raises(error, match=message):
            method(P3, y, w)


BAD_PREDICTIONS = {
    "three dimensions": (np.zeros((2, 3, 1)), ValueError, r"got y_pred of shape \(2, 3, 1\), expected two dimensions"),
    "a number": (0.5, ValueError, r"got y_pred of shape \(\), expected two dimensions"),
    "text": ([["a"], ["b"]], TypeError, "got text, expected numbers"),
    "no outputs": (np.zeros((2, 0)), ValueError, r"got y_pred of shape \(2, 0\), expected at least one output"),
}


@pytest.mark.parametrize(("p", "error", "message"), BAD_PREDICTIONS.values(), ids=BAD_PREDICTIONS)
@pytest.mark.parametrize("cls", LOSSES)
def test_bad_predictions(backend: Target, cls: Any, p: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        cls(backend=backend.spec).forward(p, [0, 1])


def test_a_text_is_no_backend() -> None:
    """X decides the backend by what it is, not by what it says."""
    for text in ("numpy", "1.0", "no such backend"):
        for call in (nnxp.ReLU().forward, lambda x: nnxp.MeanSquaredError().forward(x, [1.0])):
            with pytest.raises(TypeError, match="got text, expected numbers"):
                call(text)


def test_labels_of_another_library_are_refused(backend: Target) -> None:
    """y moves to X where it may: from the host."""
    p = backend.asarray(P3, "float32")
    other = {"numpy": "array_api_strict"}.get(backend.module, "numpy")
    stranger = nnxp.get_backend(other).asarray([0, 1], dtype="int64")
    loss = nnxp.SoftmaxCrossentropy()
    if other == "numpy":
        assert loss.forward(p, stranger).shape == (2,)
    else:
        with pytest.raises(nnxp.BackendMismatchError, match="got an array of array_api_strict on .*, where numpy"):
            loss.forward(p, stranger)


ANYTHING = st.one_of(
    hnp.arrays(
        st.one_of(hnp.integer_dtypes(), hnp.floating_dtypes(sizes=(32, 64)), st.just(np.dtype(bool))),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    ),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-3, 3), st.text(max_size=2)),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=6,
    ),
)


def refusal(call: Callable[[], Any]) -> bool:
    """Whether the call is refused: with a ValueError or TypeError that says what was got, and nothing else."""
    try:
        call()
    except (ValueError, TypeError) as error:
        message = str(error)
    else:
        return False
    assert "got " in message
    return True


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # 1e300 has no float32
@pytest.mark.parametrize("cls", LOSSES)
@given(y=ANYTHING)
def test_any_labels_are_used_or_refused(backend: Target, cls: Any, y: Any) -> None:
    """Whatever comes: finite losses, one a sample, or a ValueError or TypeError that says what was got."""
    loss = cls(backend=backend.spec)
    refused = refusal(lambda: loss.forward(P3, y))
    if not refused:
        values = backend.to_numpy(loss.forward(P3, y))
        assert values.shape == (2,)
        assert np.all(np.isfinite(values)) or np.max(np.abs(np.asarray(y, float))) > 1e18


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in matmul:RuntimeWarning")  # of infinity by infinity
@given(x=ANYTHING)
def test_any_inputs_are_used_or_refused(backend: Target, x: Any) -> None:
    for layer in (nnxp.Dense(2, 1, seed=0, backend=backend.spec), nnxp.ReLU(backend=backend.spec)):
        assert refusal(lambda layer=layer: layer.forward(x)) or layer.output.ndim == 2


@given(
    rows=st.integers(0, 4),
    columns=st.integers(1, 4),
    place=st.integers(0, 100),
    value=st.sampled_from((math.nan, math.inf, -math.inf)),
)
def test_finite_names_the_first_place(backend: Target, rows: int, columns: int, place: int, value: float) -> None:
    here = nnxp.get_backend(backend.spec)
    x = np.ones((rows, columns))
    arrays.finite(here, backend.asarray(x), "X")
    if rows:
        row, column = divmod(place % (rows * columns), columns)
        x[row, column] = value
        x[row:, column] = value
        with pytest.raises(ValueError, match=f"got X with NaN or infinity, first at row {row}, column {column}"):
            arrays.finite(here, backend.asarray(x), "X")
