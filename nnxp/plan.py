"""The plan of a training step: what runs, in which order, into which memory."""

import weakref
from typing import TYPE_CHECKING, Any

from nnxp.activations import Sigmoid, Softmax
from nnxp.buffers import Buffers
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.typing import Array

if TYPE_CHECKING:
    from nnxp.sequential import Sequential


class Plan:
    """One training step of a model: which layers run forward and backward, and which loss.

    A last `Softmax` (`Sigmoid`) before categorical (binary) cross-entropy is left out, and the fused pair
    takes the logits. Backward ends at the first layer with parameters, which computes no `dinputs`.
    """

    def __init__(self, model: "Sequential") -> None:
        assert model.loss is not None
        self.model: Sequential = weakref.proxy(model)  # the model owns this: no cycle keeps it alive
        self.backend = model.backend
        fused = type(model.layers[-1]) in (Softmax, Sigmoid)  # a subclass may compute something else
        pair = model.loss.from_logits_kind() if fused else None
        self.loss: Loss = model.loss if pair is None else pair._on(model.backend, model.dtype)
        self.layers: list[Layer] = model.layers if pair is None else model.layers[:-1]
        self.left_out: list[Layer] = [] if pair is None else model.layers[-1:]
        first = next((i for i, layer in enumerate(self.layers) if layer.parameters), len(self.layers))
        self.backward = self.layers[first:][::-1]
        self.buffers = Buffers(model.backend, model.dtype)

    def lines(self) -> list[str]:
        """The step in words, in order."""
        lines = [f"{type(layer).__name__}.forward" for layer in self.layers]
        name = type(self.loss).__name__
        lines.append(f"{name} from {'logits' if self.left_out else 'predictions'}: loss and gradient")
        for layer in self.backward:
            last = layer is self.backward[-1]
            lines.append(f"{type(layer).__name__}.backward" + (", gradients of its parameters only" if last else ""))
        return lines

    def forward_backward(self, x: Array, y: Array, w: Array | None) -> tuple[Array, Array]:
        """The mean loss, penalties included, and the predictions of one batch; gradients are set."""
        model, kernels = self.model, self.backend.kernels
        for layer in model.layers:  # what this step does not compute is not to be read
            for name in ("inputs", "output", "dinputs"):
                layer.__dict__.pop(name, None)
        out = x
        for position, layer in enumerate(self.layers):
            layer.buffers, layer.moment = self.buffers, (position, model.epoch, model.step)
            layer.needs_dinputs = layer is not self.backward[-1] if self.backward else True
            out = layer.run_forward(out, True)
        losses, gradient = self.loss.both(out, y)
        loss = kernels["weighted_mean"](losses, w)
        for penalty in model.penalties():
            loss += penalty  # in place: it stays a 0-d array
        dvalues: Any = self.loss.mean_gradient(gradient, w)
        for layer in self.backward:
            dvalues = layer.run_backward(dvalues)
        return loss, out

    def release(self) -> None:
        """Gives the layers back to a reader: by hand they compute everything, into new memory."""
        for layer in self.model.layers:
            for name in ("buffers", "needs_dinputs", "moment"):
                layer.__dict__.pop(name, None)

    def step(self, x: Array, y: Array, w: Array | None) -> tuple[Array, Array]:
        """`forward_backward`, then one update of the parameters."""
        loss, out = self.forward_backward(x, y, w)
        optimizer = self.model.optimizer
        optimizer.pre_update_params()
        optimizer.update_params(self.model.layers)
        optimizer.post_update_params()
        self.model.step += 1
        return loss, out
