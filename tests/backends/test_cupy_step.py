"""The training step on CuPy, counted: launches, waits, copies, allocations; and whole trainings against NumPy's."""

import functools
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Dropout, Rescaling, Sequential, data
from tests.helpers import hostcuda
from tests.helpers.matrix import on_host_memory

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.skipif(not on_host_memory(), reason="CuPy is not on host memory here: `nox -s cupy_on_host`"),
]

N, FEATURES, WIDTH, CLASSES = 40, 6, 16, 3
OPTIMIZERS = {"SGD": nnxp.SGD, "Adam": nnxp.Adam}
EXTRAS = ("", "clip_norm", "dropout", "l2")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "gpu.md"


def model(layers: int, optimizer: str = "Adam", extra: str = "", members: int = 1) -> Sequential:
    sizes = [FEATURES, *[WIDTH] * (layers - 1), CLASSES]
    stack: list[Any] = []
    for n_in, n_out in itertools.pairwise(sizes):
        stack += [Dense(n_in, n_out, l2=1e-3 if extra == "l2" else 0.0), "relu"]
        stack += [Dropout(0.2)] if extra == "dropout" else []
    del stack[stack.index("relu", len(stack) - 2) :]
    rule = OPTIMIZERS[optimizer](clip_norm=1.0 if extra == "clip_norm" else None)
    place: dict[str, Any] = {"backend": "cupy", "seed": 0, "members": members}
    return Sequential([*stack, "softmax"], "categorical_crossentropy", rule, **place)


def problem(n: int = N) -> tuple[Any, Any]:
    """On the device."""
    import cupy

    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, FEATURES)).astype(np.float32)
    return cupy.asarray(X), cupy.asarray((X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0))


def allocations(f: Any) -> int:
    """How often CuPy's memory pool is asked for memory."""
    import cupy

    class Count(cupy.cuda.MemoryHook):  # type: ignore[misc]
        name, asked = "count", 0

        def malloc_preprocess(self, **_: Any) -> None:
            self.asked += 1

    with Count() as count:
        f()
    return count.asked


def expected_launches(layers: int, extra: str) -> int:
    """3 products a layer but one; a pass each, forward and backward, of every hidden layer's bias and ReLU; the last
    layer's bias, softmax and loss; its column sums; the mean loss; the update."""
    products, hidden = 3 * layers - 1, layers - 1
    more = {"": 0, "clip_norm": 3, "dropout": 2 * hidden, "l2": 2}[extra]  # all weights are one stretch
    return products + 2 * hidden + 4 + more


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra or "plain")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("layers", [2, 3, 8])
def test_the_counts_of_a_step(layers: int, optimizer: str, extra: str) -> None:
    own, (X, y) = model(layers, optimizer, extra), problem()
    for _ in range(2):
        own.train_step(X, y)
    hostcuda.counters(reset=True)
    asked = allocations(lambda: own.train_step(X, y))
    seen = hostcuda.counters()
    waits = {name: seen[name] for name in ("syncs", "d2h", "h2d", "d2d", "mallocs")}
    print(f"\n{layers} layers, {optimizer}, {extra or 'plain'}: {seen['launches']} launches, of which")
    print(f"  {seen['products']} products and {hostcuda.kernels()}; {waits}, {asked} allocation")
    assert seen["launches"] == expected_launches(layers, extra)
    assert seen["products"] == 3 * layers - 1
    assert not any(waits.values())
    assert asked == 1  # the loss, which the caller keeps
    if (layers, extra) == (3, ""):
        assert seen["launches"] <= 16


@pytest.mark.parametrize("extra", ["", "dropout"], ids=["plain", "dropout"])
def test_members_take_the_launches_of_one(extra: str) -> None:
    """But for dropout's masks, one a layer, whose keys are copied to the device."""
    found, (X, y) = [], problem(4)
    for members in (1, 3):
        own = model(2, extra=extra, members=members)
        for _ in range(2):
            own.train_step(X, y)
        hostcuda.counters(reset=True)
        asked = allocations(functools.partial(own.train_step, X, y))
        seen = hostcuda.counters()
        found.append([seen[name] for name in ("launches", "h2d", "syncs", "d2h", "d2d", "mallocs")])
        assert asked == 1 + found[-1][1]
    masks = 1 if extra else 0
    assert found[1] == [found[0][0] + masks, masks, 0, 0, 0, 0]


