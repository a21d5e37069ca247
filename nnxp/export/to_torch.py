"""A model as a PyTorch module: torch.nn's own layers where they are the same mathematics, small ones of ours elsewhere.

Imported where PyTorch is installed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nnxp import activations
from nnxp.errors import ExportError
from nnxp.export import torch_modules as ours
from nnxp.layers import (
    BatchNorm,
    Dense,
    Dropout,
    Embedding,
    Layer,
    LayerNorm,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    Rescaling,
    Scaling,
    SharedDense,
)
from nnxp.network.model import Model
from nnxp.network.parametric import ParametricActivation
from nnxp.network.residual import Residual
from nnxp.network.shared import Shared

EXACT = 40.0
"""From where on x is softplus(x) in float64, too: log(1 + e⁻⁴⁰) is 4e-18. Torch's own threshold is 20."""
FUNCTIONS: dict[type[Layer], Callable[[Any], nn.Module]] = {
    activations.Linear: lambda a: nn.Identity(),
    activations.ReLU: lambda a: nn.ReLU(),
    activations.LeakyReLU: lambda a: nn.LeakyReLU(a.slope),
    activations.ELU: lambda a: nn.ELU(a.alpha),
    activations.SELU: lambda a: nn.SELU(),
    activations.GELU: lambda a: nn.GELU(approximate=a.approximate or "none"),
    activations.SiLU: lambda a: nn.SiLU(),
    activations.Mish: lambda a: nn.Mish(),
    activations.Sigmoid: lambda a: nn.Sigmoid(),
    activations.Tanh: lambda a: nn.Tanh(),
    activations.Softplus: lambda a: nn.Softplus(threshold=EXACT),
    activations.Softmax: lambda a: nn.Softmax(dim=1),
}


def to_torch(model: Model) -> nn.Module:
    """The module of a model, in eval mode (see `nnxp.Sequential.to_torch`)."""
    _ = model.store  # all weights are drawn
    shared: dict[Any, Any] = {}
    networks = [_Network(model, k, shared).row(model.layers) for k in range(model.members)]
    return (networks[0] if model.members == 1 else ours.Members(networks)).eval()


class _Network:
    """The modules of a model's layers, or of one member's.

    Parameters
    ----------
    model : Model
    member : int
        From 0 up.
    shared : dict
        What the members before made that this one shares with them.
    """

    def __init__(self, model: Model, member: int, shared: dict[Any, Any]) -> None:
        self.model, self.member, self.shared = model, member, shared

    def row(self, layers: Iterable[Layer]) -> nn.Sequential:
        return nn.Sequential(*(self.module(layer) for layer in layers))

    def module(self, layer: Layer) -> nn.Module:
        """The module of a layer, its parts in it."""
        kind = type(layer)
        if kind in FUNCTIONS:
            return FUNCTIONS[kind](layer)
        if kind not in MODULES:
            raise ExportError(
                f"got {kind.__name__}, a layer of your own, at {layer.position}, expected nnxp's: PyTorch cannot run "
                "its forward; write it as an nn.Module, and give that the weights, model.layers[i].weights"
            )
        module = MODULES[kind](self, layer)
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(layer.trainable)
        return module

    # --- tensors ------------------------------------------------------------------------------------

    def tensor(self, layer: Layer, name: str, transposed: bool = False) -> Tensor:
        """A copy of a layer's array; what members share of a layer is one parameter in all of them."""
        store, place = layer.store, (layer.position, name)
        if place in self.shared:
            return self.shared[place]
        alone = self.model.members == 1 or place in store.common
        view = store.view(*place) if alone else store.view(*place)[self.member, ...]
        tensor = torch.from_numpy(np.array(store.backend.to_numpy(view)))
        tensor = tensor.T.contiguous() if transposed else tensor
        if name in layer.common:
            self.shared[place] = tensor = nn.Parameter(tensor)
        return tensor

    def row_of(self, layer: Layer, name: str) -> Tensor:
        """Likewise of (1, n), as torch has it: (n,)."""
        return self.tensor(layer, name)[0]

    def constant(self, values: Any) -> Tensor:
        """Numbers of a layer's options, in the model's dtype."""
        return torch.tensor(values, dtype=getattr(torch, self.model.dtype), device="cpu")

    def own(self, value: Any) -> Any:
        """The member's of an option that may be one for each."""
        return value[self.member] if isinstance(value, tuple) else value


