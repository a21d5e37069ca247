"""The dense layer."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nnxp import random
from nnxp.doors.naming import snake_case
from nnxp.doors.options import each_member, not_negative, positive
from nnxp.initializers import INITIALIZERS, Initializer, get_initializer
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.regularizers import adding
from nnxp.typing import Array, ArrayLike, HostArray

PARAMETRIZATIONS = ("standard", "ntk")


class Dense(Layer):
    """y = x W + b, every input to every neuron.

    Backward: dW = xᵀ dy, db = Σᵢ dyᵢ, dx = dy Wᵀ.

    In neural-tangent form, y = s x W + b with s = 1 / √n_in: W and b begin as N(0, 1), and a step of an optimizer such
    as Adam moves the outputs of wide and narrow layers alike. Backward: dW = s xᵀ dy, dx = s dy Wᵀ. Jacot et al. 2018
    (arXiv:1806.07572), section 2; Holzmüller et al. 2024 (arXiv:2407.04491) take it for tables.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and of neurons.
    initializer : str or Initializer, optional
        How the weights begin. By default the one that suits the activation that follows in a model:
        "he_normal" for the ReLU family and for a layer on its own, "glorot_uniform" for sigmoid, tanh,
        softmax and a last layer, "lecun_normal" for SELU. Biases begin at 0. In neural-tangent form it is
        "standard_normal", for the biases too. "data_variance" waits for data (see `nnxp.initializers.DataVariance`);
        until then weights and biases are standard normal.
    parametrization : "standard" or "ntk"
        "ntk" is the neural-tangent form.
    l1, l2, bias_l1, bias_l2 : float
        Coupled penalties l1 Σ|W| + l2 ΣW², part of the reported loss and of the gradients. In a model of several
        members also a sequence, one for each.
    seed : int, optional
        For a layer on its own; a model gives its layers its own seed.
    trainable : bool
        False keeps the parameters as they are (see `Layer`).
    factors : dict of float, optional
        What the optimizer's learning rate is multiplied by: {"weights": 0.5, "biases": 0.1} (see `Optimizer`).
    backend, dtype
        See `nnxp.get_backend`; parameters are "float32" by default, and inputs are cast to their dtype.

    Attributes
    ----------
    weights, biases : Array
        (n_in, n_out) and (1, n_out): views of a flat store, drawn when first read. Assigning copies in.
    dweights, dbiases : Array
        Their gradients, in memory that the next backward uses again: copy one to keep it.
    inputs, output, dinputs : Array
        (n, n_in), (n, n_out), (n, n_in).

    Examples
    --------
    >>> layer = Dense(2, 1)
    >>> layer.weights = [[2.0], [3.0]]
    >>> layer.forward([[1.0, 1.0], [0.0, 2.0]]).tolist()
    [[5.0], [6.0]]
    >>> layer.backward([[1.0], [10.0]]).tolist()
    [[2.0, 3.0], [20.0, 30.0]]
    >>> layer.dweights.tolist(), layer.dbiases.tolist()
    ([[1.0], [21.0]], [[11.0]])
    >>> layer = Dense(4, 1, parametrization="ntk")
    >>> layer.weights, layer.biases = [[1.0], [2.0], [3.0], [4.0]], [0.5]
    >>> layer.forward([[1.0, 1.0, 1.0, 1.0]]).tolist()
    [[5.5]]
    """

    parameters = ("weights", "biases")
    options = ("n_in", "n_out", "initializer", "l1", "l2", "bias_l1", "bias_l2", "parametrization", "factors")
    weights: Array
    biases: Array
    dweights: Array
    dbiases: Array
    parametrization: str = "standard"  # pickles of before do not say it

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        initializer: str | Initializer | None = None,
        l1: float | Sequence[float] = 0.0,
        l2: float | Sequence[float] = 0.0,
        bias_l1: float | Sequence[float] = 0.0,
        bias_l2: float | Sequence[float] = 0.0,
        parametrization: str = "standard",
        seed: int | None = None,
        trainable: bool = True,
        factors: Mapping[str, float] | None = None,
        backend: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(backend, dtype, trainable, factors)
        self.n_in, self.n_out = positive("n_in", n_in), positive("n_out", n_out)
        self.initializer = None if initializer is None else get_initializer(initializer)
        self.l1, self.l2 = each_member("l1", l1, not_negative), each_member("l2", l2, not_negative)
        self.bias_l1 = each_member("bias_l1", bias_l1, not_negative)
        self.bias_l2 = each_member("bias_l2", bias_l2, not_negative)
        if parametrization not in PARAMETRIZATIONS:
            raise ValueError(f"got parametrization={parametrization!r}, expected one of {', '.join(PARAMETRIZATIONS)}")
        self.parametrization = parametrization
        self.seed = seed

    @property
    def scale(self) -> float:
        """s, what x W is multiplied by: 1 / √n_in in neural-tangent form, else 1."""
        return 1 / math.sqrt(self.n_in) if self.parametrization == "ntk" else 1.0

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """s x W + b, (n, n_out)."""
        self.inputs = inputs
        out = self.take("output", (inputs.shape[0], self.n_out))
        z, scale = self.kernel("matmul")(inputs, self.weights, out=out), self.scale
        if scale == 1:
            self.output = self.backend.fuse(formulas.add_row, into=("z",))(z, self.biases)
        else:
            self.output = self.backend.fuse(formulas.scaled_add_row, into=("z",))(z, self.biases, scale)
        return self.output

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets `dweights`, `dbiases` and `dinputs` from dy, (n, n_out)."""
        matmul, trained = self.kernel("matmul"), self.needs_gradients
        if trained:
            self.kernel("column_sums")(dvalues, out=self.gradient("biases"))
        if (scale := self.scale) != 1:
            dvalues = self.backend.fuse(formulas.times)(dvalues, scale, out=self.take("scaled", dvalues.shape))
        if trained:
            matmul(self.inputs.T, dvalues, out=self.gradient("weights"))
            self.add_penalty_gradients()
        if not self.needs_dinputs:
            self.__dict__.pop("dinputs", None)
            return None
        out = self.take("dinputs", (dvalues.shape[0], self.n_in))
        self.dinputs = matmul(dvalues, self.weights.T, out=out)
        return self.dinputs

    def penalty(self) -> Array | None:
        """The regularization's part of the loss, 0-d; None where there is none."""
        if not self._penalised:
            return None
        with self.backend.context():
            return self.add_penalty(self.backend.xp.zeros((), dtype=self.weights.dtype, device=self.backend.device))

    def add_penalty(self, loss: Array) -> Array:
        """The loss, 0-d, with the regularization's part added in place."""
        for name, l1, l2 in self._penalties():
            loss = self.kernel("add_penalty")(loss, getattr(self, name), l1, l2, out=loss)
        return loss

    def add_penalty_gradients(self) -> None:
        """Adds the regularization's part to `dweights` and `dbiases`."""
        if self._penalised:
            for name, l1, l2 in self._penalties():
                adding(self.backend, l1, l2)(self.gradient(name), getattr(self, name), 1.0)

    @property
    def _penalised(self) -> bool:
        return any(map(_counts, (self.l1, self.l2, self.bias_l1, self.bias_l2)))

    def _penalties(self) -> list[tuple[str, Any, Any]]:
        both = (("weights", self.l1, self.l2), ("biases", self.bias_l1, self.bias_l2))
        return [(name, l1, l2) for name, l1, l2 in both if _counts(l1) or _counts(l2)]

    def output_width(self, n_in: int | None) -> int:
        """n_out; raises ValueError where the inputs are not n_in wide."""
        if n_in is not None and n_in != self.n_in:
            raise ValueError(
                f"got {n_in} features a sample, expected {self.n_in}: this layer is Dense({self.n_in}, {self.n_out})"
            )
        return self.n_out

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """(n_in, n_out) and (1, n_out)."""
        return {"weights": (self.n_in, self.n_out), "biases": (1, self.n_out)}

    def _declared_shape(self, name: str) -> tuple[int, ...]:
        return self.parameter_shapes()[name]

    def initial(self, name: str, key: int, following: Layer | None) -> HostArray:
        """Both from the initializer."""
        suiting = "he_normal" if following is None else following.initializer_before
        suiting = "standard_normal" if self.parametrization == "ntk" else suiting
        initializer = get_initializer(self.initializer or suiting or "glorot_uniform")
        if name == "biases":
            return initializer.draw_biases(key, (1, self.n_out))
        return initializer.draw(key, (self.n_in, self.n_out))

    def drawn(self, name: str, seed: int) -> HostArray:
        """What a model's seed gave a parameter whose initializer was named."""
        return self.initial(name, random.key(seed, "weights", self.position, self.parameters.index(name)), None)

    def config(self) -> dict[str, Any]:
        """The options, the initializer by its name."""
        config = super().config()
        kind = type(self.initializer)  # one of the user's own has done its work: the file holds the weights
        config["initializer"] = snake_case(kind.__name__) if kind in INITIALIZERS else None
        if self.parametrization == "standard":  # files of before do not say it
            del config["parametrization"]
        return config


def _counts(factor: Any) -> bool:
    """Whether a penalty's factor, or one of those of several members, is not 0."""
    return bool(factor) if isinstance(factor, float) else True
