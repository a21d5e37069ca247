"""Every initializer of the registry: its variance as published, its distribution, and the same numbers for the
same key."""

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnxp
from nnxp import initializers, random
from nnxp.doors.naming import snake_case
from nnxp.initializers import INITIALIZERS, Initializer, get_initializer
from tests.helpers.matrix import Target

SHAPE = (300, 200)
SIGMAS = statistics.NormalDist().inv_cdf(1 - 0.5e-6)  # exceeded once in 10⁶ tries

VARIANCES = {
    "he_normal": 2 / 300,
    "he_uniform": 2 / 300,
    "glorot_normal": 2 / 500,
    "glorot_uniform": 2 / 500,
    "lecun_normal": 1 / 300,
    "lecun_uniform": 1 / 300,
    "book": 0.01**2,
    "random_signs": 1.0,
    "standard_normal": 1.0,  # Jacot et al. 2018, section 2
    "data_variance": 1.0,  # before any data
}
LIMITS = {
    "he_uniform": math.sqrt(6 / 300),  # He et al. 2015
    "glorot_uniform": math.sqrt(6 / 500),  # Glorot and Bengio 2010, equation 16
    "lecun_uniform": math.sqrt(3 / 300),
}
KURTOSIS = {"normal": 3.0, "uniform": 9 / 5, "book": 3.0, "variance": 3.0, "signs": 1.0}
VARIANCE_OF_KURTOSIS = {"normal": 96.0, "uniform": 144 / 25, "book": 96.0, "variance": 96.0, "signs": 0.0}
"""Var(z⁴) of a standardised value: E z⁸ - (E z⁴)², 105 - 9 and 9 - (9/5)² (uniform on ±√3)."""


def test_the_registry_holds_every_initializer() -> None:
    defined = {c for c in vars(initializers).values() if isinstance(c, type) and issubclass(c, Initializer)}
    public = {c for c in defined - {Initializer} if not c.__name__.startswith("_")}
    assert public == set(INITIALIZERS)
    assert {snake_case(c.__name__) for c in public} == {*VARIANCES, "orthogonal", "zeros"}


@pytest.mark.parametrize("name", VARIANCES)
def test_moments_are_the_published_ones(name: str) -> None:
    weights = get_initializer(name).draw(random.key(0, "weights", 0), SHAPE)
    z, n = weights / math.sqrt(VARIANCES[name]), weights.size
    kind = name.rpartition("_")[2]
    kurtosis = KURTOSIS[kind]
    assert weights.shape == SHAPE and weights.dtype == np.float64
    assert abs(np.mean(z)) <= SIGMAS / math.sqrt(n)
    assert abs(np.mean(z**2) - 1) <= SIGMAS * math.sqrt((kurtosis - 1) / n)
    assert abs(np.mean(z**4) - kurtosis) <= SIGMAS * math.sqrt(VARIANCE_OF_KURTOSIS[kind] / n)


@pytest.mark.parametrize("name", LIMITS)
def test_uniform_limits(name: str) -> None:
    weights = get_initializer(name).draw(random.key(0, "weights", 0), SHAPE)
    assert LIMITS[name] * 0.999 < np.max(np.abs(weights)) <= LIMITS[name]


@given(n_in=st.integers(1, 12), n_out=st.integers(1, 12), seed=st.integers(0, 2**63))
def test_orthogonal_weights_are_orthonormal(n_in: int, n_out: int, seed: int) -> None:
    w = get_initializer("orthogonal").draw(random.key(seed, "weights"), (n_in, n_out))
    assert w.shape == (n_in, n_out) and w.flags.c_contiguous
    product = w.T @ w if n_in >= n_out else w @ w.T
    np.testing.assert_allclose(product, np.eye(min(n_in, n_out)), atol=1e-13)


def test_orthogonal_weights_favour_no_sign() -> None:
    """Uniform over the orthogonal matrices: without R's signs, the diagonal of Q would be mostly negative."""
    first = [get_initializer("orthogonal").draw(random.key(seed, "weights"), (3, 3))[0, 0] for seed in range(400)]
    assert abs(np.mean(first)) <= SIGMAS * math.sqrt(1 / 3 / 400)


def test_zeros_are_zero() -> None:
    assert np.array_equal(get_initializer("zeros").draw(1, (3, 4)), np.zeros((3, 4)))


def test_signs_are_signs() -> None:
    assert np.array_equal(np.unique(get_initializer("random_signs").draw(1, (30, 4))), [-1.0, 1.0])


@pytest.mark.parametrize("cls", INITIALIZERS)
def test_the_key_decides(cls: type[Initializer]) -> None:
    first, again, other = (cls().draw(random.key(seed, "weights"), (5, 4)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    few = (initializers.Zeros, initializers.RandomSigns)
    assert cls in few or not np.any(first == other)
    assert type(get_initializer(snake_case(cls.__name__))) is type(get_initializer(cls)) is cls


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cls", INITIALIZERS)
def test_a_dense_layer_begins_alike_on_all_backends(backend: Target, cls: type[Initializer], dtype: str) -> None:
    """Drawn on the host in float64, then rounded once."""
    layer = nnxp.Dense(4, 3, initializer=cls(), seed=7, backend=backend.spec, dtype=dtype)
    drawn = cls().draw(random.key(7, "weights", 0, 0), (4, 3))
    backend.assert_close(layer.weights, drawn.astype(dtype))
    normal = cls in (initializers.StandardNormal, initializers.DataVariance)
    biases = random.normal(random.key(7, "weights", 0, 1), (1, 3)) if normal else np.zeros((1, 3))
    backend.assert_close(layer.biases, biases.astype(dtype))


def test_an_initializer_of_ones_own() -> None:
    class Ones(Initializer):
        def draw(self, key: int, shape: tuple[int, int]) -> Any:
            return np.ones(shape)

    assert nnxp.Dense(2, 1, initializer=Ones()).weights.tolist() == [[1], [1]]


def test_errors() -> None:
    with pytest.raises(
        ValueError, match="got initializer 'xavier', expected an object or one of book, data_variance, glorot"
    ):
        nnxp.Dense(2, 1, initializer="xavier")
    with pytest.raises(NotImplementedError, match="Initializer defines no deviation"):
        Initializer().draw(0, (2, 2))
