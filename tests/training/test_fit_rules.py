"""What `fit` adds to the rules of training: a schedule's length and sight, the weights' average, L-BFGS."""

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import LBFGS, SGD, Adam, Dense, Dropout, Sequential, schedules
from nnxp.callbacks import CSVLog, EarlyStopping, State
from tests.helpers.matrix import Target
from tests.helpers.models import Recorder, classifier, problem, values

X, Y = problem(dtype="float64")


# --- the order of the rows -------------------------------------------------------------------------------


def test_without_shuffling_every_epoch_takes_the_rows_as_they_stand(backend: Target) -> None:
    """Those that are trained on, where some are held out: the same that a shuffled fit trains on."""
    rows = np.stack([np.arange(10.0), np.ones(10)], axis=1)
    found = {}
    for shuffle in (False, True):
        model = Sequential([recorder := Recorder(), Dense(2, 1)], "mean_squared_error", "sgd", backend=backend.spec)
        model.fit(rows, np.ones(10), epochs=2, batch_size=4, shuffle=shuffle)
        found[shuffle, "all"] = recorder.rows()
        model.fit(rows, np.ones(10), batch_size=4, validation_split=0.3, shuffle=shuffle)
        found[shuffle, "some"] = recorder.rows()
    assert found[False, "all"] == [*range(10), *range(10)] != found[True, "all"]
    assert len(found[False, "some"]) == 7
    if backend.module == "numpy":  # a seed of its own each: only what is held out of one model is compared
        model = Sequential([recorder := Recorder(), Dense(2, 1)], "mean_squared_error", "sgd", seed=0)
        for shuffle in (False, True):
            model.fit(rows, np.ones(10), batch_size=4, validation_split=0.3, shuffle=shuffle)
            found[shuffle, "seed 0"] = recorder.rows()
        assert found[False, "seed 0"] == sorted(found[True, "seed 0"])


def test_the_rows_after_whole_batches_are_left_out_of_an_epoch(backend: Target) -> None:
    """Other ones in each; where there is no whole batch, none are. A loss is that of the rows that are trained on."""
    rows = np.stack([np.arange(10.0), np.ones(10)], axis=1)
    model = Sequential([recorder := Recorder(), Dense(2, 1)], "mean_squared_error", "sgd", backend=backend.spec, seed=0)
    model.fit(rows, np.ones(10), epochs=3, batch_size=4, drop_last=True, sample_weight=np.arange(1.0, 11.0))
    seen = recorder.rows()
    epochs = [seen[i : i + 8] for i in range(0, 24, 8)]
    assert len(seen) == 24 and model.step == 6 and all(len(set(epoch)) == 8 for epoch in epochs)
    assert len({frozenset(epoch) for epoch in epochs}) > 1
    model.fit(rows, np.ones(10), batch_size=4, drop_last=True, shuffle=False)
    assert recorder.rows() == [*range(8)]
    model.fit(rows, np.ones(10), batch_size=16, drop_last=True)
    assert len(recorder.rows()) == 10


def test_leaving_rows_out_is_true_or_false_and_for_arrays() -> None:
    with pytest.raises(ValueError, match="got drop_last=1, expected True or False"):
        classifier("numpy").fit(X, Y, drop_last=1)
    with pytest.raises(ValueError, match="got drop_last with an iterable of batches, expected none: do not yield it"):
        classifier("numpy").fit([(X, Y)], drop_last=True)


@pytest.mark.parametrize("shuffle", ["batch", 1, None])
def test_shuffling_is_true_or_false(shuffle: Any) -> None:
    with pytest.raises(ValueError, match=f"got shuffle={shuffle!r}, expected True or False"):
        classifier("numpy").fit(X, Y, shuffle=shuffle)


# --- schedules -------------------------------------------------------------------------------------------


def test_a_schedule_knows_the_length_of_the_training(backend: Target) -> None:
    """Also where it is made in two fits: one of six steps, after three of them another of three."""
    seen = list[tuple[int, int | None]]()

    def watch(step: int, total: int | None) -> float:
        seen.append((step, total))
        return 0.5

    model = classifier(backend.spec, optimizer=SGD(0.2, schedule=watch))
    history = model.fit(X, Y, epochs=2, batch_size=8)
    assert seen == [(step, 6) for step in range(6)]
    model.fit(X, Y, epochs=1, batch_size=8)
    assert seen[6:] == [(step, 9) for step in range(6, 9)]
    model.fit(lambda: ((X, Y) for _ in range(1)))
    assert seen[9:] == [(9, None)]
    assert history["learning_rate"] == [0.1, 0.1]


def test_cosine_ends_at_nothing() -> None:
    model = classifier("numpy", optimizer=SGD(0.2, schedule="cosine"))
    rates = model.fit(X, Y, epochs=4, batch_size=24)["learning_rate"]
    assert rates == pytest.approx([0.2 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)], rel=1e-15)


