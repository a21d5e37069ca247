"""An activation that each neuron has a learned share of."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nnxp.activations import Activation, get_activation
from nnxp.kernels import compose, formulas
from nnxp.layers.scaling import FeatureFactors
from nnxp.typing import Array, ArrayLike


class ParametricActivation(FeatureFactors):
    """a(x) = x + α ⊙ (f(x) - x), with an activation f and a learned share α of it for each neuron, 1 at first.

    α = 1 is f itself, α = 0 the identity. Holzmüller et al. 2024 (arXiv:2407.04491). Backward:
    dα = Σᵢ dyᵢ (f(xᵢ) - xᵢ), dx = dy + α ⊙ (f'(x) dy - dy).

    Parameters
    ----------
    width : int
        The number of features.
    activation : str or Activation
        f, an element-wise one: its name or an object.
    trainable : bool
        False keeps α as it is (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by, by the name of a parameter (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    alpha, dalpha : Array
        α and its gradient, (1, width): views of a flat store.
    difference : Array
        f(x) - x of the last forward, (n, width).
    inputs, output, dinputs : Array
        (n, width) each.

    Raises
    ------
    ValueError
        The activation has no formula, as `Softmax`; at `forward`: another number of features.

    Examples
    --------
    >>> layer = ParametricActivation(2, "relu")
    >>> layer.alpha = [[1.0, 0.75]]
    >>> layer.forward([[-4.0, -4.0], [2.0, 2.0]]).tolist()
    [[0.0, -1.0], [2.0, 2.0]]
    >>> layer.backward([[1.0, 1.0], [1.0, 1.0]]).tolist(), layer.dalpha.tolist()
    ([[0.0, 0.25], [1.0, 1.0]], [[4.0, 4.0]])
    """

    _says_n_in = True
    parameters = ("alpha",)
    options = ("width", "activation", "factors")
    reads = ("inputs", "difference")
    alpha: Array
    dalpha: Array
    difference: Array

    def __init__(
        self,
        width: int,
        activation: str | Activation,
        *,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(width, trainable, factors, backend, dtype)
        self.activation = get_activation(activation)
        kind = type(self.activation)
        if kind.forward is not Activation.forward or kind.backward is not Activation.backward:
            raise ValueError(f"got activation={activation!r}, expected one that computes its formula and nothing else")
        if kind.reads == ("output",) and kind.options:
            raise ValueError(f"got activation={activation!r}, expected one whose gradient is of its inputs")

    @property
    def initializer_before(self) -> str | None:  # type: ignore[override]
        """The activation's."""
        return self.activation.initializer_before

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """x + α ⊙ (f(x) - x), (n, width)."""
        self.inputs = inputs
        output, difference = self.take("output", inputs.shape), self.take("difference", inputs.shape)
        out = None if output is None else (output, difference)
        function = self.backend.fuse(self.with_difference())
        self.output, self.difference = function(inputs, *self.constants(), out=out)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets `dalpha` and `dinputs` from dy, (n, width)."""
        self.factors_gradient(self.difference, dvalues)
        if not self.needs_dinputs:
            self.__dict__.pop("dinputs", None)
            return None
        gradient, out = self.backend.fuse(self.functions()[1]), self.take("dinputs", dvalues.shape)
        self.dinputs = gradient(self.inputs, dvalues, *self.constants(), out=out)
        return self.dinputs

    def functions(self) -> tuple[Callable[..., Array], Callable[..., Array]]:
        """`formula(x, *constants)` and `gradient(x, dy, *constants)`."""
        f, gradient = self.activation.functions()
        return _parametric(f), _parametric_dinputs(f, gradient, self.activation.reads == ("output",))

    def with_difference(self) -> Callable[..., tuple[Array, Array]]:
        """`formula(x, *constants) -> (a(x), f(x) - x)`."""
        return _parametric(self.activation.functions()[0], formulas.parametric_and_difference)

    def constants(self) -> list[Any]:
        """What both take after their arrays: f's own, and α."""
        return [*self.activation.constants(), self.alpha]


@functools.cache
def _parametric(f: Callable[..., Array], formula: Callable[..., Any] = formulas.parametric) -> Callable[..., Any]:
    """A formula of the activation f's result and its input, as one of the input."""
    x, *_ = inspect.signature(f).parameters
    return compose(formula, f, x=x)


@functools.cache
def _parametric_dinputs(
    f: Callable[..., Array], gradient: Callable[..., Array], of_output: bool
) -> Callable[..., Array]:
    """The gradient of f's parametric form, from f's own, which is of f's output or of its inputs."""
    gradient = compose(gradient, f) if of_output else gradient
    _, dy, *_ = inspect.signature(gradient).parameters
    return compose(formulas.parametric_dinputs, gradient, dy=dy)
