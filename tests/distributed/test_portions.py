"""A training of several processes is that of one."""

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.callbacks import Checkpoint, CSVLog, EarlyStopping, Interruption, State
from nnxp.distributed import Alone, InOrder, as_communicator
from nnxp.errors import ModelFileError
from nnxp.layers.parts import with_parts
from nnxp.training import portion_plan
from tests.distributed.cases import (
    CASES,
    IN_ORDER,
    TOLERANCE,
    WEIGHTS,
    Case,
    X,
    Y,
    compare,
    dropped,
    gentle,
    nested,
    normalised,
    outcome,
    same_bits,
)
from tests.helpers import needs
from tests.helpers.crew import Member, together
from tests.helpers.matrix import Target


@pytest.mark.parametrize("name", CASES)
def test_a_training_of_several_is_that_of_one(name: str) -> None:
    case = CASES[name]
    for dtype in case.dtypes:
        expected = outcome(case, dtype, None)
        assert len(expected["losses"]) >= 5 if name == "minimised" else len(expected["losses"]) >= 100
        found = together({"float32": 2, "float64": 3}[dtype], lambda comm, dtype=dtype: outcome(case, dtype, comm))
        assert all((one["weights"] == found[0]["weights"]).all() for one in found)
        assert all(compare(one, found[0], 0.0) == "" for one in found)
        assert compare(found[0], expected, TOLERANCE[dtype]) == "", dtype


def test_one_process_with_a_communicator_has_the_bits_of_one_without() -> None:
    for name in ("dropout", "no weights in a part"):
        alone, plain = (outcome(CASES[name], "float32", comm) for comm in (Alone(), None))
        assert compare(alone, plain, 0.0) == "" and (alone["weights"] == plain["weights"]).all()


@needs.numpy_2_2
@pytest.mark.parametrize("name", IN_ORDER)
def test_reproducible_sums_are_the_same_bits_for_1_2_and_4(name: str) -> None:
    case = CASES[name]._replace(options={"epochs": 8, **CASES[name].options})
    for dtype in case.dtypes:
        one = outcome(case, dtype, InOrder())
        assert compare(one, outcome(case, dtype, None), TOLERANCE[dtype]) == "", dtype
        for n in (2, 4):
            found = together(n, lambda comm, dtype=dtype: outcome(case, dtype, InOrder(comm)))
            assert all(same_bits(each, one) for each in found), (dtype, n)


def test_batches_and_then_all_of_the_data() -> None:
    """Penalties count once in either way, one after the other."""

    def job(comm: Any) -> float:
        model = made(comm, CASES["momentum"].layers(), dtype="float64")
        model.fit(X, Y, 2, 33)
        model.optimizer = "lbfgs"
        return model.fit(X, Y, 3)["loss"][-1]

    assert together(2, job)[0] == pytest.approx(job(None), abs=1e-12)


def test_reproducible_without_a_launcher() -> None:
    models = [made(comm, reproducible=True) for comm in (None, Alone())]
    losses = [model.fit(X, Y, 2, validation_data=(X, Y))["val_loss"] for model in models]
    assert losses[0] == losses[1] and models[0].communicator.leaves == 4


def test_a_checkpoint_says_whether_it_is_reproducible(tmp_path: Path) -> None:
    made(None, reproducible=True).fit(X, Y, 2, callbacks=[Checkpoint(path := tmp_path / "file.safetensors")])
    with pytest.raises(ModelFileError, match="reproducible"):
        made(None).fit(X, Y, 2, resume=path)


def test_on_every_library(backend: Target) -> None:
    """A device's sums go over the host, its masks are drawn by the same counters."""
    case = Case(nested, gentle, {"batch_size": 33, "epochs": 3, "sample_weight": WEIGHTS})
    dtype = "float64" if backend.device_name is None else "float32"  # which is all that a device may have
    expected = outcome(case, dtype, None, backend.spec)
    found = together(3, lambda comm: outcome(case, dtype, comm, backend.spec))
    assert compare(found[0], expected, TOLERANCE[dtype]) == ""
    assert all(compare(one, found[0], 0.0) == "" for one in found)
    in_order = case._replace(layers=dropped)
    two = together(2, lambda comm: outcome(in_order, dtype, InOrder(comm), backend.spec))
    assert same_bits(two[0], outcome(in_order, dtype, InOrder(), backend.spec))


