"""BLAS's threads: one where a plan's products are small, put back by the last, and left to whoever has decided them."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import nnxp
from nnxp import Dense, Layer, Sequential
from nnxp.backends import blas, get_backend
from nnxp.backends.blas import SMALL, Blas, Copy, Threads
from nnxp.doors import arrays
from nnxp.training import step
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, classifier, problem, values

ROOT = Path(__file__).resolve().parents[2]
ROWS, LARGEST = 24, 5 * 8
"""Rows of `problem`, and the elements of the largest weights of `classifier`."""


class Library:
    """A BLAS whose number of threads is an attribute, with all that was written to it."""

    def __init__(self, threads: int = 4) -> None:
        self.now, self.most, self.written = threads, threads, list[int]()
        self.blas = Blas(lambda: {"one": Copy(lambda: self.now, self.write, self.most)})

    def write(self, threads: int) -> None:
        self.now = threads
        self.written.append(threads)

    def threads(self, size: int = 1) -> Threads:
        return Threads(self.blas, size)


def test_the_first_lowers_and_the_last_puts_back() -> None:
    library = Library()
    a, b = library.threads(), library.threads()
    with a(1):
        with b(1):
            assert library.written == [1]
        assert library.now == 1
    assert library.written == [1, 4]
    with a(1):
        b(1).__enter__()
    assert library.now == 1  # b, who came second, is the last
    b(1).__exit__(None, None, None)
    assert library.written == [1, 4, 1, 4]


def test_processes_of_a_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    library = Library()
    with library.blas.shared(2):  # four cores each, and no more threads than that
        assert library.written == []
    with library.blas.shared(3):
        assert library.now == 2
        with library.threads()(1):  # a small product, on one
            assert library.now == 1
        assert library.now == 2
    assert library.now == 4
    with library.blas.shared(100):
        assert library.now == 1
    assert library.now == 4


def test_sizes_decide() -> None:
    library = Library()
    threads = library.threads(size=1024)
    for rows, now in ((SMALL // 1024 - 1, 1), (SMALL // 1024, 4), (1, 1), (SMALL, 4)):
        with threads(rows):
            assert library.now == now, rows


def test_a_limit_that_is_active_is_left_alone() -> None:
    library = Library()
    library.now = 2
    with library.threads()(1):
        assert library.now == 2
    library.now = 1
    with library.threads()(1):
        assert library.now == 1
    assert library.written == []
    library.now = 6  # the program has raised them since
    with library.threads()(1):
        assert library.now == 1
    assert library.written == [1, 6]


def test_nothing_is_written_where_there_is_one_thread() -> None:
    library = Library(1)
    with library.threads()(1):
        assert library.now == 1
    assert library.written == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_puts_back(error: type[BaseException]) -> None:
    library = Library()
    with pytest.raises(error), library.threads()(1):
        raise error
    assert library.now == 4


def test_an_interrupt_while_they_are_lowered_or_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    threads, write = library.threads(), library.write

    def interrupted(number: int) -> None:
        if len(library.written) in when:
            library.written.append(0)
            raise KeyboardInterrupt
        write(number)

    monkeypatch.setattr(library, "write", interrupted)
    library.blas = Blas(lambda: {"one": Copy(lambda: library.now, lambda n: library.write(n), 4)})
    threads = library.threads()
    when = {0}
    with pytest.raises(KeyboardInterrupt), threads(1):
        pytest.fail("it was not entered")
    assert library.now == 4 and not library.blas.inside
    library.written.clear()
    when = {1}
    with pytest.raises(KeyboardInterrupt), threads(1):
        assert library.now == 1
    assert library.now == 1
    threads.leave()  # as a fit does at its end
    assert library.now == 4
    library.written.clear()
    with pytest.raises(KeyboardInterrupt), threads(1):
        pass
    with threads(1):  # or the next who enters and leaves
        assert library.now == 1
    assert library.now == 4


def test_what_is_loaded_later_is_lowered_too() -> None:
    one, two = Library(), Library(8)
    loaded = {"one": Copy(lambda: one.now, one.write, 4)}
    process = Blas(lambda: dict(loaded))
    threads = Threads(process, 1)
    loaded["two"] = Copy(lambda: two.now, two.write, 8)
    with threads(1):
        assert (one.now, two.now) == (1, 8)
        threads.look()
    assert (one.now, two.now) == (4, 8)
    with threads(1):
        assert (one.now, two.now) == (1, 1)
    assert (one.now, two.now) == (4, 8)


def test_many_threads_of_python_at_once() -> None:
    library = Library()
    above = []

    def work(i: int) -> None:
        threads = library.threads()
        for _ in range(200):
            with threads(1):
                above.append(library.now != 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(above) == 800 and not any(above)
    assert library.now == 4 and set(library.written) == {1, 4}


def test_only_numpys_own_products_are_meant(backend: Target) -> None:
    threads = blas.threads_of(get_backend(backend.spec), 1)
    assert (threads.blas is None) == (backend.module != "numpy")
    assert (threads.lines() == []) == (backend.module != "numpy")
    with threads(1):
        pass


@pytest.mark.parametrize("name", blas.VARIABLES)
def test_a_variable_decides(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in blas.VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "2")
    made = blas._made.__wrapped__()
    assert made.copies == {} and made.words("all") == f"left alone, since {name} is set"


def test_what_is_said() -> None:
    library = Library()
    threads = library.threads(1000)
    said = "BLAS's threads: 1 for fewer than 134,218 rows, else 4"
    assert threads.lines() == [said]
    with threads(1):
        assert threads.lines() == [said]
    library.now = 2
    assert library.blas.words("all") == "left alone, limited to 2 of 4"
    assert Library(1).blas.words("all") == "1"
    assert Blas(dict).words("all") == "left alone, since it has none that can be set"


# --- NumPy's own BLAS --------------------------------------------------------------------------------


@pytest.fixture
def numpys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """How many threads NumPy's BLAS has now: two in this process, and nobody has said how many there are to be. From
    25 rows on, the products of `classifier` are large."""
    copy = next(iter(blas._loaded().values()), None)
    if copy is None:
        pytest.skip("needs a NumPy whose BLAS lets its threads be set: not Apple's Accelerate")
    # By threadpoolctl, as a user would: from 3.8 on its setter then does nothing in other threads than this one.
    own = [lib for lib in ThreadpoolController().lib_controllers if "numpy" in lib.filepath and lib.user_api == "blas"]
    before = copy.read()
    own[0].set_num_threads(2)
    assert copy.read() == 2
    made = Blas(blas._loaded)
    monkeypatch.setattr(blas, "_made", lambda: made)
    monkeypatch.setattr(blas, "SMALL", (ROWS + 1) * LARGEST)
    yield copy.read
    assert copy.read() == 2 and not made.inside
    copy.write(before)


class Look(Layer):
    """Hands everything on, and notes how many threads BLAS has while it does, or does what is asked of it."""

    def __init__(self, look: Callable[[], int]) -> None:
        super().__init__()
        self._look, self._seen = look, list[int]()

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.inputs = self.output = inputs
        self._seen.append(self._look())
        return inputs

    def backward(self, dvalues: Any) -> Any:
        self._seen.append(self._look())
        self.dinputs = dvalues
        return dvalues

    def seen(self) -> set[int]:
        found = {*self._seen}
        self._seen.clear()
        return found


def watched(look: Callable[[], int]) -> tuple[Sequential, Look]:
    layer = Look(look)
    return classifier("numpy", inserted=(layer,)), layer


def test_a_small_plan_runs_on_one_thread(numpys: Callable[[], int]) -> None:
    """And nothing of the user's beside it: a callback, an iterable of batches."""
    model, layer = watched(numpys)
    X, y = problem(ROWS)
    beside: list[int] = []

    def batches() -> Iterator[Any]:
        for start in range(0, ROWS, 8):
            beside.append(numpys())
            yield X[start : start + 8], y[start : start + 8]

    class Beside:
        events = ("step",)

        def __call__(self, state: Any) -> None:
            beside.append(numpys())

    runs: list[Callable[[], Any]] = [
        lambda: model.train_step(X, y),
        lambda: model.train_step(X, y),  # the short way: nothing is to be checked but values
        lambda: model.train_step(X.tolist(), y),
        lambda: model.fit(X, y, epochs=2, batch_size=8, callbacks=[lambda state: beside.append(numpys())]),
        lambda: model.fit(X, y, batch_size=8, callbacks=[Beside()]),
        lambda: model.fit(batches, epochs=2),
        lambda: model.predict(X),
        lambda: model.evaluate(X, y),
        lambda: model.evaluate(batches),
    ]
    for number, run in enumerate(runs):
        run()
        assert layer.seen() == {1} and numpys() == 2, number
    assert {*beside} == {2}


