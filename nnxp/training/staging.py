"""Which layers in a row become which stage."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from nnxp.activations import ACTIVATIONS, Linear
from nnxp.layers import LAYERS, Dropout, Layer
from nnxp.memory.buffers import Buffers
from nnxp.network.parametric import ParametricActivation
from nnxp.network.residual import Residual
from nnxp.network.wide import BlockDense, MembersDropout, MembersSharedDense
from nnxp.training.parametric_stage import dense_and
from nnxp.training.residual_stage import ResidualStage, is_block
from nnxp.training.stages import DenseAlone, DenseStage, LayerStage, Stage, fuses, is_dense

OwnStage: TypeAlias = Callable[[Sequence[Layer], int, Buffers, int], Stage | None]


def stages_of(
    layers: Sequence[Layer],
    buffers: Buffers,
    first: int,
    own: OwnStage | None = None,
    before: str = "",
    writes: bool = True,
) -> list[Stage]:
    """Layers as stages.

    Parameters
    ----------
    layers
        Bound layers.
    buffers
        The memory that they write into.
    first
        The index of the first layer with parameters: it and those before it compute no `dinputs`.
    own
        Asked first for the stage of the layers from a place on.
    before
        What the places of parts of a layer begin with.
    writes
        Whether the last stages may write over the gradient that they are given.
    """
    stages: list[Stage] = []
    i = 0
    while i < len(layers):
        layer, after = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        if own is not None and (stage := own(layers, i, buffers, first)) is not None:
            stages.append(stage)
        elif is_dense(layer) and fuses(after):
            in_place = may_write(layers[i + 2 :], writes)
            stages.append(dense_and(layer, after, buffers, i, i > first, in_place=in_place))
        elif is_dense(layer):
            stages.append(DenseAlone(layer, buffers, i, i > first))
        elif is_block(layer):
            stages.append(_block(layer, buffers, i, i > first, before, may_write(layers[i + 1 :], writes)))
        else:
            stages.append(LayerStage(layer, buffers, i, i > first, before))
        i += len(stages[-1].layers)
    return stages


def _block(block: Residual, buffers: Buffers, i: int, needs_dinputs: bool, before: str, writes: bool) -> ResidualStage:
    """The stage of a block. Where its shortcut hands the gradient on as it is, that is added in the end: its row may
    not write over it."""
    first = -1 if needs_dinputs else block._first_trained()
    writes = writes and not (needs_dinputs and block.shortcut is None)
    row = stages_of(block.layers, buffers, first, None, f"{before}{i}.layers.", writes)
    return ResidualStage(block, row, first, buffers, i, needs_dinputs)


def may_write(above: Sequence[Layer], last: bool = True) -> bool:
    """Whether a stage may write over the gradient that comes from the layers above: what hands its dvalues on as they
    are may hand on an array that a layer of the user's own keeps. `last` says it of what the last of them is given."""
    first = next((layer for layer in above if type(layer) not in (Linear, Dropout, MembersDropout)), None)
    ours = (*LAYERS, *ACTIVATIONS, ParametricActivation, Residual, BlockDense, MembersSharedDense)
    return last if first is None else type(first) in ours


def all_of(stages: Sequence[Stage]) -> Iterator[Stage]:
    """Stages, each followed by those inside it."""
    for stage in stages:
        yield stage
        yield from all_of(stage.inner)
        if stage.shortcut is not None:
            yield stage.shortcut


def take_turns(stages: Sequence[Stage], depth: int = 0) -> None:
    """Tells dense stages which memory their gradients are in: two in a row have different ones, and those inside a
    block neither of the two outside, one of which has the gradient of the block's output."""
    for number, dense in enumerate(stage for stage in stages if isinstance(stage, DenseStage)):
        dense.turn = 2 * depth + number % 2
    for stage in stages:
        take_turns(stage.inner, depth + 1)
