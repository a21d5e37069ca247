"""A training of shards is that of one process on all of the data."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Shard
from nnxp.callbacks import Checkpoint
from nnxp.errors import ModelFileError
from tests.distributed.cases import CASES, CUTS, TOLERANCE, WEIGHTS, Case, X, Y, compare, gentle, nested, outcome, shard
from tests.helpers.crew import Member, together
from tests.helpers.matrix import Target

ALIKE = (
    "adam",
    "clipped",
    "batch norm",
    "batch norm, one row left",
    "nested",
    "members, batch norm",
    "members, penalised",
)
"""Cases that differ from others in nothing that shards have to do with."""


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if name not in ALIKE and not case.spread])
def test_a_training_of_shards_is_that_of_one_process_on_all_data(name: str) -> None:
    case, dtype = CASES[name], "float64"
    found = together(3, lambda comm: outcome(case, dtype, comm, sharded=True))
    assert all((one["weights"] == found[0]["weights"]).all() for one in found)
    assert all(compare(one, found[0], 0.0) == "" for one in found)
    assert compare(found[0], outcome(case, dtype, None), TOLERANCE[dtype]) == ""


def test_on_every_library(backend: Target) -> None:
    layers = nested if backend.module != "cupy" else CASES["batch norm"].layers  # Dropout is refused there
    case = Case(layers, gentle, {"batch_size": 33, "epochs": 3, "sample_weight": WEIGHTS})
    dtype = "float64" if backend.device_name is None else "float32"
    expected = outcome(case, dtype, None, backend.spec)
    found = together(2, lambda comm: outcome(case, dtype, comm, backend.spec, sharded=True))
    assert compare(found[0], expected, TOLERANCE[dtype]) == ""


def made(comm: Any, layers: Any = None, **options: Any) -> nnxp.Sequential:
    options = {"loss": "categorical_crossentropy", "seed": 0, **options}
    return nnxp.Sequential(layers or CASES["dropout"].layers(), communicator=comm, **options)


def test_a_shard_of_one_process_is_all_of_the_data() -> None:
    losses = [made(None).fit(*data, epochs=2)["loss"] for data in ((Shard(X, Y),), (X, Y))]
    assert losses[0] == losses[1]


def bad(comm: Member, value: Any, column: int = 0) -> Shard:
    """A shard of which that of process 1 has a value that is none."""
    own = shard(comm, X, Y)
    inputs = own.X.copy()
    inputs[0, column] = value if comm.rank == 1 else 0
    return Shard(inputs, own.y)


def of_no_rows(comm: Member) -> Shard:
    return Shard(X[:0], Y[:0])


def narrow(comm: Member) -> Shard:
    return Shard(X[:, : 5 - comm.rank], Y)


def text(comm: Member) -> Shard:
    return Shard(X, Y.astype(str) if comm.rank else Y)


REFUSED: list[tuple[Any, str]] = [
    (lambda comm: made(comm).fit(bad(comm, np.nan)), "process 1: got X .*(NaN|nan)"),
    (lambda comm: made(comm).fit(Shard(X, Y + comm.rank)), "process 1: got class labels from 1 to 3"),
    (lambda comm: made(comm).fit(Shard(X, Y[comm.rank :])), "process 1: got 100 labels"),
    (lambda comm: made(comm).fit(narrow(comm)), "process 1: got X .*5"),
    (lambda comm: made(comm).fit(text(comm)), "process 1: got "),
    (lambda comm: made(comm).fit(of_no_rows(comm)), "got X with no samples on any process"),
    (lambda comm: made(comm).fit(X, Y, validation_data=of_no_rows(comm)), "got validation X with no samples on any"),
    (lambda comm: made(comm).fit(Shard(X, Y, 0 * WEIGHTS)), "got samples that all weigh 0 on all processes"),
    (lambda comm: made(comm).fit(Shard(X, Y), Y), "got y beside a Shard"),
    (lambda comm: made(comm).fit(Shard(X, Y), sample_weight=WEIGHTS), "got sample_weight beside a Shard"),
    (lambda comm: made(comm, reproducible=True).fit(Shard(X, Y)), "got a Shard with reproducible=True"),
    (lambda comm: made(comm, waiting()).fit(Shard(X, Y)), "got a Shard for weights that are drawn from the data"),
    (lambda comm: made(comm).fit(Shard(X, Y if comm.rank else np.eye(3)[Y][:, :2])), "process 0: got "),
    (lambda comm: made(comm).fit(Shard(X, Y), epochs=1 + comm.rank), "got epochs 2 on process 1, expected 1"),
]


def waiting() -> list[Any]:
    return [nnxp.Dense(5, 3, initializer="data_variance"), "softmax"]


def test_what_one_process_cannot_take_is_refused_alike() -> None:
    for wrong, said in REFUSED:
        found = together(2, wrong, raises=False)
        for error in found:
            assert isinstance(error, ValueError | TypeError), said
            assert re.match(said, str(error)), error
        assert type(found[0]) is type(found[1]) and str(found[0]) == str(found[1])


def test_a_checkpoint_resumes_on_the_same_shards(tmp_path: Path) -> None:
    def halted(state: Any) -> None:
        if state.step == 6:
            raise KeyboardInterrupt

    halted.events = ("step",)  # type: ignore[attr-defined]

    def job(comm: Member) -> Any:
        saving = Checkpoint(path := tmp_path / "file.safetensors", every_steps=5)
        whole = made(comm).fit(shard(comm, X, Y), epochs=3, callbacks=[Checkpoint(tmp_path / "other.safetensors")])
        with pytest.raises(KeyboardInterrupt):
            made(comm).fit(shard(comm, X, Y), epochs=3, callbacks=[halted, saving])
        if comm.size == 2:
            for part in (Shard(X, Y), shard(comm, X + 1, Y)):  # other rows, of each process
                with pytest.raises(ModelFileError, match="data"):
                    made(comm).fit(part, epochs=3, callbacks=[saving], resume=path)
        resumed = made(comm).fit(shard(comm, X, Y), epochs=3, callbacks=[saving], resume=path)
        return [h["loss"] for h in (whole, resumed)]

    for n in CUTS:
        whole, resumed = together(n, job)[0]
        assert whole == resumed
