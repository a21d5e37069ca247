"""`nnxp.random`: the published bits on every backend, streams that do not meet, and numbers that look random.

Seeds are fixed, so the statistical tests always give the same verdict. Each statistic, taken as normal, must
stay within what a perfect generator leaves once in 10⁶ tries (4.9 standard deviations, both sides).
"""

import math
import statistics
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnxp
from nnxp import random
from tests.helpers.matrix import Target

# First outputs of the reference implementation, https://prng.di.unimi.it/splitmix64.c.
PUBLISHED = {
    0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F],
    1234567: [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ],
}
N = 1 << 16
SIGMAS = statistics.NormalDist().inv_cdf(1 - 0.5e-6)
NUMPY = nnxp.get_backend("numpy")


def splitmix64(seed: int, n: int) -> list[int]:
    """The reference implementation's C, with Python's integers."""
    mask, numbers = (1 << 64) - 1, []
    for _ in range(n):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        numbers.append(z ^ (z >> 31))
    return numbers


def unsigned(numbers: npt.NDArray[np.int64]) -> list[int]:
    return numbers.astype(np.uint64).tolist()


@pytest.mark.parametrize("seed", PUBLISHED)
def test_bits_are_the_published_ones(backend: Target, seed: int) -> None:
    expected = PUBLISHED[seed]
    bits = random.bits(nnxp.get_backend(backend.spec), seed, len(expected))
    backend.assert_close(bits, np.array(expected, np.uint64).astype(np.int64))


@given(seed=st.integers(-(2**63), 2**63 - 1), n=st.integers(0, 40))
def test_bits_follow_the_reference_for_any_key(backend: Target, seed: int, n: int) -> None:
    bits = random.bits(nnxp.get_backend(backend.spec), seed, n)
    assert unsigned(backend.to_numpy(bits)) == splitmix64(seed, n)


@given(
    shape=st.tuples(st.integers(0, 6), st.integers(1, 6)), rate=st.floats(0, 0.99), key=st.integers(-(2**63), 2**63 - 1)
)
def test_masks_are_equal_on_all_backends(backend: Target, shape: tuple[int, int], rate: float, key: int) -> None:
    """Element i is kept where the top 24 bits of the i-th number are below (1 - rate) · 2²⁴."""
    threshold = round((1 - rate) * 2**24)
    expected = [number >> 40 < threshold for number in splitmix64(key, shape[0] * shape[1])]
    kept = random.kept(nnxp.get_backend(backend.spec), key, shape, rate)
    backend.assert_close(kept, np.array(expected, bool).reshape(shape))


def test_a_mask_leaves_out_its_threshold(backend: Target) -> None:
    """`bits < round(keep · 2²⁴)`: a number equal to the threshold is dropped, the one below it kept."""
    top = splitmix64(0, 1)[0] >> 40
    for threshold, kept in ((top, False), (top + 1, True)):
        mask = random.kept(nnxp.get_backend(backend.spec), 0, (1, 1), 1 - threshold / 2**24)
        backend.assert_close(mask, np.array([[kept]]))


def test_uniform_and_normal_numbers_are_their_definitions() -> None:
    """The top 53 bits; and Box and Muller's, of the first half and the second."""
    u = [number >> 11 for number in splitmix64(5, 40)]
    assert random.uniform(5, (8, 5)).tolist() == np.reshape([v / 2**53 for v in u], (8, 5)).tolist()
    expected = [
        math.sqrt(-2 * math.log1p(-a / 2**53)) * math.cos(2 * math.pi * b / 2**53)
        for a, b in zip(u[:20], u[20:], strict=True)
    ]
    np.testing.assert_allclose(random.normal(5, (4, 5)).reshape(-1), expected, rtol=1e-13, atol=1e-15)


@given(seed=st.integers(-(2**70), 2**70), counters=st.lists(st.integers(0, 2**40), max_size=4))
def test_keys_are_signed_64_bit(seed: int, counters: list[int]) -> None:
    key = random.key(seed, "order", *counters)
    assert -(2**63) <= key < 2**63
    assert type(key) is int


def test_keys_of_other_purposes_and_counters_differ() -> None:
    """Also where counters are swapped, shifted or appended."""
    counters = [c for length in range(4) for c in product(range(5), repeat=length)]
    parts = [(seed, purpose, *c) for seed in (-1, 0, 1, 2) for purpose in random.PURPOSES for c in counters]
    assert len({random.key(*part) for part in parts}) == len(parts)


def test_streams_of_other_keys_do_not_meet() -> None:
    keys = [random.key(0, "dropout", layer, epoch, step) for layer, epoch, step in product(range(5), repeat=3)]
    numbers = np.concatenate([random.bits(NUMPY, key, 1000) for key in keys])
    assert len(np.unique(numbers)) == numbers.size


@pytest.mark.parametrize("purpose", ["weight", "", "Order"])
def test_an_unknown_purpose_is_refused(purpose: str) -> None:
    with pytest.raises(ValueError, match="got purpose=.*, expected one of weights"):
        random.key(0, purpose)


def test_fresh_seeds_differ() -> None:
    assert len({random.fresh_seed() for _ in range(100)}) == 100


def keys() -> list[int]:
    """Of one stream, of neighbouring steps, and of neighbouring seeds."""
    return [0, random.key(0, "order", 0), random.key(0, "order", 1), random.key(1, "order", 0)]


every_key = pytest.mark.parametrize("key", keys(), ids=("zero", "step 0", "step 1", "seed 1"))


