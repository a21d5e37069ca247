"""The tables of speed in README.md, docs/speed.md and benchmarks/README.md, from the measurements that are kept under
version control.

python -m benchmarks.table            # prints them
python -m benchmarks.table --adopt    # keeps what was measured last, and writes them into the pages
python -m benchmarks.table --merge    # the same where only some cases were measured again
python -m benchmarks.table --write    # writes the pages alone, of what is kept
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import measurements
from benchmarks.gpu import results
from benchmarks.problems import EPOCH, PREDICTION, STEPS

README, SPEED = measurements.ROOT / "README.md", measurements.ROOT / "docs" / "speed.md"
PAGE = measurements.ROOT / "benchmarks" / "README.md"
BEGIN = "<!-- benchmarks: written by `python -m benchmarks.table --adopt`, not by hand -->"
END = "<!-- end of benchmarks -->"
NOTHING = "–"
Row = dict[str, Any]


class Measurements:
    """What one folder holds: the cases and the peers of both thread settings, and the runs on a GPU."""

    def __init__(self, folder: Path = measurements.KEPT) -> None:
        self.files = {setting: measurements.load(folder, setting) for setting in measurements.SETTINGS}
        self.peers = {setting: measurements.load(folder, f"peers-{setting}") for setting in measurements.SETTINGS}
        self.estimators = {
            setting: measurements.load(folder, f"estimators-{setting}") for setting in measurements.SETTINGS
        }
        self.gpu = results.load(folder)

    def case(self, setting: str, **wanted: Any) -> Row | None:
        """The case with these values, None where it was not measured."""
        rows = (self.files[setting] or {}).get("cases", [])
        return next((row for row in rows if all(row.get(key) == value for key, value in wanted.items())), None)

    def contenders(self, setting: str, title: str) -> dict[str, Row]:
        """Everyone's figures at one job of the comparison, by name."""
        jobs = (self.peers[setting] or {}).get("jobs", [])
        return next((job["contenders"] for job in jobs if job["title"] == title), {})

    def machine(self) -> Row:
        """The machine of what was measured."""
        found = next((file["machine"] for file in (*self.files.values(), *self.peers.values()) if file), None)
        if found is None:
            raise SystemExit("nothing was measured yet: nox -s bench, nox -s bench_peers, then --adopt")
        return found

    def where(self) -> str:
        """The machine, the versions and the day, in a sentence."""
        return where(self.machine(), [file["datetime"] for file in self.files.values() if file])


def ratio(row: Row | None, key: str = "ratio") -> str:
    """A case's ratio with two decimals; "void" where the machine was too busy."""
    if row is None or key not in row:
        return NOTHING
    return "void" if row.get("void") else f"{row[key]:.2f}"


def against_peers(contenders: dict[str, Row], name: str = "nnxp_fast") -> str:
    """The median's ratio to that of the fastest peer, and which that is. Void where the floor was."""
    row = contenders.get(name, {})
    if "of_fastest" not in row:
        return NOTHING
    return "void" if contenders["numpy_floor"].get("void") else f"{row['of_fastest']:.2f} ({row['fastest']})"


def against(contenders: dict[str, Row], other: str) -> str:
    """The median's ratio to that of one other. Void where the floor was."""
    if any("median" not in contenders.get(name, {}) for name in ("nnxp_fast", other)):
        return NOTHING
    figure = f"{contenders['nnxp_fast']['median'] / contenders[other]['median']:.2f}"
    return "void" if contenders["numpy_floor"].get("void") else figure


def markdown(rows: list[list[str]]) -> list[str]:
    """A table whose first row is its header."""
    header, *body = rows
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return [f"| {' | '.join(line)} |" for line in lines]


def steps(found: Measurements, dtype: str = "float32", gpu: Sequence[results.Document] = ()) -> list[str]:
    """The training step: ratios to the floor, in float32 to the fastest peer, and for each run on a GPU to the floor
    there."""
    columns = ("`fast`", "NumPy only", *["to the fastest peer"] * (dtype == "float32"))
    header = [f"{words}: {column}" for words in measurements.SETTINGS.values() for column in columns]
    rows = [["batch, layers", *header, *(f"GPU: {results.gpu(run)}" for run in gpu)]]
    for case in STEPS:
        cells = []
        for setting in measurements.SETTINGS:
            for backend in ("fast", "numpy"):
                wanted = {"kind": "step", "case": case.name, "dtype": dtype, "backend": backend}
                cells.append(ratio(found.case(setting, **wanted)))
            if dtype == "float32":
                cells.append(against_peers(found.contenders(setting, f"step {case.name}")))
        cells += [results.cell(run, case.name, dtype) or NOTHING for run in gpu]
        rows.append([case.name + ("" if dtype == "float32" else f", {dtype}"), *cells])
    return markdown(rows)


