"""The first two chapters: a neuron, and a layer made of neurons."""

from collections.abc import Sequence
from typing import Any

from nnxp.doors.arrays import Switch
from nnxp.doors.describing import described
from nnxp.typing import Array, ArrayLike


class Neuron(Switch):
    """output = Σᵢ inputᵢ · weightᵢ + bias, one Python float.

    Parameters
    ----------
    weights : ArrayLike
        (n,) numbers.
    bias : float
        One number.
    backend, dtype
        See `nnxp.get_backend`; the sum is computed in float64 by default, as Python's own would be.

    Raises
    ------
    ValueError
        The weights are no vector, or `forward` gets another number of inputs.

    Examples
    --------
    >>> Neuron([0.5, 2.0], 1).forward([2.0, 3.0])
    8.0
    """

    def __init__(self, weights: ArrayLike, bias: float = 0.0, *, backend: Any = None, dtype: str | None = None) -> None:
        super().__init__(backend, dtype or "float64")
        self.weights = self._vector(weights, "weights")
        self.bias = float(bias)

    def forward(self, inputs: ArrayLike) -> float:
        """The weighted sum of `inputs`, (n,), plus the bias."""
        self.inputs = self._vector(inputs, "inputs")
        n, m = self.inputs.shape[0], self.weights.shape[0]
        if n != m:
            raise ValueError(f"got {n} inputs, expected {m}, one for each weight")
        with self.backend.context():
            self.output = float(self.backend.xp.sum(self.inputs * self.weights)) + self.bias
        return self.output

    def _vector(self, x: ArrayLike, name: str) -> Array:
        x = self._enter(x).asarray(x, dtype=self.dtype)
        if x.ndim != 1:
            raise ValueError(f"got {name} of shape {tuple(x.shape)}, expected one dimension, as in [1.0, 2.0, 3.0]")
        return x


class NeuronLayer:
    """Neurons that read the same inputs: a list of their outputs.

    Parameters
    ----------
    neurons : sequence of Neuron
        At least one.

    Examples
    --------
    >>> NeuronLayer([Neuron([1, 0], 1), Neuron([0, 1], 2)]).forward([10, 20])
    [11.0, 22.0]
    """

    __repr__ = described

    def __init__(self, neurons: Sequence[Neuron]) -> None:
        self.neurons = list(neurons)
        if not self.neurons or not all(isinstance(neuron, Neuron) for neuron in self.neurons):
            raise ValueError(
                f"got {neurons!r}, expected a list of at least one Neuron, as in NeuronLayer([Neuron([1.0], 0)])"
            )

    def forward(self, inputs: ArrayLike) -> list[float]:
        """Each neuron's output for `inputs`, (n,)."""
        self.output = [neuron.forward(inputs) for neuron in self.neurons]
        return self.output