def test_a_large_plan_runs_on_all(numpys: Callable[[], int]) -> None:
    model, layer = watched(numpys)
    X, y = problem(2 * ROWS)
    model.train_step(X, y)
    model.predict(X)
    model.evaluate(X, y)
    model.fit(X, y, batch_size=2 * ROWS)
    assert layer.seen() == {2}
    model.fit(X, y, batch_size=2 * ROWS, micro_batch_size=ROWS)  # what is computed at once is small
    assert layer.seen() == {1}
    model.fit(X, y, batch_size=ROWS, validation_data=(X, y))  # each by its own size
    assert layer.seen() == {1, 2}


def test_lbfgs_runs_on_one_thread(numpys: Callable[[], int]) -> None:
    """In SciPy's BLAS too, which is loaded where it is first used."""
    pytest.importorskip("scipy", reason="L-BFGS needs SciPy")
    copies = blas.of_process().copies
    for path in [path for path in copies if "scipy.libs" in path]:
        del copies[path]  # as if nothing had loaded it yet
    layer = Look(lambda: max(copy.read() for copy in blas.of_process().copies.values()))
    model = classifier("numpy", inserted=(layer,), optimizer="lbfgs")
    model.fit(*problem(ROWS), epochs=3)
    own = {lib.filepath for lib in ThreadpoolController().lib_controllers if "scipy.libs" in lib.filepath}
    assert layer.seen() == {1} and {path for path in blas.of_process().copies if "scipy.libs" in path} == own


