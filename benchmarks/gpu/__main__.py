"""nnxp on a GPU beside plain CuPy, PyTorch and JAX: `python -m benchmarks.gpu --out DIR --minutes 4`.

It writes DIR/gpu.json and DIR/gpu.txt, the table, after each part, and DIR/gpu.log, what the parts printed.
Needs NumPy, CuPy and array-api-compat; no network. What is not there, fails or hangs is a row with the reason.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.gpu import children, contenders, parts, results, text
from benchmarks.gpu.parts import Part

Command = Callable[[Part, float], Sequence[str]]


def command(small: bool) -> Command:
    """What is started for a part that should take some seconds; the file for its rows comes last."""

    def of(part: Part, seconds: float) -> list[str]:
        words = [part.kind, part.contender, part.precision, f"{seconds:.1f}", *(["--small"] if small else [])]
        return [sys.executable, "-m", "benchmarks.gpu.part", *words]

    return of


def environment(part: Part) -> dict[str, str]:
    """This process's, with what the part needs and without what would change everybody's precision."""
    here = {name: value for name, value in os.environ.items() if name != "NVIDIA_TF32_OVERRIDE"}
    return here | contenders.environment(part.contender, part.precision)


def run(
    todo: Sequence[Part], out: Path, seconds: float, meaningless: str | None, started_by: Command
) -> results.Document:
    """All parts in turn; the files are written after each."""
    begun = time.monotonic()
    rows: list[results.Row] = []
    content = results.document([], meaningless, budget=seconds)
    with (out / "gpu.log").open("w", encoding="utf-8") as log:
        for position, part in enumerate(todo):
            after, left = todo[position + 1 :], seconds - (time.monotonic() - begun)
            most = parts.limit(part, after, left)
            about = {"kind": part.kind, "contender": part.contender, "precision": part.precision}
            log.write(f"\n=== {part.name}\n")
            start = time.monotonic()
            found: list[results.Row] = []
            reason = "no time was left"
            if most >= 1:
                asked = started_by(part, parts.share(part, after, left))
                found, reason = children.run(asked, most, log, environment(part))
            if reason or not found:
                found.append(about | {"reason": reason or "it wrote nothing"})
            rows += found
            took = time.monotonic() - start
            content = results.document(rows, meaningless, budget=seconds, took=time.monotonic() - begun)
            results.save(out / "gpu.json", content)
            (out / "gpu.txt").write_text(text.render(content), encoding="utf-8")
            without = sum("reason" in row for row in found)
            print(f"{part.name:32} {took:6.1f} s  {len(found)} rows, {without} without figures", flush=True)
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder for gpu.json, gpu.txt and gpu.log")
    parser.add_argument("--minutes", type=float, default=4.0, help="for all of it (4)")
    parser.add_argument("--small", action="store_true", help="tiny sizes: does it run? On host memory always")
    parser.add_argument("--only", default="", help="parts whose names contain this, as in 'step nnxp'")
    options = parser.parse_args(arguments)
    on_host = contenders.on_host_memory()
    meaningless = results.HOST_MEMORY if on_host else results.SMALL if options.small else None
    todo = [part for part in parts.listed() if options.only in part.name]
    if not todo:
        parser.error(f"no part has {options.only!r} in its name: {', '.join(part.name for part in parts.listed())}")
    if not 0 < options.minutes < 24 * 60:
        parser.error(f"got --minutes {options.minutes:g}, expected a number above 0")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "gpu.log").touch()
    except OSError as error:
        parser.error(f"cannot write to {options.out}: {error.strerror}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the part that runs is ended, too
    started_by = command(small=options.small or on_host)
    content = run(todo, options.out, 60 * options.minutes, meaningless, started_by)
    print(text.render(content))
    return 0 if any("reason" not in row and row["case"] != "host" for row in content["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
