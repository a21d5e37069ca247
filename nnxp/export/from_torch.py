"""The layers of a PyTorch module that is what it says: an nn.Sequential of exact types, with nothing hung on them.

Imported where PyTorch is installed.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nnxp import activations
from nnxp.backends import DTYPES, dtype_of
from nnxp.layers import BatchNorm, Dense, Dropout, Layer, LayerNorm
from nnxp.typing import HostArray

LOG = logging.getLogger("nnxp")
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
BUILT_HERE = (
    "build the model with nnxp's layers, and give it the weights: nnxp.load(module.state_dict(), into=model, names=...)"
)
LEAST_THRESHOLD = 20.0
"""Of a Softplus: e⁻²⁰ = 2.1e-9 is what x lacks there of log(1 + eˣ), less than half a rounding of float32 at 20."""


class Found(NamedTuple):
    """A module, and where it is: "1.0" in nested ones, "" for what was given."""

    place: str
    module: nn.Module

    def __str__(self) -> str:
        where = f", module {self.place}" if self.place else ""
        return f"{type(self.module).__name__}{where}"

    def tensors(self) -> list[Tensor]:
        """Parameters, running means and counters."""
        return [*self.module.parameters(), *self.module.buffers()]

    def refused(self, got: str, expected: str) -> ValueError:
        """What is said of an option that has no equal here."""
        return ValueError(f"got {got} of {self}, expected {expected}")


def layers_of(module: Any) -> tuple[list[Layer], str | None]:
    """The layers, with copies of the weights, and their dtype (see `nnxp.from_torch`)."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"got {type(module).__name__}, expected a torch.nn.Module: a file is nnxp.load's")
    leaves = [*_leaves(Found("", module))]
    if not leaves:
        raise ValueError("got an empty nn.Sequential, expected one with modules")
    _check_apart(leaves)
    dtype = _dtype(leaves)
    return [_layer(found) for found in leaves], dtype


def _leaves(found: Found) -> Iterator[Found]:
    """The modules in order, those of nested nn.Sequential too. Raises where one computes what its type does not say."""
    module, kind = found.module, type(found.module)
    if parametrize.is_parametrized(module):
        raise TypeError(
            f"got parametrizations of {found}, expected plain parameters: torch.nn.utils.parametrize."
            "remove_parametrizations(module, name) leaves their values"
        )
    if kind is not nn.Sequential and kind not in EQUALS:
        raise TypeError(_unknown(found))
    if any(getattr(module, hooks, None) for hooks in HOOKS):
        raise TypeError(f"got hooks on {found}, expected none, since they may change what it gives: remove them first")
    if "forward" in vars(module):
        raise TypeError(f"got a forward that was put in place of that of {found}, expected its own: {BUILT_HERE}")
    if kind is nn.Sequential:
        for name, child in module._modules.items():
            yield from _leaves(Found(f"{found.place}.{name}".lstrip("."), child))
    else:
        yield found


def _unknown(found: Found) -> str:
    """What is said of a module that is none of those that are known exactly."""
    base = next((known for known in (nn.Sequential, *EQUALS) if isinstance(found.module, known)), None)
    if isinstance(found.module, nn.LogSoftmax):
        return (
            f"got {found}, expected logits or a Softmax as the last module: leave it out, and take "
            "loss=nnxp.SoftmaxCrossentropy()"
        )
    if base is not None:
        name = base.__name__
        return f"got {found}, a subclass of {name}, expected {name} itself, whose forward is known: {BUILT_HERE}"
    if type(found.module).__module__.startswith("torch.nn."):
        names = ", ".join(sorted(known.__name__ for known in EQUALS))
        return f"got {found}, expected nn.Sequential of {names}: leave it out, or {BUILT_HERE}"
    return f"got {found}, whose forward is code of its own, expected nn.Sequential: {BUILT_HERE}"


def _check_apart(leaves: list[Found]) -> None:
    """Raises ValueError where two modules have one tensor: a training here would make two of it."""
    seen: dict[int, Found] = {}
    for found in leaves:
        for tensor in found.tensors():
            if id(tensor) in seen:
                raise ValueError(
                    f"got weights that {seen[id(tensor)]} and {found} share, expected each with its own: "
                    "copy.deepcopy one of them"
                )
        seen.update({id(tensor): found for tensor in found.tensors()})


def _dtype(leaves: list[Found]) -> str | None:
    """That of all parameters and running means; None where there are none. Raises where they have no numbers."""
    for found in leaves:
        if any(tensor.is_meta for tensor in found.tensors()):
            raise found.refused(
                "weights on the meta device",
                'numbers, which that device does not hold: module.to_empty(device="cpu"), and load_state_dict',
            )
    dtypes = {dtype_of(tensor) for found in leaves for tensor in found.tensors() if tensor.is_floating_point()}
    if len(dtypes) > 1 or not dtypes <= {*DTYPES}:
        raise ValueError(f"got parameters of {', '.join(sorted(dtypes))}, expected float32 or float64: module.float()")
    return dtypes.pop() if dtypes else None