def test_a_look_through_values_is_on_one_thread(numpys: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def looked(*arguments: Any) -> bool:
        seen.append(numpys())
        return True

    for module in (arrays, step):
        monkeypatch.setattr(module, "sum_is_finite", looked)
    model, (X, y) = classifier("numpy"), problem(ROWS)
    for run in (lambda: model.fit(X, y), lambda: model.fit([(X, y)]), lambda: model.train_step(X, y)):
        run()
        assert {*seen} == {1} and numpys() == 2
        seen.clear()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_ends_a_fit_puts_back(numpys: Callable[[], int], error: type[BaseException]) -> None:
    X, y = problem(ROWS)

    def fails() -> int:
        raise error

    def batches() -> Iterator[Any]:
        yield X, y
        raise error

    def callback(state: Any) -> None:
        raise error

    model, layer = watched(numpys)
    for run in (
        lambda: model.fit(batches),
        lambda: model.fit(X, y, batch_size=8, callbacks=[callback]),
    ):
        with pytest.raises(error):
            run()
        assert layer.seen() == {1} and numpys() == 2
    layer._look = fails
    for run in (lambda: model.fit(X, y), lambda: model.train_step(X, y), lambda: model.predict(X)):
        with pytest.raises(error):
            run()
        assert numpys() == 2


def test_an_interrupt_at_the_end_of_a_step(numpys: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the threads are put back: the fit does it when it ends."""

    def interrupted(self: Threads, *raised: object) -> None:
        if self.size:
            raise KeyboardInterrupt
        self.leave()

    model, _ = watched(numpys)
    monkeypatch.setattr(Threads, "__exit__", interrupted)
    X, y = problem(ROWS)
    with pytest.raises(KeyboardInterrupt):
        model.fit([(X, y)])
    assert numpys() == 2


def test_a_users_limit_stays(numpys: Callable[[], int]) -> None:
    controller = ThreadpoolController().select(user_api="blas")
    model, layer = watched(numpys)
    X, y = problem(2 * ROWS)
    model.predict(X)
    assert layer.seen() == {2}
    with controller.limit(limits=1):
        for rows in (slice(8), slice(None)):
            model.train_step(X[rows], y[rows])
            assert layer.seen() == {1} and numpys() == 1
    assert numpys() == 2


def test_two_threads_of_python_that_train_at_once(numpys: Callable[[], int]) -> None:
    """Neither is the one that set the threads first; both end with the weights that they reach alone."""
    X, y = problem(ROWS)

    def train(start: Callable[[], Any]) -> tuple[Any, set[int]]:
        model, layer = watched(numpys)
        start()
        model.fit(X, y, epochs=20, batch_size=8)
        return values(model), layer.seen()

    alone, _ = train(lambda: None)
    with ThreadPoolExecutor(2) as pool:
        for found, seen in pool.map(train, [threading.Barrier(2).wait] * 2):
            assert np.array_equal(found, alone) and seen == {1}
    assert numpys() == 2


def test_a_large_and_a_small_one_at_once(numpys: Callable[[], int]) -> None:
    """The large one has all threads but while the small one is in a step; whoever leaves last puts back."""
    inside, done = threading.Event(), threading.Event()
    X, y = problem(2 * ROWS)

    def hold() -> int:
        inside.set()
        assert done.wait(60)
        return numpys()

    small, small_layer = watched(hold)
    large, large_layer = watched(numpys)
    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(small.train_step, X[:8], y[:8])
        assert inside.wait(60)
        large.train_step(X, y)
        assert large_layer.seen() == {1}
        done.set()
        step.result()
    assert small_layer.seen() == {1} and numpys() == 2
    large.train_step(X, y)
    assert large_layer.seen() == {2}


def test_the_bits_are_those_of_one_thread(numpys: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they differ: clip_norm's sum over 20,000 gradients in float64, which OpenBLAS gives to two threads."""
    generator = np.random.default_rng(0)
    X, y = generator.standard_normal((8, 100)), np.arange(8) % CLASSES

    def trained() -> Any:
        model = Sequential(
            [Dense(100, 200), "tanh", Dense(200, CLASSES), "softmax"],
            "categorical_crossentropy", nnxp.SGD(0.1, clip_norm=1e-3), backend="numpy", dtype="float64", seed=0,
        )  # fmt: skip
        model.fit(X, y, epochs=10, batch_size=8)
        return values(model)

    with ThreadpoolController().limit(limits=1):
        on_one = trained()
    monkeypatch.setattr(blas, "SMALL", SMALL)
    assert np.array_equal(trained(), on_one)


def test_it_is_looked_for_at_the_first_plan_and_not_before() -> None:
    code = """
import sys, numpy as np, nnxp
model = nnxp.Sequential([nnxp.Dense(2, 3), "softmax"], "categorical_crossentropy", backend="numpy", seed=0)
assert "threadpoolctl" not in sys.modules
model.train_step(np.zeros((4, 2), "float32"), np.zeros(4, "int64"))
print("threadpoolctl" in sys.modules)
"""
    environ = {name: value for name, value in os.environ.items() if name not in blas.VARIABLES}
    command = [sys.executable, "-c", code]
    for given, expected in (({}, "True"), ({"OMP_NUM_THREADS": "1"}, "False")):
        done = subprocess.run(command, env=environ | given, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
