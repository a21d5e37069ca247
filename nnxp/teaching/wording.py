"""Equations in words: what the docstrings say of what they compute, so that a page says it too."""

import contextlib
import re
from typing import Any

from nnxp.activations import Activation
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.losses.base import ElementwiseLoss


def equation(owner: Any) -> str:
    """The sentence that a docstring begins with; empty where there is none.

    Examples
    --------
    >>> from nnxp.kernels import formulas
    >>> equation(formulas.adagrad)
    'c = c + g²; w - lr · g / (√c + ε)'
    """
    text = " ".join((owner.__doc__ or "").split("\n\n")[0].split())
    return re.split(r"(?<=[^.A-Z])\.(?: |$)", text)[0]


def backward_of_layer(layer: Layer) -> str:
    """What a layer's docstring says of its backward; of an activation the formula of its gradient."""
    if isinstance(layer, Activation):
        with contextlib.suppress(AttributeError):  # softmax and the identity name no formulas
            return "dx = " + equation(layer.functions()[1])
    found = re.search(r"Backward(?:[:,]| is)? (.*?)\.(?: |$)", " ".join((type(layer).__doc__ or "").split()))
    return found[1] if found else equation(type(layer).backward)


def backward_of_loss(loss: Loss) -> str:
    """The gradient of each sample's own loss, and what its function stands for."""
    text = equation(type(loss).gradients)
    return f"{text}, f' = {equation(loss._formulas()[1])}" if isinstance(loss, ElementwiseLoss) else text
