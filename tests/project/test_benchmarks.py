"""The tools of the benchmarks: when a case is void, what the floor is, equal work, and the pages' tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import compare, estimators, measurements, members_step, report, table
from benchmarks.peers import book, nnxp_numpy, numpy_floor
from benchmarks.problems import STEPS, Case, Problem, products

MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "memory_gb": 8,
    "system": "Linux x86_64",
    "blas": ["openblas 1"],
    "versions": {"python": "3.11", "nnxp": "0", "numpy": "2"},
    "threads": {"asked": "one", "reported": {}},
}
STEADY, BUSY = [1.0, 1.0, 1.1], [1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("floor", "void"),
    [([1.0, 1.5, 2.0], False), ([1.0, 1.51, 2.0], True), ([1.0, 1.0, 90.0], False), ([2.0], False)],
)
def test_a_floor_whose_median_exceeds_one_and_a_half_times_its_minimum_is_void(floor: list[float], void: bool) -> None:
    verdict = measurements.compared([3.0, 3.0, 3.0], floor)
    assert verdict.get("void", False) is void
    assert ("reason" in verdict) is void
    assert verdict["ratio_of_minima"] == 3.0 / min(floor)


def test_a_floor_that_got_less_than_nine_tenths_of_a_processor_is_void() -> None:
    assert "void" not in measurements.compared([3.0], [2.0], cores=0.9)
    verdict = measurements.compared([3.0], [2.0], cores=0.5)
    assert verdict["void"] and "0.50 of a processor" in verdict["reason"]


def test_the_ratio_is_of_medians() -> None:
    verdict = measurements.compared([1.0, 4.0, 50.0], [2.0, 1.9, 2.1])
    assert verdict["ratio"] == 2.0
    assert verdict["action"]["min"] == 1.0 and verdict["action"]["rounds"] == 3
    assert verdict["ratio_of_minima"] == pytest.approx(1.0 / 1.9)


def test_the_floor_is_every_product_of_a_step_but_the_first_layers_dinputs() -> None:
    case = Case(4, (7, 5, 3))
    shapes = [(a.shape, b.shape, out.shape) for a, b, out in products(case, "float32")]
    assert shapes == [
        ((4, 7), (7, 5), (4, 5)),
        ((4, 5), (5, 3), (4, 3)),
        ((5, 4), (4, 3), (5, 3)),
        ((4, 3), (3, 5), (4, 5)),
        ((7, 4), (4, 5), (7, 5)),
    ]
    assert all(a.dtype == b.dtype == out.dtype == np.float32 for a, b, out in products(case, "float32"))
    assert len(products(case, "float32", backward=False)) == 2
    assert numpy_floor.step(Problem(case))(2) is None


def test_contenders_do_equal_work() -> None:
    case = Case(16, (12, 9, 5), learning_rate=1e-3)
    for steps in (1, 20):
        plain, ours = (contender.step(Problem(case, "float64"))(steps) for contender in (book, nnxp_numpy))
        assert plain == pytest.approx(ours, rel=1e-10)
    p, q = (contender.predict(Problem(case, "float64"))(1) for contender in (book, nnxp_numpy))
    np.testing.assert_allclose(p, q, rtol=1e-10)


def test_whoever_does_other_work_is_shown_no_figures() -> None:
    entries = {
        name: {"first": first, "seconds": [1.0]}
        for name, first in [("nnxp_fast", 2.3), ("book", 2.3), ("jax_jit", 2.4)]
    }
    compare.check_work("step", entries)
    assert "seconds" in entries["book"] and "not the same work" in entries["jax_jit"]["reason"]
    assert "seconds" not in entries["jax_jit"]


def test_every_contender_has_a_file_and_a_title() -> None:
    files = {path.stem for path in (measurements.ROOT / "benchmarks" / "peers").glob("*.py")}
    assert files == {*compare.TITLES, "serve"}


def test_a_contender_that_cannot_run_says_why() -> None:
    with pytest.raises(compare.Failed, match="^ModuleNotFoundError: No module named 'benchmarks.peers.nobody'"):
        compare.Contender("nobody")


def test_a_contender_answers_and_is_told_apart_from_the_fastest_peer() -> None:
    contender = compare.Contender("book")
    try:
        assert contender.kinds == ["step", "epoch", "predict"]
        told = contender.ask(do="prepare", kind="step", case={"batch": 4, "widths": [6, 5, 3]}, rows=None, tries=1)
        assert told["first"] == pytest.approx(book.step(Problem(Case(4, (6, 5, 3))))(1))
        assert contender.ask(do="round", count=3)["seconds"] > 0
        with pytest.raises(compare.Failed, match="AttributeError"):
            contender.ask(do="prepare", kind="sing", case={"batch": 4, "widths": [6, 5, 3]}, rows=None, tries=1)
    finally:
        contender.close()
    entries = {
        name: {"seconds": [s, s], "cores": [1, 1]} for name, s in [("numpy_floor", 1), ("nnxp_fast", 2), ("book", 8)]
    }
    entries["jax_jit"] = {"seconds": [4, 4], "cores": [1, 1]}
    compared = compare._compared(entries)
    assert (compared["nnxp_fast"]["of_fastest"], compared["nnxp_fast"]["fastest"]) == (0.5, "JAX")
    assert compared["book"]["ratio"] == 8.0


def test_what_is_kept_names_no_host_and_no_single_round(tmp_path: Path) -> None:
    extra = {"kind": "step", "case": "c", "ratio": 1.23456789, "floor": {"median": 1.0}}
    bench = {"name": "test_train_step", "stats": {"median": 0.5, "rounds": 9, "data": [0.5] * 9}, "extra_info": extra}
    measured = {
        "machine_info": {"node": "a-host", "description": MACHINE},
        "commit_info": {"id": "abc", "dirty": False, "project": "a-folder"},
        "datetime": "2030-01-02T03:04:05.678",
        "benchmarks": [bench],
    }
    (tmp_path / "one-thread.json").write_text(json.dumps(measured))
    found = measurements.load(tmp_path, "one-thread")
    assert found is not None
    measurements.save(tmp_path / "kept" / "one-thread.json", found)
    written = (tmp_path / "kept" / "one-thread.json").read_text()
    assert "a-host" not in written and "a-folder" not in written and '"data"' not in written
    kept = measurements.load(tmp_path / "kept", "one-thread")
    assert kept is not None and kept["cases"][0]["ratio"] == 1.23457 and kept["machine"] == MACHINE


def made_up(folder: Path, floor: list[float]) -> table.Measurements:
    """Measurements of one step on one thread, float32, with `fast`, and of its peers."""
    step = {"name": "s", "kind": "step", "case": STEPS[0].name, "dtype": "float32", "backend": "fast", "floor_is": "it"}
    step |= measurements.compared([1.254, 1.254, 1.254], floor)
    cases = {"machine": MACHINE, "datetime": "2030-01-02T03:04", "cases": [step]}
    nnxp = {"median": 1.0, "min": 1.0, "spread": 0.0, "of_fastest": 0.756, "fastest": "JAX"}
    contenders = {"numpy_floor": {"median": 0.9}, "nnxp_fast": nnxp, "tinygrad_jit": {"reason": "no <clang>"}}
    job = {"title": f"step {STEPS[0].name}", "kind": "step", "count": 3, "contenders": contenders}
    measurements.save(folder / "one-thread.json", cases)
    measurements.save(folder / "peers-one-thread.json", {"machine": MACHINE, "jobs": [job]})
    return table.Measurements(folder)


def test_the_table_shows_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    found = made_up(tmp_path, STEADY)
    row = next(line for line in table.steps(found) if line.startswith(f"| {STEPS[0].name} |"))
    assert row == f"| {STEPS[0].name} | 1.25 | – | 0.76 (JAX) | – | – | – |"
    assert "a processor, 2 cores" in table.text(found)
    # A figure that is void is never shown.
    found = made_up(tmp_path, BUSY)
    row = next(line for line in table.steps(found) if line.startswith(f"| {STEPS[0].name} |"))
    assert row == f"| {STEPS[0].name} | void | – | 0.76 (JAX) | – | – | – |"


def test_the_tables_are_written_between_their_markers(tmp_path: Path) -> None:
    found = made_up(tmp_path, STEADY)
    readme = f"before\n{table.BEGIN}\nold figures\n{table.END}\nafter\n"
    written = table.written_into(readme, table.text(found))
    assert written.startswith("before\n") and written.endswith("\nafter\n") and "old figures" not in written
    assert "1.25" in written and table.written_into(written, table.text(found)) == written
    with pytest.raises(SystemExit, match="put these two lines there"):
        table.written_into("no markers", "tables")


def test_the_page_shows_what_is_void_what_is_missing_and_why(tmp_path: Path) -> None:
    page = report.page(made_up(tmp_path, STEADY), tmp_path)
    assert "1.25 <small>1.25 s</small>" in page and "void <small>" not in page
    assert "not measured" in page and "nox -s bench -- cupy13" in page and "no &lt;clang&gt;" in page
    assert all((tmp_path / f"{name}.svg").stat().st_size for name in ("steps", "growth", "peers"))
    assert "void <small>" in report.page(made_up(tmp_path, BUSY), tmp_path)


def test_the_readme_has_a_row_for_each_size(tmp_path: Path) -> None:
    lines = table.summary(made_up(tmp_path, STEADY)).splitlines()
    _, _, *rows = [line for line in lines if line.startswith("|")]
    assert [row.split(" | ")[0] for row in rows] == [f"| {case.name}" for case in STEPS] and len(rows) == 4
    assert f"| {STEPS[0].name} | 1.25 | – | 0.76 (JAX) | – | – | – |" in rows


@pytest.mark.parametrize(("page", "tables"), [*table.PAGES.items()], ids=["README", "speed", "estimators"])
def test_the_tables_are_those_of_the_kept_measurements(page: Path, tables: Any) -> None:
    text, found = page.read_text(encoding="utf-8"), table.Measurements()
    assert table.written_into(text, tables(found)) == text, "python -m benchmarks.table --adopt writes them"


def test_estimators_are_compared_seed_by_seed() -> None:
    theirs = {"scores": [0.5, 0.7, 0.9], "seconds": [1.0, 2.0, 4.0]}
    ours = {"scores": [0.6, 0.7, 0.9], "seconds": [0.5, 0.8, 3.0]}
    found = estimators.summary({"sklearn": theirs, "fast": ours, "numpy": theirs})
    row = found["fast"]
    assert row["score"] == pytest.approx(2.2 / 3) and row["seconds"] == 0.8 and row["ratio"] == 0.5
    # differences 0.1, 0, 0: their mean 1/30, their deviation 0.1/√3, and that over √3
    assert row["difference"] == pytest.approx(1 / 30) and row["standard_error"] == pytest.approx(1 / 30)
    assert found["numpy"]["ratio"] == 1.0 and found["numpy"]["standard_error"] == 0.0
    line = table.estimators([{"name": "wine", "epochs": 7, "contenders": found}])[1]
    assert line == ["wine, 7", "0.7000, 2.00 s", "0.7333", "+0.0333 ± 0.0333", "0.50", "1.00"]


def test_members_grow_in_one_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    members_step.main(["--growth", "--quick", "--plot", str(tmp_path / "growth.png")])
    shown = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    counts, by_one, of_memory = ([float(cells[column]) for cells in shown] for column in (0, 2, 6))
    assert counts == [1, 2, 4] and by_one[0] == of_memory[0] == 1
    kept = 4 * 4 * (20 * 32 + 32 * 32 + 32 * 2 + 32 + 32 + 2) / 1e3  # float32: values, gradients and Adam's two
    for k, cells in zip(counts, shown, strict=True):
        assert float(cells[5].removesuffix("kB ")) > k * kept
    assert of_memory == sorted(of_memory, reverse=True) and (tmp_path / "growth.png").stat().st_size > 10_000


@pytest.mark.long
def test_members_on_threads_and_processes(capsys: pytest.CaptureFixture[str]) -> None:
    members_step.main(["--threads", "--quick"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert (
        line.count("µs (") == len(members_step.SETTINGS) and "│ 32 × 8-16-3, batches of 32" in line and "(1.00)" in line
    )
