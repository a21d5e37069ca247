"""Every emitter on thousands of random formulas, against the formula as it stands.

The operations are the same, so the results are, bit for bit: division by a number, which becomes a product,
is by powers of two here.
"""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnxp.kernels import fuse, numba_fusion
from nnxp.kernels.fusion import _expansions
from nnxp.kernels.graph import trace
from nnxp.kernels.libraries import library_for
from tests.helpers import fuzz

BATCHES = range(10)
PER_BATCH = 300


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several blocks for a small array, and no warning of what NaN and infinity give."""
    monkeypatch.setattr(library_for(np), "block", 16)
    with np.errstate(all="ignore"):
        yield


def several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def copies(case: fuzz.Case) -> list[Any]:
    """The arguments, in memory of their own laid out as theirs."""
    return [a.copy(order="K") if isinstance(a, np.ndarray) else a for a in case.arguments]


def expected(case: fuzz.Case) -> list[Any]:
    """The formula as it stands. (What comes back as it came in is copied.)"""
    return [np.broadcast_to(r, fuzz.SHAPE).copy() for r in several(case.formula(*copies(case)))]


def check(case: fuzz.Case, kernel: Any, out: bool) -> None:
    """The results of a kernel, where they belong, and the inputs unchanged that are not overwritten."""
    told, arguments, names = str(case), copies(case), list(case.annotations)
    names = case.source[6 : case.source.index(")")].split(", ")
    names = [n.partition(":")[0] for n in names]
    wanted = expected(case)
    if case.into:
        got = several(kernel(*arguments))
        for result, name in zip(got, case.into, strict=True):
            assert result is arguments[names.index(name)], told
    elif out:
        outs = tuple(np.empty(fuzz.SHAPE, w.dtype) for w in wanted)
        got = several(kernel(*arguments, out=outs if len(outs) > 1 else outs[0]))
        assert all(a is b for a, b in zip(got, outs, strict=True)), told
    else:
        got = several(kernel(*arguments))
    for result, want in zip(got, wanted, strict=True):
        fuzz.same(result, want, told)
    for name, after, before in zip(names, arguments, case.arguments, strict=True):
        if name not in case.into:
            fuzz.same(after, before, told)


@pytest.mark.long
@pytest.mark.parametrize("batch", BATCHES)
def test_the_register_machine(batch: int) -> None:
    for seed in range(batch * PER_BATCH, (batch + 1) * PER_BATCH):
        case = fuzz.case(seed, integers=seed % 4 == 0)
        if seed % 5 == 0:
            library_for(np).block = 1 << 17  # at once
        elif seed % 5 == 1:
            library_for(np).block = 16
        kernel = fuse(case.formula, np, case.into)
        check(case, kernel, out=seed % 3 > 0)
        if not case.into:
            check(case, kernel, out=seed % 3 == 0)


def interpreted(case: fuzz.Case) -> Any:
    """The loop that numba would compile, run by Python on NumPy's scalars."""
    graph = trace(case.formula, {}, _expansions(np, None))
    if not numba_fusion.compilable(graph):
        return None
    names = [p.value for p in graph.parameters]
    single = [n for n, a in zip(names, case.arguments, strict=True) if n in ("row", "column") and a.size == 1]
    flat = not any(n in names and n not in single for n in ("row", "column"))
    text = numba_fusion.loop_source(graph, case.into, False, case.kind, single, flat)
    scope: dict[str, Any] = {"__name__": "loop"}
    exec(text, scope)
    scope["math"] = SimpleNamespace(sqrt=np.sqrt, inf=math.inf, nan=math.nan)
    arrays = [i for i, p in enumerate(graph.parameters) if not p.scalar]
    kinds = [bool if o.boolean else case.kind for o in graph.outputs]

    def kernel(*arguments: Any, out: Any = None) -> Any:
        outs = () if case.into else several(out) if out is not None else tuple(np.empty(fuzz.SHAPE, k) for k in kinds)
        numbers = [np.float64(a) if isinstance(a, float) else a for i, a in enumerate(arguments) if i not in arrays]
        scope[graph.name](*(arguments[i] for i in arrays), *outs, *numbers)
        results = tuple(arguments[names.index(name)] for name in case.into) or outs
        return results if len(results) > 1 else results[0]

    return kernel


@pytest.mark.long
@pytest.mark.parametrize("batch", BATCHES)
def test_the_source_of_compiled_loops(batch: int) -> None:
    found = 0
    for seed in range(batch * PER_BATCH, (batch + 1) * PER_BATCH):
        case = fuzz.case(seed, integers=seed % 4 == 0, words=fuzz.EXACT + fuzz.ROUNDED, contiguous=True)
        kernel = interpreted(case)
        if kernel is not None:
            found += 1
            check(case, kernel, out=seed % 3 > 0)
    assert found > 0.8 * PER_BATCH


def test_compiled_loops() -> None:
    """The machine code has the same bits: nothing is contracted or reordered."""
    pytest.importorskip("numba", reason="numba is the extra `fast`: pip install nnxp[fast]")
    for seed in range(16):
        case = fuzz.case(seed, integers=seed % 4 == 0, words=fuzz.EXACT + fuzz.ROUNDED, contiguous=True)
        check(case, fuse(case.formula, np, case.into, fast=True), out=seed % 3 > 0)


@pytest.mark.parametrize("batch", BATCHES)
def test_whole_tensors(batch: int) -> None:
    """PyTorch's instructions; without the words whose last bit is not NumPy's."""
    torch = pytest.importorskip("torch", reason="PyTorch is the extra `torch`: pip install nnxp[torch]")
    xp = pytest.importorskip("array_api_compat.torch")
    for seed in range(batch * PER_BATCH, batch * PER_BATCH + PER_BATCH // 3):
        case = fuzz.case(seed, integers=seed % 4 == 0, words=fuzz.EXACT)
        kernel = fuse(case.formula, xp, case.into)

        def on_torch(*arguments: Any, out: Any = None, kernel: Any = kernel) -> Any:
            tensors = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments]
            outs = None if out is None else tuple(torch.from_numpy(o) for o in several(out))
            keywords = {} if out is None else {"out": outs if isinstance(out, tuple) else outs[0]}
            results = several(kernel(*tensors, **keywords))
            if out is not None:
                return out
            back = []
            for result in results:
                own = [a for a, t in zip(arguments, tensors, strict=True) if t is result]
                back.append(own[0] if own else result.numpy())
            return tuple(back) if len(back) > 1 else back[0]

        check(case, on_torch, out=seed % 3 > 0)


def test_straight_lines() -> None:
    """Any namespace: array-api-strict's."""
    strict = pytest.importorskip("array_api_strict")
    for seed in range(0, PER_BATCH):
        case = fuzz.case(seed, integers=seed % 4 == 0)
        arguments = [strict.asarray(a) if isinstance(a, np.ndarray) else a for a in copies(case)]
        got = several(fuse(case.formula, strict)(*arguments))
        for result, want in zip(got, expected(case), strict=True):
            fuzz.same(np.broadcast_to(np.from_dlpack(result), fuzz.SHAPE), want, str(case))
