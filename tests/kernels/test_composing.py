"""A formula and its slope as one."""

from typing import Any

import numpy as np
import pytest

from nnxp.activations import ACTIVATIONS
from nnxp.kernels import fuse
from nnxp.kernels.composing import with_slope
from nnxp.network.parametric import ParametricActivation

LAYERS: dict[str, Any] = {kind.__name__: kind() for kind in ACTIVATIONS if "inputs" in kind.reads}
LAYERS |= {f"parametric {name}": ParametricActivation(3, name) for name in ("selu", "mish", "elu")}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("fast", [False, True])
def test_the_slope_is_the_gradient_of_a_number(name: str, fast: bool) -> None:
    """And the quotient of differences, in float64, away from the kinks."""
    if fast:
        pytest.importorskip("numba", reason="numba is the extra `fast`: pip install nnxp[fast]")
    x = np.linspace(-3.1, 3, 24).reshape(8, 3)
    activation = LAYERS[name]
    formula, gradient = activation.functions()
    constants, h, dy = activation.constants(), 1e-6, 0.75
    if isinstance(activation, ParametricActivation):
        constants[-1] = np.array([[0.25, 1.5, -0.5]])
    kernel = fuse(with_slope(formula, gradient), np, fast=fast)
    value, slope = kernel(x, *constants, dy, out=(np.empty_like(x), np.empty_like(x)))
    np.testing.assert_allclose(value, formula(x, *constants), rtol=1e-12, atol=1e-15)
    quotient = (formula(x + h, *constants) - formula(x - h, *constants)) / (2 * h)
    np.testing.assert_allclose(slope, dy * quotient, rtol=1e-6, atol=1e-9)