def within(statistic: float, mean: float, deviation: float) -> bool:
    return abs(statistic - mean) <= SIGMAS * deviation


@every_key
def test_each_bit_is_set_half_the_time(key: int) -> None:
    """The monobit test of each of the 64 positions, and of all together; 66 tests."""
    bits = random.bits(NUMPY, key, N).view(np.uint64)
    counts = np.array([np.sum((bits >> np.uint64(i)) & np.uint64(1)) for i in range(64)], np.int64)
    assert all(within(float(count), N / 2, math.sqrt(N) / 2) for count in counts)
    assert within(float(np.sum(counts)), 32 * N, math.sqrt(64 * N) / 2)


@every_key
def test_uniform_numbers(key: int) -> None:
    """Range, mean, variance, the chi-square of 256 cells, and the correlation of neighbours."""
    u = random.uniform(key, (N,))
    assert u.dtype == np.float64 and u.min() >= 0 and u.max() < 1
    assert within(float(np.mean(u)), 1 / 2, math.sqrt(1 / 12 / N))
    assert within(float(np.var(u)), 1 / 12, math.sqrt(1 / 180 / N))
    cells = np.bincount((u * 256).astype(int), minlength=256)
    chi_square = float(np.sum((cells - N / 256) ** 2) / (N / 256))
    assert within(chi_square, 255, math.sqrt(2 * 255))
    for lag in (1, 2, 64):
        products = (u[:-lag] - 0.5) * (u[lag:] - 0.5) * 12
        assert within(float(np.mean(products)), 0, 1 / math.sqrt(N - lag))


def test_neighbouring_streams_are_uncorrelated() -> None:
    streams = [
        random.uniform(random.key(seed, "dropout", step), (N,)) - 0.5 for seed, step in product(range(3), repeat=2)
    ]
    for i, a in enumerate(streams):
        for b in streams[:i]:
            assert within(float(np.mean(a * b)) * 12, 0, 1 / math.sqrt(N))


@every_key
def test_normal_numbers(key: int) -> None:
    """Mean, variance, skewness, kurtosis, and the shares beyond one, two and three deviations."""
    z = random.normal(key, (256, N // 256))
    assert z.dtype == np.float64 and np.all(np.isfinite(z))
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert within(float(np.mean(z**power)), moment, math.sqrt(variance / N)), power
    for distance in (1, 2, 3):
        share = 2 * statistics.NormalDist().cdf(-distance)
        beyond = float(np.mean(np.abs(z) > distance))
        assert within(beyond, share, math.sqrt(share * (1 - share) / N))


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5, 0.9])
def test_dropout_keeps_its_share(rate: float) -> None:
    kept = random.kept(NUMPY, random.key(0, "dropout", 0), (256, N // 256), rate)
    deviation = math.sqrt(rate * (1 - rate))
    assert within(float(np.mean(kept)), 1 - rate, deviation / math.sqrt(N))
    for axis in (0, 1):  # no row and no column is favoured
        means = np.mean(kept, axis=axis)
        assert all(within(float(mean), 1 - rate, deviation / 16) for mean in means)


def test_dropout_of_rate_0_keeps_all() -> None:
    assert np.all(random.kept(NUMPY, 0, (100, 100), 0.0))


@given(n=st.integers(0, 300), key=st.integers(-(2**63), 2**63 - 1))
def test_a_permutation_holds_every_index_once(n: int, key: int) -> None:
    order = random.permutation(key, n)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(n))


def test_permutations_are_uniform() -> None:
    """Every element is as often at every place, and every order of three is as frequent."""
    n, tries = 8, 1 << 12
    orders = np.array([random.permutation(random.key(0, "order", epoch), n) for epoch in range(tries)])
    share = 1 / n
    deviation = math.sqrt(tries * share * (1 - share))
    for element, place in product(range(n), repeat=2):
        assert within(int(np.sum(orders[:, place] == element)), tries * share, deviation)
    ranks = np.argsort(orders, axis=1)[:, :3]  # where 0, 1 and 2 are
    patterns = np.unique(np.argsort(ranks, axis=1), axis=0, return_counts=True)[1]
    assert len(patterns) == 6
    assert all(within(int(c), tries / 6, math.sqrt(tries * 5 / 36)) for c in patterns)


def test_a_wrong_generator_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One multiplication less, and the tests above fail."""
    from nnxp.kernels import formulas

    def weak(z: Any) -> Any:
        return (z ^ ((z >> 30) & 0x3FFFFFFFF)) * 3

    monkeypatch.setattr(formulas, "splitmix64", weak)
    with pytest.raises(AssertionError):
        test_uniform_numbers(0)


def test_a_bag_is_n_draws_with_replacement() -> None:
    """Draw i is ⌊n uᵢ⌋, of the top 53 bits of the i-th number; a row is in none with a chance of (1 - 1/n)ⁿ."""
    for n in (1, 7, 1000):
        drawn = [n * (number >> 11) >> 53 for number in splitmix64(5, n)]
        assert random.bag(5, n).tolist() == [drawn.count(row) for row in range(n)]
    absent = (1 - 1 / N) ** N
    none = int(np.count_nonzero(random.bag(0, N) == 0))
    assert abs(none - N * absent) < SIGMAS * math.sqrt(N * absent * (1 - absent))  # at most: rows exclude one another
    assert all(int((1 - 2.0**-53) * n) < n for n in (1, 3, 2**20, 2**20 + 1, 10**15))  # the largest u draws a row too
