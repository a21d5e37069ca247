"""The two ceilings: how fast memory is copied, and how fast matrices are multiplied."""

from collections.abc import Iterator

import numpy as np

from benchmarks.gpu import clock
from benchmarks.gpu.part import Row, Setting, attempt

COPIED = 1 << 30
"""Bytes of a copy's source at most; an eighth of what is free where that is less. Many times any cache."""
SIZES = {"float32": (1024, 2048, 4096, 8192), "tf32": (1024, 2048, 4096, 8192), "float64": (1024, 2048, 4096)}
"""Of square products. In float64 most GPUs would take seconds for the largest."""


def rows(setting: Setting) -> Iterator[Row]:
    """A copy and a pass of a kernel (float32's part only), then the products; after them, the clocks."""
    sizes = (32, 64) if setting.small else SIZES[setting.precision]
    actions = [(copied, words) for words in ("copy", "pass")] if setting.precision == "float32" else []
    todo = [*actions, *((multiplied, size) for size in sizes)]
    for (measure, which), seconds in zip(todo, clock.shared(setting.deadline, len(todo)), strict=True):
        name = f"product {which}" if isinstance(which, int) else which
        yield attempt({"case": name}, lambda m=measure, w=which, s=seconds: m(setting, w, s))
    if setting.precision == "float32" and not setting.small:
        from benchmarks.gpu import facts

        yield attempt({"case": "clocks after the products"}, facts.smi)


def copied(setting: Setting, which: str, seconds: float) -> Row:
    """Bytes read and written a second: of a copy by the runtime, or of a kernel that changes the signs."""
    import cupy

    free, _ = cupy.cuda.Device().mem_info
    numbers = 1 << 12 if setting.small else min(COPIED, free // 8) // 4
    source, target = cupy.ones(numbers, np.float32), cupy.zeros(numbers, np.float32)

    def copy() -> None:
        target.data.copy_from_device_async(source.data, source.nbytes)

    action = copy if which == "copy" else (lambda: cupy.negative(source, out=target))
    found = clock.rounds(action, clock.of_cupy(), seconds, setting.small)
    assert float(target[-1]) == (1.0 if which == "copy" else -1.0)
    return found | {"bytes_a_second": 2 * source.nbytes / found["device"]["median"]}


def multiplied(setting: Setting, size: int, seconds: float) -> Row:
    """Floating-point operations a second of a square product of normal numbers (a GPU may multiply zeros faster)."""
    import cupy

    random = np.random.default_rng(0)
    a, b = (cupy.asarray(random.standard_normal((size, size), np.float32).astype(setting.dtype)) for _ in range(2))
    out = cupy.empty_like(a)
    found = clock.rounds(lambda: cupy.matmul(a, b, out=out), clock.of_cupy(), seconds, setting.small)
    return found | {"operations_a_second": 2 * size**3 / found["device"]["median"]}
