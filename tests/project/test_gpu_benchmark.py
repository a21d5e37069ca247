"""`python -m benchmarks.gpu`: parts that fail or hang, the time they share, equal work, and no time shown that means
nothing. The whole of it on CuPy over host memory."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nnxp
from benchmarks import measurements, report, table
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import clock, contenders, facts, kernels, parts, results, text
from benchmarks.gpu.parts import Part
from benchmarks.peers import book
from benchmarks.problems import STEPS, Case, Problem
from tests.helpers import needs
from tests.project.test_benchmarks import STEADY, made_up

GOOD = """print('{"kind": "step", "contender": "nnxp", "precision": "float32", "x": 1}', file=rows, flush=True)"""
HANGS = f"""{GOOD}
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(PID, "w").write(str(child.pid))
time.sleep(600)"""


def python(body: str, folder: Path) -> list[str]:
    """A part that does this."""
    head = f"import subprocess, sys, time\nrows = open(sys.argv[1], 'a')\nPID = {str(folder / 'pid')!r}\n"
    return [sys.executable, "-c", head + body]


def is_running(pid: int) -> bool:
    """Neither gone nor ended and not yet fetched."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.long
def test_a_part_that_fails_or_hangs_is_a_row_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LEAST", 4.0)
    monkeypatch.setattr(parts, "PATIENCE", 0.1)
    bodies = {
        "a": GOOD,
        "fails": f"{GOOD}\nrows.write('{{half a')\nrows.flush()\nsys.exit('no such thing')",
        "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "silent": "",
        "hangs": HANGS,
        "z": GOOD,
    }
    todo = [Part("step", name, "float32") for name in bodies]
    seen: list[tuple[str, int]] = []

    def start(part: Part, seconds: float) -> Sequence[str]:
        written = json.loads((tmp_path / "gpu.json").read_text())["rows"] if seen else []
        seen.append((part.contender, len(written)))  # the file is there before the next part begins
        return python(bodies[part.contender], tmp_path)

    content = command.run(todo, tmp_path, 60, None, start)
    by_name: dict[str, list[Any]] = {}
    rows = iter(content["rows"])
    for name, count in (("a", 1), ("fails", 2), ("crashes", 1), ("silent", 1), ("hangs", 2), ("z", 1)):
        by_name[name] = [next(rows) for _ in range(count)]
    assert by_name["a"] == by_name["z"] and by_name["a"][0]["x"] == 1
    assert by_name["fails"][0]["x"] == 1
    assert by_name["fails"][1]["reason"] == "its process ended with code 1: no such thing"
    assert by_name["crashes"][0]["reason"] == "its process ended with SIGSEGV"
    assert by_name["silent"][0]["reason"] == "it wrote nothing"
    assert by_name["hangs"][0]["x"] == 1 and by_name["hangs"][1]["reason"] == "not finished within 4 s"
    assert not is_running(int((tmp_path / "pid").read_text()))
    assert seen == [("a", 0), ("fails", 1), ("crashes", 3), ("silent", 4), ("hangs", 5), ("z", 7)]
    assert "no such thing" in (tmp_path / "gpu.log").read_text()
    assert json.loads((tmp_path / "gpu.json").read_text()) == content


def test_the_time_is_shared_and_never_exceeded(tmp_path: Path) -> None:
    todo = parts.listed(members=False)
    left = 240.0
    for position, part in enumerate(todo):
        after = todo[position + 1 :]
        assert 0 <= parts.share(part, after, left) <= parts.limit(part, after, left) <= left - parts.MARGIN
        left -= parts.limit(part, after, left)  # every one of them hangs
    assert left == pytest.approx(parts.MARGIN)
    assert parts.limit(todo[0], todo[1:], 0.0) == 0.0
    first, second = todo[1], todo[2]
    assert parts.share(first, [second], 103.0) == pytest.approx(100 * first.weight / (first.weight + second.weight))

    def never(part: Part, seconds: float) -> Sequence[str]:
        raise AssertionError("there is no time")

    content = command.run(todo[:2], tmp_path, 0.0, None, never)
    assert [row["reason"] for row in content["rows"]] == ["no time was left"] * 2


