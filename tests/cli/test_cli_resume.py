"""`nnxp train --checkpoint-every` and `--resume`: where the checkpoint is, when it goes, and what is said of it."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import plots
from nnxp.callbacks import Interruption, State
from nnxp.cli import jobs, main, runs
from nnxp.cli.runs import CHECKPOINT, FILES
from nnxp.tabular import Encoder
from tests.cli.test_cli import WRITTEN
from tests.training.test_interruption import SIGNALS

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("train", "spiral", "--hidden", "8", "--epochs", "6", "--batch-size", "40", "--early-stopping", "5")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder, and draws no picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "training", lambda history, path, **rest: Path(path).write_text("picture"))
    return tmp_path


class Meanwhile(Interruption):
    """Does something at a step, as from outside."""

    at, done = 14, None

    def __call__(self, state: State) -> None:
        if state.step == self.at and state.event == "step" and self.done is not None:
            type(self).done, done = None, self.done  # once
            done()
        super().__call__(state)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Meanwhile]]:
    """What happens at step 14, in the middle of the third epoch."""
    monkeypatch.setattr(jobs, "Interruption", Meanwhile)
    yield Meanwhile
    Meanwhile.done = None


def result(folder: str) -> dict[str, Any]:
    """What a run comes to, but for its time."""
    model = nnxp.load(Path(folder, "model.safetensors"))
    summary = json.loads(Path(folder, "summary.json").read_text())
    with Path(folder, "history.csv").open(newline="") as file:
        rows = [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    return {
        "values": np.asarray(model.store.values).tolist(),
        "slots": {name: np.asarray(a).tolist() for name, a in model.optimizer.saved_state(model.store).items()},
        "rows": rows,
        "summary": {name: value for name, value in summary.items() if "second" not in name},
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def finished(capsys: pytest.CaptureFixture[str]) -> Path:
    """A run that is complete."""
    assert main([*WORDS, "--out", "run", "--quiet"]) == 0
    return Path("run")


def fail() -> None:
    raise RuntimeError("no power")


@pytest.mark.parametrize("every", ["3", "0.0000001m"])
def test_a_run_that_broke_off_goes_on(every: str, meanwhile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--out", "whole", "--quiet"]) == 0
    meanwhile.done = staticmethod(fail)
    assert main([*WORDS, "--out", "run", "--checkpoint-every", every]) == 2
    assert os.listdir("run") == [CHECKPOINT] and "no power" in capsys.readouterr().err
    assert nnxp.load(Path("run", CHECKPOINT)).step == (12 if every == "3" else 13)
    assert main([*WORDS, "--out", "run", "--resume"]) == 0
    said = capsys.readouterr().out
    done = "1 epochs and 12 steps" if every == "3" else "2 epochs and 13 steps"  # the 12th is its epoch's last
    assert f"going on from run/{CHECKPOINT}: {done} are done" in said
    assert sorted(os.listdir("run")) == WRITTEN
    assert result("run") == result("whole")


@pytest.mark.parametrize(("number", "exception", "code"), SIGNALS)
def test_a_signal_saves_and_says_how_to_go_on(
    number: int, exception: Any, code: int, meanwhile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--out", "whole", "--quiet"]) == 0
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), number))
    assert main([*WORDS, "--out", "run", "--checkpoint-every", "1000", "--quiet"]) == code
    word = {130: "interrupted", 143: "terminated"}[code]
    expected = f"step 14 is saved, to resume from run/{CHECKPOINT}; the same command with --resume goes on\n"
    assert capsys.readouterr() == ("", f"nnxp: {word}; {expected}")
    assert os.listdir("run") == [CHECKPOINT]
    assert main([*WORDS, "--out", "run", "--checkpoint-every", "1000", "--resume", "--quiet"]) == 0
    assert result("run") == result("whole") and sorted(os.listdir("run")) == WRITTEN


@pytest.mark.parametrize(("number", "exception", "code"), SIGNALS)
def test_a_signal_without_a_checkpoint_leaves_nothing(
    number: int, exception: Any, code: int, meanwhile: Any, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), number))
    assert main([*WORDS, "--quiet"]) == code
    assert capsys.readouterr().err == f"nnxp: {({130: 'interrupted', 143: 'terminated'})[code]}\n"
    assert [path for path in here.rglob("*") if path.is_file()] == []


def test_a_signal_outside_the_training_names_the_last_checkpoint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the picture is drawn, say."""
    draw = plots.training
    monkeypatch.setattr(plots, "training", lambda *args, **rest: os.kill(os.getpid(), signal.SIGTERM))
    assert main([*WORDS, "--out", "run", "--checkpoint-every", "3", "--quiet"]) == 143
    expected = f"nnxp: terminated; the last checkpoint is run/{CHECKPOINT}; the same command with --resume goes on\n"
    assert capsys.readouterr().err == expected and os.listdir("run") == [CHECKPOINT]
    assert main([*WORDS, "--out", "run", "--resume", "--quiet"]) == 143  # which has nothing more to save
    assert capsys.readouterr().err == expected and os.listdir("run") == [CHECKPOINT]
    monkeypatch.setattr(plots, "training", draw)
    assert main([*WORDS, "--out", "run", "--resume"]) == 0
    assert "is of a fit that has finished: nothing is left to train" in capsys.readouterr().out
    assert sorted(os.listdir("run")) == WRITTEN


