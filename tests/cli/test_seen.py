"""`nnxp evaluate` on rows that the model was trained on: they are known again, counted, and scored apart."""

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import data, plots
from nnxp.cli import main, runs, seen
from nnxp.cli.runs import TRAINING_ROWS
from tests.helpers.matrix import Target

MODEL = "run/model.safetensors"
SHORT = ("--epochs", "2", "--hidden", "8", "--quiet")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder, and draws no picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "training", lambda history, path, **rest: Path(path).write_text("picture"))
    return tmp_path


def train(*words: object, out: str = "run") -> None:
    assert main(["train", *map(str, words), *SHORT, "--out", out]) == 0


def evaluate(capsys: pytest.CaptureFixture[str], file: object, model: str = MODEL) -> tuple[dict[str, Any], str]:
    """The document, and the line about the rows."""
    found = []
    for more in (["--json"], []):
        capsys.readouterr()
        assert main(["evaluate", model, str(file), *more]) == 0
        found.append(capsys.readouterr().out)
    (line,) = [line for line in found[1].splitlines() if "the model was trained on" in line]
    return json.loads(found[0]), line


def blobs(n: int, seed: int, noise: float = 1.5) -> tuple[Any, Any]:
    r = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return r.normal(size=(n, 4)) * noise + y[:, None], y


def saved(name: str, X: Any, y: Any) -> str:
    np.savez(name, X=X, y=y)
    return name


UNKNOWN = f"how many of them the model was trained on is unknown: no {TRAINING_ROWS} of its run is beside it"