def test_every_contender_in_every_precision_has_a_process_of_its_own() -> None:
    names = [part.name for part in parts.listed(members=False)]
    assert len({*names}) == len(names)
    always = contenders.TITLES.keys() - {"torch_compiled"}
    assert {f"step {name} {precision}" for name in always for precision in contenders.PRECISIONS} <= {*names}
    assert names[-1] == "step torch_compiled float32" and not any(name.startswith("members") for name in names)
    assert "members nnxp float32" in [part.name for part in parts.listed(members=True)]
    assert contenders.TITLES.keys() == contenders.ALL.keys()
    assert {name: contenders.environment(name, "tf32")["CUPY_TF32"] for name in ("nnxp", "book", "products")} == {
        "nnxp": "0",  # it has a switch of its own
        "book": "1",
        "products": "1",
    }
    assert contenders.environment("book", "float32")["CUPY_TF32"] == "0"


def test_tf32_is_asked_for_where_nnxp_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def new(spec: Any, dtype: Any = None, precision: Any = None) -> None:
        asked.append((spec, precision))

    def old(spec: Any, dtype: Any = None) -> None:
        asked.append((spec, None))

    monkeypatch.setattr(nnxp, "get_backend", new)
    contenders.open_backend("tf32")
    monkeypatch.setattr(nnxp, "get_backend", old)
    contenders.open_backend("float64")
    with pytest.raises(contenders.Unavailable, match="takes no precision="):
        contenders.open_backend("tf32")
    assert asked == [("cupy", "tf32"), ("cupy", None)]


@pytest.mark.skipif(contenders.on_host_memory(), reason="is about machines without CuPy's GPU")
def test_where_nothing_can_be_measured_the_exit_code_says_so(tmp_path: Path) -> None:
    assert command.main(["--out", str(tmp_path), "--small", "--only", "machine"]) == 1
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    host = next(row for row in rows if row["case"] == "host")
    assert host["versions"]["numpy"] and host["meaningless"] == "small sizes"
    assert (tmp_path / "gpu.txt").read_text().startswith("MEANINGLESS TIMES (small sizes)")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_an_old_nvidia_smi_is_asked_for_less(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *mig.mode*) echo not a field; exit 2;; esac\necho a GPU, 1.2, P0, 3, 4, 5, 6\n'
    )
    program.chmod(0o755)
    assert facts.queried(str(program), ["-i", "0"]) == dict(
        zip(facts.ALWAYS, "a GPU,1.2,P0,3,4,5,6".split(","), strict=True)
    )
    program.write_text("#!/bin/sh\necho no driver\nexit 9\n")
    with pytest.raises(contenders.Unavailable, match="nvidia-smi: no driver"):
        facts.queried(str(program), [])


# --- what is shown ---------------------------------------------------------------------------------


def step(contender: str, seconds: float, losses: tuple[float, float] | None = (2.0, 1.9), **more: Any) -> results.Row:
    """A row of a training step."""
    row = {"kind": "step", "contender": contender, "case": STEPS[0].name, "precision": "float32", "clock": "events"}
    row |= {name: clock.kept([seconds, seconds]) for name in ("device", "host")}
    return row | ({"first": losses[0], "loss": losses[1]} if losses else {}) | more


MACHINE = {"kind": "machine", "contender": "machine", "precision": "float32", "case": "runtime", "gpu": "a <GPU>"}


def rows() -> list[results.Row]:
    reason = {"kind": "step", "contender": "jax", "precision": "tf32", "reason": "jax is not installed"}
    made = [step("products", 2e-5, None), step("nnxp", 3e-5), step("book", 9e-4, (2.00001, 1.90001))]
    return [MACHINE, *made, step("torch_eager", 4.2e-5, (2.0, 1.95)), reason]


