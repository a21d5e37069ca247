"""What a second process gains: the samples per second of two processes to those of one, each on one thread.

`python -m benchmarks.distributed` needs mpi4py and an `mpirun`; PyTorch's DistributedDataParallel on gloo runs beside,
where PyTorch is installed. It starts each contender, with one process and with two, in turn, round after round, until
`--seconds` for each case are over (at least one round): Adam, the same initial weights, the same batches. The losses of
the first and the last step are printed: the work was equal if they agree. Run it on a machine of two cores or more that
does nothing else.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
STEPS = 5
"""Of a start, of which the first is not counted: memory is taken, kernels are compiled or loaded."""


class Case(NamedTuple):
    rows: int
    widths: tuple[int, ...]


CASES = {
    "1024, 4096-4096-4096-10": Case(1024, (4096, 4096, 4096, 10)),
    "256, 1024-2048-2048-1000": Case(256, (1024, 2048, 2048, 1000)),
}
CONTENDERS = ("nnxp fast", "nnxp numpy", "nnxp fast, reproducible", "torch")


# --- a process that trains ---------------------------------------------------------------------------


def data(case: Case) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(case.rows * STEPS, case.widths[0])).astype(np.float32)
    return X, rng.integers(0, case.widths[-1], len(X))


def network(case: Case, **options: Any) -> Any:
    import nnxp

    layers: list[Any] = []
    for n_in, n_out in zip(case.widths, case.widths[1:], strict=False):
        layers += [nnxp.Dense(n_in, n_out), "relu"]
    layers[-1] = "softmax"
    return nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(1e-4), seed=0, **options)


def ours(case: Case, reproducible: bool) -> dict[str, Any]:
    """The seconds of each step of a fit, and its losses."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD if MPI.COMM_WORLD.Get_size() > 1 else None
    X, y = data(case)
    times, losses = [], []

    def step(state: Any) -> None:
        losses.append(state.loss)
        times.append(time.perf_counter())

    step.events = ("step",)  # type: ignore[attr-defined]
    model = network(case, communicator=world, reproducible=reproducible)
    model.fit(X, y, 1, case.rows, shuffle=False, callbacks=[step], progress=False)
    return {"seconds": np.diff(times).tolist(), "losses": losses, "rank": MPI.COMM_WORLD.Get_rank()}


def theirs(case: Case) -> dict[str, Any]:
    """The same of PyTorch's."""
    import torch
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    torch.set_num_threads(1)
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    X, y = data(case)
    start = network(case)
    layers: list[Any] = []
    for dense in start.layers[::2]:
        layer = torch.nn.Linear(dense.n_in, dense.n_out)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(dense.weights.T))
            layer.bias.copy_(torch.tensor(dense.biases[0]))
        layers += [layer, torch.nn.ReLU()]
    module: Any = torch.nn.Sequential(*layers[:-1])
    if size > 1:
        distributed.init_process_group("gloo")
        module = DistributedDataParallel(module, gradient_as_bucket_view=True)
    optimizer = torch.optim.Adam(module.parameters(), 1e-4, eps=1e-7, fused=True)
    x, labels = torch.tensor(X), torch.tensor(y)
    times, losses, few = [], [], case.rows // size
    for batch in range(STEPS):
        place = slice(batch * case.rows + rank * few, batch * case.rows + (rank + 1) * few)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x[place]), labels[place])
        loss.backward()
        optimizer.step()
        mean = loss.detach() / size
        if size > 1:
            distributed.all_reduce(mean)
        losses.append(float(mean))
        times.append(time.perf_counter())
    if size > 1:
        distributed.destroy_process_group()
    return {"seconds": np.diff(times).tolist(), "losses": losses, "rank": rank}


# --- who starts them ---------------------------------------------------------------------------------


def start(contender: str, case: str, processes: int) -> dict[str, Any]:
    """What the first of so many processes found."""
    words = [sys.executable, "-m", "benchmarks.distributed", "--worker", contender, case]
    fast = "1" if "fast" in contender else "0"
    env = {**os.environ, "OMP_NUM_THREADS": "1", "NNXP_FAST": fast, "PYTHONPATH": str(ROOT)}
    if contender == "torch":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(processes)}
        commands = [(words, env | {"RANK": str(rank)}) for rank in range(processes)]
    else:
        commands = [(words if processes == 1 else [*mpirun(), "-n", str(processes), *words], env)]
    started = [
        subprocess.Popen(command, env=own, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command, own in commands
    ]
    said = [one.communicate(timeout=600) for one in started]
    if any(one.returncode for one in started):
        raise RuntimeError(f"{contender} on {processes} processes fails: {said[0][1][-2000:]}")
    found: dict[str, Any] = json.loads(said[0][0])
    return found


def mpirun() -> list[str]:
    """The launcher beside this Python, or that of the system."""
    found = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        raise SystemExit("needs mpirun: pip install mpi4py mpich")
    maker = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    return [found, *(["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in maker else [])]


def compare(name: str, contenders: list[str], seconds: float) -> dict[str, dict[int, float]]:
    """Prints a case: the median seconds of a step of each contender, by the number of processes, in turn."""
    times: dict[tuple[str, int], list[float]] = {(one, n): [] for one in contenders for n in (1, 2)}
    losses: dict[tuple[str, int], list[float]] = {}
    end, rounds = time.monotonic() + seconds, 0
    while not rounds or time.monotonic() < end:
        for one, n in times:
            found = start(one, name, n)
            times[one, n] += found["seconds"]
            losses[one, n] = found["losses"]
        rounds += 1
    print(f"{name}: {rounds} rounds of {STEPS - 1} steps, one thread a process")
    print(f"  {'':24} {'1 process':>10} {'2 processes':>12} {'times':>6}   losses of the first and the last step")
    medians = {one: {n: statistics.median(times[one, n]) for n in (1, 2)} for one in contenders}
    for one, each in medians.items():
        ends = "; ".join(f"{losses[one, n][0]:.5f} {losses[one, n][-1]:.5f}" for n in (1, 2))
        spent = f"{1000 * each[1]:7.1f} ms {1000 * each[2]:9.1f} ms"
        print(f"  {one:24} {spent} {each[1] / each[2]:6.2f}   {ends}")
    if "torch" in medians:
        for one in contenders:
            if one != "torch":
                print(f"  {one} on 2 processes: {medians['torch'][2] / medians[one][2]:.2f} times as fast as PyTorch's")
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=240, help="for each case, about (%(default)s)")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"of {'; '.join(CONTENDERS)}, by ;")
    parser.add_argument("--cases", type=int, nargs="*", default=[0, 1], help="0, 1 or both")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        contender, case = args.worker
        run = theirs(CASES[case]) if contender == "torch" else ours(CASES[case], "reproducible" in contender)
        if run.pop("rank") == 0:
            print(json.dumps(run), flush=True)
        return
    contenders = args.only.split(";") if args.only else [*CONTENDERS]
    for package, name in (("torch", "torch"), ("numba", "nnxp fast"), ("numba", "nnxp fast, reproducible")):
        from importlib.util import find_spec

        if find_spec(package) is None and name in contenders:
            print(f"{name} is left out: {package} is not installed")
            contenders.remove(name)
    for number in args.cases:
        compare([*CASES][number], contenders, args.seconds)


if __name__ == "__main__":
    main()