def test_the_page_says_what_is_counted() -> None:
    """docs/gpu.md has a row for each number of layers, and a column for each extra."""
    rows = re.findall(r"^\| (\d) \|" + r" (\d+) \|" * len(EXTRAS) + "$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {int(layers): [int(count) for count in counts] for layers, *counts in rows}
    assert said == {layers: [expected_launches(layers, extra) for extra in EXTRAS] for layers in (2, 3, 8)}


def fit_counts(data: tuple[Any, Any], epochs: int, **options: Any) -> dict[str, int]:
    own = model(3)
    own.fit(*problem(), batch_size=8)
    hostcuda.counters(reset=True)
    own.fit(*data, epochs=epochs, batch_size=8, **options)
    return hostcuda.counters()


def test_the_counts_of_an_epoch() -> None:
    """A step of `fit` adds the gather of its rows; an epoch the labels' and the keeping of the weights to go back to, a
    copy of its order, and a wait for each of its intervals, here of 16 steps."""
    steps = 40
    short, long = (fit_counts(problem(8 * steps), epochs) for epochs in (1, 3))
    more = {name: (long[name] - short[name]) / 2 for name in ("launches", "syncs", "d2h", "h2d", "d2d", "mallocs")}
    print(f"\nan epoch of {steps} steps: {more}")
    assert more == {"launches": 17 * steps + 2, "syncs": 3, "d2h": 3, "h2d": 1, "d2d": 0, "mallocs": 0}


def test_the_counts_of_an_epoch_of_members() -> None:
    """One launch more a step: losses and scores are summed one by one. The check of an epoch has several losses."""
    steps, found = 2, []
    for members, epochs in ((1, 1), (1, 2), (2, 1), (2, 2)):
        own = model(2, members=members)
        own.fit(*problem(4), batch_size=4)
        hostcuda.counters(reset=True)
        own.fit(*problem(4 * steps), epochs=epochs, batch_size=4)
        found.append(hostcuda.counters())
    one, several = ({name: b[name] - a[name] for name in b} for a, b in (found[:2], found[2:]))
    assert several["launches"] == one["launches"] + steps + 1
    assert all(several[name] == one[name] for name in ("syncs", "d2h", "h2d", "d2d"))


def test_a_step_s_loss_is_waited_for_where_it_is_read() -> None:
    """And there alone: a callback that does not look costs no copy."""

    def pass_by(state: Any) -> None:
        pass

    def look(state: Any) -> None:
        assert state.loss > 0

    pass_by.events = look.events = ("step",)  # type: ignore[attr-defined]
    steps, copies = 40, []
    for callback in (pass_by, look):
        short, long = (fit_counts(problem(8 * steps), epochs, callbacks=[callback])["d2h"] for epochs in (1, 2))
        copies.append(long - short)
    assert copies[1] - copies[0] == steps


def test_what_weights_cost() -> None:
    """Three launches a step: a batch's shares, these times its heft, and the scores' sum by itself. The gather of the
    weights is the epoch's."""
    steps, found = 40, []
    for w in (None, np.arange(8.0 * steps)):
        short, long = (fit_counts(problem(8 * steps), epochs, sample_weight=w) for epochs in (1, 2))
        found.append({name: long[name] - short[name] for name in ("launches", "syncs", "d2h", "h2d", "mallocs")})
    more = {name: found[1][name] - found[0][name] for name in found[0]}
    print(f"\n{more} more in an epoch of {steps} steps")
    assert more == {"launches": 3 * steps + 1, "syncs": 0, "d2h": 0, "h2d": 0, "mallocs": 0}


def test_the_whole_set_is_moved_once_or_batch_by_batch(tmp_path: Path) -> None:
    """Copies from the host in an epoch of 40 batches; one of them is the order."""
    X = np.random.default_rng(0).standard_normal((3200, 64)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int64)
    np.save(tmp_path / "X.npy", X)
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r")

    def fit(X: Any, epochs: int) -> tuple[int, list[float]]:
        own = Sequential([Dense(64, 2), "softmax"], "categorical_crossentropy", "adam", backend="cupy", seed=0)
        hostcuda.counters(reset=True)
        losses = own.fit(X, y, epochs=epochs, batch_size=80)["loss"]
        return hostcuda.counters()["h2d"], losses

    def an_epoch(X: Any) -> int:
        return fit(X, 2)[0] - fit(X, 1)[0]

    total = memory()[1]
    assert (an_epoch(X), an_epoch(on_disk)) == (1, 1)
    expected = fit(X, 1)[1]
    try:
        hostcuda.memory(2 * X.nbytes + taken())
        assert an_epoch(X) == 1 + 40
        assert fit(X, 1)[1] == expected
        hostcuda.memory(2 * X.nbytes + taken() + 100_000)
        assert an_epoch(X) == 1
    finally:
        hostcuda.memory(total)


def memory() -> tuple[int, int]:
    """The device's free memory and all of it."""
    import cupy

    free, total = cupy.cuda.runtime.memGetInfo()
    return int(free), int(total)


def taken() -> int:
    """Bytes of the device that no new array could get."""
    import cupy

    cupy.get_default_memory_pool().free_all_blocks()
    free, total = memory()
    return total - free - int(cupy.get_default_memory_pool().free_bytes())


def test_evaluate_waits_once_an_interval() -> None:
    own, (X, y) = model(3), problem(5000)
    own.evaluate(X, y)
    hostcuda.counters(reset=True)
    own.evaluate(X, y)
    assert hostcuda.counters()["syncs"] == 1 + 2  # of three batches, 2048 rows each; and what moves X and y


def test_labels_that_lie_on_the_device_are_checked_in_the_kernel() -> None:
    """`train_step` does not wait to see them: the loss of such a batch is NaN, and its row moves nothing."""
    own, (X, y) = model(2), problem()
    y[0] = 7
    assert np.isnan(float(own.train_step(X, y)))
    with pytest.raises(ValueError, match="got class labels from 0 to 7, expected 0 to 2"):
        own.fit(X, y)


@pytest.mark.parametrize("wrong", ["first", "later"])
def test_a_loss_that_is_not_finite_stops_an_epoch_and_puts_the_weights_back(wrong: str) -> None:
    own, (X, y) = model(2, "SGD"), problem(64)
    own.fit(X, y, batch_size=8)
    before = own.store.values.copy()
    if wrong == "first":
        own.layers[0].weights[0, 0] = np.inf
    else:
        own.optimizer.learning_rate = 1e30
    with pytest.raises(nnxp.NonFiniteLossError, match="the loss of step 8 " if wrong == "first" else "is not a finite"):
        own.fit(X, y, batch_size=8)
    expected = own.store.values if wrong == "first" else before
    np.testing.assert_array_equal(own.store.values.get(), expected.get())


# --- trainings -------------------------------------------------------------------------------------


def compare(make: Any, X: Any, y: Any, **options: Any) -> tuple[Any, float]:
    """The losses of each epoch and the predictions are NumPy's; gives the largest difference, relative."""
    runs = []
    for backend in ("numpy", "cupy"):
        own = make(backend)
        losses = np.asarray(own.fit(X, y, **options)["loss"])
        runs.append((losses, np.asarray(own.predict(X)), own))
    (losses, p, own), (theirs, q, _) = runs
    worst = float(np.max(np.abs(theirs / losses - 1)))
    sure = np.sort(p, axis=1)[:, -1] - np.sort(p, axis=1)[:, -2] > 1e-4  # no tie
    np.testing.assert_array_equal(np.argmax(q, axis=1)[sure], np.argmax(p, axis=1)[sure])
    print(f"\nlosses {losses[0]:.4f} to {losses[-1]:.4f}, largest relative difference {worst:.1e}; {sum(~sure)} ties")
    return own, worst


def test_a_training_of_digits_equals_numpys() -> None:
    """Until it has learned them: dropout, silu and Adam with decay."""
    digits = data.digits()

    def make(backend: str) -> Sequential:
        layers = [Rescaling(1 / 8, -1.0), Dense(64, 64), "silu", Dropout(0.1), Dense(64, 32), "silu", Dense(32, 10)]
        rule = nnxp.Adam(3e-3, decay=1e-3)
        return Sequential([*layers, "softmax"], "categorical_crossentropy", rule, backend=backend, seed=0)

    own, worst = compare(make, digits.X.astype(np.float32), digits.y, epochs=15, batch_size=64)
    assert own.evaluate(digits.X.astype(np.float32), digits.y)["accuracy"] > 0.99
    assert worst < 1e-5


def test_a_training_of_fashion_mnist_equals_numpys() -> None:
    """Bytes, cast and rescaled in the kernel."""
    try:
        fashion = data.fashion_mnist()
    except FileNotFoundError as error:
        pytest.skip(str(error))

    def make(backend: str) -> Sequential:
        layers = [Rescaling(1 / 255), Dense(784, 128), "relu", Dense(128, 10), "softmax"]
        return Sequential(layers, "categorical_crossentropy", nnxp.SGD(0.1, momentum=0.9), backend=backend, seed=0)

    own, worst = compare(make, fashion.X[:3000], fashion.y[:3000], epochs=5, batch_size=100)
    assert own.evaluate(fashion.X[:3000], fashion.y[:3000])["accuracy"] > 0.85
    assert worst < 1e-5