def test_whoever_does_other_work_is_shown_no_time() -> None:
    content = results.document(rows(), None)
    agrees = {row["contender"]: row.get("agrees") for row in content["rows"]}
    assert agrees["nnxp"] and agrees["book"] and not agrees["torch_eager"]
    assert results.ratio(content, STEPS[0].name, "float32") == pytest.approx(1.5)
    assert results.ratio(content, STEPS[0].name, "float32", "torch_eager") is None
    assert results.ratio(content, STEPS[1].name, "float32") is None
    shown = text.render(content)
    line = next(line for line in shown.splitlines() if "fused Adam" in line)
    assert "other work" in line and "42 µs" not in line and "1.95" in line
    assert "30 µs" in shown and "1.50" in shown and "step jax tf32: jax is not installed" in shown
    assert "MEANINGLESS" not in shown and "a <GPU>" in shown


def test_times_that_mean_nothing_are_never_kept_or_put_into_a_table(tmp_path: Path) -> None:
    content = results.document(rows(), results.HOST_MEMORY)
    assert all(row["meaningless"] == "host memory" for row in content["rows"])
    assert text.render(content).startswith("MEANINGLESS TIMES (host memory)")
    results.save(tmp_path / "gpu.json", content)
    assert results.load(tmp_path) == []
    with pytest.raises(SystemExit, match=r"gpu.json is not kept: its times mean nothing \(host memory\)"):
        results.keep(tmp_path / "gpu.json", "none", tmp_path / "kept")
    found = made_up(tmp_path, STEADY)
    assert found.gpu == [] and "GPU" not in table.text(found)


def test_a_run_on_a_gpu_is_kept_and_fills_its_column(tmp_path: Path) -> None:
    found = made_up(tmp_path, STEADY)
    without = table.text(found)
    results.save(tmp_path / "run.json", results.document(rows(), None))
    kept = results.keep(tmp_path / "run.json", "some", tmp_path)
    assert kept.name == "gpu-some.json" and '"seconds"' not in kept.read_text()
    found = table.Measurements(tmp_path)
    header, line = (
        next(line for line in table.text(found).splitlines() if line.startswith(start))
        for start in ("| batch, layers", f"| {STEPS[0].name} |")
    )
    assert header.endswith("| GPU: a <GPU> |") and line.endswith("| – | 1.50 |")
    assert "\nGPU: a <GPU>; host" in table.text(found) and "GPU" not in without
    assert "GPU" not in table.summary(found)  # the README's
    page = report.page(found, tmp_path)
    assert "<h2>On a GPU: a &lt;GPU&gt;</h2>" in page and "<td>1.50</td>" in page and "jax is not installed" in page
    assert "other work" in page


def test_no_run_that_means_nothing_is_under_version_control() -> None:
    for path in measurements.KEPT.glob("gpu*.json"):
        assert not json.loads(path.read_text())["meaningless"], path


# --- kernels and gaps --------------------------------------------------------------------------------


SPANS = [("b", 14.0, 20.0), ("a", 0.0, 4.0), ("a", 3.0, 6.0), ("b", 15.0, 16.0)]


def test_gaps_are_where_nothing_runs() -> None:
    found = kernels.summed(SPANS, steps=2)
    assert found["launches"] == 2
    assert found["busy"] == pytest.approx(6e-6) and found["gaps"] == pytest.approx(4e-6)
    assert [(each["name"], each["launches"]) for each in found["kernels"]] == [("a", 1.0), ("b", 1.0)]
    assert found["kernels"][0]["seconds"] == pytest.approx(3.5e-6)
    with pytest.raises(contenders.Unavailable, match="saw no kernels"):
        kernels.summed([], 1)


def test_a_trace_and_a_database_give_the_same(tmp_path: Path) -> None:
    events = [{"cat": "kernel", "name": name, "ts": start, "dur": end - start} for name, start, end in SPANS]
    assert kernels.in_trace({"traceEvents": [{"ph": "M"}, {"cat": "cpu_op", "name": "x"}, *events]}) == SPANS
    with sqlite3.connect(tmp_path / "seen.sqlite") as database:
        database.execute("CREATE TABLE StringIds (id, value)")
        database.execute("CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start, end, shortName)")
        database.execute("CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start, end)")
        database.executemany("INSERT INTO StringIds VALUES (?, ?)", [(1, "a"), (2, "b")])
        ids = {"a": 1, "b": 2}
        values = [(start * 1e3, end * 1e3, ids[name]) for name, start, end in SPANS]
        database.executemany("INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (?, ?, ?)", values)
        database.execute("INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (30000, 31000)")
    database.close()
    assert kernels.in_database(tmp_path / "seen.sqlite") == [*SPANS, ("MEMCPY", 30.0, 31.0)]


