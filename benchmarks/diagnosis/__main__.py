"""Planted faults and healthy runs, and what `nnxp.diagnose` says of them: benchmarks/diagnosis/PROTOCOL.md.

python -m benchmarks.diagnosis --half tuning       # what is looked at while thresholds are chosen
python -m benchmarks.diagnosis                     # both halves

It needs scikit-learn and the group bench-tabular (`nox -s bench_diagnosis` has both), and a few minutes of one core.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.diagnosis.planted import FAULTS, Run, careful
from benchmarks.diagnosis.sets import KEPT, SETS, TUNING
from benchmarks.table import markdown
from nnxp import diagnose

SEEDS = 5
FIRST = 2
"""So many findings are looked at."""
WORDS = {
    "loss not finite": ("finite", "infinite", "NaN"),
    "one label": ("same", "one class"),
    "float32 resolution": ("float32 rounds",),
}
"""Of the faults that the library may refuse or stop on: one of these has to be in its error."""


class Said(NamedTuple):
    """What was said of a run: the findings' names, or the library's error."""

    names: list[str]
    error: str = ""

    def names_it(self, expected: str) -> bool:
        """Whether the fault is among what counts."""
        return expected in self.names[:FIRST] or any(word in self.error for word in WORDS.get(expected, ()))


def said_of(run: Run, seed: int, shown: bool = False) -> Said:
    """Trains and diagnoses."""
    model, error = run.model(seed), ""
    X, y, X_val, y_val, _ = run.split
    try:
        run.fit(model)
    except (ValueError, FloatingPointError) as found:
        error = str(found)
    try:
        findings = diagnose(model, X, y, validation_data=(X_val, y_val))
    except ValueError as found:
        return Said([], error or str(found))
    if shown:
        print(findings, flush=True)
    return Said([finding.name for finding in findings], error)


def planted(half: str, shown: bool) -> Iterator[tuple[str, str, str, Said]]:
    """Each faulty run of a half: what is expected, on what, and what was said."""
    for fault in FAULTS:
        for place, name in enumerate(fault.sets):
            if SETS[name].half == half:
                expected, run = fault.at(place)
                if shown:
                    print(f"\n{expected} on {name}")
                yield expected, name, fault.names[0], said_of(run, 0, shown)


def healthy(half: str, shown: bool) -> Iterator[tuple[str, int, Said]]:
    """Each healthy run of a half."""
    for name in (name for name, one in SETS.items() if one.half == half):
        for seed in range(SEEDS):
            said = said_of(careful(name, seed), seed)
            if shown and said.names:
                print(f"\n{name}, seed {seed}: {said.names}", flush=True)
            yield name, seed, said


def report(half: str, shown: bool) -> None:
    """Runs a half and prints its tables."""
    rows, named, runs = [["fault", "data set", "named", "said first and second"]], 0, 0
    for expected, name, _, said in planted(half, shown):
        is_named = said.names_it(expected)
        named, runs = named + is_named, runs + 1
        what = (
            f"stopped: {said.error[:60]}..." if said.error and not said.names[:FIRST] else ", ".join(said.names[:FIRST])
        )
        rows.append([expected, name, "yes" if is_named else "**no**", what or "nothing"])
    alarms = Counter[str]()
    found = [*healthy(half, shown)]
    for _, _, said in found:
        alarms.update(said.names)
    print(f"\n{half}: {named} of {runs} faults named; {sum(bool(said.names) for *_, said in found)} alarms on "
          f"{len(found)} healthy runs {dict(alarms) or ''}\n")  # fmt: skip
    print(*markdown(rows), sep="\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=(TUNING, KEPT), help="default: both")
    parser.add_argument("--findings", action="store_true", help="print every run's findings")
    options = parser.parse_args()
    for half in [options.half] if options.half else (TUNING, KEPT):
        report(half, options.findings)


if __name__ == "__main__":
    main()
