"""What the first process of several reads, on the others; with a real launcher: `tests/distributed/test_mpi.py`."""

import csv
import json
import platform
import resource
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnxp.cli import _run, opening
from nnxp.cli.handover import from_the_first
from nnxp.errors import DataError
from tests.helpers.crew import Member, together

RNG = np.random.default_rng(0)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> threading.local:
    """Of which machine a thread thinks that it is."""
    here = threading.local()
    monkeypatch.setattr(platform, "node", lambda: here.name)
    return here


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Where temporary files are: none is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    yield
    assert not [*(tmp_path / "temporary").iterdir()]


@pytest.mark.parametrize("of_machine", [3, 2, 1])
def test_arrays_and_what_is_beside_them_are_on_all(machines: threading.local, of_machine: int) -> None:
    given = {"X": RNG.normal(size=(60_001, 10)), "y": np.arange(7, dtype=np.int8), "X again": None, "name": "a"}
    given["X again"] = given["X"]

    def job(comm: Member) -> Any:
        machines.name = f"machine {comm.rank // of_machine}"
        found = from_the_first(comm, lambda: given if comm.rank == 0 else 1 / 0, lambda made: made | {"name": "b"})
        found["y"][0] += comm.rank  # its own
        return found

    found = together(3, job)
    assert found[0] is given
    for rank, other in enumerate(found[1:], 1):
        assert np.array_equal(other["X"], given["X"]) and other["X again"] is other["X"] and other["name"] == "b"
        assert other["y"].tolist() == [rank, *range(1, 7)] and other["y"].dtype == np.int8
        assert other["X"].ctypes.data % 64 == other["y"].ctypes.data % 64 == 0


def test_what_the_first_refuses_is_refused_by_all() -> None:
    def job(comm: Member) -> None:
        with pytest.raises(DataError if comm.rank else ZeroDivisionError):
            from_the_first(comm, lambda: 1 / 0, lambda made: made)
        comm.gather(None)

    together(2, job)


def test_one_process_hands_nothing_over() -> None:
    assert together(1, lambda comm: from_the_first(comm, lambda: [3], lambda made: [])) == [[3]]


def test_a_disk_that_is_full_is_told() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        first, _ = together(2, lambda comm: from_the_first(comm, lambda: np.ones(99), lambda made: made), raises=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(first, OSError)
    assert "by a file in" in str(first) and "(File too large): the variable TMPDIR" in str(first)


def test_a_table_is_read_by_the_first_process_alone(
    tmp_path: Path, machines: threading.local, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = RNG.normal(size=(160, 2))
    rows = ["a,b,kind,y", *(f"{a},{b},{'k' if a > b else 'm'},{'no' if a + b > 0 else 'yes'}" for a, b in X)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    readers, read = [], opening.read
    monkeypatch.setattr(opening, "read", lambda *a, **k: [readers.append(threading.get_ident()), read(*a, **k)][1])
    words = ["train", str(tmp_path / "table.csv"), "--target", "y", "--epochs", "4", "--quiet"]

    def job(comm: Member) -> int:
        machines.name = "one"
        assert _run([*words, "--out", str(tmp_path / f"run{comm.size}")], comm) == 0
        return threading.get_ident()

    first, _ = together(2, job)
    assert readers == [first]
    together(1, job)
    losses = []
    for n in (1, 2):
        with (tmp_path / f"run{n}" / "history.csv").open(newline="") as file:
            rows = [*csv.DictReader(file)]
        losses.append([[float(row[name]) for name in row if name not in ("epoch", "seconds")] for row in rows])
    assert len(losses[0]) == 4 and np.allclose(*losses, atol=1e-5)
    asked = [json.loads((tmp_path / f"run{n}" / "summary.json").read_text())["asked"] for n in (1, 2)]
    assert asked[0] == asked[1]
