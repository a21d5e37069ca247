"""Members spread over processes are those of one process."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.callbacks import Checkpoint, CSVLog, EarlyStopping, Interruption, MemberStopping, State
from nnxp.distributed import Alone, ByMember, InOrder
from tests.distributed.cases import (
    CASES,
    TOLERANCE,
    WEIGHTS,
    Case,
    X,
    Y,
    compare,
    dropped,
    nested,
    outcome,
    same_bits,
    shared,
)
from tests.helpers.crew import Member, together
from tests.helpers.matrix import Target

SPREAD = CASES["spread"]
EACH = np.random.default_rng(1).uniform(0, 1, (101, 4))


def made(comm: Any, layers: Any = None, members: int = 4, **options: Any) -> nnxp.Sequential:
    options = {"loss": "categorical_crossentropy", "seed": 0, "optimizer": nnxp.Adam(0.01, ema=0.9), **options}
    return nnxp.Sequential(layers or dropped(), members=members, communicator=comm and ByMember(comm), **options)


def state_of(model: nnxp.Sequential) -> list[Any]:
    """All that a training leaves."""
    history = {name: values for name, values in model.history.items() if name != "seconds"}
    kept = model.optimizer.saved_state(model.store)
    return [model.epoch, model.step, model.optimizer.progress(), history, model.store.values, *kept.values()]


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in zip(one, other, strict=True))


def same_products() -> bool:
    """Whether BLAS gives a product's columns the same bits beside others or by themselves."""
    X, W, dz = (RNG.normal(size=shape).astype(np.float32) for shape in ((33, 5), (5, 112), (33, 112)))
    return all(np.array_equal((a @ b)[:, :32], a @ b[:, :32]) for a, b in ((X, W), (X.T, dz)))


RNG = np.random.default_rng(2)
beside = pytest.mark.skipif(not same_products(), reason="BLAS rounds a product by its width")


@beside
@pytest.mark.parametrize(("processes", "members"), [(2, 4), (3, 7)])
def test_of_two_members_or_more_each_every_bit_is_that_of_one_process(processes: int, members: int) -> None:
    for case in (SPREAD, CASES["spread, nested"], CASES["members, penalised"]._replace(layers=dropped)):
        case = case._replace(members=members, spread=True, options={**case.options, "epochs": 4})
        case.options.pop("micro_batch_size", None)
        one = outcome(case, "float32", None)
        found = together(processes, lambda comm, case=case: outcome(case, "float32", comm))
        assert all(same_bits(each, one) for each in found)


def test_all_that_a_training_leaves_is_that_of_one_process(tmp_path: Path) -> None:
    """What early stopping decides, what the optimizer keeps, weights that a callback writes between two epochs."""

    def job(comm: Any, kind: Any = EarlyStopping) -> Any:
        folder = tmp_path / f"{kind.__name__}{comm and comm.rank}"
        folder.mkdir()

        def write(state: State) -> None:
            if state.epoch == 2:
                state.model.layers[1].weights[...] *= 0.5

        stopping = kind(patience=2)
        model = made(comm, optimizer=nnxp.Adam(0.05, ema=0.5, schedule="reduce_on_plateau"), seed=1)
        callbacks = [write, stopping, CSVLog(folder / "log.csv"), Checkpoint(folder / "model.safetensors")]
        model.fit(X, Y, 30, 33, sample_weight=EACH, validation_split=0.3, callbacks=callbacks)
        said = stopping.best_epoch if kind is EarlyStopping else stopping.best_epochs
        return [said, *state_of(model)], sorted(path.name for path in folder.iterdir())

    for kind in (EarlyStopping, MemberStopping):
        (one, files), found = job(None, kind), together(2, lambda comm, kind=kind: job(comm, kind))
        assert one[1] < 30 and len(files) == 2
        assert [same(one, other) for other, _ in found] == [True, True]
        assert [written for _, written in found] == [files, []]


def stopped(comm: Any, path: Path, layers: Any, by_signal: bool) -> list[Any]:
    """A training that ends after step 9, before a batch of one row: by a signal, or by an exception after a save."""
    model = made(comm, layers())

    def stop(state: State) -> None:
        if state.step == 10 and not by_signal:
            raise SystemExit(1)
        if state.step == 9 and by_signal and (comm is None or comm.rank == 1):
            interruption.exception = SystemExit(143)

    stop.events = ("step",)  # type: ignore[attr-defined]
    interruption = Interruption()
    callbacks = [stop, interruption, Checkpoint(path, every_steps=9)]
    with pytest.raises(SystemExit) as left, interruption:
        model.fit(X, Y, 3, 25, validation_data=(X, Y), callbacks=callbacks)
    went_back = any("are back" in note for note in getattr(left.value, "__notes__", []))
    assert went_back is (comm is not None and not by_signal)
    return state_of(model)


def resumed(comm: Any, path: Path, layers: Any) -> list[Any]:
    model = made(comm, layers())
    with Interruption() as interruption:
        callbacks = [interruption, Checkpoint(path, every_steps=9)]
        model.fit(X, Y, 3, 25, validation_data=(X, Y), callbacks=callbacks, resume=path)
    return state_of(model)


@pytest.mark.parametrize("by_signal", [True, False])
@pytest.mark.parametrize("layers", [dropped, pytest.param(nested, marks=beside)])
def test_what_is_stopped_within_an_epoch_goes_on_anywhere(layers: Any, by_signal: bool, tmp_path: Path) -> None:
    whole = resumed(None, tmp_path / "whole", layers)
    one, two, again = (tmp_path / name for name in ("one", "two", "again"))
    expected = stopped(None, one, layers, by_signal)
    found = together(2, lambda comm: stopped(comm, two, layers, by_signal))
    assert [same(expected, other) for other in found] == [by_signal] * 2  # else they are at the epoch's begin
    again.write_bytes(two.read_bytes())
    assert same(resumed(None, again, layers), whole)
    for path in (one, two):
        assert all(same(other, whole) for other in together(2, lambda comm, path=path: resumed(comm, path, layers)))


