"""Counter-based random numbers: the same key gives the same bits on every backend.

The i-th number of a key is the i-th output of SplitMix64 seeded with that key: the finaliser
`formulas.splitmix64` of key + (i + 1)γ, with γ = 2⁶⁴/φ rounded to odd (Steele, Lea and Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014, figure 14). Its period is 2⁶⁴, each 64-bit value
occurring once. All arithmetic is on signed 64-bit integers that wrap around.

A key is folded from (seed, purpose, counters): other purposes, layers, epochs and steps get streams of
their own. Floating-point draws are made on the host, so that backends agree bit for bit.
"""

import functools
import math
import os
from collections.abc import Sequence

import numpy as np

from nnxp.backends import Backend
from nnxp.kernels import formulas
from nnxp.kernels.scratch import Scratch
from nnxp.typing import Array, Floats, Integers

GAMMA = formulas.GAMMA
_MASK = (1 << 64) - 1
PURPOSES = ("weights", "order", "dropout", "split", "data", "entropy", "members", "bags")


def fresh_seed() -> int:
    """A seed from the operating system, for where none was given."""
    return int.from_bytes(os.urandom(8), "little") >> 1


def key(seed: int, purpose: str, *counters: int | str) -> int:
    """The signed 64-bit key of one stream.

    Parameters
    ----------
    seed
        Any Python integer.
    purpose
        One of `PURPOSES`: what the numbers are for.
    counters
        Layer (its index, or the text that names a part), epoch, step, ...

    Examples
    --------
    >>> key(0, "dropout", 1, 2) == key(0, "dropout", 1, 2), key(0, "dropout", 1, 2) == key(0, "dropout", 2, 1)
    (True, False)
    """
    return _signed(_folded(_begun(int(seed), purpose, len(counters), counters[:-1]), counters[-1:]))


@functools.lru_cache(1024)
def _begun(seed: int, purpose: str, count: int, counters: tuple[int | str, ...]) -> int:
    """A key before the last of its counters, which alone is another at every step."""
    if purpose not in PURPOSES:
        raise ValueError(f"got purpose={purpose!r}, expected one of {', '.join(PURPOSES)}")
    return _folded(_mixed(_mixed(_mix(seed), PURPOSES.index(purpose)), count), counters)


def _folded(state: int, counters: Sequence[int | str]) -> int:
    for part in counters:
        for number in _numbers(part) if isinstance(part, str) else (int(part),):
            state = _mixed(state, number)
    return state


def _mixed(state: int, number: int) -> int:
    return _mix(state + (GAMMA & _MASK) * (1 + number))


def _numbers(text: str) -> list[int]:
    """A text as numbers of 64 bits, its length the first."""
    data = text.encode()
    return [len(data), *(int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8))]


def _mix(z: int) -> int:
    """`formulas.splitmix64` of one Python integer, unsigned."""
    z &= _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def bits(backend: Backend, key: int, n: int) -> Array:
    """n numbers of 64 random bits, shape (n,), int64, made on the backend's device.

    Examples
    --------
    >>> import nnxp
    >>> bits(nnxp.get_backend("numpy"), 0, 2).tolist() == [0xE220A8397B1DCDAF - 2**64, 0x6E789E6AA1B965F4]
    True
    """
    multiples = _few_multiples(n, backend) if n <= HOST_BLOCK else _multiples(n, backend)
    return backend.fuse(formulas.hashed)(multiples, key)


def kept(backend: Backend, key: int, shape: tuple[int, ...], rate: float, out: Array | None = None) -> Array:
    """Which elements dropout keeps: a Boolean array, True with probability 1 - rate.

    The top 24 bits of each element's number, in row-major order, are below round((1 - rate) 2²⁴).
    """
    n, keep, limit = math.prod(shape), backend.fuse(formulas.kept), threshold(rate)
    if out is None:
        return backend.xp.reshape(keep(_multiples(n, backend), key, limit), shape)
    if n <= BLOCK:
        return keep(_shaped_multiples(shape, backend), key, limit, out=out)
    flat = backend.xp.reshape(out, (-1,), copy=False)
    for start in range(0, n, BLOCK):  # the counters of a block serve them all: the key moves on instead
        part = flat[start : min(n, start + BLOCK)]
        multiples = _counters.take("multiples of γ", part.shape[0], backend)
        keep(multiples, ahead(key, start), limit, out=part)
    return out


def kept_beside(
    backend: Backend, keys: Sequence[int], shape: tuple[int, ...], rates: Sequence[float], out: Array | None = None
) -> Array:
    """`kept` of several networks whose elements lie side by side, (n, K · m): the mask of each by its own key, and by
    one rate or its own."""
    n, width = shape
    m = width // len(keys)
    counters = _beside.take("multiples of γ", n * width, m, len(keys), backend)
    row, limit = _beside_each(keys, m, backend), _limits(tuple(rates), len(keys), m, backend)
    return backend.fuse(formulas.kept_beside)(backend.xp.reshape(counters, shape), row, limit, out=out)


