"""The stage of a dense layer and an activation that each neuron has a learned share of."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nnxp.activations import Activation
from nnxp.kernels import formulas
from nnxp.layers import Dense
from nnxp.memory.buffers import Buffers
from nnxp.network.parametric import ParametricActivation
from nnxp.training.activation_stage import DenseActivation
from nnxp.training.sizes import Sized
from nnxp.typing import Array


class DenseParametric(DenseActivation):
    """A dense layer and a parametric activation that is trained, likewise: forward keeps f(z + b) - (z + b) beside the
    output, and dα is the one thing more that backward computes, of that and dy."""

    activation: ParametricActivation
    beside = ("difference",)

    def _fuse(self) -> None:
        super()._fuse()
        self.sum_products = self.backend.fuse(formulas.product, into=("x",), column_sums=True)
        if self.backend.library == "numpy" and not self.backend.fast:  # a pass less than a product and its sums
            self.sum_products = _sum_products

    def _forward_formula(self) -> Callable[..., Any]:
        return self.activation.with_difference()

    def sized(self, n: int) -> Sized:
        """Memory for n rows, and calls on it."""
        at = super().sized(n)
        at.difference = self.buffers.take(self, *self.beside, at.z.shape)
        return at

    def backward(self, dy: Array) -> Array | None:
        """The gradients of a(s x W + b)."""
        self.sum_products(self.at.difference, dy, sums=self.activation.gradient("alpha"))
        return super().backward(dy)

    def lines(self) -> tuple[str, str]:
        """Forward and backward in words."""
        forward, backward = super().lines()
        return forward, "ParametricActivation.dalpha, " + backward


def _sum_products(x: Array, dy: Array, sums: Array) -> None:
    """Σᵢ xᵢⱼ dyᵢⱼ, (1, m), as the fused product gives it."""
    np.einsum("ij,ij->j", x, dy, out=sums[0])


def dense_and(
    dense: Dense,
    activation: Activation | ParametricActivation,
    buffers: Buffers,
    position: int,
    needs_dinputs: bool,
    training: bool = True,
    in_place: bool = True,
) -> DenseActivation:
    """The stage of a dense layer and an activation that it takes in."""
    learns = training and isinstance(activation, ParametricActivation) and activation.trainable
    kind = DenseParametric if learns else DenseActivation
    return kind(dense, activation, buffers, position, needs_dinputs, training, in_place)
