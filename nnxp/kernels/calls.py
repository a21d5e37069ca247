"""How a call is run once its arrays are known to suit: compiled, at once, or in blocks that fit the cache.

A runner is `(block, extra)`: `block(*arrays, *outs, *sums, *numbers, *extra)` computes, and keeps none of the
call's arrays.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nnxp.kernels.libraries import BITS, Library
from nnxp.kernels.lowering import Lowered
from nnxp.kernels.source import name
from nnxp.typing import Array

Block = Callable[..., Any]


@dataclass(frozen=True)
class Call:
    """The arrays of a call, which suit the kernel, and what they say."""

    arrays: tuple[Array, ...]
    outs: tuple[Array, ...]  # None for those that are to be made
    sums: Array
    numbers: list[int]  # which of the arrays are Python numbers
    shape: tuple[int, ...]
    kind: str


def loop(lowered: Lowered, call: Call) -> Block | None:
    """The compiled loop of a call like this one, which takes registers where it has any; None where there is none."""
    spread = _spread(lowered, call)
    flat = not spread and not lowered.column_sums
    if lowered.compiled is None or not _contiguous(lowered, call) or not (flat or len(call.shape) == 2):
        return None
    compiled: Block | None = lowered.compiled(call.kind, _types(lowered, call), flat, _alone(lowered, spread))
    return compiled


def runner(lowered: Lowered, call: Call) -> tuple[Block, tuple[Any, ...]] | None:
    """How to run a call like this one; None where it takes the formula itself."""
    library, like, contiguous = lowered.library, call.arrays[lowered.full[0]], _contiguous(lowered, call)
    spread = _spread(lowered, call)
    flat = not spread and not lowered.column_sums
    casts = functools.partial(_casts, lowered, call)
    extra: tuple[Any, ...] = ()
    block = loop(lowered, call)
    names = lowered.written[1] if block is None and lowered.program is not None else []
    names = names if block is None else lowered.compiled.registers
    registers = functools.partial(_registers, library, names, like, call.kind)
    few = library.block is None or math.prod(call.shape) <= library.block
    if block is not None:
        if few or not names:
            extra = registers(call.shape)
        else:
            block = _blocks(lowered, call, block, False, spread, registers, lambda shape: {})
    elif library.instructions is None:
        return None
    elif few:
        if library.block is None and not contiguous:
            return None
        block, extra = lowered.block, registers(call.shape)
        if cast := casts(call.shape):
            block = functools.partial(_with_casts, library, cast, block)
    elif (flat and contiguous) or len(call.shape) == 2:
        block = _blocks(lowered, call, lowered.block, flat and contiguous, spread, registers, casts)
    else:
        return None
    if call.numbers and not (lowered.compiled is not None and lowered.compiled.takes_numbers):
        block = functools.partial(_with_arrays, library, call.numbers, call.kind, lowered.full[0], block)
    if None in [out if out is None else 0 for out in call.outs]:
        kinds = ["bool" if node.boolean else call.kind for node in lowered.graph.outputs]
        block = functools.partial(_with_outs, library, len(lowered.arrays), call.shape, kinds, lowered.full[0], block)
    return block, extra


def _contiguous(lowered: Lowered, call: Call) -> bool:
    """Whether all of a call's arrays are."""
    arrays = [x for i, x in enumerate(call.arrays) if i not in call.numbers]
    written = [x for x in (*call.outs, *([call.sums] if lowered.column_sums else [])) if x is not None]
    return all(map(lowered.library.contiguous, (*arrays, *written)))


def _spread(lowered: Lowered, call: Call) -> list[int]:
    """The rows and columns that are more than one number."""
    return [i for i, p in enumerate(lowered.arrays) if p.shape != "full" and _size(call.arrays[i]) > 1]


def _size(x: Any) -> int:
    return 1 if isinstance(x, int | float) else math.prod(x.shape)


def _alone(lowered: Lowered, spread: list[int]) -> tuple[str, ...]:
    """The rows and columns that are one number."""
    return tuple(name(p) for i, p in enumerate(lowered.arrays) if p.shape != "full" and i not in spread)


