"""One contender in a process of its own: `python -m benchmarks.peers.serve NAME` answers each line of its standard
input, a JSON command, with a line of JSON. Between lines it waits, and its caller stops it (SIGSTOP).

A contender is a module of this folder with a function for each of `step`, `epoch` and `predict` that it can do.
Given a `Problem` (arrays, initial weights, learning rate), it returns `run(k)`, which does the work k times,
waits until it is finished and returns the last loss, or for `predict` the last probabilities. `PACKAGES` names what
it is measured with, `WITHOUT` the reasons for what it does not do.
"""

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any

from benchmarks import machine
from benchmarks.problems import Case, Problem


def clocked(run: Any, count: int) -> dict[str, Any]:
    """Seconds of the wall and of all processors for one of `count`, and the last result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run(count)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"seconds": wall / count, "cores": cpu / wall, "result": result}


def prepare(module: Any, command: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The work, with its first result, how long that took (compilation and all) and the least that it takes from then
    on: TinyJit captures the second call, so that the third is the first to tell."""
    problem = Problem(Case(**command["case"] | {"widths": tuple(command["case"]["widths"])}), rows=command["rows"])
    run = getattr(module, command["kind"])(problem)
    first = clocked(run, 1)
    run(1)
    seconds = [clocked(run, 1)["seconds"]]
    while len(seconds) < command["tries"] and sum(seconds) < 0.3:
        seconds.append(clocked(run, 1)["seconds"])
    return run, {"first": first["result"], "first_seconds": first["seconds"], "seconds": min(seconds)}


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content, default=_plain), file=answers, flush=True)

    try:
        module = importlib.import_module(f"benchmarks.peers.{name}")
        kinds = [kind for kind in ("step", "epoch", "predict") if hasattr(module, kind)]
        without = getattr(module, "WITHOUT", {})
        answer({"versions": machine.versions(*module.PACKAGES), "kinds": kinds, "without": without})
    except Exception as error:
        answer({"reason": f"{type(error).__name__}: {error}"})
        return
    run: Any = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "prepare":
                run, told = prepare(module, command)
                answer(told)
            elif command["do"] == "round":
                if command["count"] > 10:
                    run(command["count"] // 10)  # caches are cold after the others' turns
                answer(clocked(run, command["count"]))
            else:
                run = None
                answer({})
        except Exception as error:
            traceback.print_exc()
            answer({"reason": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"})


def _plain(value: Any) -> Any:
    """Arrays and scalars of every library as Python's lists and numbers."""
    return value.tolist()


if __name__ == "__main__":
    main(sys.argv[1])
