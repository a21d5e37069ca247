"""Files of measurements: what is kept of them, when a case is void, and where they lie."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "benchmarks" / "report"
"""Where `nox -s bench` and `nox -s bench_peers` write, not under version control."""
KEPT = ROOT / "benchmarks" / "results"
"""What the README's table is made of: the same without the single rounds."""
SETTINGS = {"one-thread": "one thread", "default-threads": "default threads"}
STEADY, GRANTED = 1.5, 0.9
"""A floor's median over its minimum, at most; the processor time it got for its wall time, at least."""


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Median, minimum and spread (the interquartile range over the median) of rounds, in seconds."""
    middle = statistics.median(seconds)
    low, _, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else (middle,) * 3
    return {"median": middle, "min": min(seconds), "spread": (high - low) / middle, "rounds": len(seconds)}


def compared(action: Sequence[float], floor: Sequence[float], cores: float = 1.0) -> dict[str, Any]:
    """An action beside its floor, measured in turn: the ratio of the medians and of the minima, and whether the
    machine was too busy to tell. A floor whose median exceeds 1.5 times its minimum voids the case, and so does one
    that got less than 0.9 of a processor (`cores`): on a machine that is always busy the first rule sees nothing."""
    a, f = summary(action), summary(floor)
    verdict: dict[str, Any] = {
        "action": a,
        "floor": f,
        "ratio": a["median"] / f["median"],
        "ratio_of_minima": a["min"] / f["min"],
        "cores": cores,
    }
    if f["median"] > STEADY * f["min"]:
        reason = f"the floor's median was {f['median'] / f['min']:.2f} times its minimum"
    elif cores < GRANTED:
        reason = f"the floor got {cores:.2f} of a processor"
    else:
        return verdict
    return verdict | {"void": True, "reason": f"{reason}: a busy machine"}


def stripped(measured: dict[str, Any]) -> dict[str, Any]:
    """pytest-benchmark's JSON without the single rounds, the host's name, and each case's versions, the machine's."""
    commit = measured.get("commit_info") or {}
    return {
        "machine": measured["machine_info"]["description"],
        "datetime": measured["datetime"][:16],
        "commit": {name: commit.get(name) for name in ("id", "dirty")},
        "cases": [
            {"name": b["name"], **{key: value for key, value in b["extra_info"].items() if key != "versions"}}
            for b in measured["benchmarks"]
        ],
    }


def load(folder: Path, name: str) -> dict[str, Any] | None:
    """One file of a folder, stripped; None where it was not measured."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stripped(content) if "benchmarks" in content else content


def save(path: Path, content: dict[str, Any]) -> None:
    """Numbers with the six digits that mean something, one case a line, so that a diff can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = json.loads(json.dumps(content), parse_float=lambda text: float(f"{float(text):.6g}"))
    lines = []
    for key, value in rounded.items():
        if isinstance(value, list) and value:
            rows = ",\n".join(f"  {json.dumps(row, sort_keys=True)}" for row in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
