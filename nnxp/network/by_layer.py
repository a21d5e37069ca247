"""A model's layers run one by one, so that everything can be looked at."""

import copy
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nnxp.doors.arrays import finite
from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.losses import Loss
from nnxp.memory.buffers import Buffers
from nnxp.memory.parameters import ParameterStore
from nnxp.network.entrance import Entrance
from nnxp.network.history import RunningFit
from nnxp.typing import Array, ArrayLike

if TYPE_CHECKING:
    from nnxp.distributed import Communicator


class ByLayer(Entrance):
    """What a model does layer by layer."""

    layers: list[Layer]
    loss: Loss | None
    members: int
    n_out: int | None
    epoch: int
    step: int
    seed: int
    seeded: bool
    _store: ParameterStore | None
    _course: RunningFit | None
    _wide: list[list[Layer]] | None
    communicator: "Communicator | None" = None
    """What the processes that train it together say to each other by; None where one trains it by itself."""

    def running(self, layers: Sequence[Layer]) -> list[Layer]:
        """What runs for the model's layers, or the first of them."""
        raise NotImplementedError

    def replan(self) -> None:
        """The next step plans anew."""
        raise NotImplementedError

    def _joining(self, given: Any) -> "Communicator | None":
        """A communicator that the model may have."""
        if self._course is not None:
            raise RuntimeError("got communicator= while a fit runs, expected it set before or after: its plan is made")
        if given is not None:
            from nnxp.distributed import ByMember, as_communicator

            given = as_communicator(given)
            if isinstance(given, ByMember):
                from nnxp.network.sharing import check_spread

                check_spread(self.layers, self.members, given.size)
            elif self.members > 1 and given.leaves:
                raise ValueError(
                    f"got reproducible=True for {self.members} members, expected one network: leave members= out, or "
                    "spread them over processes, communicator=nnxp.distributed.ByMember(...), which repeats"
                )
            if not self.seeded and self._store is None:
                self.seed = given.broadcast(self.seed)
        self.replan()
        return given  # type: ignore[no-any-return]

    def _join_in(self, given: Any, reproducible: bool) -> None:
        """Takes a communicator, one whose sums have one order where they are to be reproducible."""
        from nnxp.distributed import InOrder, as_communicator

        own = None if given is None else as_communicator(given)
        self.communicator = InOrder(own) if reproducible else own

    def _all_layers(self) -> list[Layer]:
        """The layers, each followed by its parts."""
        raise NotImplementedError

    def forward(self, X: ArrayLike, training: bool = False) -> Array:
        """Runs layer by layer and keeps every layer's `inputs` and `output`, for a reader to look at."""
        out = self.backend.asarray(self._inputs(X), dtype=self.dtype)
        running = self.running(self.layers)
        with self.backend.context():
            for position, layer in with_parts(running):
                layer.buffers, layer.moment = Buffers(), (position, self.epoch, self.step)
            for layer in running:
                out = layer.run_forward(out, training)
        self._note("inputs", "output")
        return out

    def backward(self, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        """Runs layer by layer after `forward`, from the loss's own derivative to the first `dinputs`."""
        if self.loss is None:
            raise ValueError('got a model without a loss, expected one: Sequential(layers, loss="...")')
        running = self.running(self.layers)
        dvalues: Any
        if self.members > 1:
            dvalues = several().loss_backward(
                self.loss, running[-1].output, y, sample_weight, self.members, self.layers
            )
        else:
            dvalues = self.loss.backward(running[-1].output, y, sample_weight)
        with self.backend.context():
            for layer in reversed(running):
                layer.needs_dinputs = True
                dvalues = layer.run_backward(dvalues)
        self._note("dinputs")
        return dvalues

    def _note(self, *names: str) -> None:
        """Puts what several members' layers took and gave where a reader looks for it: at the model's own."""
        for layer, made in zip(self.layers, self._wide or (), strict=False):
            for name in names:
                layer.__dict__[name] = made[-1 if name == "output" else 0].__dict__[name]

    def _outputs(self, x: Array) -> int:
        """The number of outputs; one row is run to find it where a layer of the user's own hides it."""
        if self.n_out is not None:
            return self.n_out
        with self.backend.context():
            out = self.backend.asarray(x[:1, ...], dtype=self.dtype)
            for layer in map(copy.copy, self.running(self.layers)):
                out = layer.run_forward(out, False)
            return int(out.shape[1]) // self.members

    def draw(self, X: ArrayLike) -> None:
        """Draws the weights and biases of the layers with `initializer="data_variance"` from (n, features) rows such as
        it will train on (see `nnxp.initializers.DataVariance`). `fit` does it with those that are still to be drawn."""
        from nnxp.network import drawing

        x = self._checked(X)
        if x.shape[0] == 0:
            raise ValueError("got X with no samples, expected at least one")
        finite(self.backend, x, "X", self.dtype)
        drawing.draw_from(self, x)

    def penalties(self) -> list[Array]:
        """The regularization penalties of the layers that are trained, 0-d each."""
        found = [layer.penalty() for layer in self._all_layers() if layer.trainable and hasattr(layer, "penalty")]
        return [penalty for penalty in found if penalty is not None]


def several() -> ModuleType:
    """What is there for several members: few models have some."""
    from nnxp.network import members

    return members
