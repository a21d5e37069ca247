"""Scaling of numbers: the equations of the docstrings, scikit-learn's where they agree, and numbers of any size."""

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnxp.tabular.encoders.scaling import SCALINGS, Scaler, normal, quantiles_of

Floats = NDArray[np.float64]
ULP = 2.0**-52
NAMES = [*SCALINGS]


def scaled(name: str, x: Floats, new: Floats | None = None) -> Floats:
    """One column, as the matrix has it."""
    columns = [x, -x]
    scaler = Scaler.fit(name, columns, len(x))
    scaler.check(2)
    new = x if new is None else new
    matrix = np.full((len(new), 3), 7, np.float32)
    scaler.write(matrix, [new, -new])
    assert np.isfinite(matrix).all() and (matrix[:, 2] == 7).all()
    both = np.array([new, -new])
    with np.errstate(all="raise", under="ignore"):
        scaler.apply(both, slice(0, 2))
    np.testing.assert_array_equal(np.float32(both.T), matrix[:, :2])
    return np.array(both[0])


def drawn(n: int = 1000) -> Floats:
    return np.random.default_rng(0).gamma(2.0, 3.0, n)


def robust(x: Floats) -> Floats:
    """TABLES.md, literally."""
    low, lower, m, upper, high = np.quantile(x, [0, 0.25, 0.5, 0.75, 1])
    f = 1 / (upper - lower) if upper > lower else 2 / (high - low) if high > low else 0
    z = (x - m) * f
    return np.asarray(z / np.sqrt(1 + (z / 3) ** 2))


def test_robust_is_the_equation() -> None:
    x = drawn()
    np.testing.assert_allclose(scaled("robust", x), robust(x), rtol=16 * ULP, atol=16 * ULP)
    mostly_0 = np.where(np.arange(1000) % 100 == 0, x, 0)  # quartiles of 0, where scikit-learn takes 1
    np.testing.assert_allclose(scaled("robust", mostly_0), robust(mostly_0), rtol=16 * ULP)
    assert abs(scaled("robust", x, np.array([-1e300, 1e300])) - [-3, 3]).max() < 1e-15


def test_before_the_clip_robust_is_scikit_learn_s() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing", reason="needs scikit-learn")
    x = drawn()
    z = preprocessing.RobustScaler().fit_transform(x[:, None])[:, 0]
    np.testing.assert_allclose(scaled("robust", x), z / np.sqrt(1 + (z / 3) ** 2), rtol=16 * ULP, atol=16 * ULP)


def test_standard_is_scikit_learn_s() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing", reason="needs scikit-learn")
    x = drawn()
    expected = preprocessing.StandardScaler().fit_transform(x[:, None])[:, 0]
    np.testing.assert_allclose(scaled("standard", x), expected, rtol=0, atol=1000 * ULP)  # sums of 1,000


@pytest.mark.parametrize("n", [200, 5000])
@pytest.mark.parametrize("kind", ["continuous", "ties"])
def test_quantiles_are_scikit_learn_s(n: int, kind: str) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing", reason="needs scikit-learn")
    x = drawn(n) if kind == "continuous" else np.floor(drawn(n))
    theirs = preprocessing.QuantileTransformer(
        n_quantiles=quantiles_of(n), output_distribution="normal", subsample=None
    ).fit(x[:, None])
    new = np.concatenate([x[x > x.min()], [-1.0, 100.0, 2.5]])  # of the least number alone we say otherwise, below
    expected = theirs.transform(new[:, None])[:, 0]
    got = scaled("quantile", x, new)
    inner = np.abs(expected) < 5  # at the ends the slope of the inverse is 1e6, and a share's rounding shows
    np.testing.assert_allclose(got[inner], expected[inner], rtol=0, atol=1e-9)
    np.testing.assert_allclose(got[~inner], expected[~inner], rtol=0, atol=1e-7)
    assert (np.sort(got) == got[np.argsort(new, kind="stable")]).all()


def test_numbers_of_which_there_are_many_lie_in_the_middle_of_their_shares() -> None:
    """Also the least, of which scikit-learn makes -5.2. TabM's authors tell them apart by a noise, to the same end."""
    x = np.repeat([0.0, 1.0, 2.0], [400, 200, 400])
    x = np.concatenate([x, np.linspace(3, 4, 1001)])  # 2,001 numbers: quantiles by thirtieths are near enough
    got = scaled("quantile", x, np.array([0.0, 2.0]))
    shares = np.array([200 / 2001, 800 / 2001])
    np.testing.assert_allclose(statistics.NormalDist().inv_cdf(shares[0]), got[0], atol=0.05)
    np.testing.assert_allclose(statistics.NormalDist().inv_cdf(shares[1]), got[1], atol=0.05)


def test_how_many_quantiles() -> None:
    assert [quantiles_of(n) for n in (1, 300, 330, 3000, 10**6)] == [10, 10, 11, 100, 1000]


def test_the_normal_s_inverse_is_the_standard_library_s() -> None:
    shares = np.concatenate([np.linspace(1e-7, 1 - 1e-7, 4001), np.geomspace(1e-7, 0.5, 999), [0.075, 0.925]])
    expected = [statistics.NormalDist().inv_cdf(float(share)) for share in shares]
    np.testing.assert_allclose(normal(shares), expected, rtol=16 * ULP, atol=0)
    assert (normal(np.array([0.0, 1.0])) == normal(np.array([1e-7, 1 - 1e-7]))).all() and normal(np.array([0.5])) == 0


def test_none_leaves_numbers_as_they_are() -> None:
    x = np.array([1.5, -2.0, 1e300, np.nan])
    expected = [1.5, -2.0, np.finfo(np.float32).max, 1.5]  # as float32 has it; missing is the median
    np.testing.assert_array_equal(scaled("none", x), expected)


