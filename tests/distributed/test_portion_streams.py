"""Several processes on iterables of batches, and on batches by hand: the training is that of one."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Shard
from nnxp.callbacks import Checkpoint
from nnxp.distributed import InOrder
from tests.distributed.cases import CASES, TOLERANCE, WEIGHTS, X, Y, batches, compare, outcome, same_bits
from tests.helpers import needs
from tests.helpers.crew import Member, together
from tests.helpers.matrix import Target

NAMES = ("dropout", "two rows", "batch norm, weights", "micro", "validated")


@pytest.mark.parametrize("name", NAMES)
def test_a_training_on_batches_is_that_of_one_process(name: str) -> None:
    case, dtype = CASES[name], "float64"
    expected = outcome(case, dtype, None, streamed=True)
    for sharded in (False, True):
        found = together(3, lambda comm, own=sharded: outcome(case, dtype, comm, sharded=own, streamed=True))
        assert all(same_bits(one, found[0]) for one in found)
        assert compare(found[0], expected, TOLERANCE[dtype]) == "", sharded


def test_on_every_library(backend: Target) -> None:
    case = CASES["dropout"]._replace(options={"batch_size": 33, "epochs": 2, "sample_weight": WEIGHTS})
    dtype = "float64" if backend.device_name is None else "float32"
    expected = outcome(case, dtype, None, backend.spec, streamed=True)
    found = together(2, lambda comm: outcome(case, dtype, comm, backend.spec, streamed=True))
    assert compare(found[0], expected, TOLERANCE[dtype]) == ""


@needs.numpy_2_2
def test_reproducible_sums_are_the_same_bits_for_1_2_and_4() -> None:
    case = CASES["sample weights"]._replace(options={"batch_size": 33, "epochs": 3, "sample_weight": WEIGHTS})
    one = outcome(case, "float32", InOrder(), streamed=True)
    for n in (2, 4):
        found = together(n, lambda comm: outcome(case, "float32", InOrder(comm), streamed=True))
        assert all(same_bits(each, one) for each in found), n


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_steps_by_hand_are_those_of_one_process(weights: Any) -> None:
    found = together(3, lambda comm: steps(comm, weights))
    assert found[0] == found[1] == found[2] == pytest.approx(steps(None, weights), abs=1e-12)


@needs.numpy_2_2
def test_reproducible_steps_by_hand_are_the_same_bits() -> None:
    found = together(2, lambda comm: steps(comm, WEIGHTS, reproducible=True))
    assert found[0] == found[1] == steps(None, WEIGHTS, reproducible=True)


def steps(comm: Any, weights: Any, **options: Any) -> list[float]:
    """Losses and weights of nine steps; of some batches, one of three processes has no rows."""
    model = made(comm, dtype="float64", **options)
    parts = [slice(0, 50), slice(50, 99), slice(99, 101)] * 3
    given = [(X[part], Y[part], None if weights is None else weights[part]) for part in parts]
    losses = [float(model.train_step(x, y, sample_weight=w)) for x, y, w in given]
    return [*losses, *np.asarray(model.store.values)[:50].tolist()]


def made(comm: Any, **options: Any) -> nnxp.Sequential:
    options = {"loss": "categorical_crossentropy", "seed": 0, **options}
    return nnxp.Sequential(CASES["dropout"].layers(), communicator=comm, **options)


def test_a_shard_of_one_process_is_all_batches() -> None:
    data = batches(None, X, Y, size=33)
    assert made(None).fit(Shard(data), epochs=2)["loss"] == made(None).fit(data, epochs=2)["loss"]


def test_a_checkpoint_resumes_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    def halted(state: Any) -> None:
        if state.step == 6:
            raise KeyboardInterrupt

    halted.events = ("step",)  # type: ignore[attr-defined]

    def job(comm: Member) -> Any:
        data = batches(None, X, Y, WEIGHTS + 0.1, size=25)
        saving = Checkpoint(path := tmp_path / "file.safetensors", every_steps=2)
        whole = made(comm).fit(data, epochs=3, callbacks=[Checkpoint(tmp_path / "other.safetensors")])
        with pytest.raises(KeyboardInterrupt):
            made(comm).fit(data, epochs=3, callbacks=[saving, halted])
        resumed = made(comm).fit(data, epochs=3, callbacks=[saving], resume=path)
        return whole["loss"] == resumed["loss"]

    assert together(2, job) == [True, True]


def shuffled(comm: Member) -> Any:
    """Batches that each process draws with a seed of its own."""
    order = np.random.default_rng(comm.rank).permutation(101)
    return batches(None, X[order], Y[order], size=33)


def fewer(comm: Member) -> Any:
    return lambda: (batch for batch in batches(None, X, Y, size=33)[comm.rank :])


def bad(comm: Member, batch: Any = (X, Y)) -> Any:
    """The second batch of process 1 is another."""
    return iter([(X, Y), batch if comm.rank else (X, Y)])


REFUSED: list[tuple[Any, str]] = [
    (lambda comm: made(comm).fit(shuffled(comm)), "got batch 0 .* on process 1, expected .* as on process 0: every"),
    (lambda comm: made(comm).evaluate(shuffled(comm)), "got batch 0 .* on process 1, expected .* as on process 0"),
    (lambda comm: made(comm).fit(bad(comm, (X, Y, WEIGHTS))), "got batch 1 .* on process 1, expected .*"),
    (lambda comm: made(comm).train_step(X + comm.rank, Y), "got a batch .* on process 1, expected .* on process 0"),
    (
        lambda comm: made(comm).fit(Shard(fewer(comm))),
        r"got batch 3 \(the first is 0\) on process 0, and no more of them on process 1, expected as many",
    ),
    (lambda comm: made(comm).fit(batches(None, X, Y, size=33 + comm.rank)), "got batch 0 .* on process 1, exp"),
    (lambda comm: made(comm).fit(batches(None, X, Y, size=101 - comm.rank)), "got batch 0 .* on process 1, exp"),
    (lambda comm: made(comm).fit(Shard(bad(comm, (X * np.nan, Y)))), "process 1: batch 1 .*: got X .*(NaN|nan)"),
    (lambda comm: made(comm).fit(bad(comm, (X, Y + 3))), "process 1: batch 1 .*: got class labels from 3 to 5"),
    (lambda comm: made(comm).fit(Shard([(X[:0], Y[:0])])), "batch 0 .*: got no samples on any process"),
    (lambda comm: made(comm).fit([(X[:0], Y[:0])]), "process 0: batch 0 .*: got X with no samples"),
    (lambda comm: made(comm).fit(Shard([(X, Y)]), Y), "got y beside a Shard"),
    (lambda comm: made(comm).fit(Shard([(X, Y)], Y)), "got a Shard of an iterable and y or sample_weight"),
    (lambda comm: made(comm).fit(Shard(X)), "got a Shard of X without y"),
    (lambda comm: made(comm, reproducible=True).fit(Shard([(X, Y)])), "got a Shard with reproducible=True"),
    (lambda comm: made(comm, optimizer="lbfgs").fit([(X, Y)]), "got an iterable of batches for LBFGS"),
]


def test_what_cannot_be_is_refused_alike() -> None:
    for wrong, said in REFUSED:
        found = together(2, wrong, raises=False)
        for error in found:
            assert isinstance(error, ValueError | TypeError), (said, error)
            assert re.match(said, str(error)), error
        assert type(found[0]) is type(found[1]) and str(found[0]) == str(found[1])
