"""Memory over long runs: nothing is left behind by a step, a fit, a file that is saved or loaded.

Every object of Python, an array's too, is a block of its allocator, which counts them: where n repetitions leave fewer
than n blocks, they do not leave one each. What lies elsewhere, the arrays' own memory, is seen in the process's size,
which comes in pages. What fills a cache is left once, what leaks in each of several windows: so the smallest of their
growths counts. `NNXP_LONG_RUNS=1 pytest tests/training/test_long_runs.py -s` runs 10,000 steps and 200 fits, and prints
the numbers; else it is a few.
"""

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import AdamW, BatchNorm, Dense, Dropout, Sequential
from nnxp.callbacks import Checkpoint, EarlyStopping
from nnxp.kernels import register_machine
from nnxp.schedules import Cosine
from tests.helpers.matrix import Target, selected

LONG = "NNXP_LONG_RUNS" in os.environ
WINDOWS, STEPS, FITS = (4, 2_500, 50) if LONG else (3, 60, 3)
A_FIT = 1 if LONG else 100
"""How many objects a fit may leave, on average: a few fits do not fill every cache. A model alone has more."""
WIDTH, BATCH = 32, 16
SMALLEST = 64
"""Bytes that the C library's allocator takes for an array, at least, as NumPy, PyTorch and CuPy ask for one."""
LARGE = 2**22 + 1
"""Numbers in an array that the C library never takes from what was freed before: 32 MiB is its largest such piece."""
PAGES = 2**18
"""What the process's size may differ by: the allocators' own pages, 64 of them."""
X = np.random.default_rng(0).standard_normal((BATCH * 25, 8)).astype(np.float32)
Y = np.arange(len(X)) % 3


# Each library once: whether X may be written to, or which device it is on, does not change what is left behind.
LIBRARIES = [target for target in selected() if not target.readonly and target.device_name is None]


@pytest.fixture(scope="module", params=LIBRARIES, ids=lambda target: target.name)
def backend(request: pytest.FixtureRequest) -> Target:
    """One library of the backend matrix."""
    target: Target = request.param
    return target


def model_on(spec: str) -> Sequential:
    layers = [Dense(8, WIDTH), BatchNorm(WIDTH), "relu", Dropout(0.25), Dense(WIDTH, 3), "softmax"]
    optimizer = AdamW(0.001, schedule=Cosine(steps=20_000), ema=0.9, clip_norm=1.0)
    return Sequential(layers, "categorical_crossentropy", optimizer, backend=spec, seed=0)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """What is logged, pytest keeps."""
    log, level = logging.getLogger("nnxp"), logging.getLogger("nnxp").level
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(level)


KNOWN: list[register_machine._Seen] = []


@pytest.fixture(scope="module", autouse=True)
def apart() -> Iterator[None]:
    """What the whole suite has made before is not looked through at every collection: it is millions of objects."""
    gc.collect()
    KNOWN[:] = remembering()
    gc.freeze()
    yield
    gc.unfreeze()
    KNOWN.clear()


def remembering() -> list[register_machine._Seen]:
    """The kernels' memories of their calls."""
    return [found for found in gc.get_objects() if type(found) is register_machine._Seen]


def process_size() -> int:
    """Bytes of this process that are in memory, without those of files, which the system drops as it likes."""
    _, resident, of_files, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")


def held() -> tuple[int, int]:
    """Blocks that Python holds, and bytes of the process, 0 where nobody says.

    Kernels remember calls on purpose, up to a number, and Python keeps some small objects to use them again: they are
    not counted.
    """
    gc.collect()
    for seen in [*KNOWN, *remembering()]:
        assert len(seen.calls) <= register_machine.REMEMBERED
        seen.calls.clear()
    for name in ("nnxp.kernels.cuda.launch", "nnxp.kernels.cuda.products"):
        if (module := sys.modules.get(name)) is not None:
            assert len(module._known) <= module.REMEMBERED
            module._known.clear()
    gc.collect()  # which empties Python's lists of small objects
    return sys.getallocatedblocks(), process_size() if sys.platform == "linux" else 0