# --- hashes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "letter"), [("float32", "f"), ("float64", "d")])
def test_a_hash_is_of_the_numbers_that_the_model_sees(dtype: str, letter: str) -> None:
    """BLAKE2b of their little-endian bytes, whatever array holds them; -0 is 0."""
    numbers = [(0.0, 1.0, 0.1), (7.0, 8.0, 9.0)]
    packed = [struct.pack(f"<3{letter}", *row) for row in (numbers[0], *numbers)]
    expected = [int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little") for row in packed]
    X = np.array([(-0.0, 1.0, 0.1), *numbers])
    wide = np.zeros((6, 6))
    wide[::2, ::2] = X
    for same in (X, X.astype(">f8"), np.asfortranarray(X), wide[::2, ::2]):
        assert seen.hashes(same, dtype).tolist() == expected
    assert seen.hashes(X[2:].astype(np.uint8), dtype).tolist() == expected[2:]
    assert (seen.hashes(X.astype(np.float32), dtype).tolist() == expected) == (dtype == "float32")
    assert len({*seen.hashes(np.array([[1e300], [-1e300], [1.0]]), dtype).tolist()}) == 3  # without a warning


def test_many_rows_are_hashed_as_few_are() -> None:
    X = np.random.default_rng(0).normal(size=(2 * seen.BLOCK + 3, 2))
    whole = seen.hashes(X, "float32")
    assert len(np.unique(whole)) == len(X)
    assert [seen.hashes(X[i : i + 1], "float32")[0] for i in (0, seen.BLOCK, len(X) - 1)] == [
        whole[i] for i in (0, seen.BLOCK, len(X) - 1)
    ]


# --- what is said --------------------------------------------------------------------------------------


def test_the_training_rows_and_five_others(capsys: pytest.CaptureFixture[str]) -> None:
    """Both scores are there, that of the others as if they had been alone; a label changes nothing."""
    X, y = blobs(200, 0)
    X_new, y_new = blobs(5, 1)
    train(saved("all.npz", X, y))
    rows = data.split(y, 0.2, 0)[0]
    other_labels = np.where(np.arange(len(rows)) < 7, (y[rows] + 1) % 3, y[rows])
    mixed = saved("mixed.npz", np.concatenate([X[rows], X_new]), np.concatenate([other_labels, y_new]))
    document, line = evaluate(capsys, mixed)
    alone, _ = evaluate(capsys, saved("new.npz", X_new, y_new))
    assert (document["samples"], document["trained_on"], document["others"]["samples"]) == (165, 160, 5)
    same = ("samples", "correct", "accuracy")
    assert [document["others"][name] for name in same] == [alone[name] for name in same]
    assert document["others"]["loss"] == pytest.approx(alone["loss"], rel=1e-5)  # of five rows in float32
    assert line == (
        "160 of them equal a row that the model was trained on; the 5 others: "
        f"accuracy {alone['accuracy']:.3f} ({alone['correct']} of 5); loss {alone['loss']:.4g}"
    )
    assert (alone["trained_on"], alone["others"]) == (0, {name: alone[name] for name in alone["others"]})


def test_a_training_score_is_called_that(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = blobs(60, 0)
    train(saved("all.npz", X, y))
    rows = data.split(y, 0.2, 0)[0]
    document, line = evaluate(capsys, saved("some.npz", X[rows[:20]].astype(np.float32), y[rows[:20]]))
    assert (document["trained_on"], document["others"]) == (20, None)
    assert line == "20 of them equal a row that the model was trained on: this is a training score, not a test's"


@pytest.mark.parametrize("name", ["digits", "spiral"])
def test_a_test_part_is_one(name: str, backend: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """Of data sets by name; whatever the backend, the same rows are known."""
    train(name, "--backend", backend.spec, "--seed", 3)
    dataset = data.load(name).hold_out(0.2, 3)
    assert dataset.X_test is not None
    known = {row.tobytes() for row in dataset.X.astype(np.float32)}
    twins = sum(row.tobytes() in known for row in dataset.X_test.astype(np.float32))
    document, line = evaluate(capsys, name)
    assert (document["part"], document["trained_on"], twins) == ("held out", 0, 0)
    assert line == "0 of them equal a row that the model was trained on"
    assert sorted(np.load(Path("run", TRAINING_ROWS))[2:]) == sorted({*seen.hashes(dataset.X, "float32")})


def test_a_csv_file_of_numbers_to_predict(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole file: what was set aside is scored beside it. Twins of training rows are among them."""
    lines = [f"{i % 9},{'hill' if i % 2 else 'valley'},{i % 9 + 0.25 * (i % 4)}" for i in range(36)]
    lines += [f"{x}.5,hill,{x}" for x in range(64)]
    Path("table.csv").write_text("a,place,y\n" + "\n".join(lines) + "\n")
    train("table.csv", "--target", "y")
    rows = data.split(100, 0.2, 0)
    features = [tuple(line.split(",")[:2]) for line in lines]
    known = {features[i] for i in rows[0]}
    Path("again.csv").write_text("place,a,y,more\n" + "".join(f"{p},{a},1.5,x\n" for a, p in features))
    document, line = evaluate(capsys, "again.csv")
    count = sum(f in known for f in features)
    assert 80 < count < 100 and document["trained_on"] == count and document["others"]["samples"] == 100 - count
    assert line.startswith(f"{count} of them equal a row that the model was trained on; the {100 - count} others: rmse")
    assert line.endswith(f"no R² (every value is the same), {100 - count} samples")


def test_rows_that_were_followed_are_no_test(capsys: pytest.CaptureFixture[str]) -> None:
    """They may have chosen the weights."""
    X, y = blobs(100, 0)
    train(saved("all.npz", X, y), "--early-stopping", 1, "--validation-split", 0.25)
    rows = data.split(y, 0.2, 0)[0]
    assert evaluate(capsys, saved("some.npz", X[rows], y[rows]))[0]["trained_on"] == 80


def test_float64_tells_rows_apart_that_float32_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    r = np.random.default_rng(0)
    X = np.stack([1.7e9 + np.arange(80.0), r.normal(size=80) > 0], axis=1)
    train(saved("all.npz", X, np.arange(80) % 2), "--dtype", "float64")
    rows = data.split(np.arange(80) % 2, 0.2, 0)[0]
    moved = X + np.array([0.5, 0])
    mixed = saved("mixed.npz", np.concatenate([X[rows], moved]), np.concatenate([rows % 2, np.arange(80) % 2]))
    assert evaluate(capsys, mixed)[0]["trained_on"] == 64


# --- where nobody knows ---------------------------------------------------------------------------------


def test_a_model_without_its_rows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somewhere else, of an earlier version, or another model in the folder: it was trained on nobody knows what."""
    X, y = blobs(60, 0)
    train(saved("all.npz", X, y))
    shutil.copy(MODEL, "copy.safetensors")
    os.mkdir("older")
    shutil.copy(MODEL, "older/model.safetensors")
    model = nnxp.load(MODEL)
    model.fit(X, y, epochs=1)
    model.save("run/further.safetensors")
    for place in ("copy.safetensors", "older/model.safetensors", "run/further.safetensors"):
        document, line = evaluate(capsys, "all.npz", place)
        assert (document["trained_on"], document["others"], line) == (None, None, UNKNOWN)
    assert evaluate(capsys, "all.npz")[0]["trained_on"] == 0
    model.save(MODEL)  # over the run's own
    assert evaluate(capsys, "all.npz")[0]["trained_on"] is None


def test_files_of_two_runs_are_not_taken_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A rename of the end fails, where a killed process would have stopped."""
    X, y = blobs(60, 0)
    train(saved("all.npz", X, y))
    replace = os.replace

    def broken(source: Any, target: Any) -> None:
        if Path(target).name == TRAINING_ROWS:
            raise OSError(5, "Input/output error")
        replace(source, target)

    saved("others.npz", *blobs(60, 7))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs.os, "replace", broken)
        assert main(["train", "others.npz", *SHORT, "--out", "run", "--overwrite"]) == 2
    assert evaluate(capsys, "all.npz")[0]["trained_on"] is None


def test_another_run_in_the_folder_brings_its_own_rows(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = saved("one.npz", *blobs(60, 0)), saved("two.npz", *blobs(90, 1))
    train(one)
    train(two, "--overwrite")
    rows = data.split(np.arange(90) % 3, 0.2, 0)[0]
    X, y = blobs(90, 1)
    assert evaluate(capsys, saved("some.npz", X[rows], y[rows]))[0]["trained_on"] == 72
    assert evaluate(capsys, one)[0]["trained_on"] == 0
    before = Path("run", TRAINING_ROWS).read_bytes()
    train(two, "--resume")  # which has nothing to do
    assert Path("run", TRAINING_ROWS).read_bytes() == before


NUMBERS = np.arange(9, dtype=np.uint64)
BROKEN: dict[str, Any] = {
    "empty": b"",
    "magic alone": b"\x93NUMPY",
    "text": b"no array",
    "truncated": lambda whole: whole[:-8],
    "a bit": lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
    "brackets": lambda whole: whole[:20] + b"(" * 40 + whole[60:],
    "keys": lambda whole: whole.replace(b"'shape'", b"b'hape'"),
    "huge": lambda whole: whole.replace(b"(50,)", b"(9999999999999999999,)"),
    "objects": lambda whole: whole.replace(b"<u8", b"|O8"),
    "other numbers": NUMBERS,
    "two numbers": NUMBERS[:2],
    "floats": NUMBERS.astype(float),
    "a matrix": NUMBERS.reshape(3, 3),
    "nothing": NUMBERS[:0],
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_an_error_that_says_so(content: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = blobs(60, 0)
    train(saved("all.npz", X, y))
    path = Path("run", TRAINING_ROWS)
    assert len(np.load(path)) == 50  # of 48 rows
    if isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        changed = content(path.read_bytes()) if callable(content) else content
        assert changed != path.read_bytes()
        path.write_bytes(changed)
    capsys.readouterr()
    assert main(["evaluate", MODEL, "all.npz"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"nnxp: error: run/{TRAINING_ROWS} is damaged, or not what nnxp train writes (")
    assert err.endswith("train anew with --overwrite\n")
    path.unlink()
    assert evaluate(capsys, "all.npz")[1] == UNKNOWN
