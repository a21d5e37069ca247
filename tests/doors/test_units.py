"""What counts as constant is relative to the numbers; finite numbers beyond a dtype are called that, in data and in
options."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp import Dense, Rescaling, Sequential, data, losses, metrics
from nnxp.doors.units import constant, unit_of
from tests.helpers.matrix import Target

Host = npt.NDArray[Any]
RNG = np.random.default_rng(0)
X, Y, W = RNG.standard_normal((20, 3)), RNG.standard_normal(20), np.ones(20)
ONE = 1 + np.finfo(np.float32).eps

# --- constant --------------------------------------------------------------------------------------

COLUMNS: dict[str, tuple[Host, bool]] = {
    "equal": (np.full(3, 0.1), True),
    "equal for arithmetic": (np.array([0.1 + 0.2, 0.3, 0.3]), True),
    "one rounding of float32 apart": (np.array([1, ONE], "float32"), True),
    "that of float32, but in float64": (np.array([1, ONE]), False),
    "tiny": (np.array([1e-42, 2e-42]), False),
    "the smallest numbers": (np.array([5e-324, 1e-323]), False),
    "tiny beside one": (np.array([0, 1e-42, 1]), False),
    "large": (np.array([1e300, 1.1e300]), False),
    "both ends of float64": (np.array([-1.7e308, 1.7e308]), False),
    "whole numbers": (np.array([2**50, 2**50 + 1]), False),
    "bytes": (np.array([0, 255], "uint8"), False),
    "zeros": (np.zeros(3), True),
    "yes or no": (np.array([True, False]), False),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_counts_as_constant(name: str) -> None:
    column, expected = COLUMNS[name]
    assert constant(column[:, None]).tolist() == [expected]
    assert constant(np.stack([column, column], axis=1)).tolist() == [expected] * 2


def test_the_unit_of_numbers() -> None:
    columns = np.array([[0, 3, 1e-310, -1e308], [0, -5, 0, 1]])
    unit = unit_of(columns)
    assert unit.tolist() == [1, 4, 2.0**-1030, 2.0**1023]
    np.testing.assert_array_equal(columns / unit * unit, columns)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("size", [1.0, 1e-42, 1e-200, 1e200])
def test_the_units_of_a_target(size: float, weighted: bool) -> None:
    """Against NumPy, of numbers around 1: an exact power of two changes no bit."""
    y, w = np.abs(RNG.standard_normal((20, 2))), RNG.uniform(0, 1, 20) if weighted else None
    mu = np.average(y, 0, w)
    sigma = np.sqrt(np.average((y - mu) ** 2, 0, w))
    power = 2.0 ** np.round(np.log2(size))
    got = losses.units_of(y * power, w)
    np.testing.assert_array_equal(got, (sigma * power, mu * power))
    assert losses.units_of(np.array([0.1 + 0.2, 0.3, 0.3]) * size)[0].tolist() == [0]


@pytest.mark.parametrize("size", [1.0, 1e-42, 1e-200, 1e150])
def test_columns_of_any_size_are_standardised(size: float) -> None:
    columns = np.stack([X[:, 0] * size, np.where(X[:, 0] > 0, 0.3, 0.1 + 0.2) * size], axis=1)
    scale, offset = data.dataset.standardisation(columns, {})
    standardised = columns * scale + offset
    np.testing.assert_allclose(standardised[:, 0].std(), 1, rtol=20 * np.finfo(float).eps)
    assert not standardised[:, 1].any()


def test_metrics_of_any_size() -> None:
    p, y = np.array([1.0, 2, 4]), np.array([1.0, 3, 3])
    for power in (2.0**-600, 2.0**-140, 2.0**600):
        assert metrics.rmse(p * power, y * power) == metrics.rmse(p, y) * power
        assert metrics.r2(p * power, y * power) == metrics.r2(p, y)
    for same in ([0.1, 0.1, 0.1], [0.1 + 0.2, 0.3, 0.3], np.array([1, ONE, 1], "float32")):
        with pytest.raises(ValueError, match="got a constant y"):
            metrics.r2(p, same)


# --- beyond a dtype --------------------------------------------------------------------------------

BEYOND = r"1e\+39, beyond float32, which ends at 3.4e\+38: take dtype=\"float64\", or smaller numbers"


def put(a: Host, place: Any, value: float) -> Host:
    changed = a.copy()
    changed[place] = value
    return changed


def model(backend: Any = None, dtype: str = "float32", *layers: Any, **options: Any) -> Sequential:
    given = {"loss": "mean_squared_error", "optimizer": nnxp.SGD(0.01)} | options
    return Sequential([*layers, Dense(3, 1)], backend=backend, dtype=dtype, seed=0, **given)


WAYS: dict[str, Callable[[Sequential, Any, Any, Any], Any]] = {
    "fit": lambda own, x, y, w: own.fit(x, y, sample_weight=w),
    "a step": lambda own, x, y, w: own.train_step(x, y, w),
    "a stream": lambda own, x, y, w: own.fit([(x, y, w)]),
    "validation": lambda own, x, y, w: own.fit(X, Y, validation_data=(x, y, w)),
    "evaluate": lambda own, x, y, w: own.evaluate(x, y, sample_weight=w),
}
DATA = {
    "X": ((put(X, (3, 1), 1e39), Y, W), r"X at row 3, column 1, of "),
    "y": ((X, put(Y, 2, -1e39), W), "targets of "),
    "weights": ((X, Y, put(W, 2, 1e39)), "a sample_weight of "),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", DATA)
def test_data_beyond_float32(part: str, way: str, backend: Target) -> None:
    """Of NumPy, and of the library in float64; float64 takes it."""
    given, message = DATA[part]
    with pytest.raises(ValueError, match=f"got (validation )?{message}{BEYOND}"):
        WAYS[way](model(backend.spec), *given)
    if way not in ("a step", "validation"):  # nobody waits for a device in a step; X and Y above are NumPy's
        with pytest.raises(ValueError, match=f"got {message}{BEYOND}"):
            WAYS[way](model(backend.spec), *(backend.asarray(a) for a in given))
    WAYS[way](
        model(backend.spec, "float64", Rescaling(1e-39) if part == "X" else Dense(3, 3), optimizer=nnxp.SGD(1e-90)),
        *given,
    )


def test_what_is_not_finite_is_called_that(backend: Target) -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="X with NaN or infinity"):
            model(backend.spec).fit(put(X, (3, 1), value), Y)
        with pytest.raises(ValueError, match="targets with NaN or infinity"):
            model(backend.spec).fit(X, put(Y, 2, value))
        with pytest.raises(ValueError, match="negative or not finite"):
            model(backend.spec).fit(X, Y, sample_weight=put(W, 2, value))


OPTIONS: dict[str, Callable[[str], Any]] = {
    "learning_rate": lambda dtype: model(dtype=dtype, optimizer=nnxp.SGD(1e39)),
    "epsilon": lambda dtype: model(dtype=dtype, optimizer=nnxp.Adam(epsilon=1e39)),
    "weight_decay": lambda dtype: model(dtype=dtype, optimizer=nnxp.AdamW(weight_decay=1e39)),
    "scale": lambda dtype: model(None, dtype, Rescaling(1e39)),
    "offset": lambda dtype: model(None, dtype, Rescaling(1.0, [0.0, 1e39, 0.0])),
    "slope": lambda dtype: model(None, dtype, Dense(3, 3), nnxp.LeakyReLU(1e39)),
    "l2": lambda dtype: model(None, dtype, Dense(3, 3, l2=1e39)),
    "delta": lambda dtype: model(dtype=dtype, loss=nnxp.Huber(1e39)),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_beyond_float32(name: str) -> None:
    own = OPTIONS[name]("float32")
    for _ in range(2):
        with pytest.raises(ValueError, match=f"got {name}={BEYOND}"):
            own.fit(X, Y)
    assert own.step == 0
    OPTIONS[name]("float64").train_step(X, Y)


def test_options_that_float32_rounds_to_0() -> None:
    """Where 0 itself is not taken: Adam would divide 0 by 0."""
    below = 'below float32, which rounds it to 0: take dtype="float64", or larger numbers'
    with pytest.raises(ValueError, match=f"got epsilon=1e-50, {below}"):
        model(optimizer=nnxp.Adam(epsilon=1e-50)).train_step(X, Y)
    model(optimizer=nnxp.SGD(1e-300)).train_step(X, Y)  # 0 would be taken too
    model(dtype="float64", optimizer=nnxp.Adam(epsilon=1e-50)).train_step(X, Y)


def test_options_by_hand() -> None:
    x, layer = X.astype("float32"), Dense(3, 1)
    layer.forward(x)
    layer.backward(np.ones((20, 1), "float32"))
    for name, call in {
        "scale": lambda: Rescaling(1e39).forward(x),
        "delta": lambda: nnxp.Huber(1e39).calculate(x[:, :1], Y),
        "learning_rate": lambda: nnxp.SGD(1e39).update_params(layer),
    }.items():
        with pytest.raises(ValueError, match=f"got {name}={BEYOND}"):
            call()
    assert np.isfinite(layer.weights).all()
    assert Rescaling(1e39).forward(X).dtype == np.float64


def test_a_bound_beyond_float32_is_no_error(backend: Target) -> None:
    """It clips nothing."""
    model(backend.spec, optimizer=nnxp.SGD(0.1, clip_norm=1e39, clip_value=1e300)).train_step(X, Y)


# --- estimators ------------------------------------------------------------------------------------


def test_a_regression_in_tiny_and_large_units() -> None:
    """In float64 the same network as in units of 1."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    fits = [
        nnxp.MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=300, random_state=0).fit(X, Y * power)
        for power in (1.0, 2.0**-140, 2.0**140)
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.coefs_[0], fits[0].coefs_[0])
    for power, message in ((1e-42, "standard deviation of .*e-42, whose"), (1e42, r"y of up to .*e\+42, beyond")):
        with pytest.raises(ValueError, match=f'{message}.* float32.*dtype="float64"'):
            nnxp.MLPRegressor(hidden_layer_sizes=(4,), dtype="float32").fit(X, Y * power)


def test_a_prediction_of_what_float32_does_not_hold() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    fitted = nnxp.MLPRegressor(hidden_layer_sizes=(4,)).partial_fit(X.astype("float32"), Y)
    with pytest.raises(ValueError, match=f"got X at row 3, column 1, of {BEYOND}"):
        fitted.predict(put(X, (3, 1), 1e39))


def test_validation_rows_that_weigh_nothing_and_targets_that_do_not_vary() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")

    def scores(y: Host, w: Host | None) -> list[float | None] | None:
        own = nnxp.MLPRegressor(hidden_layer_sizes=(4,), early_stopping=True, random_state=0)
        return own.partial_fit(X, Y, X_val=X, y_val=y, sample_weight_val=w).validation_scores_

    w = put(W, 3, 0)
    assert scores(put(Y, 3, 1e200), w) == scores(Y, w)
    assert scores(np.full(20, 0.1), None) == [0.0]  # as scikit-learn's R² of what does not vary and is not met
