"""Predictions from several threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from nnxp.callbacks import State
from nnxp.memory.parameters import ParameterStore
from tests.helpers.matrix import Target
from tests.helpers.models import classifier, problem, with_everything

THREADS = 4


def test_threads_that_see_the_first_X_together_bind_once(backend: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Slow(ParameterStore):
        def __init__(self, *arguments: Any) -> None:
            made.append(self)
            time.sleep(0.05)  # long enough for the others to arrive
            super().__init__(*arguments)

    monkeypatch.setattr("nnxp.network.model.ParameterStore", Slow)
    model, x = classifier(), backend.asarray(problem()[0])
    with ThreadPoolExecutor(THREADS) as pool:
        results = [backend.to_numpy(p) for p in pool.map(lambda _: model.predict(x), range(THREADS))]
    assert len(made) == 1 and all(np.array_equal(result, results[0]) for result in results)


def test_predictions_from_threads_are_those_of_one(backend: Target) -> None:
    """On a model that no X has decided yet, while another model trains."""
    X, y = problem(60)
    parts = [backend.asarray(X[i : i + 15 + i]) for i in range(THREADS)]
    expected = [backend.to_numpy(classifier(backend.spec).predict(part)) for part in parts]
    model, other = classifier(), with_everything(backend.spec)
    barrier, done = threading.Barrier(THREADS + 1), threading.Event()

    def predict(i: int) -> list[object]:
        barrier.wait()
        results = [backend.to_numpy(model.predict(parts[i])) for _ in range(10)]
        while not done.is_set():
            results.append(backend.to_numpy(model.predict(parts[i])))
        return results

    def train() -> list[float]:
        barrier.wait()
        try:
            return other.fit(X, y, epochs=5, batch_size=8)["loss"]
        finally:
            done.set()

    with ThreadPoolExecutor(THREADS + 1) as pool:
        training = pool.submit(train)
        predictions = list(pool.map(predict, range(THREADS)))
    for results, right in zip(predictions, expected, strict=True):
        for result in results:
            np.testing.assert_array_equal(result, right)
    assert training.result() == with_everything(backend.spec).fit(X, y, epochs=5, batch_size=8)["loss"]


@pytest.mark.parametrize("second", ["fit", "train_step"])
def test_a_model_that_a_thread_trains_is_left_alone(second: str, backend: Target) -> None:
    """What another thread asks of it in the middle of an epoch is refused, and the fit goes on to the same end."""
    (X, y), started, refused = problem(60), threading.Event(), threading.Event()
    expected, model = classifier(backend.spec, seed=3), classifier(backend.spec, seed=3)
    expected.fit(X, y, epochs=2, batch_size=8, micro_batch_size=3)

    class Wait:
        events = ("step",)

        def __call__(self, state: State) -> None:
            started.set()
            assert refused.wait(60)

    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(model.fit, X, y, epochs=2, batch_size=8, micro_batch_size=3, callbacks=[Wait()])
        try:
            assert started.wait(60)
            with pytest.raises(RuntimeError, match="got a .* of a model that .* train a copy"):
                getattr(model, second)(X, y)
        finally:
            refused.set()
        training.result()
    np.testing.assert_array_equal(model.predict(X), expected.predict(X), strict=True)
    model.fit(X, y)  # once it has ended, another may begin
    model.train_step(X, y)


def test_of_fits_that_begin_together_one_trains() -> None:
    """On a model that has no plan yet: the one that is refused has not made another."""
    (X, y), model, made = problem(60), classifier("numpy", seed=3), threading.Barrier(THREADS)

    def begin(_: int) -> str:
        made.wait()
        try:
            model.fit(X, y, epochs=20, batch_size=8)
        except RuntimeError as error:
            return str(error)
        return "trained"

    with ThreadPoolExecutor(THREADS) as pool:
        ends = [*pool.map(begin, range(THREADS))]
    done = ends.count("trained")
    assert done >= 1 and model.epoch == 20 * done
    assert all(end == "trained" or "another fit is training" in end for end in ends)
