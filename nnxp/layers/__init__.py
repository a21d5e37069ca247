"""Layers: `Layer` (the base class), `Dense`, `BatchNorm`, `LayerNorm`, `Dropout`, `Rescaling`, `Scaling`;
`Neuron` and `NeuronLayer`."""

from nnxp.layers.base import Layer
from nnxp.layers.dense import Dense
from nnxp.layers.dropout import Dropout
from nnxp.layers.neuron import Neuron, NeuronLayer
from nnxp.layers.normalization import BatchNorm, LayerNorm
from nnxp.layers.rescaling import Rescaling
from nnxp.layers.scaling import Scaling

__all__ = ["BatchNorm", "Dense", "Dropout", "Layer", "LayerNorm", "Neuron", "NeuronLayer", "Rescaling", "Scaling"]

LAYERS = (Dense, BatchNorm, LayerNorm, Dropout, Rescaling, Scaling)
