"""A learned factor for each feature."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnxp.doors.naming import snake_case
from nnxp.doors.options import positive
from nnxp.initializers import INITIALIZERS, Initializer, get_initializer
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.typing import Array, ArrayLike, HostArray


class FeatureFactors(Layer):
    """What `Scaling` and `ParametricActivation` share: one parameter, a factor for each feature, 1 at first."""

    def __init__(
        self, width: int, trainable: bool, factors: Mapping[str, float] | None, backend: Any, dtype: str | None
    ) -> None:
        super().__init__(backend, dtype, trainable, factors)
        self.width = positive("width", width)

    def output_width(self, n_in: int | None) -> int:
        """width; raises ValueError where the inputs have another number of features."""
        if n_in not in (None, self.width):
            raise ValueError(f"got {n_in} features a sample, expected {self.width}: this layer is {self!r}")
        return self.width

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(1, width)."""
        return dict.fromkeys(self.parameters, (1, self.width))

    def _declared_shape(self, name: str) -> tuple[int, ...]:
        return 1, self.width

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """1 each."""
        return np.ones((1, self.width), dtype=np.float64)

    def factors_gradient(self, x: Array, dy: Array) -> None:
        """Sets the gradient of the factors of x, Σᵢ dyᵢⱼ xᵢⱼ, where it is needed."""
        if not self.needs_gradients:
            return
        products, sums = self.take("products", x.shape), self.gradient(self.parameters[0])
        self.backend.fuse(formulas.product, column_sums=True)(x, dy, out=products, sums=sums)


class Scaling(FeatureFactors):
    """y = s ⊙ x, with a learned factor s for each feature, 1 at first.

    A network that begins with it finds out by itself how much each input counts: Holzmüller et al. 2024
    (arXiv:2407.04491). Backward: ds = Σᵢ dyᵢ xᵢ, dx = s ⊙ dy.

    Parameters
    ----------
    width : int
        The number of features.
    initializer : str or Initializer, optional
        How s begins, by default as 1: "random_signs" tells members apart that share what comes next.
    trainable : bool
        False keeps s as it is (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by, by the name of a parameter (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    scale, dscale : Array
        s and its gradient, (1, width): views of a flat store.
    inputs, output, dinputs : Array
        (n, width) each.

    Raises
    ------
    ValueError
        At `forward`: another number of features.

    Examples
    --------
    >>> layer = Scaling(2)
    >>> layer.scale = [[1.0, 10.0]]
    >>> layer.forward([[1.0, 2.0], [3.0, 4.0]]).tolist()
    [[1.0, 20.0], [3.0, 40.0]]
    >>> layer.backward([[1.0, 1.0], [1.0, 2.0]]).tolist(), layer.dscale.tolist()
    ([[1.0, 10.0], [1.0, 20.0]], [[4.0, 10.0]])
    """

    parameters = ("scale",)
    options = ("width", "initializer", "factors")
    _if_given = (*FeatureFactors._if_given, "initializer")
    initializer_before = None
    initializer: Initializer | None = None  # pickles of before do not say it
    scale: Array
    dscale: Array

    def __init__(
        self,
        width: int,
        *,
        initializer: str | Initializer | None = None,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(width, trainable, factors, backend, dtype)
        if initializer is not None:
            self.initializer = get_initializer(initializer)

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """From the initializer, or 1 each."""
        if self.initializer is None:
            return super().initial(name, key, following)
        return self.initializer.draw(key, (1, self.width))

    def config(self) -> dict[str, Any]:
        """The options, the initializer by its name, where it has one."""
        config, kind = super().config(), type(self.initializer)
        if "initializer" in config:
            config["initializer"] = snake_case(kind.__name__) if kind in INITIALIZERS else None
        return config

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """s ⊙ x, (n, width)."""
        self.inputs = inputs
        out = self.take("output", inputs.shape)
        self.output = self.backend.fuse(formulas.scale_columns)(inputs, self.scale, out=out)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets `dscale` and `dinputs` from dy, (n, width)."""
        self.factors_gradient(self.inputs, dvalues)
        if not self.needs_dinputs:
            self.__dict__.pop("dinputs", None)
            return None
        out = self.take("dinputs", dvalues.shape)
        self.dinputs = self.backend.fuse(formulas.scale_columns)(dvalues, self.scale, out=out)
        return self.dinputs