CONSTANT: dict[str, Callable[[], Floats]] = {
    "zeros": lambda: np.zeros(50),
    "one number": lambda: np.full(50, 0.1),
    "one number, rounded": lambda: np.where(np.arange(50) % 2, 0.3, 0.1 + 0.2),
    "huge": lambda: np.full(50, 1.7e308),
    "one row": lambda: np.array([4.0]),
    "nothing": lambda: np.full(50, np.nan),
}


@pytest.mark.parametrize("name", ["robust", "standard", "quantile"])
@pytest.mark.parametrize("kind", CONSTANT)
def test_what_does_not_vary_is_0(name: str, kind: str) -> None:
    x = CONSTANT[kind]()
    new = np.concatenate([x, [5.0, -1e300, np.nan]])
    np.testing.assert_array_equal(scaled(name, x, new), np.zeros(len(new)))


@pytest.mark.parametrize("name", ["robust", "standard", "quantile"])
@pytest.mark.parametrize("unit", [1e300, 1e-42, 2.0**-1060, 1.0])
def test_the_unit_does_not_matter(name: str, unit: float) -> None:
    x = np.round(drawn() * 2**10) - 2000  # of twelve bits, so that a product is as exact as it can be
    x *= unit
    np.testing.assert_allclose(scaled(name, x), scaled(name, x / unit), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["robust", "standard", "quantile"])
def test_both_ends_of_float64(name: str) -> None:
    x = np.tile([-1.7e308, 1.7e308, 0.0, 5e-324, 1.0], 20)
    got = scaled(name, x)
    assert np.isfinite(got).all() and got[0] < got[2] < got[1]


def test_quartiles_that_differ_by_rounding_are_equal() -> None:
    """Else the outliers' 0 to 100 would be 1e17 and the rounding 1."""
    x = np.where(np.arange(1000) % 2, 0.3, 0.1 + 0.2)
    x[:10] = np.arange(10) * 10
    got = scaled("robust", x)
    assert np.ptp(got[10:]) < 1e-15 and np.ptp(got[:10]) > 1


@pytest.mark.parametrize("name", NAMES)
def test_missing_is_the_median(name: str) -> None:
    x = drawn(101)
    x[::7] = np.nan
    median = np.nanmedian(x)
    got = scaled(name, x, np.array([np.nan, median]))
    assert got[0] == got[1] and (name != "robust" or got[0] == 0)


@pytest.mark.parametrize("name", NAMES)
def test_of_what_is_missing_nothing_is_learned(name: str) -> None:
    x = drawn(600)
    with_gaps = np.insert(x, [0, 5, 600], np.nan)
    one, two = (Scaler.fit(name, [column], 600).tensors for column in (x, with_gaps))
    assert {key: a.tobytes() for key, a in one.items()} == {key: a.tobytes() for key, a in two.items()}


@pytest.mark.parametrize("name", NAMES)
def test_many_columns_and_rows_are_those_of_one(name: str) -> None:
    """Blocks of rows and columns meet no other's numbers."""
    rng = np.random.default_rng(0)
    columns = [rng.standard_normal(5000) * 10.0**i + i for i in range(-35, 35)]
    matrix = np.zeros((5000, 70), np.float32)
    Scaler.fit(name, columns, 5000).write(matrix, columns)
    for j in (0, 31, 32, 69):
        one = np.zeros((5000, 1), np.float32)
        Scaler.fit(name, columns[j : j + 1], 5000).write(one, columns[j : j + 1])
        np.testing.assert_array_equal(matrix[:, j], one[:, 0])


def test_no_columns_and_no_rows() -> None:
    for name in NAMES:
        Scaler.fit(name, [], 10).check(0)
        Scaler.fit(name, [], 10).write(np.zeros((3, 2), np.float32), [])
        Scaler.fit(name, [drawn()], 1000).write(np.zeros((0, 1), np.float32), [np.zeros(0)])


def changed(name: str, change: Callable[[dict[str, Any]], Any]) -> Scaler:
    tensors = dict(Scaler.fit(name, [drawn(), drawn()], 1000).tensors)
    change(tensors)
    return Scaler(name, tensors)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("robust", lambda t: t.pop("unit"), "shapes"),
        ("robust", lambda t: t.update(quantiles=np.zeros((2, 2))), "shapes"),
        ("robust", lambda t: t.update(center=np.zeros(3)), "shapes"),
        ("quantile", lambda t: t.update(quantiles=np.zeros((4, 3))), "shapes"),
        ("quantile", lambda t: t.update(quantiles=np.zeros((1, 2))), "fewer than 2"),
        ("quantile", lambda t: t.update(quantiles=-np.arange(8.0).reshape(4, 2)), "not in order"),
        ("robust", lambda t: t.update(center=np.array([np.nan, 0])), "finite"),
        ("robust", lambda t: t.update(center=np.zeros(2, np.float32)), "float64"),
        ("robust", lambda t: t.update(unit=np.zeros(2)), "not above 0"),
    ],
    ids="lacks quantiles center shape few order NaN float32 unit".split(),
)
def test_what_is_no_scaler_s_is_refused(name: str, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(name, change).check(2)


@pytest.mark.parametrize("name", ["robust", "standard", "quantile"])
def test_a_column_that_never_varied_is_0_however_far_a_number_is(name: str) -> None:
    """1e300 in units of 1e-20 is infinite, and infinity times 0 is no number."""
    scaler = Scaler.fit(name, [np.full(40, 1e-20)], 40)
    matrix = np.ones((4, 1), np.float32)
    scaler.write(matrix, [np.array([1e300, -1e300, np.nan, 1e-20])])
    np.testing.assert_array_equal(matrix, np.zeros((4, 1)))
