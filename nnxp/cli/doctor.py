"""`nnxp doctor`: what this machine can run, as a table to read and to paste into an issue, or as JSON."""

import argparse
import json
import sys
from typing import Any

from nnxp import doctor
from nnxp.cli.parser import UsageError
from nnxp.doctor.proofs import STEPS
from nnxp.doctor.verdict import FAILED, MISSING, PASSED, Check, Row
from nnxp.printing import is_terminal, print_table

HEADER = ("backend", "device", "gradients", "float32", "float64", "counts", "ms", "NumPy's", "pays from")


def run(args: argparse.Namespace) -> int:
    """Examines and prints; the exit code is 0 where all is well."""
    if args.communicator is not None:
        return _run_together(args)
    names = list(dict.fromkeys(args.backend or ()))
    report = doctor.examine(names, _progress if is_terminal(sys.stderr) else lambda name: None)
    if args.json:
        print(json.dumps(report, allow_nan=False))
    else:
        print_report(report)
    return 0 if report["passed"] else 1


def _run_together(args: argparse.Namespace) -> int:
    """Of a launcher's processes: what they are to each other."""
    from nnxp.doctor import processes

    if args.backend:
        raise UsageError("got --backend on several processes, expected it on one: they are examined on NumPy")
    report = processes.examine(args.communicator)
    if args.communicator.rank == 0 and args.json:
        print(json.dumps(report, allow_nan=False))
    elif args.communicator.rank == 0:
        print_together(report)
    return 0


def print_together(report: dict[str, Any]) -> None:
    """The report of several processes for people."""
    several = report["processes"]
    hosts = len({one["host"] for one in several})
    print(
        f"{len(several)} processes on {hosts} host{'s' if hosts > 1 else ''}: {report['mpi']}, "
        f"mpi4py {report['mpi4py']}"
    )
    rows = [
        [one["rank"], one["host"], f"{_cores(one['cores'])} of {one['of']}", one["blas_threads"]] for one in several
    ]
    print_table(("process", "host", "cores", "BLAS's threads"), [[str(cell) for cell in row] for row in rows])
    sums = [(4 * one["numbers"], one["seconds"]) for one in report["sums"]]
    cells = [(f"{size / 1e6:g}", f"{1000 * s:.3g}", f"{size / 1e6 / s:.0f}") for size, s in sums]
    print_table(("MB added up", "ms", "MB/s"), cells)
    steps = [(one["width"], one["alone"], one["together"]) for one in report["steps"]]
    made = [(str(w), f"{1000 * a:.3g}", f"{1000 * t:.3g}", f"{a / t:.2f}") for w, a, t in steps]
    print_table(("width", "ms alone", "ms together", "times as fast"), made)
    print(f"width: of a step of width-width-width-10 on {report['rows']} rows, alone on one process, and on all")
    if report["pays_from"]:
        print(f"{len(several)} processes pay from width {report['pays_from']} on")
    else:
        print(f"{len(several)} processes pay at none of these widths: train on fewer, or larger batches")


def _cores(cores: list[int]) -> str:
    """0-3,8 of [0, 1, 2, 3, 8]."""
    starts = [core for core in cores if core - 1 not in cores]
    stops = [core for core in cores if core + 1 not in cores]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, stops, strict=True))


def _progress(name: str) -> None:
    print(f"examining {name} ...", file=sys.stderr, flush=True)


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    rows = [Row.of(document) for document in report["backends"]]
    print(f"nnxp {report['nnxp']}, Python {report['python']}, NumPy {report['numpy']} with {report['blas']}")
    variables = [f"{name}={value}" for name, value in report["environment"].items()]
    print(", ".join([report["platform"], f"{report['cores']} cores", *variables]))
    print(f"BLAS's threads: {report['blas_threads']}")
    there = [row for row in rows if row.status != MISSING]
    if there:
        print_table(HEADER, [_cells(row) for row in there])
    _print_legend(there)
    for name, versions in {row.name.partition(":")[0]: row.versions for row in there if row.versions}.items():
        print(f"{name}: {', '.join(f'{what} {version}' for what, version in versions.items())}")
    for row in rows:
        for note in row.notes:
            print(f"{row.name}: note: {note}")
    for row in rows:
        if row.status == MISSING:
            print(row.error)
        elif row.status == FAILED:
            print(f"{row.name} FAILED: {row.error}")
    print(_verdict(report, rows))


def _cells(row: Row) -> list[str]:
    if row.gradients is None and row.status == FAILED:
        return [row.name, _device(row.device), FAILED.upper(), *[""] * (len(HEADER) - 3)]
    return [
        row.name,
        _device(row.device),
        _check(row.gradients),
        _check(row.training.get("float32")),
        _check(row.training.get("float64")),
        _counts(row.counts),
        _milliseconds(row.timing, "step_seconds"),
        _milliseconds(row.timing, "numpy_seconds"),
        _pays(row.timing),
    ]


def _device(device: dict[str, Any]) -> str:
    text = str(device.get("name", "none"))
    if "compute_capability" in device:
        text += f" ({device['compute_capability']})"
    if "memory_bytes" in device:
        text += f", {device['memory_bytes'] / 2**30:.0f} GiB"
    return text


def _check(check: Check | None) -> str:
    if check is None:
        return "not run"
    return ("ok" if check.passed else FAILED.upper()) + (f" {check.error:.0e}" if check.error is not None else "")


def _counts(counts: dict[str, Any]) -> str:
    names = {
        "launches": "launches",
        "operations": "operations",
        "allocations": "allocations",
        "waits": "synchronisations",
    }
    texts = [f"{what} {counts[key]}" for what, key in names.items() if counts.get(key) is not None]
    if "peak_bytes" in counts:
        texts.append(f"{counts['peak_bytes'] / 1000:.0f} kB")
    return ", ".join(texts) or "none known"


def _milliseconds(timing: dict[str, Any], key: str) -> str:
    return f"{1000 * timing[key]:.3g}" if timing else ""


def _pays(timing: dict[str, Any]) -> str:
    if "pays_from" not in timing:
        return ""
    return str(timing["pays_from"] or f"none up to {timing['pays_up_to']}")


def _print_legend(rows: list[Row]) -> None:
    """What the columns mean, with the tolerances of the proofs."""
    row = next((row for row in rows if row.gradients), None)
    if row is None or row.gradients is None:
        return
    allowed = " and ".join(f"{check.tolerance:.1e} in {dtype}" for dtype, check in row.training.items())
    print(f"gradients: worst error against difference quotients, {row.gradients.tolerance:g} allowed")
    if allowed:
        print(
            f"float32, float64: {STEPS} training steps, relative difference of the loss to NumPy's, {allowed} allowed"
        )
    print("counts: of one training step, as far as they can be had; kB: the most that NumPy allocates at once")
    if row.timing:
        layers, size = "-".join(map(str, row.timing["layers"])), row.timing["batch_size"]
        print(f"ms: a step of {layers} on {size} rows, and {row.timing['numpy']}'s in turn with it")
        if any("pays_from" in row.timing for row in rows):
            print("pays from: the rows of a batch from which the device is faster than NumPy")


def _verdict(report: dict[str, Any], rows: list[Row]) -> str:
    passed = sum(row.status == PASSED for row in rows)
    failed = [row.name for row in rows if row.status == FAILED]
    text = f"{passed} passed" + (f", {len(failed)} FAILED ({', '.join(failed)})" if failed else "")
    return f"{text}; {report['seconds']:g} s"
