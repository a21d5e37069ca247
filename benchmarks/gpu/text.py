"""The table: what a run found, as text."""

from collections.abc import Iterable, Iterator

from benchmarks.gpu import results
from benchmarks.gpu.contenders import PRECISIONS, TITLES
from benchmarks.gpu.parts import CASES
from benchmarks.gpu.results import Document, Row

WARNING = "MEANINGLESS TIMES ({}): they show that it runs, and nothing about a GPU"
PRECISION_WORDS = {"float32": "float32", "tf32": "float32 with TF32", "float64": "float64"}


def render(content: Document) -> str:
    """The whole text."""
    lines = [WARNING.format(content["meaningless"]), ""] if content["meaningless"] else []
    lines += [*machine(content), ""]
    for title, rows in tables(content):
        if len(rows) > 1:
            lines += [f"## {title}", "", *aligned(rows), ""]
    if reasons := missing(content):
        lines += ["## not measured", "", *(f"{what}: {why}" for what, why in reasons), ""]
    return "\n".join(lines)


def aligned(rows: Iterable[Iterable[str]]) -> list[str]:
    """Columns as wide as they have to be, the first to the left."""
    table = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return lines


def machine(content: Document) -> list[str]:
    """What it was measured on."""
    known = results.facts(content)
    lines = [results.where(content)]
    for title in ("smi", "commit"):
        if known.get(title):
            lines.append(f"{title}: " + ", ".join(f"{name} {value}" for name, value in known[title].items()))
    names = ("major", "minor", "multiProcessorCount", "totalGlobalMem", "driver", "runtime", "cublas", "cores")
    lines.append(", ".join(f"{name} {known[name]}" for name in names if name in known))
    return lines


def duration(seconds: float) -> str:
    """In the unit that suits it."""
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def tables(content: Document) -> Iterator[tuple[str, list[list[str]]]]:
    """A title and rows for each, the first row the header."""
    yield "ceilings", ceilings(content)
    for precision in PRECISIONS:
        title = f"steps, {PRECISION_WORDS[precision]}"
        yield f"{title}: device until done, host until return, ratio to the products", steps(content, precision)
    for kind in ("members", "fit", "predict"):
        yield kind, others(content, kind)
    yield "kernels of nnxp's step, under a profiler, which lengthens the gaps", kernels(content)


def of_kind(content: Document, kind: str) -> list[Row]:
    """The rows with figures."""
    return [row for row in content["rows"] if row["kind"] == kind and (results.worked(row) or "busy" in row)]


def ceilings(content: Document) -> list[list[str]]:
    lines = [["", "precision", "rate", "median", "min"]]
    for row in of_kind(content, "ceilings"):
        if "bytes_a_second" in row:
            rate = f"{row['bytes_a_second'] / 1e9:.4g} GB/s read and written"
        else:
            rate = f"{row['operations_a_second'] / 1e12:.4g} TFLOP/s"
        times = [duration(row["device"][key]) for key in ("median", "min")]
        lines.append([row["case"], row["precision"], rate, *times])
    return lines


def steps(content: Document, precision: str) -> list[list[str]]:
    """All contenders at each size. Who did other work is shown its losses and no time."""
    lines = [["", "clock", "device", "min", "host", "ratio", "first loss", "loss", "first step"]]
    cases = list(dict.fromkeys([case.name for case in CASES] + [row["case"] for row in of_kind(content, "step")]))
    for case in cases:
        for name in TITLES:
            row = results.find(content, kind="step", case=case, precision=precision, contender=name)
            if row is None:
                continue
            figures = [row["clock"], *(duration(row["device"][key]) for key in ("median", "min"))]
            ratio = results.ratio(content, case, precision, name)
            figures += [duration(row["host"]["median"]), f"{ratio:.2f}" if ratio else ""]
            if not row.get("agrees", True):
                figures = ["other work", "", "", "", ""]
            losses = [f"{row[key]:.6g}" if key in row else "" for key in ("first", "loss")]
            took = duration(row["first_seconds"]) if "first_seconds" in row else ""
            lines.append([f"{case}: {TITLES[name]}", *figures, *losses, took])
    return lines


def others(content: Document, kind: str) -> list[list[str]]:
    lines = [["", "clock", "median", "min", "host", "first", "last"]]
    for row in of_kind(content, kind):
        numbers = [f"{row[key]:.6g}" if key in row else "" for key in ("first", "loss")]
        host = duration(row["host"]["median"]) if "host" in row else ""
        times = [duration(row["device"][key]) for key in ("median", "min")]
        lines.append([f"{row['case']}: {TITLES[row['contender']]}", row["clock"], *times, host, *numbers])
    return lines


def kernels(content: Document) -> list[list[str]]:
    lines = [["", "launches", "busy", "gaps"]]
    for row in of_kind(content, "kernels"):
        lines.append([row["case"], f"{row['launches']:g}", duration(row["busy"]), duration(row["gaps"])])
        for kernel in row["kernels"]:
            lines.append([f"    {kernel['name'][:60]}", f"{kernel['launches']:g}", duration(kernel["seconds"]), ""])
    return lines


def missing(content: Document) -> list[tuple[str, str]]:
    """What has no figures, and why."""
    names = ("kind", "contender", "precision", "case")
    rows = [row for row in content["rows"] if "reason" in row]
    return [(" ".join(dict.fromkeys(row[name] for name in names if name in row)), row["reason"]) for row in rows]
