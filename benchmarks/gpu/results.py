"""The file that a run writes: whether the work was equal, what is kept of it, and what may be shown.

python -m benchmarks.gpu.results DIR/gpu.json NAME    # keeps it as benchmarks/results/gpu-NAME.json
"""

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import measurements

Row = dict[str, Any]
Document = dict[str, Any]

TOLERANCES = {"float32": 1e-4, "tf32": 5e-3, "float64": 1e-9}
"""Relative, of a loss: sums in other orders, TF32's 10 bits, and twenty steps in which either grows. The steps
themselves change it by some hundredths."""
HOST_MEMORY, SMALL = "host memory", "small sizes"


def judged(rows: Iterable[Row]) -> list[Row]:
    """The rows, those of training steps with `agrees`: whether the first loss and the last are those of most who took
    the same steps in the same precision (`reference`: the medians)."""
    rows, alike = list(rows), defaultdict(list)
    for row in rows:
        if row["kind"] == "step" and "loss" in row:
            alike[row["case"], row["precision"]].append(row)
    for (_, precision), same in alike.items():
        reference = [statistics.median(row[key] for row in same) for key in ("first", "loss")]
        for row in same:
            pairs = zip((row["first"], row["loss"]), reference, strict=True)
            agrees = all(abs(a - b) <= TOLERANCES[precision] * abs(b) for a, b in pairs)
            row |= {"reference": reference, "agrees": agrees, "compared": len(same)}
    return rows


def document(rows: Iterable[Row], meaningless: str | None, **about: Any) -> Document:
    """The whole file."""
    found: Document = {"format": 1, "meaningless": meaningless, **about, "rows": judged(rows)}
    if meaningless:
        for row in found["rows"]:
            row["meaningless"] = meaningless
    return found


def worked(row: Row) -> bool:
    """Whether a row has times."""
    return "device" in row


def save(path: Path, content: Document) -> None:
    """A row a line, with every digit: float64's losses differ in the last. Whole, or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items() if key != "rows")
    rows = ",\n".join(f"  {json.dumps(row)}" for row in content["rows"])
    beside = path.with_suffix(".part")
    beside.write_text(f'{{\n{head},\n"rows": [\n{rows}\n]\n}}\n', encoding="utf-8")
    beside.replace(path)


def stripped(row: Row) -> Row:
    """A row without its single rounds."""
    inner = {key: {k: v for k, v in row[key].items() if k != "seconds"} for key in ("device", "host") if key in row}
    return row | inner


def load(folder: Path) -> list[Document]:
    """What a folder holds of runs on a GPU. One that means nothing is not among them."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("gpu*.json"))]
    return [content for content in found if not content["meaningless"]]


def keep(source: Path, name: str, folder: Path = measurements.KEPT) -> Path:
    """Puts a run under version control."""
    content: Document = json.loads(source.read_text(encoding="utf-8"))
    if content["meaningless"]:
        raise SystemExit(f"{source.name} is not kept: its times mean nothing ({content['meaningless']})")
    target = folder / f"gpu-{name}.json"
    save(target, content | {"rows": [stripped(row) for row in content["rows"]]})
    return target


def facts(content: Document) -> Row:
    """All that is known of the machine."""
    found: Row = {}
    for row in content["rows"]:
        if row["kind"] == "machine" and "reason" not in row:
            found |= {key: value for key, value in row.items() if key not in ("kind", "contender", "precision", "case")}
    return found


def find(content: Document, **wanted: Any) -> Row | None:
    """The row with these values that has figures, None where there is none."""
    rows = (row for row in content["rows"] if worked(row))
    return next((row for row in rows if all(row.get(key) == value for key, value in wanted.items())), None)


def ratio(content: Document, case: str, precision: str, contender: str = "nnxp") -> float | None:
    """A step's device time to that of its matrix products; None where one was not measured or did other work."""
    row = find(content, kind="step", case=case, precision=precision, contender=contender)
    floor = find(content, kind="step", case=case, precision=precision, contender="products")
    if row is None or floor is None or not row.get("agrees", True):
        return None
    return float(row["device"]["median"] / floor["device"]["median"])


def cell(content: Document, case: str, dtype: str) -> str | None:
    """The ratio of nnxp's step, for a table; None where there is none."""
    found = ratio(content, case, dtype)
    return None if found is None else f"{found:.2f}"


def gpu(content: Document) -> str:
    """The GPU's name."""
    return str(facts(content).get("gpu", "an unknown GPU"))


def where(content: Document) -> str:
    """The GPU, its driver, the versions and the day, in a sentence."""
    known = facts(content)
    driver = known.get("smi", {}).get("driver_version")
    versions = ", ".join(f"{name} {version}" for name, version in known.get("versions", {}).items() if name != "nnxp")
    named = f"{gpu(content)}, driver {driver}" if driver else gpu(content)
    return f"GPU: {named}; host {known.get('cpu', 'unknown')}; {versions}; {known.get('datetime', '')[:10]}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("name", help="of the GPU, as in h100")
    options = parser.parse_args()
    print(keep(options.source, options.name))


if __name__ == "__main__":
    main()
