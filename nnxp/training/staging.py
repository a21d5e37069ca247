"""Which layers in a row become which stage."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from nnxp.activations import ACTIVATIONS, Linear
from nnxp.layers import LAYERS, Dropout, Layer
from nnxp.memory.buffers import Buffers
from nnxp.network.parametric import ParametricActivation
from nnxp.network.wide import BlockDense, MembersDropout, MembersSharedDense
from nnxp.training.parametric_stage import dense_and
from nnxp.training.stages import DenseAlone, LayerStage, Stage, fuses, is_dense

OwnStage: TypeAlias = Callable[[Sequence[Layer], int, Buffers, int], Stage | None]


def stages_of(layers: Sequence[Layer], buffers: Buffers, first: int, own: OwnStage | None = None) -> list[Stage]:
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
    """
    stages: list[Stage] = []
    i = 0
    while i < len(layers):
        layer, after = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        if own is not None and (stage := own(layers, i, buffers, first)) is not None:
            stages.append(stage)
        elif is_dense(layer) and fuses(after):
            stages.append(dense_and(layer, after, buffers, i, i > first, in_place=may_write(layers[i + 2 :])))
        elif is_dense(layer):
            stages.append(DenseAlone(layer, buffers, i, i > first))
        else:
            stages.append(LayerStage(layer, buffers, i, i > first))
        i += len(stages[-1].layers)
    return stages


def may_write(above: Sequence[Layer]) -> bool:
    """Whether a stage may write over the gradient that comes from the layers above: what hands its dvalues on as they
    are may hand on an array that a layer of the user's own keeps."""
    first = next((layer for layer in above if type(layer) not in (Linear, Dropout, MembersDropout)), None)
    ours = (*LAYERS, *ACTIVATIONS, ParametricActivation, BlockDense, MembersSharedDense)
    return first is None or type(first) in ours
