"""The table of docs/faults.md: each fault is brought about, and what is seen and left is what the table says.

A row is a case here: a function that brings the fault about in a folder, and gives what a user sees and what is on the
disk afterwards. `PRINT_FAULTS=1 pytest tests/files/test_faults.py -s` prints the rows.
"""

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import nnxp
from tests.helpers import training_faults
from tests.helpers.faults import MODEL, model, python

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
RUN_FILES = ["model.safetensors", "history.csv", "summary.json", "curves.png", "training_rows.npy"]
Seen = tuple[str, str]
Case = Callable[[Path], Seen]


# --- a save --------------------------------------------------------------------------------------------


def save(fault: str, before: bool = True, disk: str | None = None) -> Case:
    """A fault of tests/helpers/faults.py; `disk` where that module itself looks at what is left."""

    def case(here: Path) -> Seen:
        if before:
            model(1).save(here / MODEL)
        previous = (here / MODEL).read_bytes() if before else None
        done = python(here, "-m", "tests.helpers.faults", fault)
        assert done.returncode == 0, done.stderr
        now = (here / MODEL).read_bytes() if (here / MODEL).exists() else None
        assert {path.name for path in here.iterdir()} == (set() if now is None else {MODEL.name})
        found = "no file" if now is None else "the previous file" if now == previous else "the new file"
        return done.stdout.strip(), disk or found

    return case


# --- the command line ----------------------------------------------------------------------------------


TRAIN = ("-m", "nnxp", "train", "spiral", "--epochs", "1", "--hidden", "64", "--quiet", "--out", "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@functools.cache
def run() -> dict[str, bytes]:
    """The files of a run."""
    with tempfile.TemporaryDirectory() as folder:
        done = python(Path(folder), *TRAIN)
        assert done.returncode == 0, done.stderr
        return contents(Path(folder, "run"))


def trained(here: Path) -> dict[str, bytes]:
    """A run is there."""
    (here / "run").mkdir()
    for name, content in run().items():
        (here / "run" / name).write_bytes(content)
    return run()


def train_full(here: Path) -> Seen:
    before = trained(here)
    said = set()
    for largest in (0, 5000):
        done = python(here, *TRAIN, "--overwrite", "--seed", "9", largest=largest)
        assert done.returncode == 2 and contents(here / "run") == before
        assert {path.name for path in (here / "run").iterdir()} == {*RUN_FILES}
        said.add(done.stderr.strip())
    return " / ".join(said), "the previous run"


def train_killed(here: Path) -> Seen:
    before = trained(here)
    killed = (
        "import os, signal, sys, nnxp, nnxp.cli\n"
        "nnxp.Sequential.save = lambda *given: os.kill(os.getpid(), signal.SIGKILL)\n"
        "nnxp.cli.main(sys.argv[1:])"
    )
    done = python(here, "-c", killed, *TRAIN[2:], "--overwrite")
    assert done.returncode == -9 and contents(here / "run") == before
    assert [path.name[:12] for path in (here / "run").iterdir() if path.is_dir()] == [".unfinished-"]
    assert python(here, *TRAIN, "--overwrite").returncode == 0
    assert {path.name for path in (here / "run").iterdir()} == {*RUN_FILES}
    return done.stderr or "nothing", "the previous run; a folder `.unfinished-…`, which the next run removes"


RENAMES = """
import os, signal, sys, nnxp.cli
real, left, what = os.replace, int(sys.argv.pop(1)), sys.argv.pop(1)

def replace(*names):
    global left
    if ".tmp" not in str(names[0]):  # one that publishes
        if left == 0 and what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if left == 0:
            raise OSError(5, "Input/output error", str(names[0]))
        left -= 1
    real(*names)

os.replace = replace
sys.exit(nnxp.cli.main(sys.argv[1:]))
"""


def train_rename_fails(here: Path) -> Seen:
    before = trained(here)
    done = python(here, "-c", RENAMES, "2", "fail", *TRAIN[2:], "--overwrite", "--seed", "9")
    now = contents(here / "run")
    assert done.returncode == 2 and [name for name in RUN_FILES if now[name] != before[name]] == RUN_FILES[:2]
    assert {path.name for path in (here / "run").iterdir()} == {*RUN_FILES}
    return done.stderr.strip(), "files of two runs, each whole"


def train_killed_between(here: Path) -> Seen:
    """After the first rename of four, and after the third."""
    before = trained(here)
    for renamed in (1, 3):
        words = (str(renamed), "kill", *TRAIN[2:], "--overwrite", "--seed", str(9 + renamed))
        done = python(here, "-c", RENAMES, *words)
        assert done.returncode == -9, done.stderr
        now = contents(here / "run")
        assert [name for name in RUN_FILES if now[name] != before[name]] == RUN_FILES[:renamed]
        nnxp.load(here / "run" / MODEL)
        before = now
    return (
        done.stderr or "nothing",
        "files of two runs, each whole; a folder `.unfinished-…`, which the next run removes",
    )


def predict_full(here: Path) -> Seen:
    trained(here)
    (here / "rows.csv").write_text("x0,x1\n" + "0.5,0.25\n" * 300)
    (here / "p.csv").write_text("mine")
    words = ("-m", "nnxp", "predict", "run/model.safetensors", "rows.csv", "--out", "p.csv", "--overwrite")
    done = python(here, *words, largest=2000)
    assert done.returncode == 2 and (here / "p.csv").read_text() == "mine"
    assert {path.name for path in here.iterdir()} == {"run", "rows.csv", "p.csv"}
    return done.stderr.strip(), "the previous file"


CASES: dict[str, Case] = {
    "the disk is full, at whichever byte": save("full"),
    "the same, and no file was there": save("full", before=False),
    "the file cannot be flushed to the disk": save("flush"),
    "the rename fails": save("rename"),
    "the file that is there belongs to somebody else (`/tmp`)": save("not_ours"),
    "the folder is read-only": save("read_only"),
    "the folder cannot be flushed to the disk": save("folder"),
    "Ctrl-C at any write, flush or rename": save("interrupted", disk="the previous file; after the rename the new one"),
    "`kill -9` at any write, flush or rename": save(
        "killed",
        disk="the previous file; after the rename the new one; a temporary file, which the next save removes",
    ),
    "two processes save to one path": save("at_once", disk="at every moment one of the files, whole"),
    "`nnxp train`: the disk is full": train_full,
    "`nnxp train`: a rename of the end fails": train_rename_fails,
    "`nnxp train`: `kill -9` before the end": train_killed,
    "`nnxp train`: `kill -9` between the renames of the end": train_killed_between,
    "`nnxp predict --out`: the disk is full": predict_full,
    **training_faults.CASES,
}


def documented() -> dict[str, Seen]:
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {fault: (seen, disk) for fault, seen, disk in rows[2:]}


def test_the_table_has_a_row_for_each_case() -> None:
    assert [*documented()] == [*CASES]


@pytest.mark.parametrize("fault", CASES)
def test_what_is_seen_and_left(fault: str) -> None:
    if fault.startswith("the file that is there belongs") and os.geteuid() != 0:
        pytest.skip("only the superuser can make files that belong to somebody else")
    with tempfile.TemporaryDirectory() as folder:  # whose parents are open to everybody, as pytest's are not
        os.chmod(folder, 0o755)
        seen, disk = CASES[fault](Path(folder))
    if "PRINT_FAULTS" in os.environ:
        print(f"\n| {fault} | {seen} | {disk} |")
        return
    assert (seen, disk) == documented().get(fault), f"| {fault} | {seen} | {disk} |"
