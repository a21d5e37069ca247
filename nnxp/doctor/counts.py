"""What one training step costs besides its arithmetic, where it can be counted.

| library | allocations | launches | waits for the device |
|---|---|---|---|
| NumPy | the most bytes held at once (`tracemalloc`) | | |
| CuPy | of its pool (`cupy.cuda.MemoryHook`) | not counted: only a profiler can | whether there is one, see `_waits` |
| PyTorch | results with new memory, seen by its dispatcher | its operations | operations that read a value |
"""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.backends import Backend
from nnxp.doctor.proofs import network, problem

SIZES = (64, 48, 32, 10)
BATCH = 64
BUSY_CYCLES = 1 << 28
"""A tenth of a second, or more, on a GPU of at most 2.6 GHz; a step is launched in a hundredth."""

Step = Callable[[], Any]


def counts(backend: Backend) -> dict[str, Any]:
    """The counts of the third step of a model; None for what is not counted."""
    model = network(SIZES, backend)
    X, labels = problem(BATCH, SIZES[0], SIZES[-1])
    x, y = backend.asarray(X, dtype="float32"), backend.asarray(labels, dtype="int64")

    def step() -> Any:
        return model.train_step(x, y)

    step(), step()  # memory is taken and kernels are built
    backend.synchronize()
    found: dict[str, Any] = {"allocations": None, "launches": None, "operations": None, "synchronisations": None}
    count = {"numpy": _numpy, "cupy": _cupy, "torch": _torch}.get(backend.library, _none)
    with backend.context():
        return found | count(step)


def _none(step: Step) -> dict[str, Any]:
    return {"how": "not counted: the library has no means for it"}


def _numpy(step: Step) -> dict[str, Any]:
    tracemalloc.start()
    try:
        step()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        kept = step()
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    del kept
    return {"peak_bytes": peak, "how": "peak_bytes: tracemalloc, the most held at once above what was held before"}


def _cupy(step: Step) -> dict[str, Any]:
    import cupy

    class Allocations(cupy.cuda.MemoryHook):  # type: ignore[misc]
        """Counts what the pool hands out."""

        name, count = "nnxp doctor", 0

        def malloc_postprocess(self, **kwargs: Any) -> None:
            self.count += 1

    allocations = Allocations()
    with allocations:
        kept = step()
    del kept
    waits, how = _waits(cupy, step)
    return {
        "allocations": allocations.count,
        "synchronisations": waits,
        "how": f"allocations: CuPy's memory hook, the loss that is returned among them; synchronisations: {how}; "
        "launches: not counted, only a profiler can",
    }


def _waits(cupy: Any, step: Step) -> tuple[int | None, str]:
    """Whether a step waits for the device: behind a kernel that keeps it busy, a step that waits for nothing returns
    before that kernel is done."""
    try:
        busy = cupy.RawKernel(BUSY, "nnxp_busy")
        busy((1,), (1,), (np.int32(1),))
        cupy.cuda.get_current_stream().synchronize()  # compiled and loaded
        idle, done = cupy.cuda.Event(), cupy.cuda.Event()
        busy((1,), (1,), (np.int32(BUSY_CYCLES),))
        idle.record()
        at_once = bool(idle.done)
        step()
        waited = bool(idle.done)
        done.record()
        done.synchronize()
    except Exception as error:
        return None, f"not counted ({type(error).__name__})"
    if at_once:
        return None, "not counted: this device works in step with the host"
    if waited:
        return 1, "at least 1: the step returned after the work before it was done"
    return 0, "the step returned while the work before it was still running"


BUSY = r"""
extern "C" __global__ void nnxp_busy(const int cycles) {
    const long long start = clock64();
    while (clock64() - start < cycles) { }
}
"""


def _torch(step: Step) -> dict[str, Any]:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    def storages(*values: Any) -> set[int]:
        return {t.untyped_storage().data_ptr() for t in tree_leaves(values) if isinstance(t, torch.Tensor)}

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        """Sees each operation that PyTorch runs."""

        operations = made = waits = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            before = storages(args, kwargs)
            result = func(*args, **(kwargs or {}))
            self.operations += 1
            self.waits += any(word in str(func) for word in READING)
            self.made += len(storages(result) - before)
            return result

    with Watch() as watch:
        kept = step()
    del kept
    return {
        "allocations": watch.made,
        "operations": watch.operations,
        "synchronisations": watch.waits,
        "how": "PyTorch's dispatcher: its operations, results in new memory, operations that read a value",
    }


READING = ("local_scalar", "nonzero")
"""Operations that hand a value, or a size that depends on values, to the host."""
