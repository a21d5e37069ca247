"""The tests that need a GPU, in parts that end in time: `python -m tests.campaigns.on_gpu --out DIR --minutes 10`.

`nnxp doctor --json` comes first, which also has CuPy compile what every training needs and keep it; then the folders of
`tests/`, those that are about the device before the rest. Each part is a process with a limit of its own, writes what
it said into DIR and is a line of the summary, whatever becomes of it. Nothing is installed: what a test needs and does
not find, it says.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST = ("backends", "kernels", "training", "layers", "losses", "optimizers")
"""The folders that say most about a device."""
DOCTOR = 0.25
"""The share of the time that doctor may take, where kernels are compiled for the first time."""


def parts() -> list[str]:
    """The folders and modules of tests, in the order in which they are run."""
    tests = ROOT / "tests"
    found = {path.name for path in tests.iterdir() if any(path.glob("test_*.py")) or path.name.startswith("test_")}
    return [*FIRST, *sorted(found - {*FIRST, "hostcuda", "project"})]


def run(name: str, command: list[str], out: Path, limit: float) -> tuple[str, str, float]:
    """Runs a part; its name, what became of it in a few words, and its seconds."""
    begin, log = time.monotonic(), out / f"{name.removesuffix('.py')}.log"
    env = {"NNXP_TEST_BACKENDS": "cupy"} | os.environ
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            said = f"exit code {process.wait(limit)}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what it started, too: nothing is to hold the device
            process.wait()
            said = f"stopped after {limit:.0f} s"
    told = re.findall(r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s", log.read_text("utf-8", "replace"), re.MULTILINE)
    return name, f"{told[-1]}, {said}" if told else said, time.monotonic() - begin


def main() -> int:
    """Prints a line a part; 0 where all passed, and some test ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", nargs="*", choices=["doctor", *parts()], metavar="PART", help="some parts")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * args.minutes
    doctor = [sys.executable, "-m", "nnxp", "doctor", "--backend", "cupy", "--json"]
    pytest = [sys.executable, "-m", "pytest", "-q", "-m", "gpu"]
    jobs = {"doctor": doctor} | {name: [*pytest, f"tests/{name}"] for name in parts()}
    good, ran = True, False
    for name, command in jobs.items():
        if args.only and name not in args.only:
            continue
        left = end - time.monotonic()
        if left < 1:
            row = (name, "no time was left", 0.0)
        else:
            row = run(name, command, args.out, left * DOCTOR if name == "doctor" else left)
        ran = ran or " passed" in row[1] or (name == "doctor" and row[1] == "exit code 0")
        good = good and row[1].endswith(("exit code 0", "exit code 5"))  # 5: no test of it needs a GPU
        print(f"{row[0]:28s} {row[2]:6.1f} s  {row[1]}", flush=True)
    if not ran:
        print("no test ran: is there a GPU? nnxp doctor says what is missing")
    return 0 if good and ran else 1


if __name__ == "__main__":
    sys.exit(main())
