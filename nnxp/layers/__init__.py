"""Layers: `Layer` (the base class), `Dense`, `Dropout`, `Rescaling`; `Neuron` and `NeuronLayer`."""

from nnxp.layers.base import Layer
from nnxp.layers.dense import Dense
from nnxp.layers.dropout import Dropout
from nnxp.layers.neuron import Neuron, NeuronLayer
from nnxp.layers.rescaling import Rescaling

__all__ = ["Dense", "Dropout", "Layer", "Neuron", "NeuronLayer", "Rescaling"]

LAYERS = (Dense, Dropout, Rescaling)
