"""What a model's outputs stand for: probabilities of classes, or numbers."""

from collections.abc import Sequence

import numpy as np

from nnxp.activations import Sigmoid, Softmax
from nnxp.losses import BinaryCrossentropy, SigmoidCrossentropy, SoftmaxCrossentropy
from nnxp.network.model import Model
from nnxp.typing import HostArray


def class_names(model: Model) -> list[str] | None:
    """The classes' names, numbers where they have none; None for a model of numbers, or of several labels."""
    binary = isinstance(model.loss, BinaryCrossentropy | SigmoidCrossentropy)
    if model.loss is None or not model.loss.classifies or (binary and model.n_out != 1):
        return model.classes if model.loss is None else None
    return model.classes or [str(k) for k in range(2 if binary else model.n_out or 0)]


def answers(model: Model, output: HostArray) -> HostArray:
    """Probabilities (n, classes), two of one yes-or-no output, or the numbers as they are, of outputs on the host."""
    if isinstance(model.loss, SoftmaxCrossentropy | SigmoidCrossentropy):  # the model gives logits
        activation = Softmax() if isinstance(model.loss, SoftmaxCrossentropy) else Sigmoid()
        output = activation.forward(output)
    is_binary = class_names(model) is not None and output.shape[1] == 1
    return np.concatenate([1 - output, output], axis=1) if is_binary else output


def answered(model: Model, output: HostArray) -> HostArray:
    """`answers` of outputs that are finite. Raises ValueError where a row's are not."""
    finite = np.isfinite(output).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"the prediction for sample {int(finite.argmin()) + 1} is not finite: its features are too large "
            f"for this model in {model.dtype}"
        )
    return answers(model, output)


def answer_names(classes: Sequence[str] | None, target: str, outputs: int) -> list[str]:
    """What the columns of answers are called, the prediction itself first.

    Examples
    --------
    >>> answer_names(["no", "yes"], "bought", 2), answer_names(None, "y", 1), answer_names(None, "y", 2)
    (['class', 'p(no)', 'p(yes)'], ['y'], ['y0', 'y1'])
    """
    if classes is not None:
        return ["class", *(f"p({name})" for name in classes)]
    return [target] if outputs == 1 else [f"{target}{i}" for i in range(outputs)]
