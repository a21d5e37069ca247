"""What an epoch goes over: arrays in memory and on disk, and iterables of batches."""

import math
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

import nnxp
from nnxp import SGD, Dense, NonFiniteLossError, Sequential
from nnxp.training.batches import Batches
from nnxp.training.given import is_stream
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, Recorder, classifier, problem, values, with_everything

X, Y = problem()


def saved(folder: Path, name: str, array: Any) -> Any:
    """The array on disk, memory-mapped."""
    np.save(folder / name, array)
    return np.load(folder / f"{name}.npy", mmap_mode="r")


def regression(backend: Any = "numpy", **options: Any) -> Sequential:
    return Sequential([Dense(5, 1)], **{"loss": "mean_squared_error", "backend": backend, "seed": 0} | options)


# --- arrays in memory ----------------------------------------------------------------------------------

ROWS, BATCH = 500, 128
DTYPES = ("float32", "float64", "float16", "uint8", "int64", ">f4")


def big(dtype: str) -> tuple[Any, Any, Any]:
    """X (500, 784), y and weights."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 200, (ROWS, 784)).astype(dtype), np.arange(ROWS) % CLASSES, 0.5 * (np.arange(ROWS) % 7)


def over(backend: Any, dtype: str) -> Batches:
    model = linear(backend)
    return Batches.of(model, lambda: model.training.plan, *big(dtype), BATCH)


def linear(backend: Any) -> Sequential:
    return Sequential([Dense(784, CLASSES), "softmax"], "categorical_crossentropy", backend=backend)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_allocates_nothing_of_its_size(dtype: str) -> None:
    """On NumPy, after the first: a view of the rows, some Python and no more."""
    data = over("numpy", dtype)
    batches = data.epoch(key=1)
    next(batches)
    tracemalloc.start()
    try:
        assert [len(x) for x, *_ in batches] == [128, 128, 116]
        assert tracemalloc.get_traced_memory()[1] < BATCH * 784 / 10
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_batches_are_gathered_into_the_same_memory(library: str) -> None:
    """Held together, so that memory which was freed and given out again does not look the same."""
    pytest.importorskip(library, reason="a library that writes into memory it is given")
    data = over(library, "float32")
    held = [(batch.x, batch.y, batch.w) for batch in data.epoch(key=1)]

    def address(a: Any) -> int:
        where: int = a.ctypes.data if library == "numpy" else a.data_ptr()
        return where

    assert len(held) == 4
    x, *vectors = zip(*held, strict=True)
    assert len({address(a) for a in x}) == 1
    for parts in vectors:  # put in order at once: one array an epoch, the same in each
        assert [address(a) for a in parts[1:]] == [address(a) + a.nbytes for a in parts[:-1]]
    again = [(batch.y, batch.w) for batch in data.epoch(key=2)]
    assert [*map(address, again[0])] == [address(parts[0]) for parts in vectors]


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_are_not_copied_at_the_door(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at in blocks, in the model's dtype, of which there are several here."""
    monkeypatch.setattr("nnxp.doors.arrays.BLOCK", 10 * 784)
    (made, y, w), model = big(dtype), linear("numpy")
    _ = model.training
    tracemalloc.start()
    try:
        assert Batches.of(model, lambda: model.training.plan, made, y, w, BATCH).X is made
        assert tracemalloc.get_traced_memory()[1] < made.nbytes / 5
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_is_its_rows_in_the_model_s_dtype(backend: Target, dtype: str) -> None:
    made, y, w = big(dtype)
    data = over(backend.spec, dtype)
    order = nnxp.random.permutation(7, ROWS)
    seen = 0
    for batch in data.epoch(key=7):
        rows = order[seen : seen + batch.x.shape[0]]
        seen += len(rows)
        backend.assert_close(batch.x, made[rows].astype(np.float32))
        backend.assert_close(batch.y, y[rows])
        backend.assert_close(batch.w, w[rows].astype(np.float32))
        assert batch.v is batch.w
        assert batch.total == batch.scored == w[rows].sum()
    assert seen == ROWS
    in_order = [backend.to_numpy(bx) for bx, *_ in data.epoch()]
    np.testing.assert_array_equal(np.concatenate(in_order), made.astype(np.float32))