def test_a_step_is_one_message_and_a_large_one_two_of_which_none_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(comm: Member) -> int:
        model = made(comm)
        model.fit(X, Y, batch_size=33)
        return comm.sums

    assert together(2, steps) == [4, 4]
    monkeypatch.setattr(portion_plan, "FEW", 0)
    assert together(2, steps) == [8, 8]
    for name in ("nested", "batch norm, weights", "sample weights", "minimised"):
        expected = outcome(CASES[name], "float64", None)
        found = together(3, lambda comm, name=name: outcome(CASES[name], "float64", comm))
        assert compare(found[0], expected, TOLERANCE["float64"]) == "", name
    found = [together(n, lambda comm: outcome(CASES["clipped"], "float32", InOrder(comm)))[0] for n in (1, 2)]
    assert same_bits(*found)


def test_gradients_are_in_lent_memory_from_the_first_fit_together_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has views of the former ones, plan and optimizer, is made anew."""
    monkeypatch.setattr(portion_plan, "FEW", 0)

    def job(comm: Any) -> list[float]:
        model = made(None, CASES["momentum"].layers(), dtype="float64")
        losses = model.fit(X, Y, 2, 33)["loss"]
        model.communicator = comm
        for _ in range(2):
            losses = model.fit(X, Y, 2, 33, validation_data=(X, Y))["loss"]
        if comm is not None:
            assert len(comm.lent) == 1 and model.store.gradients is comm.lent[0]
            assert model.layers[0].dweights.base is comm.lent[0] and model.layers[0].dweights.any()
            model.communicator = None
        return losses + model.fit(X, Y, 2, 33)["loss"]

    expected = job(None)
    for found in together(2, job):
        assert found == pytest.approx(expected, abs=1e-12)


def made(comm: Any, layers: Any = None, **options: Any) -> nnxp.Sequential:
    options = {"loss": "categorical_crossentropy", "seed": 0, **options}
    return nnxp.Sequential(layers or CASES["dropout"].layers(), communicator=comm, **options)


def test_without_a_seed_all_begin_alike() -> None:
    seeds = together(3, lambda comm: made(comm, seed=None).seed)
    assert seeds[0] == seeds[1] == seeds[2]


def test_a_communicator_is_of_this_process_alone() -> None:
    model = made(Alone())
    assert pickle.loads(pickle.dumps(model)).communicator is None and copy.deepcopy(model).communicator is None
    assert "ommunicator" not in repr(model) and b"Alone" not in pickle.dumps(model)


def test_layers_are_their_own_again_after_a_fit() -> None:
    def lent(comm: Member) -> list[str]:
        inside = []
        model = made(comm, CASES["nested"].layers())
        model.fit(X, Y, callbacks=[lambda state: inside.append(copy.deepcopy(model))])
        models = [model, *inside]
        names = ("_draw", "_moments", "_has_variance", "affine_grads")
        return [name for one in models for _, layer in with_parts(one.layers) for name in names if name in vars(layer)]

    assert together(2, lent) == [[], []]


def ordered(comm: Any, layers: Any = None, **options: Any) -> nnxp.Sequential:
    return made(comm, layers, reproducible=True, **options)


REFUSED: list[tuple[Any, str]] = [
    (
        lambda comm: made(comm, members=2).fit(X, Y, sample_weight=np.ones((101, 2))),
        "got sample_weight of .101, 2. with",
    ),
    (lambda comm: made(comm, members=2).fit(X, Y, shuffle="members"), 'got shuffle="members" for a communicator'),
    (lambda comm: made(comm).fit(X, Y, micro_batch_size=4), "got micro_batch_size=4 with Dropout or BatchNorm on 2"),
    (lambda comm: made(comm).fit(X + comm.rank, Y), "got data .* on process 1, expected .* as on process 0"),
    (lambda comm: made(comm).fit(X, Y, 2 + comm.rank), "got epochs 3 on process 1, expected 2 as on process 0"),
    (lambda comm: made(comm, seed=comm.rank).fit(X, Y), "got weights .* on process 1"),
    (lambda comm: made(comm, loss=Own()).fit(X, Y), "got Own, whose mean_gradient is its own, with a communicator"),
    (lambda comm: ordered(comm, members=2), "got reproducible=True for 2 members, expected one network"),
    (lambda comm: ordered(comm, normalised()).fit(X, Y), r"got BatchNorm \(layer 0\) with reproducible=True"),
    (lambda comm: ordered(comm, optimizer="lbfgs").fit(X, Y), "got LBFGS with reproducible=True, expected an optim"),
    (lambda comm: ordered(Alone()).fit(X, Y, micro_batch_size=4), "got .* with Dropout or BatchNorm on reproducible"),
]


def test_what_it_cannot_do_is_refused_alike() -> None:
    for wrong, said in REFUSED:
        found = together(2, wrong, raises=False)
        for error in found:
            assert isinstance(error, ValueError)
            assert re.match(said, str(error)), error
        assert str(found[0]) == str(found[1])


class Own(nnxp.CategoricalCrossentropy):
    def mean_gradient(self, gradient: Any, w: Any) -> Any:
        return super().mean_gradient(gradient, w)


def test_reproducible_sums_are_of_1_2_or_4() -> None:
    for error in together(3, ordered, raises=False):
        assert "got reproducible=True on 3 processes, expected 1, 2 or 4" in str(error)


def test_what_is_no_communicator_is_refused() -> None:
    with pytest.raises(TypeError, match="got 3 as communicator, expected one of mpi4py, .* which has rank"):
        as_communicator(3)
    model = made(None)
    with pytest.raises(RuntimeError, match="got communicator= while a fit runs"):
        model.fit(X, Y, callbacks=[lambda state: setattr(model, "communicator", Alone())])


def test_what_one_process_fails_of_ends_all() -> None:
    crews = []

    def job(comm: Member) -> None:
        crews.append(comm.crew)
        made(comm).fit(X, Y, 2, callbacks=[lambda state: 1 / comm.rank])

    found = together(2, job, raises=False)
    assert isinstance(found[0], ZeroDivisionError) and found[1] is not None
    assert crews[0].ended[0] is found[0]


def test_callbacks_decide_alike_and_the_first_writes(tmp_path: Path) -> None:
    """Early stopping on what was added up; each file is written once."""

    def job(comm: Any) -> Any:
        rank = comm.rank if comm else 0
        folder = tmp_path / f"{comm is None}{rank}"
        folder.mkdir()
        stopping = EarlyStopping("val_loss", patience=1)
        saving = [CSVLog(folder / "log.csv"), Checkpoint(folder / "model.safetensors", every_minutes=0)]
        own = made(comm, seed=1)
        own.fit(X, Y, 40, 33, validation_data=(X[:50], Y[:50]), callbacks=[stopping, *saving])
        return own.epoch, stopping.best_epoch, sorted(path.name for path in folder.iterdir())

    one, (first, second) = job(None), together(2, job)
    assert one == first and one[2]
    assert second == (*first[:2], [])


def test_a_signal_to_one_process_is_one_to_all() -> None:
    def job(comm: Member) -> Any:
        interruption = Interruption()
        model = made(comm)

        def signalled(state: State) -> None:
            if state.step == 3 and comm.rank == 1:
                interruption.exception = SystemExit(143)

        signalled.events = ("step",)  # type: ignore[attr-defined]
        with pytest.raises(SystemExit), interruption:
            model.fit(X, Y, 9, callbacks=[signalled, interruption])
        return model.step

    assert together(2, job) == [3, 3]
