"""What a program waits for before its first step, each in a process of its own: imports, the first model, the
first step, and with numba the compilation (cold) or the reading of what was compiled before (cached)."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import pytest

from benchmarks import measurements
from benchmarks.conftest import BACKENDS, Measure

CLOCKED = """
import json, sys, time
t = [time.perf_counter()]
import numpy; t.append(time.perf_counter())
import nnxp; t.append(time.perf_counter())
backend = nnxp.get_backend("numpy", fast=sys.argv[1] == "fast")
model = nnxp.Sequential([nnxp.Dense(784, 128), "relu", nnxp.Dense(128, 10), "softmax"],
    "categorical_crossentropy", backend=backend, seed=0)
t.append(time.perf_counter())
X, y = numpy.ones((32, 784), "float32"), numpy.zeros(32, "int64")
loss = float(model.train_step(X, y)); t.append(time.perf_counter())
assert 0 < loss < 100
names = "import numpy", "import nnxp", "first Sequential", "first step"
print(json.dumps(dict(zip(names, [b - a for a, b in zip(t, t[1:])]))))
"""


def python(*words: str, **variables: str) -> str:
    """What a fresh process prints."""
    env = os.environ | variables | {"PYTHONPATH": str(measurements.ROOT)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    done = subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(label: str, cache: str) -> dict[str, float]:
    """Seconds of each part of a start, from a fresh process."""
    return json.loads(python("-c", CLOCKED, label, NNXP_CACHE_DIR=cache))


STARTS = [("numpy", "cached"), *([("fast", "cold"), ("fast", "cached")] if "fast" in BACKENDS else [])]
"""NumPy alone compiles nothing, so that it has no cold start."""


@pytest.mark.parametrize(("label", "state"), STARTS, indirect=["label"])
def test_start(state: str, measure: Measure, small: bool) -> None:
    seen: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as shared:
        if state == "cached":
            start(measure.label, shared)

        def action() -> dict[str, float]:
            if state == "cached":
                seen.append(start(measure.label, shared))
            else:
                with tempfile.TemporaryDirectory() as fresh:
                    seen.append(start(measure.label, fresh))
            return seen[-1]

        parts: Any = measure.benchmark.pedantic(action, rounds=1 if small else 2 if measure.quick else 5)
    assert all(seconds > 0 for seconds in parts.values())
    measure.describe(
        kind="start",
        case=state,
        dtype="float32",
        shapes=(784, 128, 10),
        floor_is="import numpy",
        parts={name: statistics.median(one[name] for one in seen) for name in parts},
        floor=measurements.summary([one["import numpy"] for one in seen]),
    )


@pytest.mark.parametrize("label", ["numpy"], indirect=True)
def test_help(measure: Measure, small: bool) -> None:
    """`nnxp --help` as a whole process, beside one that imports NumPy, in turn."""
    words = {"import numpy": ("-c", "import numpy"), "nnxp --help": ("-m", "nnxp", "--help")}
    seen: dict[str, list[float]] = {name: [] for name in words}

    def action() -> None:
        for name, command in words.items():
            begin = time.perf_counter()
            python(*command)
            seen[name].append(time.perf_counter() - begin)

    action()  # what is not compiled yet
    for times in seen.values():
        times.clear()
    measure.benchmark.pedantic(action, rounds=1 if small else 5 if measure.quick else 15)
    measure.describe(
        kind="start",
        case="help",
        dtype="float32",
        shapes=(),
        floor_is="import numpy, as a process",
        parts={name: statistics.median(times) for name, times in seen.items()},
        floor=measurements.summary(seen["import numpy"]),
    )