def _filled(module: nn.Module, **tensors: Tensor) -> nn.Module:
    """A module that was made without memory, which takes these as they are: torch draws nothing."""
    module.load_state_dict(tensors, assign=True)
    return module


def _dense(network: _Network, layer: Dense) -> nn.Module:
    n_in, n_out = layer.n_in, layer.n_out
    plain = layer.scale == 1
    made = nn.Linear(n_in, n_out, device="meta") if plain else ours.NTKLinear(n_in, n_out, layer.scale)
    return _filled(made, weight=network.tensor(layer, "weights", True), bias=network.row_of(layer, "biases"))


def _shared_dense(network: _Network, layer: SharedDense) -> nn.Module:
    made = ours.FactoredLinear(layer.n_in, layer.n_out)
    return _filled(
        made,
        weight=network.tensor(layer, "weights", True),
        bias=network.row_of(layer, "biases"),
        input_factors=network.tensor(layer, "input_factors"),
        output_factors=network.tensor(layer, "output_factors"),
    )


def _batch_norm(network: _Network, layer: BatchNorm) -> nn.Module:
    kind = nn.BatchNorm1d if layer.trainable else ours.FrozenBatchNorm
    return _filled(
        kind(layer.n, eps=layer.epsilon, momentum=layer.momentum, device="meta"),
        weight=network.row_of(layer, "gains"),
        bias=network.row_of(layer, "biases"),
        running_mean=network.row_of(layer, "running_mean"),
        running_var=network.row_of(layer, "running_variance"),
        num_batches_tracked=torch.tensor(0, device="cpu"),
    )


def _layer_norm(network: _Network, layer: LayerNorm) -> nn.Module:
    made = nn.LayerNorm(layer.n, eps=layer.epsilon, device="meta")
    return _filled(made, weight=network.row_of(layer, "gains"), bias=network.row_of(layer, "biases"))


def _rescaling(network: _Network, layer: Rescaling) -> nn.Module:
    return ours.Rescaling(*(network.constant(network.own(value)) for value in (layer.scale, layer.offset)))


def _embedding(network: _Network, layer: Embedding) -> nn.Module:
    sizes = network.constant(layer.sizes)
    return ours.Embedding(network.tensor(layer, "weights"), sizes, layer._begins, layer._own, layer._others)


def _periodic(network: _Network, layer: PeriodicEmbedding) -> nn.Module:
    frequencies, phases, weights, biases = (network.tensor(layer, name) for name in layer.parameters)
    rectified = layer.activation is not None
    return ours.PeriodicEmbedding(frequencies, phases, weights, biases, rectified, layer._own, layer._others)


def _piecewise(network: _Network, layer: PiecewiseLinearEmbedding) -> nn.Module:
    sources, *pieces = layer._pieces
    weights, biases = [network.tensor(layer, name) for name in layer.parameters] or (None, None)
    return ours.PiecewiseLinearEmbedding(sources, [*map(network.constant, pieces)], weights, biases, layer._others)


def _parametric(network: _Network, layer: ParametricActivation) -> nn.Module:
    return ours.ParametricActivation(network.module(layer.activation), network.tensor(layer, "alpha"))


def _residual(network: _Network, layer: Residual) -> nn.Module:
    shortcut = None if layer.shortcut is None else network.module(layer.shortcut)
    return ours.Residual(network.row(layer.layers), shortcut)


def _shared(network: _Network, layer: Shared) -> nn.Module:
    """One module in all members."""
    if layer.position not in network.shared:
        network.shared[layer.position] = network.row(layer.layers)
    return network.shared[layer.position]


MODULES: dict[type[Layer], Callable[[_Network, Any], nn.Module]] = {
    Dense: _dense,
    SharedDense: _shared_dense,
    BatchNorm: _batch_norm,
    LayerNorm: _layer_norm,
    Dropout: lambda network, layer: nn.Dropout(network.own(layer.rate)),
    Rescaling: _rescaling,
    Scaling: lambda network, layer: ours.Scaling(network.tensor(layer, "scale")),
    Embedding: _embedding,
    PeriodicEmbedding: _periodic,
    PiecewiseLinearEmbedding: _piecewise,
    ParametricActivation: _parametric,
    Residual: _residual,
    Shared: _shared,
}