# --- the clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "given", "count", "rounds", "few"),
    [(1e-5, 9.0, 5000, 9, 4), (1e-3, 9.0, 50, 9, 4), (1e-3, 0.25, 50, 5, 4), (0.4, 0.0, 1, 3, 1), (0.4, 2.0, 1, 5, 1)],
)
def test_rounds_fit_into_their_time(seconds: float, given: float, count: int, rounds: int, few: int) -> None:
    asked: list[int] = []

    def device(step: Any, count: int) -> float:
        asked.append(count)
        return seconds

    def host(step: Any, count: int) -> float:
        asked.append(-count)
        return 1e-6

    watch: Any = SimpleNamespace(name="events", wait=lambda _: None, device=device, host=host)
    found = clock.rounds(lambda: None, watch, given)
    assert (found["count"], found["device"]["rounds"]) == (count, rounds)
    assert asked == [2, *[-few, count] * rounds]
    assert found["device"]["median"] == seconds and found["host"]["seconds"] == [1e-6] * rounds


# --- equal work ------------------------------------------------------------------------------------


CASE = Case(16, (12, 9, 5), learning_rate=1e-3)


def same_losses(running: contenders.Running, precision: str) -> None:
    """As plain NumPy's, the first and the last."""
    found = clock.training(running.step, running.clock, 0.0, small=True)
    problem = Problem(CASE, contenders.dtype_of(precision))
    row = {"kind": "step", "contender": "it", "case": CASE.name, "precision": precision, **found}
    expected = {name: book.step(problem)(count) for name, count in (("first", 1), ("loss", clock.WARM_UP))}
    assert expected["loss"] < 0.99 * expected["first"]
    # three, since the median decides
    judged = results.judged([row, *({**row, **expected, "contender": name} for name in "ab")])
    assert judged[0]["agrees"], (found, expected)
    assert found["device"]["rounds"] == clock.FEWEST_ROUNDS and found["host"]["median"] > 0


@needs.torch
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_pytorch_takes_the_same_steps(precision: str) -> None:
    problem = Problem(CASE, contenders.dtype_of(precision))
    running = contenders.torch_eager(problem, precision, device="cpu")
    assert running.predict is not None
    first = float(book.predict(problem)(1)[0, 0])
    assert running.predict()[0, 0].item() == pytest.approx(first, rel=results.TOLERANCES[precision])
    same_losses(running, precision)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_jax_takes_the_same_steps(precision: str) -> None:
    jax = pytest.importorskip("jax", reason="needs JAX: `nox -s jax`")
    jax.config.update("jax_enable_x64", precision == "float64")
    try:
        same_losses(contenders.jax(Problem(CASE, contenders.dtype_of(precision)), precision), precision)
    finally:
        jax.config.update("jax_enable_x64", False)


@needs.cupy_on_host
def test_the_whole_of_it_on_host_memory(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--small", "--minutes", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *arguments],
        cwd=measurements.ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    log = (tmp_path / "gpu.log").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert content["meaningless"] == "host memory"
    assert all(row["meaningless"] == "host memory" for row in content["rows"])
    for contender in ("nnxp", "book", "products"):
        for precision in ("float32", "float64"):
            for case in parts.SMALL:
                wanted = {"contender": contender, "precision": precision, "case": case.name}
                row = results.find(content, kind="step", **wanted)
                assert row is not None, (wanted, log)
                assert row["clock"] == "events" and row["device"]["rounds"] == len(row["device"]["seconds"])
                assert contender == "products" or (row["agrees"] and row["compared"] >= 2), row
    for kind in ("ceilings", "fit", "predict"):
        assert results.find(content, kind=kind, precision="float32"), log
    (reason,) = (row["reason"] for row in content["rows"] if row["kind"] == "kernels")
    assert reason == "there is no device to look at"
    shown = (tmp_path / "gpu.txt").read_text()
    assert shown.startswith("MEANINGLESS TIMES (host memory)") and shown in done.stdout
    assert results.load(tmp_path) == []