def check(name: str, repeat: Callable[[int], None], count: int, most: int = 1) -> None:
    """Repeats, looks, and holds the smallest growth of a window to less than `most` objects for each repetition."""
    repeat(count)  # caches fill
    found = []
    for _ in range(WINDOWS):
        before = held()
        repeat(count)
        found.append((held()[0] - before[0], held()[1] - before[1]))
    blocks, process = zip(*found, strict=True)
    print(f"\n{name}, {WINDOWS} times {count:,}: Python's blocks {blocks}, the process {process} bytes")
    assert min(blocks) < most * count and min(process) < SMALLEST * count + PAGES


@pytest.mark.long
def test_steps_leave_nothing(backend: Target) -> None:
    """Steps of one long epoch, with validations and losses read on the way."""
    model, x = model_on(backend.spec), backend.asarray(X)

    def steps(count: int) -> None:
        rows = [slice(start, start + BATCH) for start in range(0, len(X), BATCH)]

        def batches() -> Iterator[Any]:
            for number in range(count):
                part = rows[number % len(rows)]
                yield x[part, ...], Y[part]

        model.fit(batches, validation_data=(x, Y))
        for number in range(count // 10):
            part = rows[number % len(rows)]
            model.train_step(x[part, ...], Y[part])
            model.predict(x[part, ...])

    check(f"steps on {backend.name}", steps, STEPS)


@pytest.mark.long
def test_fits_leave_nothing(backend: Target, tmp_path: Path) -> None:
    """New models, each trained, saved at every epoch, resumed, loaded and dropped."""
    x, path = backend.asarray(X), tmp_path / "m.safetensors"

    def fits(count: int) -> None:
        for _ in range(count):
            path.unlink(missing_ok=True)
            for _ in range(2):
                model = model_on(backend.spec)
                callbacks = [EarlyStopping(patience=2), Checkpoint(path)]
                model.fit(x, Y, epochs=2, batch_size=100, validation_split=0.2, callbacks=callbacks, resume=path)
            nnxp.load(path, backend=backend.spec).evaluate(x, Y)

    check(f"fits on {backend.name}", fits, FITS, A_FIT)


def test_threads_predict_while_others_load(backend: Target, tmp_path: Path) -> None:
    """Predictions of one model are its own whatever is loaded meanwhile, and what is loaded is whole."""
    x = backend.asarray(X)
    model, other = model_on(backend.spec), model_on(backend.spec)
    other.fit(x, Y, epochs=2)
    other.save(tmp_path / "m.safetensors")
    expected = [backend.to_numpy(m.predict(x)) for m in (model, other)]

    def predict(_: int) -> None:
        for _ in range(20):
            np.testing.assert_array_equal(backend.to_numpy(model.predict(x)), expected[0])

    def load(_: int) -> None:
        for _ in range(5):
            loaded = nnxp.load(tmp_path / "m.safetensors", backend=backend.spec)
            np.testing.assert_array_equal(backend.to_numpy(loaded.predict(x)), expected[1])

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, i) for i in range(2) for work in (predict, load)]:
            done.result()


@pytest.mark.long
@pytest.mark.parametrize(
    ("leaked", "count", "most"),
    [
        (lambda: [np.ones((1,))], STEPS, 1),
        (lambda: [np.ones((LARGE,)), np.ones((LARGE,))], 1, 100),
        (lambda: _trained(), FITS, A_FIT),
    ],
    ids=["object", "memory", "model"],
)
def test_a_leak_would_be_seen(leaked: Callable[[], Any], count: int, most: int) -> None:
    """Of each repetition: an array by its objects, a large one by its memory, a model by all it has.

    The small array lies in a list, and a large one beside another, so that a repetition leaves two: what else the
    process frees hides no leak.
    """
    kept = list[Any]()

    def leak(repetitions: int) -> None:
        kept.extend(leaked() for _ in range(repetitions))

    with pytest.raises(AssertionError):
        check("a leak", leak, count, most)


def _trained() -> Sequential:
    model = model_on("numpy")
    model.fit(X, Y, batch_size=100)
    return model
