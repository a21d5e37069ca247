"""Activations: element-wise functions between dense layers, and softmax.

Their mathematics stands in `nnxp.kernels.formulas`; a class here names a formula and its gradient, and says
whether the gradient is computed from the inputs or from the output.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from nnxp.doors.naming import lookup
from nnxp.doors.options import finite_number
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.typing import Array, ArrayLike


class Activation(Layer):
    """y = f(x), element by element; backward dx = f'(x) dy.

    Parameters
    ----------
    trainable : bool
        As on every layer; there is nothing to train.
    backend, dtype
        See `nnxp.get_backend`; by default those of the inputs.

    Attributes
    ----------
    inputs, output, dinputs : Array
        (n, m) each.
    formula, gradient_formula : function
        Of `nnxp.kernels.formulas`: `formula(x, *constants)` and `gradient_formula(x or y, dy, *constants)`, the
        constants being the attributes that `options` names.
    """

    formula: ClassVar[Callable[..., Array]]
    gradient_formula: ClassVar[Callable[..., Array]]
    initializer_before = "he_normal"

    def __init__(self, *, trainable: bool = True, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend, dtype, trainable)

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """f(x), (n, m)."""
        self.inputs = inputs
        function = self.backend.fuse(self.functions()[0])
        self.output = function(inputs, *self.constants(), out=self.take("output", inputs.shape))
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """f'(x) dy, (n, m)."""
        gradient = self.backend.fuse(self.functions()[1])
        read = getattr(self, self.reads[0])
        self.dinputs = gradient(read, dvalues, *self.constants(), out=self.take("dinputs", dvalues.shape))
        return self.dinputs

    def functions(self) -> tuple[Callable[..., Array], Callable[..., Array]]:
        """The formula and its gradient."""
        return type(self).formula, type(self).gradient_formula

    def constants(self) -> list[float]:
        """What both take after their arrays."""
        return [getattr(self, name) for name in self.options]


class Linear(Activation):
    """y = x: the last layer of a regression, said aloud."""

    reads = ()
    initializer_before = "glorot_uniform"

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """x itself."""
        self.inputs = self.output = inputs
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """dy itself."""
        self.dinputs = dvalues
        return self.dinputs


class ReLU(Activation):
    """max(0, x); the gradient at 0 is 0. Nair and Hinton 2010."""

    formula, gradient_formula, reads = formulas.relu, formulas.relu_grad, ("output",)


class LeakyReLU(Activation):
    """x where x > 0, else slope · x, slope 0.01 by default. Maas et al. 2013."""

    options = ("slope",)
    formula, gradient_formula = formulas.leaky_relu, formulas.leaky_relu_grad

    def __init__(
        self, slope: float = 0.01, *, trainable: bool = True, backend: Any = None, dtype: str | None = None
    ) -> None:
        super().__init__(trainable=trainable, backend=backend, dtype=dtype)
        self.slope = finite_number("slope", slope)


class ELU(Activation):
    """x where x > 0, else α(eˣ - 1), α 1 by default. Clevert et al. 2016 (arXiv:1511.07289)."""

    options = ("alpha",)
    formula, gradient_formula = formulas.elu, formulas.elu_grad

    def __init__(
        self, alpha: float = 1.0, *, trainable: bool = True, backend: Any = None, dtype: str | None = None
    ) -> None:
        super().__init__(trainable=trainable, backend=backend, dtype=dtype)
        self.alpha = finite_number("alpha", alpha)


class SELU(Activation):
    """λ ELU(x, α) with the constants that keep mean 0 and variance 1. Klambauer et al. 2017
    (arXiv:1706.02515)."""

    formula, gradient_formula, reads = formulas.selu, formulas.selu_grad, ("output",)
    initializer_before = "lecun_normal"


class GELU(Activation):
    """x Φ(x), exact; `approximate="tanh"` takes the paper's approximation. Hendrycks and Gimpel 2016
    (arXiv:1606.08415)."""

    options = ("approximate",)

    def __init__(
        self, approximate: str | None = None, *, trainable: bool = True, backend: Any = None, dtype: str | None = None
    ) -> None:
        super().__init__(trainable=trainable, backend=backend, dtype=dtype)
        if approximate not in (None, "tanh"):
            raise ValueError(f'got approximate={approximate!r}, expected None (exact) or "tanh"')
        self.approximate = approximate

    def functions(self) -> tuple[Callable[..., Array], Callable[..., Array]]:
        """The exact pair, or that of the approximation."""
        if self.approximate:
            return formulas.gelu_tanh, formulas.gelu_tanh_grad
        return formulas.gelu, formulas.gelu_grad

    def constants(self) -> list[float]:
        """None: the option chooses the formulas."""
        return []


class SiLU(Activation):
    """x · sigmoid(x), also called swish. Hendrycks and Gimpel 2016 (arXiv:1606.08415)."""

    formula, gradient_formula = formulas.silu, formulas.silu_grad


class Mish(Activation):
    """x · tanh(softplus(x)). Misra 2019 (arXiv:1908.08681)."""

    formula, gradient_formula = formulas.mish, formulas.mish_grad


class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    formula, gradient_formula, reads = formulas.sigmoid, formulas.sigmoid_grad, ("output",)
    initializer_before = "glorot_uniform"


class Tanh(Activation):
    """tanh x."""

    formula, gradient_formula, reads = formulas.tanh, formulas.tanh_grad, ("output",)
    initializer_before = "glorot_uniform"


class Softplus(Activation):
    """log(1 + eˣ). Dugas et al. 2001."""

    formula, gradient_formula = formulas.softplus, formulas.softplus_grad


class Softmax(Activation):
    """yᵢⱼ = exp(xᵢⱼ) / Σₖ exp(xᵢₖ): each row becomes probabilities that sum to 1.

    Backward is softmax's own Jacobian-vector product, dxᵢⱼ = yᵢⱼ (dyᵢⱼ - Σₖ dyᵢₖ yᵢₖ), whatever loss follows.

    Examples
    --------
    >>> Softmax().forward([[1000.0, 1000.0]]).tolist()
    [[0.5, 0.5]]
    """

    reads = ("output",)
    initializer_before = "glorot_uniform"

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """Each row's softmax, (n, m)."""
        self.inputs = inputs
        self.output = self.kernel("softmax")(inputs, out=self.take("output", inputs.shape))
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """y (dy - Σ dy y), (n, m)."""
        out = self.take("dinputs", dvalues.shape)
        self.dinputs = self.kernel("softmax_grad")(self.output, dvalues, out=out)
        return self.dinputs


ACTIVATIONS = (Linear, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Mish, Sigmoid, Tanh, Softplus, Softmax)


def get_activation(spec: Any) -> Activation:
    """An activation from an object, a class, or a name such as "leaky_relu"."""
    return lookup(spec, Activation, ACTIVATIONS, "activation")
