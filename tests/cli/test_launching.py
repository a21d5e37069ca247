"""A command that a launcher has started several times; with real ones: `tests/distributed/test_mpi.py`."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnxp.cli import launching, main
from nnxp.distributed import Alone


@pytest.fixture(params=launching.VARIABLES, ids=["openmpi", "mpich"])
def launched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this process one of two of a launcher's, by the variables that it sets."""

    def be(rank: int) -> None:
        for name, value in zip(request.param, (rank, 2), strict=True):
            monkeypatch.setenv(name, str(value))

    return be


def test_without_a_launcher_it_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for names in launching.VARIABLES for name in names):
        monkeypatch.delenv(name, raising=False)
    assert launching.launched() == (0, 1)
    monkeypatch.setenv("PMI_SIZE", "4")  # and no rank: of something else
    assert launching.launched() == (0, 1)


def test_equal_trainings_are_refused_without_mpi(launched: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for rank, said in ((0, 'got 2 processes of a launcher without mpi4py, .* pip install "nnxp.mpi."'), (1, r"\A\Z")):
        launched(rank)
        assert launching.launched() == (rank, 2)
        assert main(["train", "digits"]) == 2
        check(capsys.readouterr().err, said)


def check(text: str, said: str) -> None:
    assert re.search(said, text), text


def test_what_does_not_share_is_refused_and_help_is_given(launched: Any, capsys: Any) -> None:
    launched(0)
    assert main(["predict", "model", "file"]) == 2
    check(capsys.readouterr().err, "got nnxp predict on 2 processes, expected one: only train and doctor share")
    assert main(["train", "-", "--target", "y"]) == 2
    check(capsys.readouterr().err, "got -, standard input, on 2 processes, expected a file")
    assert main(["train", "--help"]) == 0
    check(capsys.readouterr().out, "usage")


def test_another_mpi_than_the_launcher_s_is_named(launched: Any, monkeypatch: Any, capsys: Any) -> None:
    world = SimpleNamespace(COMM_WORLD=SimpleNamespace(Get_size=lambda: 1))
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=world))
    launched(0)
    assert main(["train", "digits"]) == 2
    check(capsys.readouterr().err, "got 2 processes of a launcher, of which MPI sees 1")


def test_members_are_spread_where_there_are_some_and_processes(
    launched: Any, monkeypatch: Any, capsys: Any, tmp_path: Path
) -> None:
    def refused(*words: str) -> str:
        assert main(["train", "digits", "--out", str(tmp_path / "run"), *words, "--spread", "members"]) == 2
        return str(capsys.readouterr().err)

    check(refused("--members", "4"), "got one process, expected several of a launcher: mpirun -n 2")
    monkeypatch.setattr(launching, "_communicator", lambda size: Fake(0, True))
    launched(0)
    check(refused(), "got no --members, expected several networks")
    check(refused("--members", "4", "--reproducible"), "--reproducible computes .* leave one of them out")
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" + "".join(f"{i * 37 % 11 + 0.5},{i * i % 7}\n" for i in range(40)))
    words = ["train", str(table), "--target", "b", "--preset", "tabm", "--members", "4", "--spread", "members"]
    assert main(words) == 2
    check(capsys.readouterr().err, "got 4 members that share weights to be spread over processes")


class Fake(Alone):
    """One of two processes, whose other one goes on or fails alike."""

    size = 2

    def __init__(self, rank: int, alike: bool) -> None:
        self.rank, self.fails_alike, self.aborted = rank, lambda: alike, list[int]()  # type: ignore[misc]

    def abort(self, code: int) -> None:
        self.aborted.append(code)


def test_who_fails_alone_speaks_and_ends_all(launched: Any, monkeypatch: Any, capsys: Any) -> None:
    seen = []
    for rank, alike in ((1, False), (1, True), (0, False)):
        fake = Fake(rank, alike)
        monkeypatch.setattr(launching, "_communicator", lambda size, fake=fake: fake)
        launched(rank)
        assert main(["train", "digits", "--sheet", "1"]) == 2
        out, err = capsys.readouterr()
        seen.append((err.startswith("process 1 of 2: nnxp: error:"), err.count("--sheet"), fake.aborted))
        assert not out
    assert seen == [(True, 1, [2]), (False, 0, []), (False, 1, [2])]
