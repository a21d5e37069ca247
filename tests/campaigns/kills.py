"""Trainings that are killed with SIGKILL and started again, until they are through.

`python -m tests.campaigns.kills 30` kills 30 runs at random moments, one to three times each, and compares what they
end with, bit for bit, with runs that nobody killed: every tensor of the final file, the history and the log. In the
tests, NNXP_KILLS says how many, 2 by default. Compiled with numba where NNXP_FAST=1 says so: a process begins faster
without.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import nnxp
from nnxp import AdamW, BatchNorm, Dense, Dropout, Sequential
from nnxp.callbacks import Checkpoint, CSVLog, EarlyStopping
from nnxp.files import modelfile
from nnxp.schedules import ReduceOnPlateau

ROOT = Path(__file__).resolve().parents[2]
ENV = {"NNXP_FAST": "0"} | os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
KINDS = ("command", "arrays", "iterable")
CHECKPOINT, FINAL = "checkpoint.safetensors", "model.safetensors"
COMMAND = (
    "train", "digits", "--hidden", "32", "--epochs", "8", "--normalization", "batch", "--schedule", "cosine",
    "--optimizer", "adamw", "--early-stopping", "3", "--checkpoint-every", "7", "--resume", "--out",
)  # fmt: skip
MOST_STARTS = 50


def train(kind: str, folder: Path, spec: str) -> None:
    """One process: begins, or goes on, and is through when it returns."""
    if kind == "command":
        from nnxp.cli import main

        code = main([*COMMAND, str(folder), "--backend", spec])
        assert code == 0, code
        return
    X, y = nnxp.data.spiral(samples=100, seed=0)
    X, w = X.astype(np.float32), np.linspace(0.5, 1.5, len(X), dtype=np.float32)
    layers = [Dense(2, 64), BatchNorm(64), "relu", Dropout(0.25), Dense(64, 3), "softmax"]
    schedule: Any = ReduceOnPlateau(patience=0, monitor="loss") if kind == "iterable" else "cosine"
    optimizer = AdamW(0.01, schedule=schedule, ema=0.9)
    model = Sequential(layers, "categorical_crossentropy", optimizer, backend=spec, seed=0)
    callbacks = [CSVLog(folder / "history.csv"), Checkpoint(folder / CHECKPOINT, every_steps=7)]

    def batches() -> Iterator[Any]:
        order = np.random.default_rng(model.epoch).permutation(len(X))
        for start in range(0, len(X), 16):
            rows = order[start : start + 16]
            yield X[rows], y[rows], w[rows]

    data: tuple[Any, ...] = (batches,)
    keywords: dict[str, Any] = {"micro_batch_size": 5, "epochs": 6}
    if kind == "arrays":
        data, callbacks = (X, y), [*callbacks, EarlyStopping(patience=4)]  # type: ignore[list-item]
        keywords = {"batch_size": 16, "validation_split": 0.2, "sample_weight": w, "epochs": 15}
    print("training begins", flush=True)
    model.fit(*data, callbacks=callbacks, resume=folder / CHECKPOINT, **keywords)
    model.save(folder / FINAL)


def outcome(folder: Path) -> dict[str, Any]:
    """All that a run leaves, but the time it took."""
    with modelfile.opened(folder / FINAL) as saved:
        state, names = saved.state, [*saved.reader.tensors]
    state["history"].pop("seconds")
    with (folder / "history.csv").open(newline="") as file:
        rows = [[cell for name, cell in row.items() if name != "seconds"] for row in csv.DictReader(file)]
    tensors = {name: array.tobytes() for name, array in _tensors(folder / FINAL).items()}
    assert set(names) == set(tensors)
    return {"tensors": tensors, "state": state, "rows": rows}


def _tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    from safetensors.numpy import load_file

    return load_file(path)


def start(kind: str, folder: Path, spec: str) -> subprocess.Popen[str]:
    """A process that trains, once it has begun to."""
    words = [sys.executable, "-m", "tests.campaigns.kills", "--train", kind, str(folder), "--backend", spec]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENV, cwd=ROOT)
    assert process.stdout is not None
    for line in process.stdout:
        if "training begins" in line or "going on from" in line:
            break
    return process


def uninterrupted(kind: str, folder: Path, spec: str) -> tuple[dict[str, Any], float]:
    """What such a run ends with, and how many seconds its training takes."""
    process, begin = start(kind, folder, spec), time.perf_counter()
    process.communicate()
    assert process.returncode == 0
    return outcome(folder), time.perf_counter() - begin


def killed(kind: str, folder: Path, spec: str, kills: int, seconds: float, rng: random.Random) -> tuple[Any, int]:
    """What a run ends with that is killed so many times while it trains, and how often it was started."""
    left = kills
    for starts in range(1, MOST_STARTS):
        process = start(kind, folder, spec)
        if left:
            time.sleep(rng.uniform(0.0, seconds / kills))
            process.kill()
        process.communicate()
        left -= process.returncode == -9
        if process.returncode == 0:
            if not left:
                return outcome(folder), starts
            for path in folder.iterdir():  # it was faster than the kill: once more from the begin, and sooner
                path.unlink()
            left, seconds = kills, 0.7 * seconds
        assert process.returncode in (0, -9)
    raise AssertionError(f"{kills} kills could not be placed within {MOST_STARTS} starts")


def campaign(runs: int, specs: tuple[str, ...], seed: int = 0) -> Iterator[str]:
    """Kills so many runs, of every kind in turn; a line on each. Raises where one ends elsewhere than it should."""
    rng, known = random.Random(seed), dict[tuple[str, str], tuple[dict[str, Any], float]]()
    with tempfile.TemporaryDirectory() as home:
        for number in range(runs):
            kind, spec = KINDS[number % len(KINDS)], specs[number // len(KINDS) % len(specs)]
            if (kind, spec) not in known:
                folder = Path(home, f"{kind}-{spec}")
                folder.mkdir()
                known[kind, spec] = uninterrupted(kind, folder, spec)
            expected, seconds = known[kind, spec]
            folder = Path(home, str(number))
            folder.mkdir()
            kills = rng.randint(1, 3)
            got, starts = killed(kind, folder, spec, kills, seconds, rng)
            wrong = [name for name in expected if got[name] != expected[name]]
            assert not wrong, f"run {number}, {kind} on {spec}, killed {kills} times: another {wrong}"
            left = sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
            assert not left, f"run {number} leaves {left}"
            yield f"run {number:2}: {kind:8} on {spec}, killed {kills} times, {starts} starts: the same tensors"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=30)
    parser.add_argument("--train", nargs=2, metavar=("KIND", "FOLDER"))
    parser.add_argument("--backend", default="numpy", help="one, or several with commas between them")
    args = parser.parse_args()
    if args.train:
        train(args.train[0], Path(args.train[1]), args.backend)
        return
    for line in campaign(args.runs, tuple(args.backend.split(","))):
        print(line, flush=True)
    print(json.dumps({"runs": args.runs, "other tensors": 0}))


if __name__ == "__main__":
    main()