@functools.lru_cache(16)
def _limits(rates: tuple[float, ...], members: int, m: int, backend: Backend) -> Array:
    """The thresholds of the members' rates, or of their one, side by side: the same array at every step."""
    limits = [threshold(rate) for rate in rates]
    return _beside_each(limits if len(rates) > 1 else limits * members, m, backend)


def _beside_each(numbers: Sequence[int], m: int, backend: Backend) -> Array:
    """Each number m times, (1, members · m)."""
    return backend.asarray(np.repeat(np.array(numbers, dtype=np.int64), m)[None, :], dtype="int64")


def threshold(rate: float) -> int:
    """What the top 24 bits of a number are below, of a value that dropout keeps."""
    return round((1 - rate) * 2**24)


def _multiples(n: int, backend: Backend) -> Array:
    """γ, 2γ, ... nγ."""
    counter = backend.xp.arange(1, n + 1, dtype=backend.xp.int64, device=backend.device)
    return counter * GAMMA


def _multiples_beside(n: int, m: int, members: int, backend: Backend) -> Array:
    """Those of matrices (n / members m, m), the same one `members` times side by side, flat."""
    xp, shape = backend.xp, (n // (members * m), members, m)
    counters = xp.reshape(_multiples(n // members, backend), (shape[0], 1, m))
    return xp.reshape(xp.asarray(xp.broadcast_to(counters, shape), copy=True), (-1,))


@functools.lru_cache(16)
def _few_multiples(n: int, backend: Backend) -> Array:
    """The same array for an epoch after the other, so that a kernel knows it again."""
    return _multiples(n, backend)


@functools.lru_cache(8)
def _shaped_multiples(shape: tuple[int, ...], backend: Backend) -> Array:
    """The same array at every step."""
    return backend.xp.reshape(_multiples(math.prod(shape), backend), shape)


BLOCK, HOST_BLOCK = 1 << 17, 1 << 14
_counters, _beside = Scratch(_multiples), Scratch(_multiples_beside)


def ahead(key: int, n: int) -> int:
    """The key whose numbers are those of another from number n on.

    Examples
    --------
    >>> import nnxp
    >>> backend = nnxp.get_backend("numpy")
    >>> bits(backend, ahead(5, 2), 3).tolist() == bits(backend, 5, 5)[2:].tolist()
    True
    """
    return _signed(key + n * GAMMA)


def _signed(number: int) -> int:
    """The number modulo 2⁶⁴, as a signed one."""
    number &= _MASK
    return number - (1 << 64) if number >> 63 else number


def _host_bits(key: int, start: int, stop: int) -> Integers:
    """The numbers of a key from number `start` on, up to `stop`; the first is number 0."""
    counter = np.arange(start + 1, stop + 1, dtype=np.int64)
    numbers: Integers = formulas.splitmix64(counter * GAMMA + key)
    return numbers


def _unit(key: int, start: int, stop: int) -> Floats:
    """The same as numbers in [0, 1)."""
    top = (_host_bits(key, start, stop) >> 11) & ((1 << 53) - 1)
    numbers: Floats = top.astype(np.float64) * 2.0**-53
    return numbers


def uniform(key: int, shape: tuple[int, ...]) -> Floats:
    """Uniform in [0, 1): the top 53 bits of each number. Made on the host, float64, in blocks as `normal`."""
    n = math.prod(shape)
    numbers: Floats = np.empty(n, dtype=np.float64)
    for start in range(0, n, HOST_BLOCK):
        stop = min(n, start + HOST_BLOCK)
        numbers[start:stop] = _unit(key, start, stop)
    return numbers.reshape(shape)


def normal(key: int, shape: tuple[int, ...]) -> Floats:
    """Standard normal by Box and Muller 1958: √(-2 log(1 - u)) cos 2πv, of the i-th and the (n + i)-th number. Made on
    the host, float64, in blocks that stay in the cache."""
    n = math.prod(shape)
    numbers: Floats = np.empty(n, dtype=np.float64)
    for start in range(0, n, HOST_BLOCK):
        stop = min(n, start + HOST_BLOCK)
        u, v = _unit(key, start, stop), _unit(key, n + start, n + stop)
        numbers[start:stop] = np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)
    return numbers.reshape(shape)


def bag(key: int, n: int) -> Integers:
    """How often each of n rows is drawn in n draws with replacement, (n,), int64; the i-th draw is row ⌊n uᵢ⌋.

    Examples
    --------
    >>> int(bag(0, 100).sum()), bool(bag(0, 100).max() > 1)
    (100, True)
    """
    return np.bincount((uniform(key, (n,)) * n).astype(np.int64), minlength=n)  # below n: u is 2⁻⁵³ from 1 at least


def permutation(key: int, n: int, backend: Backend | None = None) -> Integers:
    """0 to n - 1 in random order: the order that sorts n hashes, of which no two are equal. Made on the host, int64; a
    backend of NumPy's may make the hashes faster."""
    hashes = _host_bits(key, 0, n) if backend is None or backend.library != "numpy" else bits(backend, key, n)
    return hashes.argsort().astype(np.int64, copy=False)