def _types(lowered: Lowered, call: Call) -> tuple[tuple[str, int], ...]:
    """The type and number of dimensions of every array that a loop is given."""
    kinds, ndim = lowered.library.kinds, len(call.shape)
    number = "number" if lowered.compiled is not None and lowered.compiled.takes_numbers else call.kind
    inputs = [(number, 0) if i in call.numbers else (kinds[x.dtype], x.ndim) for i, x in enumerate(call.arrays)]
    outs = [("bool" if o.boolean else call.kind, ndim) for o in lowered.graph.outputs[: len(call.outs)]]
    return (*inputs, *outs, *([(call.kind, 2)] if lowered.column_sums else []))


def _registers(
    library: Library, names: Sequence[str], like: Array, kind: str, shape: tuple[int, ...]
) -> tuple[Any, ...]:
    """What a block of this shape takes after its other arguments."""
    take, bits = library.registers.take, library.dtype(BITS[kind])
    registers = []
    for register in names:
        if register == "bits":
            registers.append(bits)
        elif register.endswith("_bits"):
            registers.append(take(register.removesuffix("_bits"), shape, kind, like).view(bits))
        else:
            registers.append(take(register, shape, "bool" if register.startswith("b") else kind, like))
    return tuple(registers)


def _casts(lowered: Lowered, call: Call, shape: tuple[int, ...]) -> dict[int, Array]:
    """A register for each input that is of another type: bytes among floats."""
    library, like = lowered.library, call.arrays[lowered.full[0]]
    return {
        i: library.registers.take(f"cast{i}", shape, call.kind, like)
        for i in lowered.full
        if library.kinds[call.arrays[i].dtype] != call.kind and lowered.arrays[i] not in lowered.graph.conditions
    }


def _with_casts(library: Library, casts: dict[int, Array], block: Block, *values: Any) -> None:
    changed = list(values)
    for i, register in casts.items():
        library.copy(register, changed[i])
        changed[i] = register
    block(*changed)


def _with_arrays(library: Library, numbers: list[int], kind: str, like: int, block: Block, *values: Any) -> Any:
    changed = list(values)
    for i in numbers:
        changed[i] = library.number(changed[i], kind, values[like])
    return block(*changed)


def _with_outs(
    library: Library, at: int, shape: tuple[int, ...], kinds: Sequence[str], like: int, block: Block, *values: Any
) -> Any:
    outs = tuple(library.empty(shape, kind, values[like]) for kind in kinds)
    block(*values[:at], *outs, *values[at + len(outs) :])
    return outs if len(outs) > 1 else outs[0]


def _blocks(
    lowered: Lowered, call: Call, compute: Block, flat: bool, spread: list[int], registers: Any, casts: Any
) -> Block:
    """A loop over blocks of elements in order, or of rows, each of which `compute` computes."""
    library = lowered.library
    assert library.block is not None
    end, rest = (math.prod(call.shape), ()) if flat else (call.shape[0], call.shape[1:])
    step = max(1, library.block // 4 // math.prod(rest))
    parts = []
    for start in range(0, end, step):
        shape = (min(step, end - start), *rest)
        parts.append((slice(start, start + shape[0]), registers(shape), casts(shape)))
    columns = [i for i in spread if lowered.arrays[i].shape == "column"]
    at = len(lowered.arrays) + len(call.outs)
    sliced = [*lowered.full, *columns, *range(len(lowered.arrays), at)]
    row = None
    if lowered.column_sums:
        row = library.registers.take("sums", (1, *rest), call.kind, call.arrays[lowered.full[0]])

    def blocks(*values: Any) -> None:
        whole = list(values)
        for i in range(at) if flat else ():
            whole[i] = whole[i].reshape(-1 if i in sliced else ())
        for k, (part, taken, cast) in enumerate(parts):
            block = list(whole)
            for i in sliced:
                block[i] = whole[i][part]
            if k and row is not None:
                block[at] = row
            _with_casts(library, cast, compute, *block, *taken)
            if k and row is not None:
                whole[at] += row

    return blocks