def test_a_batch_again(backend: Target) -> None:
    data = over(backend.spec, "float32")
    seen = [(backend.to_numpy(x), backend.to_numpy(y)) for x, y, *_ in data.epoch(key=3)]
    for back, (x, y) in enumerate(reversed(seen)):
        again = data.again(back)
        np.testing.assert_array_equal(backend.to_numpy(again[0]), x)
        np.testing.assert_array_equal(backend.to_numpy(again[1]), y)
        assert again[2]


def test_checks_look_at_every_block(backend: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnxp.doors.arrays.BLOCK", 40)  # 8 rows
    for row, column, value in ((0, 0, np.nan), (7, 4, np.inf), (8, 0, -np.inf), (23, 3, np.nan)):
        bad = X.copy()
        bad[row, column] = value
        for given in (bad, backend.asarray(bad), bad.tolist(), np.asfortranarray(bad)):
            with pytest.raises(ValueError, match=f"first at row {row}, column {column}"):
                classifier(backend.spec).fit(given, Y)
    labels = Y.copy()
    labels[-1] = CLASSES
    for y in (labels, backend.asarray(labels)):
        with pytest.raises(ValueError, match="got class labels from 0 to 3, expected 0 to 2"):
            classifier(backend.spec).fit(X, y)
    hot = np.eye(CLASSES)[Y]
    hot[-1, 0] = 2
    with pytest.raises(ValueError, match="do not sum to 1"):
        classifier(backend.spec).fit(X, hot)


def test_numbers_that_the_model_s_dtype_cannot_hold(backend: Target) -> None:
    wide = X.astype(np.float64)
    wide[2, 1] = 1e39
    with pytest.raises(ValueError, match=r"got X at row 2, column 1, of 1e\+39, beyond float32"):
        classifier(backend.spec).fit(wide, Y)
    large = X.copy()
    large[2, 1] = 1e30  # its square is beyond float32, the number is not
    assert math.isfinite(classifier(backend.spec, optimizer=SGD(1e-30)).evaluate(large, Y)["accuracy"])


# --- arrays on disk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_a_file_trains_like_an_array(backend: Target, tmp_path: Path, dtype: str, order: Any) -> None:
    given = np.asarray((X * 20 + 100).astype(dtype), order=order)
    mapped, labels = saved(tmp_path, "X", given), saved(tmp_path, "y", Y)
    from_disk, in_memory = with_everything(backend.spec), with_everything(backend.spec)
    options: dict[str, Any] = {"epochs": 2, "batch_size": 7, "validation_split": 0.25, "sample_weight": 1.0 + Y}
    history, expected = from_disk.fit(mapped, labels, **options), in_memory.fit(given, Y, **options)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert history[name] == pytest.approx(expected[name], rel=64 * 2.0**-23)
    np.testing.assert_array_equal(values(from_disk), values(in_memory))  # each batch is the same
    assert from_disk.evaluate(mapped, labels) == pytest.approx(in_memory.evaluate(given, Y), rel=64 * 2.0**-23)
    result = from_disk.predict(mapped)
    assert type(result) is np.ndarray
    np.testing.assert_allclose(result, in_memory.predict(given), rtol=64 * 2.0**-23)


@pytest.mark.parametrize("backend_name", ["numpy", "array_api_strict"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_batch_of_a_file_reads_its_rows(tmp_path: Path, order: Any, backend_name: str) -> None:
    made, y, w = big("float64")
    mapped = saved(tmp_path, "X", np.asarray(made, order=order))
    model = linear(backend_name)
    data = Batches.of(model, lambda: model.training.plan, mapped, y, w, 16)
    assert data.X.base is mapped or data.X is mapped
    tracemalloc.start()
    try:
        for x, *_ in data.epoch(key=1):
            assert x.shape[1] == 784
        assert tracemalloc.get_traced_memory()[1] < made.nbytes / 4  # a batch in three places: 1/8
    finally:
        tracemalloc.stop()


def test_targets_on_disk(backend: Target, tmp_path: Path) -> None:
    targets = X[:, :1].astype(np.float64)
    for y in (targets, targets[:, 0]):
        from_disk, in_memory = regression(backend.spec), regression(backend.spec)
        mapped = saved(tmp_path, "y", y)
        assert Batches.of(from_disk, lambda model=from_disk: model.training.plan, X, mapped, None, 7).y.base is mapped
        from_disk.fit(X, mapped, epochs=2, batch_size=7, validation_split=0.25)
        in_memory.fit(X, y, epochs=2, batch_size=7, validation_split=0.25)
        np.testing.assert_array_equal(values(from_disk), values(in_memory))


def test_files_are_checked(backend: Target, tmp_path: Path) -> None:
    bad = X.copy()
    bad[20, 1] = np.nan
    for x, y, message in (
        (bad, Y, "first at row 20, column 1"),
        (X[:, :4], Y, "with 4 features"),
        (X, Y + 1, "got class labels from 1 to 3"),
        (X, Y[:5], "got 5 labels for 24 samples"),
        (X, Y[:, None], "a column"),
    ):
        model = classifier(backend.spec)
        with pytest.raises(ValueError, match=message):
            model.fit(saved(tmp_path, "X", x), saved(tmp_path, "y", y), batch_size=4)
        assert model.step == 0


SCRIPT = """
import resource, sys
from pathlib import Path
import numpy as np
import nnxp

X, y = (np.load(Path(sys.argv[1]) / name, mmap_mode="r") for name in ("X.npy", "y.npy"))
model = nnxp.Sequential([nnxp.Dense(512, 2), "softmax"], "categorical_crossentropy", backend=sys.argv[2])

def use(X, y):
    model.fit(X, y, batch_size=2048, validation_split=0.5)
    model.fit(X, y, batch_size=2048, validation_data=(X, y))
    model.evaluate(X, y)
    assert model.predict(X).shape == (len(X), 2)

use(np.array(X[:8192]), np.array(y[:8192]))  # so that what is made only once is there
data = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
limit = int(data.split()[1]) * 1024 + X.nbytes // 4
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
use(X, y)
try:
    np.array(X) + 0  # the limit does hold
except MemoryError:
    print("done")
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can limit memory without the files mapped into it")
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_file_is_never_loaded_whole(tmp_path: Path, library: str) -> None:
    """A process that may not hold a quarter of the file."""
    pytest.importorskip(library, reason="another library than NumPy's, to which batches move")
    shape = (2**16, 512)  # 256 MiB of float64, which the disk does not hold: nothing is written
    np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=np.float64, shape=shape)
    y = np.lib.format.open_memmap(tmp_path / "y.npy", mode="w+", dtype=np.int64, shape=shape[:1])
    y[::2] = 1
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), library], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr


# --- memory of a fit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_peak_memory_of_a_fit(dtype: str) -> None:
    """Parameters x 4 (values, gradients, Adam's two), activations and their gradients, the data, 15 % more."""
    widths, rows, batch = (784, 512, 512, 10), 20_000, 128

    def fit(n: int) -> int:
        layers: list[Any] = [Dense(784, 512), "relu", Dense(512, 512), "relu", Dense(512, 10), "softmax"]
        model = Sequential(layers, loss="categorical_crossentropy", optimizer=nnxp.Adam(1e-6), backend="numpy")
        parameters = model.store.values.size
        model.predict(np.zeros((1, 784), np.float32))
        given, labels = np.ones((n, 784), dtype), np.arange(n) % 10
        tracemalloc.reset_peak()
        model.fit(given, labels, batch_size=batch)
        needed = 4 * 4 * parameters + 4 * batch * 2 * sum(widths) + given.nbytes + labels.nbytes
        peak = tracemalloc.get_traced_memory()[1] - before
        assert model.course is None  # the weights to go back to are of no use after it
        assert n < rows or peak < 1.15 * needed, f"{peak} of {needed} bytes, {peak / needed:.3f}"
        return peak

    before = 0
    fit(2 * batch)  # kernels are built here
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        fit(rows)
    finally:
        tracemalloc.stop()


# --- iterables -----------------------------------------------------------------------------------------

PARTS = [slice(0, 7), slice(7, 8), slice(8, 24)]


def parts(backend: Target | None = None, weighted: bool = False) -> list[tuple[Any, ...]]:
    """Batches of different sizes."""
    made: Callable[[Any], Any] = np.array if backend is None else backend.asarray
    w = (1.0 + np.arange(24) % 3).astype(np.float32)
    return [(made(X[p]), made(Y[p]), *([made(w[p])] if weighted else [])) for p in PARTS]


class Again:
    """Begins anew each time."""

    def __init__(self, batches: Any) -> None:
        self.batches, self.begun = batches, 0

    def __iter__(self) -> Iterator[Any]:
        self.begun += 1
        yield from self.batches


KINDS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "lists": lambda batches: [list(batch) for batch in batches],
    "object": Again,
    "function": lambda batches: lambda: iter(batches),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_iterable_is_its_batches_as_steps(backend: Target, kind: str, weighted: bool) -> None:
    """Whose gradients are weighed against those of the rows so far: see test_weights; the rate is 0 there."""
    batches = parts(backend, weighted)
    model, by_hand = (classifier(backend.spec, optimizer=SGD(0.0 if weighted else 0.1)) for _ in range(2))
    history = model.fit(KINDS[kind](batches), epochs=2)
    losses = []
    for epoch in range(2):
        steps = [float(by_hand.train_step(*batch)) for batch in batches]
        sizes = [7.0, 1.0, 16.0] if not weighted else [float(backend.to_numpy(batch[2]).sum()) for batch in batches]
        losses.append(np.dot(np.asarray(steps), sizes) / sum(sizes))
        by_hand.epoch = epoch + 1
    np.testing.assert_array_equal(values(model), values(by_hand))
    assert history["loss"] == pytest.approx(losses, rel=1e-15)
    assert (model.epoch, model.step, {*history}) == (2, 6, {"loss", "accuracy", "learning_rate", "seconds"})


def test_an_iterable_decides_the_backend(backend: Target) -> None:
    model = classifier()
    model.fit(parts(backend))
    assert model.backend.name == backend.spec
    other = classifier()
    assert math.isfinite(other.evaluate(iter(parts(backend)))["loss"])
    assert other.backend.name == backend.spec


def test_batches_of_any_dtype(backend: Target) -> None:
    exact = [((X[p] * 8).round(), Y[p]) for p in PARTS]
    runs = []
    for dtype in ("float32", "float64", "int64", "list"):
        model = classifier(backend.spec)
        cast = [(x.tolist() if dtype == "list" else x.astype(dtype), y) for x, y in exact]
        model.fit(cast)
        runs.append(values(model))
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])


@pytest.mark.parametrize("rescaled", [True, False])
def test_batches_of_bytes(backend: Target, rescaled: bool) -> None:
    """They train as numbers do, in an array and in an iterable."""
    pixels = np.random.default_rng(0).integers(0, 256, X.shape).astype(np.uint8)
    order = nnxp.random.permutation(nnxp.random.key(0, "order", 0), 24)

    def model() -> Sequential:
        layers: list[Any] = [nnxp.Rescaling(1 / 256)] if rescaled else []  # a power of two: exact wherever it is done
        layers += [Dense(5, CLASSES), "softmax"]
        return Sequential(layers, "categorical_crossentropy", SGD(0.01), backend=backend.spec, seed=0)

    array, stream, by_hand = model(), model(), model()
    array.fit(backend.asarray(pixels), backend.asarray(Y), batch_size=10)
    stream.fit([(backend.asarray(pixels[rows]), Y[rows]) for rows in (order[:10], order[10:20], order[20:])])
    for rows in (order[:10], order[10:20], order[20:]):
        by_hand.train_step(pixels[rows].astype(np.float32), Y[rows])
    np.testing.assert_array_equal(values(array), values(by_hand))
    np.testing.assert_array_equal(values(stream), values(by_hand))
    assert array.evaluate(pixels, Y) == by_hand.evaluate(pixels.astype(np.float32), Y)


def test_a_loader_of_pytorch() -> None:
    torch: Any = pytest.importorskip("torch", reason="its DataLoader")
    from torch.utils.data import DataLoader, IterableDataset, TensorDataset

    loader = DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=7)
    model, by_hand = classifier(), classifier()
    model.fit(loader, epochs=2, validation_data=loader)
    for epoch in range(2):
        for p in (slice(0, 7), slice(7, 14), slice(14, 21), slice(21, 24)):
            by_hand.train_step(torch.tensor(X[p]), torch.tensor(Y[p]))
        by_hand.epoch = epoch + 1
    assert model.backend.name == "torch" and model.step == 8
    np.testing.assert_array_equal(values(model), values(by_hand))
    record = model.evaluate(torch.tensor(X), torch.tensor(Y))
    assert model.evaluate(loader) == pytest.approx(record, rel=64 * 2.0**-23)
    assert model.history["val_loss"][-1] == model.evaluate(loader)["loss"]

    class Rows(IterableDataset):  # type: ignore[misc]  # one without a length
        def __iter__(self) -> Iterator[Any]:
            return iter(zip(torch.tensor(X), torch.tensor(Y), strict=True))

    model.fit(DataLoader(Rows(), batch_size=7), epochs=2)
    assert model.step == 16


def test_an_evaluation_of_batches_is_that_of_all_rows(backend: Target) -> None:
    model = with_everything(backend.spec, dtype="float64")
    w = (1.0 + np.arange(24) % 3).astype(np.float32)
    for weighted in (False, True):
        got = model.evaluate(iter(parts(backend, weighted)))
        expected = model.evaluate(X, Y, sample_weight=w if weighted else None)
        assert got == pytest.approx(expected, rel=64 * 2.0**-52)


def test_validation_on_batches(backend: Target) -> None:
    held_out = Again(parts(backend))
    model, by_arrays = classifier(backend.spec), classifier(backend.spec)
    history = model.fit(X, Y, epochs=2, validation_data=held_out)
    assert held_out.begun == 2
    expected = by_arrays.fit(X, Y, epochs=2, validation_data=(X, Y))
    for name in ("val_loss", "val_accuracy"):
        assert history[name] == pytest.approx(expected[name], rel=64 * 2.0**-23)
    model.fit(parts(backend), epochs=2, validation_data=(X, Y))
    model.fit(parts(backend), epochs=2, validation_data=parts(backend))
    assert len(model.history["val_loss"]) == 6


def test_a_generator_is_used_up_by_one_epoch(backend: Target) -> None:
    model = classifier(backend.spec)
    model.fit(iter(parts(backend)))
    assert (model.epoch, model.step) == (1, 3)
    message = r"got no batch in epoch 2: .*as a generator does.*fit\(batches\), not fit\(batches\(\)\)"
    with pytest.raises(ValueError, match=message):
        model.fit(iter(parts(backend)), epochs=2)
    assert (model.epoch, model.step, len(model.history["loss"])) == (2, 6, 2)
    with pytest.raises(ValueError, match="got no validation batch in epoch 2"):
        model.fit(X, Y, epochs=3, validation_data=iter(parts(backend)))
    assert (model.epoch, len(model.history["loss"])) == (4, 4)  # the epoch was trained, and counts
    assert [math.isnan(entry) for entry in model.history["val_loss"]] == [True, True, False, True]
    assert math.isfinite(model.fit(parts(backend))["loss"][-1])


def test_an_iterable_without_batches() -> None:
    for call in (classifier("numpy").fit, classifier("numpy").evaluate):
        with pytest.raises(ValueError, match="got an iterable without a batch"):
            call(iter(()))
    with pytest.raises(ValueError, match="got an iterable without a validation batch"):
        classifier("numpy").fit(X, Y, validation_data=iter(()))


def test_what_an_iterable_raises_goes_through(backend: Target) -> None:
    """The steps before it stand, the epoch does not."""

    class Lost(Exception):
        pass

    def batches() -> Iterator[Any]:
        yield from parts(backend)[:2]
        raise Lost

    model, by_hand = classifier(backend.spec), classifier(backend.spec)
    with pytest.raises(Lost):
        model.fit(batches)
    for batch in parts(backend)[:2]:
        by_hand.train_step(*batch)
    np.testing.assert_array_equal(values(model), values(by_hand))
    assert (model.epoch, model.step, model.optimizer.iterations, model.history) == (0, 2, 2, {})
    assert math.isfinite(model.fit(parts(backend))["loss"][0])
    with pytest.raises(Lost):
        model.evaluate(batches)
    model.layers[0].forward(X)  # given back to a reader


def test_an_iterable_s_own_warnings_are_seen() -> None:
    def batches() -> Iterator[Any]:
        yield from parts()
        np.log(np.zeros(1))  # in the midst of training, whose own steps warn of nothing

    with pytest.warns(RuntimeWarning, match="divide by zero"):
        classifier("numpy").fit(batches)


def changed(value: float) -> Any:
    bad = X.copy()
    bad[3, 2] = value
    return bad


BAD: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "width": ((X[:, :4], Y), ValueError, "got X with 4 features, expected 5"),
    "shape": ((X[0], Y), ValueError, r"expected \(samples, features\)"),
    "no rows": ((X[:0], Y[:0]), ValueError, "got X with no samples"),
    "text": ((X.astype(str), Y), TypeError, "got text, expected numbers"),
    "NaN": ((changed(np.nan), Y), ValueError, "NaN or infinity, first at row 3, column 2"),
    "labels": ((X, Y + 1), ValueError, "got class labels from 1 to 3"),
    "floats": ((X, Y * 1.0), ValueError, "expected integers from 0"),
    "shorter": ((X, Y[:5]), ValueError, "got 5 labels for 24 samples"),
    "no labels": ((X, None), TypeError, "got objects, expected numbers"),
    "weights": ((X, Y, -np.ones(24)), ValueError, "negative or not finite"),
    "too few weights": ((X, Y, np.ones(3)), ValueError, "got sample_weight of shape"),
    "X alone": ((X,), TypeError, r"got a tuple of 1, expected \(X, y\)"),
    "too much": ((X, Y, Y, Y), TypeError, r"got a tuple of 4, expected \(X, y\)"),
    "elsewhere": (
        (strict.asarray(X, device=strict.Device("device2")), Y),
        nnxp.BackendMismatchError,
        "array_api_strict on .*device2",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_each_batch_passes_the_doors(backend: Target, case: str) -> None:
    bad, error, message = BAD[case]
    for batch in (bad, *([tuple(map(backend.asarray, bad))] if case in ("width", "NaN", "labels", "weights") else [])):
        model = classifier(backend.spec)
        with pytest.raises(error, match=rf"batch 2 \(the first is 0\): .*{message}"):
            model.fit([*parts(backend)[:2], batch])
        assert (model.epoch, model.step, model.optimizer.iterations, model.history) == (0, 2, 2, {})
        with pytest.raises(error, match=rf"batch 2 \(the first is 0\): .*{message}"):
            model.evaluate([*parts(backend)[:2], batch])
        with pytest.raises(error, match=rf"validation batch 0 \(the first is 0\): .*{message}"):
            model.fit(X, Y, validation_data=iter([batch]))
        before = values(model)
        with pytest.raises(error, match=rf"batch 0 \(the first is 0\): .*{message}"):
            model.fit(iter([batch]))
        np.testing.assert_array_equal(values(model), before)
        assert math.isfinite(model.fit(parts(backend))["loss"][-1])


def test_something_else_than_batches() -> None:
    for item, name in ((X, "ndarray"), ({"X": X, "y": Y}, "dict"), ("ab", "str"), (3, "int")):
        with pytest.raises(TypeError, match=rf"batch 0 \(the first is 0\): got a {name}, expected \(X, y\)"):
            classifier("numpy").fit(iter([item]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": Y}, r"got y with an iterable of batches.*\(X, y\)"),
        ({"sample_weight": np.ones(24)}, r"got sample_weight with an iterable.*\(X, y, sample_weight\)"),
        ({"batch_size": 8}, "got batch_size with an iterable.*what the iterable yields"),
        ({"validation_split": 0.5}, "got validation_split with an iterable.*validation_data"),
    ],
)
def test_what_an_iterable_leaves_no_room_for(given: dict[str, Any], message: str) -> None:
    for kind in KINDS.values():
        model = classifier("numpy")
        before = values(model)
        with pytest.raises(ValueError, match=message):
            model.fit(kind(parts()), **given)
        np.testing.assert_array_equal(values(model), before)
    if {*given} <= {"y", "sample_weight"}:
        with pytest.raises(ValueError, match=message):
            classifier("numpy").evaluate(iter(parts()), **given)


@pytest.mark.parametrize(
    "alone",
    [
        *(X, X.tolist(), X[:2].tolist(), X[:3].tolist(), strict.asarray(X), [X[0], X[1]]),
        *((X, Y), (X[:2].tolist(), [0, 1]), [[[1.0, 2.0], [3.0, 4.0]]] * 2),
        *([], [1.0, 2.0], 3.0, "text", None, range(5)),
    ],
)
def test_X_without_y_is_no_iterable_of_batches(alone: Any) -> None:
    assert not is_stream(alone)
    for call in (classifier("numpy").fit, classifier("numpy").evaluate):
        with pytest.raises(TypeError, match=r"got X without y, expected both, fit\(X, y\), or an iterable"):
            call(alone)


def test_validation_data_of_lists() -> None:
    model = classifier("numpy")
    for rows in (1, 2, 3, 24):
        model.fit(X, Y, validation_data=[X[:rows].tolist(), Y[:rows].tolist()])
        model.fit(X, Y, validation_data=(X[:rows].tolist(), Y[:rows].tolist()))
    assert not any(math.isnan(entry) for entry in model.history["val_loss"])


def test_a_batch_that_counts_nothing(backend: Target) -> None:
    """The other then weighs twice the mean of both."""
    model, alone = classifier(backend.spec, optimizer=SGD(0.5)), classifier(backend.spec, optimizer=SGD(2 * 0.5))
    model.fit([(X, Y, np.zeros(24)), (X, Y, np.ones(24))])
    alone.train_step(X, Y)
    np.testing.assert_array_equal(values(model), values(alone))
    assert math.isfinite(model.history["loss"][0])
    with pytest.raises(ValueError, match="samples that all weigh 0, in every batch"):
        model.fit([(X, Y, np.zeros(24))])


@pytest.mark.parametrize("steps", [1, 19, 20, 21, 31, 32, 33, 65])
def test_every_batch_counts_whatever_the_interval(steps: int) -> None:
    batch = (X[:3], Y[:3])
    for source in ([batch] * steps, lambda: iter([batch] * steps)):
        model = classifier("numpy", optimizer=SGD(0.0))
        history = model.fit(source, epochs=2)
        assert model.step == 2 * steps
        assert history["loss"] == pytest.approx([model.evaluate(*batch)["loss"]] * 2, rel=4 * 2.0**-23)


def test_the_bar_of_an_iterable(capsys: pytest.CaptureFixture[str]) -> None:
    model = classifier("numpy")
    model.fit(lambda: iter(parts()), epochs=2, progress=True)
    err = capsys.readouterr().err
    assert "6 steps" in err and "%" not in err
    model.fit(parts(), epochs=2, progress=True)
    assert "100 %" in capsys.readouterr().err


# --- not finite ----------------------------------------------------------------------------------------


def diverging(bad: int) -> Callable[[], Iterator[Any]]:
    """Three batches an epoch of which number `bad`, counted over all epochs, breaks the loss."""
    count = iter(range(100))

    def batches() -> Iterator[Any]:
        for p in PARTS:
            yield X[p] * np.float32(1e30 if next(count) == bad else 1), X[p][:, :1]

    return batches


@pytest.mark.parametrize(("bad", "began"), [(0, 0), (1, 0), (3, 0), (4, 1), (5, 1), (6, 1), (8, 2)])
def test_the_weights_of_the_last_epoch_that_began_well_come_back(backend: Target, bad: int, began: int) -> None:
    """A first step that fails accuses the weights it began with: those of the epoch before come back."""
    model, twin = regression(backend.spec, optimizer=SGD(0.01)), regression(backend.spec, optimizer=SGD(0.01))
    with pytest.raises(NonFiniteLossError, match=rf"the loss of step {bad} \(epoch {bad // 3 + 1}\)"):
        model.fit(diverging(bad), epochs=4)
    for _ in range(began):
        twin.fit(diverging(-1))
    np.testing.assert_array_equal(values(model), values(twin))
    assert model.epoch == len(model.history.get("loss", [])) == bad // 3
    assert math.isfinite(model.fit(diverging(-1))["loss"][-1])


def test_which_batch_was_run_again(backend: Target) -> None:
    """An iterable's batches are gone by the time that a loss is read: the last one is still there."""
    for bad, words in (
        (2, "running that batch again, the loss itself is not finite from the weights put back"),
        (1, "running a later batch again, the first values that are not finite are the weights of layer 0, Dense"),
    ):
        with pytest.raises(NonFiniteLossError, match=words):
            regression(backend.spec, optimizer=SGD(0.01)).fit(diverging(bad))
    many = Sequential([Recorder(), Dense(5, 1)], "mean_squared_error", SGD(0.01), backend=backend.spec, seed=0)
    rows = X.copy()
    rows[:, 0] = np.arange(24)
    rows[13] *= np.float32(1e30)
    with pytest.raises(NonFiniteLossError, match="that batch again"):
        many.fit(rows, X[:, 0], batch_size=1)  # two steps an interval, in arrays


def test_the_history_s_order() -> None:
    model = classifier("numpy")
    model.fit(X, Y)
    model.fit(X, Y, validation_data=(X, Y))
    assert [*model.history] == ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]
    assert [math.isnan(entry) for entry in model.history["val_loss"]] == [True, False]