def test_what_a_signal_stops_has_the_weights_of_its_step() -> None:
    def job(comm: Any) -> list[Any]:
        interruption, model = Interruption(), made(comm)

        def signalled(state: State) -> None:
            if state.step == 3:
                interruption.exception = KeyboardInterrupt()

        signalled.events = ("step",)  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt), interruption:
            model.fit(X, Y, callbacks=[signalled, interruption])
        return state_of(model)

    one = job(None)
    assert all(same(one, other) for other in together(2, job))


def test_a_loss_that_is_not_finite_is_explained_alike() -> None:
    def job(comm: Any) -> str:
        model = made(comm, optimizer=nnxp.SGD(1e30))
        with pytest.raises(nnxp.NonFiniteLossError) as error:
            model.fit(X, Y, 3, 33)
        assert np.isfinite(model.store.values).all()
        return str(error.value)

    assert together(2, job) == [job(None)] * 2


def test_an_exception_within_an_epoch_leaves_the_weights_that_it_began_with() -> None:
    def job(comm: Any) -> Any:
        model = made(comm)

        def fail(state: State) -> None:
            if state.step == 6:
                raise ZeroDivisionError

        fail.events = ("step",)  # type: ignore[attr-defined]
        begins = []
        with pytest.raises(ZeroDivisionError) as error:
            model.fit(X, Y, 3, 33, callbacks=[fail, lambda state: begins.append(model.store.values.copy())])
        assert "the weights are back" in error.value.__notes__[0]
        return (model.store.values == begins[0]).all() and not model.optimizer.saved_state(model.store)

    assert together(2, job) == [True, True]


def test_a_file_that_would_lack_others_steps_is_not_written(tmp_path: Path) -> None:
    def save(state: State) -> None:
        state.model.save(tmp_path / "file")

    save.events = ("step",)  # type: ignore[attr-defined]
    for error in together(2, lambda comm: made(comm).fit(X, Y, callbacks=[save]), raises=False):
        assert isinstance(error, RuntimeError) and "Checkpoint saves there" in str(error)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("spread", [True, False])
def test_on_every_library(spread: bool, backend: Target) -> None:
    """Members by themselves, and by their rows."""
    case = Case(dropped, SPREAD.optimizer, {"batch_size": 33, "epochs": 2, "validation_split": 0.3}, members=3)
    dtype = "float64" if backend.device_name is None else "float32"
    case = case._replace(spread=spread)
    expected = outcome(case, dtype, None, backend.spec)
    found = together(2, lambda comm: outcome(case, dtype, comm, backend.spec))
    assert compare(found[0], expected, TOLERANCE[dtype]) == ""
    assert all(same_bits(one, found[0]) for one in found)


def test_what_one_process_fails_of_ends_all() -> None:
    crews = []

    def job(comm: Member) -> None:
        crews.append(comm.crew)
        made(comm).fit(X, Y, 2, callbacks=[lambda state: 1 / comm.rank])

    found = together(2, job, raises=False)
    assert isinstance(found[0], ZeroDivisionError) and crews[0].ended[0] is found[0]


def test_the_plan_says_who_trains_what() -> None:
    said = together(3, lambda comm: made(comm).training.plan.lines()[0])
    assert said == [
        "process 0 of 3: member 0 of 4, on all rows",
        "process 1 of 3: member 1 of 4, on all rows",
        "process 2 of 3: members 2 to 3 of 4, on all rows",
    ]


REFUSED: list[tuple[Any, str]] = [
    (lambda comm: made(comm, members=1), "got one network to be spread over processes by its members"),
    (lambda comm: made(Member(comm.rank, comm.crew), shared()), "got 4 members that share weights to be spread"),
    (lambda comm: made(comm, members=2, reproducible=True), "got reproducible=True for 2 members, expected one"),
    (lambda comm: made(comm).fit([(X, Y)]), "got an iterable of batches for members that are spread over processes"),
    (lambda comm: made(comm).fit(nnxp.Shard(X, Y)), "got a Shard for members that are spread over processes"),
    (lambda comm: made(comm).train_step(X, Y), "got a train_step of a model whose members are spread"),
    (lambda comm: made(comm).fit(X + comm.rank, Y), "got data .* on process 1, expected .* as on process 0"),
    (lambda comm: made(comm, optimizer=by_member()).fit(X, Y), "got factors by member for members that are spread"),
]


def by_member() -> nnxp.Adam:
    return nnxp.Adam(0.01, factors={"members": [1, 2, 3, 4]})


def test_what_it_cannot_do_is_refused_alike() -> None:
    for wrong, said in REFUSED:
        found = together(2, wrong, raises=False)
        for error in found:
            assert isinstance(error, ValueError), error
            assert re.match(said, str(error)), error
        assert str(found[0]) == str(found[1])
    for error in together(3, lambda comm: made(comm, members=2), raises=False):
        assert "got 3 processes for 2 members to be spread over" in str(error)


def test_one_process_has_all_members() -> None:
    models = [made(comm, members=3) for comm in (None, Alone())]
    for model in models:
        model.fit(X, Y, 2, sample_weight=WEIGHTS)
    assert same(*map(state_of, models))
    with pytest.raises(ValueError, match="got reproducible=True for 3 members"):
        models[0].communicator = InOrder()