def test_without_a_checkpoint_it_begins_afresh_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--out", "run", "--resume"]) == 0
    assert f"there is no checkpoint run/{CHECKPOINT} yet: the training begins afresh" in capsys.readouterr().out
    before = Path("run/summary.json").read_bytes()
    assert main([*WORDS, "--out", "run", "--resume"]) == 0
    assert capsys.readouterr().out == (
        "run holds a run that is complete: there is nothing to resume (--overwrite trains anew)\n"
    )
    assert main([*WORDS, "--out", "run", "--resume", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "") and Path("run/summary.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (("--hidden", "9"), r"got layers[0].n_out 9, expected 8"),
        (("--learning-rate", "0.5"), "got optimizer.learning_rate 0.5, expected 0.01"),
        (("--epochs", "7"), "got epochs 7, expected 6"),
        (("--batch-size", "41"), "got batch_size 41, expected 40"),
        (("--seed", "1"), "got seed 1, expected 0"),
        (("--early-stopping", "4"), "got callbacks[0].patience 4, expected 5"),
        (("--validation-split", "0.2"), "got validation_split 0.2, expected 0.1"),
        (("--dtype", "float64"), "got dtype 'float64', expected 'float32'"),
    ],
)
def test_another_run_s_checkpoint_is_refused(
    words: tuple[str, str], difference: str, meanwhile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    meanwhile.done = staticmethod(fail)
    main([*WORDS, "--out", "run", "--checkpoint-every", "3", "--quiet"])
    before = Path("run", CHECKPOINT).read_bytes()
    capsys.readouterr()
    assert main([*WORDS, *words, "--out", "run", "--resume", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert difference in error and error.startswith(f"nnxp: error: run/{CHECKPOINT}: it is of another training")
    assert "the data and options that it was started with, train anew with --overwrite" in error
    assert "nnxp.load" not in error and "begin afresh" not in error  # which helps in Python
    assert error.count("\n") == 1 and Path("run", CHECKPOINT).read_bytes() == before
    assert os.listdir("run") == [CHECKPOINT]


def test_other_data_are_refused(meanwhile: Any, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((240, 2)), np.arange(240) % 3
    words = ["train", "d.npz", *WORDS[2:], "--out", "run", "--quiet"]
    np.savez("d.npz", X=X, y=y)
    meanwhile.done = staticmethod(fail)
    assert main([*words, "--checkpoint-every", "3"]) == 2
    X[3, 1] += 0.5
    np.savez("d.npz", X=X, y=y)
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    assert "it is of another training: got " in capsys.readouterr().err


def table(changed: str = "") -> list[str]:
    """A table of 90 rows with what tables have, and a training of six steps an epoch that would stop early."""
    rng = np.random.default_rng(0)
    cells = [
        [f"{x:.4f}", ["hill", "moor"][i % 2], ["oak", "elm", "ash"][i % 3]] for i, x in enumerate(rng.normal(size=90))
    ]
    cells[3][0], cells[4][1] = changed, ""
    Path("t.csv").write_text("size,place,kind\n" + "".join(",".join(row) + "\n" for row in cells))
    return ["train", "t.csv", "--target", "kind", "--epochs", "6", "--batch-size", "12", "--out", "run"]


def test_a_table_s_run_goes_on(meanwhile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """To the same files, its report's too, and the same line of how to go on."""
    words = table()
    assert main([*words[:-1], "whole", "--quiet"]) == 0
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), signal.SIGINT))
    capsys.readouterr()
    assert main([*words, "--checkpoint-every", "5", "--quiet"]) == 130
    expected = f"step 14 is saved, to resume from run/{CHECKPOINT}; the same command with --resume goes on\n"
    assert capsys.readouterr() == ("", f"nnxp: interrupted; {expected}") and os.listdir("run") == [CHECKPOINT]
    assert Encoder.of(nnxp.load(Path("run", CHECKPOINT))) is not None
    assert main([*words, "--resume"]) == 0
    assert f"going on from run/{CHECKPOINT}: 2 epochs and 14 steps are done" in capsys.readouterr().out
    assert result("run") == result("whole") and sorted(os.listdir("run")) == sorted({*FILES} - {"playground.html"})
    pages = [Path(folder, "report.html").read_text().replace("run/", "whole/") for folder in ("run", "whole")]
    assert pages[0] == pages[1]
    before = contents(Path("run"))
    assert main([*words, "--resume", "--quiet"]) == 0 and contents(Path("run")) == before
    assert capsys.readouterr().err == ""


def test_what_is_resumed_is_tested_by_parts_once(meanwhile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """After the training, and not before it as well; a run without parts is not the one that is asked for."""
    words = [*table(), "--cv", "2", "--checkpoint-every", "5"]
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), signal.SIGINT))
    assert main(words) == 130 and " of 2: trained on" not in capsys.readouterr().out
    assert main([*words, "--resume"]) == 0
    out = capsys.readouterr().out
    assert out.count(" of 2: trained on") == 2 and out.index("going on from") < out.index("1 of 2: trained on")
    assert main([*words, "--resume"]) == 0 and " of 2: trained on" not in capsys.readouterr().out
    assert main([*words[:-3], "3", *words[-2:], "--resume"]) == 2
    assert "another one: got cv 3, expected 2 as it has" in capsys.readouterr().err


