"""nnxp beside other libraries, each in a process of its own: `python -m benchmarks.compare`.

Rounds go A B C A B C ..., and whoever has no turn is stopped, so that it takes no processor's time. A contender
that cannot be imported, fails, or is far too slow is listed with the reason.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import machine, measurements
from benchmarks.problems import EPOCH, FASHION_ROWS, PREDICTION, STEPS, Case

FLOOR, FAST = "numpy_floor", "nnxp_fast"
OURS = (FLOOR, "torch_floor", FAST, "nnxp_numpy")
TITLES = {
    "numpy_floor": "products alone, NumPy",
    "torch_floor": "products alone, PyTorch",
    "nnxp_fast": "nnxp, fast",
    "nnxp_numpy": "nnxp, NumPy only",
    "torch_eager": "PyTorch",
    "torch_compiled": "PyTorch, compiled",
    "jax_jit": "JAX",
    "keras_jax": "Keras 3 on JAX",
    "sklearn_mlp": "scikit-learn",
    "thinc_layers": "thinc",
    "tinygrad_jit": "tinygrad",
    "book": "the book's style",
    "onnx_runtime": "onnxruntime",
}
INFERENCE_ONLY = ("onnx_runtime",)
TOO_SLOW = 60
"""Times the floor: a contender beyond it would take longer than all others together."""
ROUND_SECONDS, MOST_A_ROUND = 0.1, 2000
"""About what the floor takes in a round, and the most steps or predictions in one."""
PATIENCE = 240
"""Seconds until an answer is given up."""

SWITCHES = {"KERAS_BACKEND": "jax", "DEV": "CPU", "TRAINING": "1"}
"""Keras's backend; tinygrad's device and mode."""
ONE_THREAD = {
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "NUM_CPU_THREADS": "1",
}
"""What OMP_NUM_THREADS=1 is to those with threads of their own: XLA, twice, and tinygrad."""

Job = tuple[str, Case, int | None]
JOBS: list[Job] = [
    *(("step", case, None) for case in STEPS),
    ("epoch", EPOCH, FASHION_ROWS),
    *(("predict", PREDICTION, rows) for rows in (1, 10_000)),
]


def title(kind: str, case: Case, rows: int | None) -> str:
    """As the tables name a job."""
    if kind == "predict":
        return f"predict {rows} rows, {'-'.join(map(str, case.widths))}"
    return f"{kind} {case.name}"


class Failed(Exception):
    """A contender's reason, without this machine's folders."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason.replace(sys.prefix, "...").replace(str(measurements.ROOT), "..."))


class Contender:
    """A process that answers commands, stopped between them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed in `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=measurements.ROOT,
            env=os.environ | SWITCHES | (ONE_THREAD if os.environ.get("OMP_NUM_THREADS") == "1" else {}),
        )
        try:
            hello = self._answer()
        except Failed:
            self.close()
            raise
        self.versions, self.kinds, self.without = hello["versions"], hello["kinds"], hello["without"]

    def ask(self, **command: Any) -> dict[str, Any]:
        """The answer to a command; `Failed` with the reason where there is none."""
        self._process.send_signal(signal.SIGCONT)
        assert self._process.stdin is not None
        try:
            print(json.dumps(command), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise Failed(self._last_words()) from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        alarm = threading.Timer(PATIENCE, self._process.kill)
        alarm.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        overdue = not alarm.is_alive()
        alarm.cancel()
        if not line:
            raise Failed(f"no answer within {PATIENCE} s" if overdue else self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "reason" in answer:
            raise Failed(answer["reason"])
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return f"its process ended: {lines[-1] if lines else 'without a word'}"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            assert stream is not None
            stream.close()


def run_job(job: Job, names: list[str], rounds: int, console: Console) -> dict[str, Any]:
    """All contenders at one job: {"title", "kind", "count", "contenders": {name: figures or reason}}."""
    kind, case, rows = job
    case = case if kind != "predict" else Case(rows or 1, case.widths)
    entries: dict[str, dict[str, Any]] = {}
    ready: dict[str, Contender] = {}
    limit = float("inf")
    for name in names:
        contender = None
        try:
            with console.status(f"{title(*job)}: {TITLES[name]}"):
                contender = Contender(name)
                if kind not in contender.kinds:
                    raise Failed(contender.without.get(kind, "has no such part"))
                tries = 20 if name == FLOOR else 1  # the others do the same number of steps as each other
                told = contender.ask(do="prepare", kind=kind, case=asdict(case), rows=rows, tries=tries)
                once = told["seconds"]
                if name == FLOOR:
                    limit = TOO_SLOW * once
                    count = 1 if kind == "epoch" else min(MOST_A_ROUND, max(1, round(ROUND_SECONDS / once)))
                if once > limit and once > 1:
                    raise Failed(f"takes {once:.3g} s, more than {TOO_SLOW} times the floor: no rounds")
        except Failed as failure:
            entries[name] = {"reason": str(failure)}
            if contender is not None:
                contender.close()
        else:
            ready[name] = contender
            entries[name] = {"versions": contender.versions, "first": told["first"], "seconds": [], "cores": []}
            entries[name]["first_seconds"] = told["first_seconds"]
    try:
        _take_turns(ready, entries, rounds, count)
    finally:
        for contender in ready.values():
            contender.close()
    check_work(kind, entries)
    return {"title": title(*job), "kind": kind, "count": count, "contenders": _compared(entries)}


def _take_turns(ready: dict[str, Contender], entries: dict[str, dict[str, Any]], rounds: int, count: int) -> None:
    for _ in range(rounds):
        for name in list(ready):
            try:
                told = ready[name].ask(do="round", count=count)
            except Failed as failure:
                ready.pop(name).close()
                entries[name] = {"reason": str(failure)}
            else:
                entries[name]["seconds"].append(told["seconds"])
                entries[name]["cores"].append(told["cores"])
                entries[name]["last"] = told["result"]


def check_work(kind: str, entries: dict[str, dict[str, Any]]) -> None:
    """Takes the figures from whoever did other work: another first loss or prediction than the reference's."""
    reference = next((entries[name] for name in (FAST, "nnxp_numpy", "book") if "first" in entries.get(name, {})), None)
    if reference is None:
        return
    tolerance = 0.02 if kind == "epoch" else 1e-4  # an epoch has an order of its own in each library
    for name, entry in entries.items():
        got, expected = entry.get("first"), reference["first"]
        if got is not None and not np.allclose(got, expected, rtol=tolerance, atol=tolerance):
            entries[name] = {"reason": f"began with {got}, the others with {expected}: not the same work"}