def others(found: Measurements) -> list[str]:
    """The epoch, prediction, start and memory, with `fast`."""
    net = "-".join(map(str, PREDICTION.widths))

    def each(words: str, figure: Callable[[str], str]) -> list[str]:
        return [words, *(figure(setting) for setting in measurements.SETTINGS)]

    def case(kind: str, name: str, backend: str = "fast") -> Callable[[str], str]:
        return lambda setting: ratio(found.case(setting, kind=kind, case=name, dtype="float32", backend=backend))

    def peers(title: str) -> Callable[[str], str]:
        return lambda setting: against_peers(found.contenders(setting, title))

    def seconds(state: str, backend: str, part: str) -> Callable[[str], str]:
        def figure(setting: str) -> str:
            row = found.case(setting, kind="start", case=state, backend=backend)
            return f"{row['parts'][part] * 1e3:.0f} ms" if row else NOTHING

        return figure

    def predicted(other: str) -> Callable[[str], str]:
        return lambda setting: against(found.contenders(setting, f"predict 1 rows, {net}"), other)

    rows = [
        ["", *measurements.SETTINGS.values()],
        each(f"an epoch of `fit`, {EPOCH.name}, to as many bound steps", case("epoch", EPOCH.name)),
        each("its time to the fastest peer's", peers(f"epoch {EPOCH.name}")),
        each(f"`predict`, one row, {net}, to the fastest peer", peers(f"predict 1 rows, {net}")),
        each("the same to onnxruntime", predicted("onnx_runtime")),
        each("`predict`, 10,000 rows, to the floor", case("prediction", f"10000 rows, {net}")),
        each("peak memory of a step, 784-512-512-10, to what it has to hold", case("memory", f"step {STEPS[1].name}")),
        each("peak memory of `fit`, to that and the data", case("memory", f"fit {STEPS[1].name}")),
        each("`import nnxp` after `import numpy`", seconds("cached", "numpy", "import nnxp")),
        each("the first `Sequential`", seconds("cached", "numpy", "first Sequential")),
        each("the first step, NumPy only", seconds("cached", "numpy", "first step")),
        each("the first step, `fast`, compiled before", seconds("cached", "fast", "first step")),
        each("the first step, `fast`, the very first", seconds("cold", "fast", "first step")),
    ]
    return markdown(rows)


def estimators(sets: list[Row]) -> list[list[str]]:
    """Scores beside scikit-learn's MLP, and the times as multiples of its own."""
    rows = [["data, epochs", "scikit-learn", "nnxp", "difference", "time: `fast`", "time: NumPy only"]]
    for row in sets:
        sklearn, fast, numpy = (row["contenders"][name] for name in ("sklearn", "fast", "numpy"))
        difference = f"{fast['difference']:+.4f} ± {fast['standard_error']:.4f}"
        scores = [f"{sklearn['score']:.4f}, {sklearn['seconds']:.2f} s", f"{fast['score']:.4f}", difference]
        rows.append([f"{row['name']}, {row['epochs']}", *scores, f"{fast['ratio']:.2f}", f"{numpy['ratio']:.2f}"])
    return rows


def estimators_text(found: Measurements) -> str:
    """The comparison with scikit-learn's MLP, with each setting of the threads."""
    lines = [BEGIN]
    for setting, words in measurements.SETTINGS.items():
        if measured := found.estimators[setting]:
            lines += ["", f"BLAS with {words}:", "", *markdown(estimators(measured["sets"]))]
            lines += ["", where(measured["machine"], [measured["datetime"]])]
    return "\n".join([*lines, "", END])


def where(machine: Row, times: list[str]) -> str:
    """The machine, the versions and the day, in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if name != "nnxp")
    dates = sorted(time[:10] for time in times)
    blas = ", ".join(machine["blas"])
    return (
        f"Measured on {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}; "
        f"{versions}; {blas}{'; ' + dates[-1] if dates else ''}."
    )


def summary(found: Measurements) -> str:
    """What stands between the README's markers: the step in float32, a row for each size."""
    return "\n".join([BEGIN, "", *steps(found), "", found.where(), "", END])


def text(found: Measurements) -> str:
    """What stands between the markers of the page about speed."""
    gpu_is = "Its column: the step's time by CUDA events, to that of its matrix products there."
    measured_on = [found.where(), *(f"\n{results.where(run)} {gpu_is}" for run in found.gpu)]
    both = [steps(found, dtype, found.gpu) for dtype in ("float32", "float64")]
    return "\n".join([BEGIN, "", *both[0], "", *both[1], "", *others(found), "", *measured_on, "", END])


PAGES: dict[Path, Callable[[Measurements], str]] = {README: summary, SPEED: text, PAGE: estimators_text}


def written_into(page: str, tables: str) -> str:
    """A page with its tables made anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page has no place for the tables: put these two lines there\n{BEGIN}\n{END}")
    return before + tables + after


def adopt(merge: bool) -> None:
    """Keeps what was measured last; to `merge`, cases that were not measured again stay."""
    for setting in measurements.SETTINGS:
        kinds = (
            (setting, "cases", "name"),
            (f"peers-{setting}", "jobs", "title"),
            (f"estimators-{setting}", "sets", "name"),
        )
        for name, key, identity in kinds:
            new, old = measurements.load(measurements.MEASURED, name), measurements.load(measurements.KEPT, name)
            if new is None:
                continue
            if merge and old is not None:
                rows = {row[identity]: row for row in (*old[key], *new[key])}
                new[key] = list(rows.values())
            measurements.save(measurements.KEPT / f"{name}.json", new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adopt", action="store_true", help="keep the last measurements and write the pages")
    parser.add_argument("--merge", action="store_true", help="the same, cases that were not measured again staying")
    parser.add_argument("--write", action="store_true", help="write the pages of what is kept already")
    options = parser.parse_args()
    if options.adopt or options.merge:
        adopt(options.merge)
    if options.adopt or options.merge or options.write:
        for page, tables in PAGES.items():
            content = written_into(page.read_text(encoding="utf-8"), tables(Measurements()))
            page.write_text(content, encoding="utf-8")
    print(text(Measurements()))
    print(estimators_text(Measurements()))


if __name__ == "__main__":
    main()