@pytest.mark.parametrize("every", [(), ("--checkpoint-every", "1000")])
def test_a_signal_on_a_table_leaves_what_it_should(
    every: tuple[str, ...], meanwhile: Any, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = table()
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert main([*words, *every, "--quiet"]) == 143
    assert [path.name for path in here.rglob("*") if path.is_file()] == [*([CHECKPOINT] if every else []), "t.csv"][
        ::-1
    ]


@pytest.mark.parametrize(
    ("words", "changed", "difference"),
    [
        ((), "0.5", "got "),
        (("--scaling", "standard"), "", "got "),
        (("--drop", "place"), "", "got "),
        (("--early-stopping", "4"), "", "4, expected None"),
        (("--validation-split", "0.2"), "", "got "),
    ],
)
def test_another_run_on_a_table_is_told(
    words: tuple[str, ...], changed: str, difference: str, meanwhile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken off, and complete: what differs in the rows or the options is an error, and nothing changes."""
    same = [*table(), "--resume", "--quiet"]
    meanwhile.done = staticmethod(fail)
    assert main([*same, "--checkpoint-every", "3"]) == 2
    for complete in (False, True):
        if complete:
            table()
            assert main(same) == 0
        before = contents(Path("run"))
        table(changed)
        capsys.readouterr()
        assert main([*same, *words]) == 2
        out, error = capsys.readouterr()
        assert (out, error.count("\n")) == ("", 1) and difference in error and "--overwrite" in error
        assert contents(Path("run")) == before


def test_a_training_that_is_not_over_is_not_overwritten(meanwhile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    meanwhile.done = staticmethod(fail)
    main([*WORDS, "--out", "run", "--checkpoint-every", "3", "--quiet"])
    before = Path("run", CHECKPOINT).read_bytes()
    capsys.readouterr()
    for more in ((), ("--checkpoint-every", "3")):
        assert main([*WORDS, "--out", "run", "--quiet", *more]) == 2
        assert "run holds a training that is not over" in (error := capsys.readouterr().err) and "--resume" in error
        assert Path("run", CHECKPOINT).read_bytes() == before
    assert main([*WORDS, "--out", "run", "--quiet", "--overwrite"]) == 0
    assert sorted(os.listdir("run")) == WRITTEN


def test_an_overwriting_run_that_broke_off_needs_no_second_permission(meanwhile: Any) -> None:
    """The files of the run that it replaces are there until it is through."""
    assert main([*WORDS, "--out", "run", "--quiet", "--seed", "5"]) == 0
    before = {name: Path("run", name).read_bytes() for name in WRITTEN}
    meanwhile.done = staticmethod(fail)
    assert main([*WORDS, "--out", "run", "--quiet", "--overwrite", "--checkpoint-every", "3"]) == 2
    assert {name: Path("run", name).read_bytes() for name in WRITTEN} == before
    assert main([*WORDS, "--out", "run", "--quiet", "--resume"]) == 0
    assert main([*WORDS, "--out", "whole", "--quiet"]) == 0
    assert result("run") == result("whole") and sorted(os.listdir("run")) == WRITTEN


NO_INTERVALS = (
    "0",
    "-3",
    "1.5",
    "x",
    "0m",
    "m",
    "infm",
    "nanm",
    "1_000",
    " 5",
    "+5",
    "٣",
    "1_0m",
    " 5m",
    "1e3m",
    "9" * 19,
)


@pytest.mark.parametrize("every", NO_INTERVALS)
def test_what_is_no_interval(every: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, f"--checkpoint-every={every}"]) == 2
    assert f"got '{every}', expected a number of steps such as 1000, or of minutes, 10m" in capsys.readouterr().err


ANOTHER = [
    (("--epochs", "7"), "got epochs 7, expected 6"),
    (("--batch-size", "41"), "got batch_size 41, expected 40"),
    (("--seed", "1"), "got seed 1, expected 0"),
    (("--hidden", "9"), "got layers[0].n_out 9, expected 8"),
    (("--learning-rate", "0.5"), "got optimizer.learning_rate 0.5, expected 0.01"),
    (("--class-weight", "1,2,3"), "got loss.class_weight [1.0, 2.0, 3.0], expected None"),
    (("--dtype", "float64"), "got dtype 'float64', expected 'float32'"),
    (("--early-stopping", "4"), "got early_stopping 4, expected 5"),
    (("--validation-split", "0.2"), "got validation_split 0.2, expected 0.1"),
]


@pytest.mark.parametrize(("words", "difference"), [((), "got data 'moons', expected 'spiral'"), *ANOTHER])
def test_a_complete_run_is_not_taken_for_another(
    words: tuple[str, ...], difference: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = WORDS[1] if words else "moons"
    before = contents(Path("run"))
    assert main(["train", data, *WORDS[2:], *words, "--out", "run", "--resume", "--quiet"]) == 2
    expected = (
        f"nnxp: error: run holds a run that is complete, and another one: {difference} as it has; train anew with"
    )
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1) and error.startswith(expected), error
    assert contents(Path("run")) == before


def test_a_complete_run_of_other_rows_is_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the data have a test part of their own, and the same sizes."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {"X": rng.standard_normal((90, 2)), "y": np.arange(90) % 3}
    arrays |= {f"{name}_test": array[:30].copy() for name, array in arrays.items()}
    words = ["train", "d.npz", *WORDS[2:], "--out", "run", "--resume", "--quiet"]
    np.savez("d.npz", **arrays)
    assert main(words) == 0 and main(words) == 0
    for name in ("y_test", "X"):
        changed = arrays[name].copy()
        changed[3] = changed[4]
        np.savez("d.npz", **arrays | {name: changed})
        capsys.readouterr()
        assert main(words) == 2
        assert f"got data_sha256[{int(name == 'y_test')}] '" in capsys.readouterr().err
    np.savez("d.npz", **arrays)
    assert main(words) == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]), "; train anew with --overwrite"),
        ("summary.json", None, "summary.json does not say what it was asked for: train anew with --overwrite"),
        ("summary.json", b"[]", "summary.json does not say what it was asked for: train anew with --overwrite"),
        ("summary.json", b'{"asked"', "summary.json does not say what it was asked for: train anew with --overwrite"),
        ("model.safetensors", b"x" * 99, "its header is longer than the file; train anew with --overwrite"),
    ],
)
def test_a_complete_run_that_cannot_be_told(
    name: str, content: Any, said: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path("run", name).read_bytes()
    Path("run", name).unlink()
    if content is not None:
        Path("run", name).write_bytes(content(whole) if callable(content) else content)
    assert main([*WORDS, "--out", "run", "--resume", "--quiet"]) == 2
    assert said in (error := capsys.readouterr().err) and error.count("\n") == 1


def test_a_checkpoint_from_before_is_not_taken_for_this_training_s(
    meanwhile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    meanwhile.done = staticmethod(fail)
    assert main([*WORDS, "--out", "run", "--checkpoint-every", "3", "--quiet"]) == 2
    before, new = Path("run", CHECKPOINT).read_bytes(), [*WORDS, "--hidden", "9", "--out", "run", "--quiet"]
    capsys.readouterr()
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), signal.SIGINT))
    assert main([*new, "--overwrite"]) == 130
    expected = f"nnxp: interrupted; nothing is saved: run/{CHECKPOINT} is of the training before\n"
    assert capsys.readouterr().err == expected and contents(Path("run")) == {CHECKPOINT: before}
    assert main([*new, "--resume"]) == 2
    assert "got layers[0].n_out 9, expected 8" in capsys.readouterr().err
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), signal.SIGINT))
    assert main([*new, "--overwrite", "--checkpoint-every", "1000"]) == 130
    expected = f"step 14 is saved, to resume from run/{CHECKPOINT}; the same command with --resume goes on\n"
    assert capsys.readouterr().err == f"nnxp: interrupted; {expected}"
    assert main([*new, "--overwrite", "--resume"]) == 0 and sorted(os.listdir("run")) == WRITTEN


def test_one_training_at_a_time_in_a_folder(meanwhile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    codes = []

    def others() -> None:
        before = contents(Path("run"))
        for words in ((), ("--overwrite",), ("--resume",), ("--overwrite", "--checkpoint-every", "3")):
            codes.append(main([*WORDS, "--out", "run", "--quiet", *words]))
            expected = "nnxp: error: another process trains in run now: wait for its end, or choose another folder"
            assert capsys.readouterr().err.startswith(expected) and contents(Path("run")) == before

    meanwhile.done = staticmethod(others)
    assert main([*WORDS, "--out", "run", "--quiet", "--checkpoint-every", "3"]) == 0
    assert codes == [2, 2, 2, 2] and sorted(os.listdir("run")) == WRITTEN
    assert main([*WORDS, "--out", "run", "--quiet", "--overwrite"]) == 0  # the folder is free again


def hold(folder: Path) -> int:
    """What keeps everybody else out of a folder."""
    fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def test_a_folder_that_two_make_at_once_stays_for_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not there when either looks, and locked by the other when this one has made it."""
    real, held = runs._alone, []

    def later(folder: Path) -> Any:
        held.append(hold(folder))
        return real(folder)

    monkeypatch.setattr(runs, "_alone", later)
    assert main([*WORDS, "--out", "run", "--quiet"]) == 2
    assert "another process trains in run now" in capsys.readouterr().err and Path("run").is_dir()
    os.close(held[0])


def test_an_empty_folder_is_removed_while_nobody_else_may_enter_it(
    meanwhile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, free = runs.RunFolder._remove_made, []

    def remove(folder: runs.RunFolder) -> None:
        try:
            os.close(hold(folder.path))
            free.append(True)
        except BlockingIOError:
            free.append(False)
        real(folder)

    monkeypatch.setattr(runs.RunFolder, "_remove_made", remove)
    meanwhile.done = staticmethod(fail)
    assert main([*WORDS, "--out", "run", "--quiet"]) == 2
    assert free == [False] and not Path("run").exists()


def test_a_checkpoint_that_fails_does_not_end_the_training(
    meanwhile: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk is full at its first turn, and no longer at the second."""
    real, full = nnxp.Sequential.save, [True]

    def save(model: nnxp.Sequential, path: Any) -> None:
        if full:
            full.clear()
            raise OSError(28, "the model could not be saved (No space left on device)", str(path))
        real(model, path)

    assert main([*WORDS, "--out", "whole", "--quiet"]) == 0
    monkeypatch.setattr(nnxp.Sequential, "save", save)
    meanwhile.done = staticmethod(fail)
    assert main([*WORDS, "--out", "run", "--checkpoint-every", "6", "--quiet"]) == 2
    expected = f"nnxp: warning: step 6 is not saved: run/{CHECKPOINT}: the model could not be saved (No space left on "
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == f"{expected}device); the training goes on, and saves later" and "no power" in error
    assert nnxp.load(Path("run", CHECKPOINT)).step == 12
    assert main([*WORDS, "--out", "run", "--resume", "--quiet"]) == 0
    assert result("run") == result("whole")


def test_a_signal_where_saving_fails_says_that_nothing_new_is_saved(
    meanwhile: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def save(model: nnxp.Sequential, path: Any) -> None:
        raise OSError(28, "no room", str(path))

    monkeypatch.setattr(nnxp.Sequential, "save", save)
    meanwhile.done = staticmethod(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert main([*WORDS, "--out", "run", "--checkpoint-every", "1000", "--quiet"]) == 143
    expected = f"nnxp: warning: step 14 is not saved: run/{CHECKPOINT}: no room\nnnxp: terminated\n"
    assert capsys.readouterr().err == expected and not Path("run").exists()


@pytest.mark.parametrize("name", [CHECKPOINT, *FILES])
def test_a_folder_in_the_place_of_a_file_is_found_before_the_training(
    name: str, meanwhile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run", name).mkdir(parents=True)
    meanwhile.done = staticmethod(fail)
    for words in (("--overwrite",), ("--resume",), ("--overwrite", "--checkpoint-every", "3")):
        assert main([*WORDS, "--out", "run", "--quiet", *words]) == 2
        expected = f"nnxp: error: run/{name} is a folder, where a file of the run belongs: remove it, or choose another"
        assert capsys.readouterr().err.startswith(expected) and os.listdir("run") == [name]


@pytest.mark.parametrize(("patience", "ended"), [("6", "ran all 6 epochs"), ("1", "stopped after 2 epochs")])
def test_it_says_that_early_stopping_stopped_it_only_where_it_did(
    patience: str, ended: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With steps too small to change a weight, no epoch is better than the first."""
    assert main([*WORDS, "--learning-rate", "1e-30", "--early-stopping", patience, "--out", "run"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "with the weights of epoch" in line)
    summary = json.loads(Path("run/summary.json").read_text())
    assert line == f"{ended}, with the weights of epoch 1" and summary["stopped_early"] == (patience == "1")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize(("number", "exception", "code"), SIGNALS)
def test_as_a_process(number: int, exception: Any, code: int) -> None:
    """A real signal from outside, at whatever moment of the training it comes."""
    words = [sys.executable, "-m", "nnxp", "train", "spiral", "--epochs", "100000", "--hidden", "8", "--out", "run"]
    words += ["--checkpoint-every", "100000", "--resume"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "NNXP_FAST": "0", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "begins afresh" in line:
                break
        process.send_signal(number)
        _, err = process.communicate()
    step = nnxp.load(Path("run", CHECKPOINT)).step
    assert (process.returncode, err.count("\n")) == (code, 1)
    assert f"step {step} is saved, to resume from run/{CHECKPOINT}; the same command with --resume goes on" in err