def _compared(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same with each contender's ratio to the floor and to the fastest of the others that train."""
    measured = {name: entry for name, entry in entries.items() if "seconds" in entry}
    medians = {name: measurements.summary(entry["seconds"])["median"] for name, entry in measured.items()}
    peers = {name: median for name, median in medians.items() if name not in (*OURS, *INFERENCE_ONLY)}
    floor, floor_cores = (list(measured.get(FLOOR, {}).get(key, [])) for key in ("seconds", "cores"))
    for entry in measured.values():
        seconds = entry.pop("seconds")
        entry |= measurements.summary(seconds) | {"cores": statistics.median(entry["cores"])}
        if floor:
            verdict = measurements.compared(seconds, floor, statistics.median(floor_cores))
            entry |= {key: verdict[key] for key in ("ratio", "ratio_of_minima", "void", "reason") if key in verdict}
        if peers:
            fastest = min(peers, key=lambda name: peers[name])
            entry |= {"of_fastest": entry["median"] / peers[fastest], "fastest": TITLES[fastest]}
    return entries


def show(job: dict[str, Any], console: Console) -> None:
    """One job as a table."""
    table = Table(title=f"{job['title']}, {job['count']} a round")
    for column in ("", "median", "min", "spread", "of floor", "of fastest peer", "cores", "first", "last"):
        table.add_column(column, justify="left" if not column else "right")
    for name, entry in job["contenders"].items():
        if "median" not in entry:
            table.add_row(TITLES[name], entry["reason"], style="dim")
            continue
        table.add_row(TITLES[name], *(cell(entry, column) for column in COLUMNS))
    console.print(table)


COLUMNS = ("median", "min", "spread", "ratio", "of_fastest", "cores", "first", "last")


def cell(entry: dict[str, Any], column: str) -> str:
    """A figure for people: seconds as µs or ms, losses with six digits, a prediction by its first number."""
    value = entry.get(column)
    while isinstance(value, list):
        value = value[0]
    if value is None:
        return ""
    if column in ("median", "min"):
        return f"{value * 1e6:.1f} µs" if value < 1e-3 else f"{value * 1e3:.2f} ms"
    if column == "ratio" and entry.get("void"):
        return "void"
    return f"{value:.0%}" if column == "spread" else f"{value:.6f}" if column in ("first", "last") else f"{value:.2f}"


def first_number(entries: dict[str, dict[str, Any]]) -> None:
    """Predictions of many rows are kept by their first row alone."""
    for entry in entries.values():
        for key in ("first", "last"):
            if isinstance(entry.get(key), list):
                entry[key] = entry[key][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="at least 7 for figures to be shown (default 7)")
    parser.add_argument("--quick", action="store_true", help="without the two largest steps and the epoch")
    parser.add_argument("--only", help="names of contenders, with commas: " + ", ".join(TITLES))
    parser.add_argument("--jobs", action="append", help="only jobs whose title holds this text; may be repeated")
    parser.add_argument("--out", type=Path, default=measurements.MEASURED / "peers-default-threads.json")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else list(TITLES)
    names = [name for name in TITLES if name in chosen or name == FLOOR]
    console = Console(width=None if sys.stdout.isatty() else 140)
    measured = []
    for job in JOBS:
        kind, case, _ = job
        wanted = options.jobs is None or any(text in title(*job) for text in options.jobs)
        if not wanted or (options.quick and (kind == "epoch" or case.batch > 128)):
            continue
        able = [name for name in names if kind == "predict" or name not in INFERENCE_ONLY]
        done = run_job(job, able, options.rounds, console)
        first_number(done["contenders"])
        measured.append(done)
        show(done, console)
    threads = os.environ.get("OMP_NUM_THREADS", f"default of {os.cpu_count()} CPUs")
    measurements.save(
        options.out,
        {"machine": machine.machine(), "threads": threads, "rounds": options.rounds, "jobs": measured},
    )


if __name__ == "__main__":
    main()