def test_a_plateau_is_seen(tmp_path: Path) -> None:
    """In the records of the epochs; what was seen is saved, copied and pickled."""
    rule = SGD(0.0, schedule=schedules.ReduceOnPlateau(monitor="val_loss", factor=0.5, patience=2))
    model = classifier("numpy", optimizer=rule)
    model.optimizer.learning_rate = 1e-30  # so that nothing gets better
    model.fit(X, Y, epochs=4, validation_data=(X, Y))
    model.save(tmp_path / "model.safetensors")
    others = [nnxp.load(tmp_path / "model.safetensors"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for one in (model, *others):
        one.fit(X, Y, epochs=4, validation_data=(X, Y))
        assert one.history["learning_rate"] == pytest.approx([1e-30] * 4 + [5e-31] * 3 + [2.5e-31], rel=1e-15)


# --- the weights' average --------------------------------------------------------------------------------


def test_validations_are_of_the_average(backend: Target) -> None:
    model = classifier(backend.spec, optimizer=Adam(0.1, ema=0.9), dtype="float64")
    own = list[float]()
    history = model.fit(
        X, Y, 3, 8, validation_data=(X, Y), callbacks=[lambda state: own.append(state.model.evaluate(X, Y)["loss"])]
    )
    averaged = model.averaged()
    assert history["val_loss"][-1] == averaged.evaluate(X, Y)["loss"] != model.evaluate(X, Y)["loss"] == own[-1]
    slot = model.optimizer.average(model.store)
    np.testing.assert_array_equal(values(averaged), backend.to_numpy(slot))
    with pytest.raises(ValueError, match=r"got SGD without a moving average, expected one: SGD\(ema=0.999\)"):
        classifier("numpy", optimizer=SGD()).averaged()


def test_early_stopping_puts_the_best_average_back() -> None:
    model, stopping = classifier("numpy", optimizer=Adam(0.5, ema=0.5)), EarlyStopping(patience=2)
    history = model.fit(X[:12], Y[:12], 50, 4, validation_data=(X[12:], Y[12:]), callbacks=[stopping])
    assert stopping.best_epoch < model.epoch
    assert model.averaged().evaluate(X[12:], Y[12:])["loss"] == min(history["val_loss"]) == stopping.best


def test_a_validation_that_raises_leaves_the_own_weights() -> None:
    def broken() -> Any:
        raise OSError("the disk is gone")

    model, other = (classifier("numpy", optimizer=Adam(0.1, ema=0.9)) for _ in range(2))
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(X, Y, validation_data=broken)
    other.fit(X, Y)
    np.testing.assert_array_equal(values(model), values(other))


# --- L-BFGS ----------------------------------------------------------------------------------------------


def bare(optimizer: Any, backend: Any = "numpy", **options: Any) -> Sequential:
    options = {"dtype": "float64", "seed": 0} | options
    return Sequential([Dense(5, 4, l2=0.01), "tanh", Dense(4, 3), "softmax"], "categorical_crossentropy", optimizer,
                      backend=backend, **options)  # fmt: skip


def test_lbfgs_finds_where_the_gradient_is_nothing(backend: Target) -> None:
    pytest.importorskip("scipy", reason="L-BFGS is SciPy's")
    rule = LBFGS(tol=1e-6)
    model = bare(rule, backend.spec)
    w = np.linspace(0.5, 1.5, 24)
    history = model.fit(X, Y, epochs=500, batch_size=10, sample_weight=w)
    assert rule.result is not None and rule.result.converged and rule.result.iterations == len(history["loss"])
    assert history["loss"] == sorted(history["loss"], reverse=True)
    loss = model.evaluate(X, Y, sample_weight=w)["loss"]  # of the best weights met, which the last line search may pass
    assert loss == pytest.approx(rule.result.loss, rel=1e-12, abs=0) and loss <= history["loss"][-1]
    assert model.evaluate(X, Y, sample_weight=w)["accuracy"] == pytest.approx(history["accuracy"][-1], rel=1e-12)
    # The loss changed by less than 2.2e-9 of itself at the end, SciPy's `ftol`, so the gradient is near √2.2e-9.
    start = bare(SGD(), backend.spec)
    for one, low, high in ((model, 0, 1e-3), (start, 1e-2, 1)):
        one.forward(X)
        one.backward(Y, w)
        assert low <= np.abs(backend.to_numpy(one.store.gradients)).max() <= high


def test_lbfgs_does_not_depend_on_the_batches() -> None:
    pytest.importorskip("scipy", reason="L-BFGS is SciPy's")
    models = [bare(LBFGS()) for _ in range(2)]
    for model, size in zip(models, (24, 5), strict=True):
        model.fit(X, Y, epochs=5, batch_size=size)
    np.testing.assert_allclose(values(models[0]), values(models[1]), rtol=0, atol=1e-10)


def test_lbfgs_tells_the_callbacks(tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="L-BFGS is SciPy's")
    losses = list[float]()

    def stop(state: State) -> None:
        losses.append(state.model.evaluate(X, Y)["loss"])
        state.stop = state.epoch == 4

    model = bare(LBFGS())
    log = CSVLog(tmp_path / "log.csv")
    history = model.fit(X, Y, epochs=50, validation_data=(X, Y), callbacks=[stop, log])
    assert model.epoch == model.step == 4 and len((tmp_path / "log.csv").read_text().splitlines()) == 5
    assert losses == pytest.approx(history["loss"], rel=1e-12)


def test_what_lbfgs_refuses() -> None:
    pytest.importorskip("scipy", reason="L-BFGS is SciPy's")
    with pytest.raises(ValueError, match="got an iterable of batches for LBFGS"):
        bare(LBFGS()).fit([(X, Y)])
    model = Sequential([Dense(5, 4), Dropout(0.5), Dense(4, 3), "softmax"], "categorical_crossentropy", "lbfgs")
    with pytest.raises(ValueError, match=r"got Dropout \(layer 1\) with LBFGS, expected layers that give the same"):
        model.fit(X, Y)
    broken = bare(LBFGS())
    broken.store.values[0] = np.nan
    with pytest.raises(nnxp.NonFiniteLossError, match="not a finite number where the minimisation began"):
        broken.fit(X, Y)
