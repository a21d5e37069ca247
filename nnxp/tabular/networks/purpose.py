"""What a network for a table has to be made for, and what every one of them ends with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnxp.activations import Softmax
from nnxp.doors.options import class_weights
from nnxp.layers import Layer
from nnxp.losses import CategoricalCrossentropy, Loss, get_loss
from nnxp.optimizers import Optimizer
from nnxp.tabular.encoders.encoder import Encoder
from nnxp.typing import HostArray


class Made(NamedTuple):
    """What a network is made of."""

    layers: list[Layer]
    loss: Loss
    optimizer: Optimizer


@dataclass(frozen=True)
class Purpose:
    """Inputs and outputs of a network, and how its predictions are judged.

    Attributes
    ----------
    features : int
        Columns of the encoded table.
    outputs : int
        Classes, or numbers that are predicted.
    classifies : bool
    numbers : int
        How many columns, the first, are numbers.
    codes : mapping of int to int
        The columns of codes by their places, and how many codes each may have.
    loss : str
        Of numbers, on the scale on which they are learned.
    class_weight : sequence of float, optional
        What a row of each class counts.
    X : numpy.ndarray, (n, features), optional
        The encoded rows that are trained on, for what a network takes from them before its training.
    smooths : bool
        Whether label smoothing, where a recipe has it, is wanted: it is for the error rate and spoils probabilities.
    """

    features: int
    outputs: int
    classifies: bool
    numbers: int = 0
    codes: Mapping[int, int] = field(default_factory=dict)
    loss: str = "mean_squared_error"
    class_weight: Sequence[float] | None = None
    X: HostArray | None = None
    smooths: bool = False

    @classmethod
    def of(cls, encoder: Encoder, outputs: int, classifies: bool, **more: Any) -> "Purpose":
        """For the matrices of an encoder."""
        names = encoder.feature_names_out
        codes = {names.index(name): count for name, count in encoder.codes.items()}
        return cls(len(names), outputs, classifies, encoder.numbers, codes, **more)

    def made(self, layers: list[Layer], optimizer: Optimizer, smoothing: float = 0.0) -> Made:
        """The network of layers up to the outputs: with what makes probabilities of them, and its loss."""
        if not self.classifies:
            return Made(layers, get_loss(self.loss), optimizer)
        weights = None if self.class_weight is None else class_weights(self.class_weight, self.outputs)
        smoothing = smoothing if self.smooths else 0.0
        loss = CategoricalCrossentropy(class_weight=weights, label_smoothing=smoothing)
        return Made([*layers, Softmax()], loss, optimizer)
