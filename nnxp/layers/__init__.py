"""Layers: `Layer` (the base class), `Dense`, `BatchNorm`, `LayerNorm`, `Dropout`, `Rescaling`, `Scaling`, `Embedding`,
`PeriodicEmbedding`, `PiecewiseLinearEmbedding`, `SharedDense`; `Neuron` and `NeuronLayer`."""

from nnxp.layers.base import Layer
from nnxp.layers.dense import Dense
from nnxp.layers.dropout import Dropout
from nnxp.layers.embedding import Embedding
from nnxp.layers.neuron import Neuron, NeuronLayer
from nnxp.layers.normalization import BatchNorm, LayerNorm
from nnxp.layers.periodic import PeriodicEmbedding
from nnxp.layers.piecewise import PiecewiseLinearEmbedding
from nnxp.layers.rescaling import Rescaling
from nnxp.layers.scaling import Scaling
from nnxp.layers.shared_dense import SharedDense

__all__ = [
    "BatchNorm",
    "Dense",
    "Dropout",
    "Embedding",
    "Layer",
    "LayerNorm",
    "Neuron",
    "NeuronLayer",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "Rescaling",
    "Scaling",
    "SharedDense",
]

LAYERS = (
    Dense,
    BatchNorm,
    LayerNorm,
    Dropout,
    Rescaling,
    Scaling,
    Embedding,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    SharedDense,
)
