"""A step of TabM beside PyPI's `tabm` on PyTorch, on one thread: `python -m benchmarks.tabm_step --out FILE.json`.

It takes `tabm==0.0.3` and PyTorch, and NumPy with numba for nnxp's. All do the same: 32 members of three shared layers,
dropout 0.1, cross-entropy, AdamW, gradients clipped to a norm of 1. Turns go round, so that what else the machine does
falls on all; a turn is a step, and its time the processor's.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

MEMBERS, CLASSES, BLOCKS = 32, 2, 3


def ours(X: Any, y: Any, width: int) -> Callable[[], Any]:
    """nnxp's bound step."""
    import nnxp
    from nnxp import Dense, Dropout, ReLU, Sequential

    layers: list[Any] = []
    for n_in in (X.shape[1], *[width] * (BLOCKS - 1)):
        layers += [Dense(n_in, width), ReLU(), Dropout(0.1)]
    optimizer = nnxp.AdamW(2e-3, weight_decay=3e-4, clip_norm=1.0, epsilon=1e-8)
    layers += [Dense(width, CLASSES), "softmax"]
    model = Sequential(
        layers, "categorical_crossentropy", optimizer, members=MEMBERS, shared=True, seed=0, backend="numpy"
    )
    return lambda: model.train_step(X, y)


def theirs(X: Any, y: Any, width: int, compiled: bool) -> Callable[[], Any]:
    """The step of the package's own example."""
    import tabm  # type: ignore[import-not-found]
    import torch

    torch.set_num_threads(1)
    model = tabm.TabM.make(
        n_num_features=X.shape[1], d_out=CLASSES, k=MEMBERS, n_blocks=BLOCKS, d_block=width, dropout=0.1
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=3e-4)
    x, labels = torch.tensor(X), torch.tensor(y)
    outputs = torch.compile(model) if compiled else model

    def step() -> Any:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(outputs(x).flatten(0, 1), labels.repeat_interleave(MEMBERS))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return step


def products(X: Any, width: int) -> Callable[[], Any]:
    """The products of a step alone, NumPy's."""
    rows, n_in = MEMBERS * X.shape[0], X.shape[1]
    x, u = (np.ones((rows, n_in), X.dtype) for _ in range(2))
    h, dh, out = (np.ones((rows, width), X.dtype) for _ in range(3))
    first, dfirst = (np.ones((n_in, width), X.dtype) for _ in range(2))
    W, dW = (np.ones((width, width), X.dtype) for _ in range(2))

    def step() -> None:
        for inputs, weights, dweights, dinputs in ((x, first, dfirst, u), *[(h, W, dW, out)] * (BLOCKS - 1)):
            np.matmul(inputs, weights, out=out)
            np.matmul(inputs.T, dh, out=dweights)
            np.matmul(dh, weights.T, out=dinputs)

    return step


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--features", type=int, default=20)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(args.batch, args.features)).astype(np.float32)
    y = rng.integers(0, CLASSES, args.batch)
    steps = {"nnxp": ours(X, y, args.width), "products alone, NumPy": products(X, args.width)}
    failed: dict[str, str] = {}
    for name, compiled in (("tabm", False), ("tabm, compiled", True)):
        try:
            step = theirs(X, y, args.width, compiled)
            step()
            steps[name] = step
        except Exception as error:  # no compiler, say
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0]:.120}"
    for step in steps.values():
        for _ in range(2):
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(args.rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            times[name].append(time.process_time() - start)
    medians = {name: statistics.median(found) for name, found in times.items()}
    ratios = {
        name: statistics.median(a / b for a, b in zip(times["nnxp"], found, strict=True))
        for name, found in times.items()
    }
    for name, median in medians.items():
        print(f"{name:24} {1e3 * median:9.1f} ms   nnxp to it {ratios[name]:.2f}")
    for name, why in failed.items():
        print(f"{name:24} failed: {why}")
    if args.out:
        found = {"seconds": medians, "least": {n: min(t) for n, t in times.items()}, "nnxp to it": ratios}
        told = {"arguments": vars(args), "machine": platform.processor(), "failed": failed}
        with open(args.out, "w", encoding="utf-8") as file:
            json.dump({**told, **found}, file, indent=1)


if __name__ == "__main__":
    main()