def _layer(found: Found) -> Layer:
    """The layer that computes what a module does."""
    try:
        layer = EQUALS[type(found.module)](found, found.module)
    except ValueError as error:
        if str(found) in str(error):
            raise
        raise ValueError(f"got {found}, which has no equal here: {error}") from None
    trains = {parameter.requires_grad for parameter in found.module.parameters()}
    if len(trains) > 1:
        raise found.refused("parameters with and without gradients", "all alike: a layer is frozen as a whole here")
    if trains == {False}:
        layer.trainable = False
    return layer


# --- one function a module ------------------------------------------------------------------------------


def _linear(found: Found, module: Any) -> Layer:
    layer = Dense(module.in_features, module.out_features)
    layer.weights = _host(found, "weight", module.weight).T
    layer.biases = _row(found, "bias", module.bias, "biases of 0", layer.n_out, 0.0)
    return layer


def _batch_norm(found: Found, module: Any) -> Layer:
    if module.running_mean is None:
        raise found.refused("track_running_stats=False", "running means, which a prediction here takes")
    if module.momentum is None:
        raise found.refused("momentum=None", "a number: running means here do not weigh all batches alike")
    layer = BatchNorm(module.num_features, momentum=module.momentum, epsilon=module.eps)
    _set_affine(found, module, layer)
    layer.running_mean = _host(found, "running_mean", module.running_mean)
    layer.running_variance = _host(found, "running_var", module.running_var)
    return layer


def _layer_norm(found: Found, module: Any) -> Layer:
    if len(module.normalized_shape) != 1:
        raise found.refused(f"normalized_shape={module.normalized_shape}", "one number, of features: X is a matrix")
    layer = LayerNorm(module.normalized_shape[0], epsilon=module.eps)
    _set_affine(found, module, layer)
    return layer


def _set_affine(found: Found, module: Any, layer: BatchNorm | LayerNorm) -> None:
    layer.gains = _row(found, "weight", module.weight, "gains of 1", layer.n, 1.0)
    layer.biases = _row(found, "bias", module.bias, "biases of 0", layer.n, 0.0)


def _flatten(found: Found, module: Any) -> Layer:
    if module.start_dim != 1 or module.end_dim not in (-1, 1):
        raise found.refused(f"start_dim={module.start_dim}, end_dim={module.end_dim}", "1 and -1: X is a matrix here")
    return activations.Linear()


def _softplus(found: Found, module: Any) -> Layer:
    if module.beta != 1 or module.threshold < LEAST_THRESHOLD:
        raise found.refused(
            f"beta={module.beta}, threshold={module.threshold}",
            f"beta=1 and a threshold of at least {LEAST_THRESHOLD:g}, from where on x and log(1 + eˣ) are alike",
        )
    return activations.Softplus()


def _softmax(found: Found, module: Any) -> Layer:
    if module.dim not in (1, -1):
        raise found.refused(f"dim={module.dim}", "dim=1, over the classes")
    return activations.Softmax()


def _gelu(found: Found, module: Any) -> Layer:
    return activations.GELU(None if module.approximate == "none" else module.approximate)


def _host(found: Found, name: str, tensor: Tensor) -> HostArray:
    """A copy of a tensor on the host."""
    values = np.array(tensor.detach().cpu().numpy())
    if not np.isfinite(values).all():
        raise found.refused(f"a {name} with NaN or infinity", "finite numbers")
    return values


def _row(found: Found, name: str, tensor: Tensor | None, instead: str, width: int, value: float) -> HostArray:
    """A module's row, or what stands for one that it has not."""
    if tensor is not None:
        return _host(found, name, tensor)
    LOG.warning("%s has no %s: it gets %s, which a training moves", found, name, instead)
    return np.full(width, value)


EQUALS: dict[type[nn.Module], Callable[[Found, Any], Layer]] = {
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.Dropout: lambda found, module: Dropout(module.p),
    nn.Flatten: _flatten,
    nn.Identity: lambda found, module: activations.Linear(),
    nn.ReLU: lambda found, module: activations.ReLU(),
    nn.LeakyReLU: lambda found, module: activations.LeakyReLU(module.negative_slope),
    nn.ELU: lambda found, module: activations.ELU(module.alpha),
    nn.SELU: lambda found, module: activations.SELU(),
    nn.GELU: _gelu,
    nn.SiLU: lambda found, module: activations.SiLU(),
    nn.Mish: lambda found, module: activations.Mish(),
    nn.Sigmoid: lambda found, module: activations.Sigmoid(),
    nn.Tanh: lambda found, module: activations.Tanh(),
    nn.Softplus: _softplus,
    nn.Softmax: _softmax,
}
"""What each module is here. Its type is exact: a subclass has a forward that nobody can read."""
