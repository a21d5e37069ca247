"""The plan of a training step: which stages run, into which memory, and the step itself."""

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from nnxp.activations import ACTIVATIONS, Sigmoid, Softmax
from nnxp.backends import blas
from nnxp.kernels import formulas
from nnxp.layers import LAYERS, Dense, Layer
from nnxp.layers.parts import with_parts
from nnxp.losses import Loss, SoftmaxCrossentropy
from nnxp.memory.buffers import Buffers
from nnxp.network.model import Model
from nnxp.network.parametric import ParametricActivation
from nnxp.optimizers import Optimizer
from nnxp.training.batch import Batch
from nnxp.training.flushing import EVERY, flush
from nnxp.training.heads import DenseSoftmaxCrossentropy, Head, loss_stage
from nnxp.training.measuring import Measuring
from nnxp.training.penalties import Penalties
from nnxp.training.sizes import remember
from nnxp.training.stages import DenseStage, LayerStage, casts_bytes, is_dense
from nnxp.training.staging import OwnStage, all_of, stages_of, take_turns
from nnxp.typing import Array


class Plan:
    """One training step of a model, in stages.

    A last `Softmax` (`Sigmoid`) before categorical (binary) cross-entropy is left out, and the fused pair
    takes the logits. A `Dense` and the activation after it are one stage, also inside a `Residual`, and so are the last
    `Dense`, the softmax and the cross-entropy. Backward ends at the first layer with parameters, which computes no
    `dinputs`. Only the classes of this package are fused: one of the user's own may compute something else.
    """

    _dense_head: type[DenseSoftmaxCrossentropy] = DenseSoftmaxCrossentropy
    measuring: type[Measuring] = Measuring
    """What an evaluation measures of a model's outputs."""
    columns: tuple[int, ...] = ()
    """The shape of a step's mean loss."""
    _own_stage: OwnStage | None = None
    """Makes the stages that only such a plan has."""

    def __init__(self, model: Model) -> None:
        assert model.loss is not None
        self.model: Model = weakref.proxy(model)  # the model owns this: no cycle keeps it alive
        self.backend, self.store = model.backend, model.store
        self.buffers = Buffers(model.backend, model.dtype)
        pair = model.loss.from_logits_kind() if type(model.layers[-1]) in (Softmax, Sigmoid) else None
        self.loss: Loss = model.loss if pair is None else pair._on(model.backend, model.dtype)
        self.followed = sorted({*self.loss.options}.intersection(model.loss.options))
        self.own: list[Layer] = model.layers if pair is None else model.layers[:-1]
        self.layers = self._running(self.own)
        self.takes_bytes = casts_bytes(self.layers)

        self.owners = [position for position, layer in with_parts(self.own) if layer.parameters and layer.trainable]
        first = self._first_trained()
        self.stages = stages_of(self.layers, self.buffers, first, self._own_stage)
        self.head: Head
        if self.layers and is_dense(self.layers[-1]) and type(self.loss) is SoftmaxCrossentropy:
            self.stages.pop()
            last = len(self.layers) - 1
            self.head = self._dense_head(self.layers[-1], self.loss, self.buffers, last, first < last)
        else:
            source = "predictions" if pair is None else "logits"
            self.head = loss_stage(self.loss, self.buffers, len(self.layers), source, math.prod(self.columns))
        self.backward = [stage for stage in (*self.stages, self.head) if stage.last >= first][::-1]
        self.frozen = self.store.frozen
        take_turns(whole := [*self.stages, self.head])
        every = [*all_of(whole)]
        dense = [stage.dense for stage in every if isinstance(stage, DenseStage)]
        self.penalties = Penalties([layer for layer in dense if layer.trainable], self.store)
        others = [layer for _, layer in with_parts(self.layers) if layer.trainable and layer not in dense]
        self.penalised = [layer for layer in others if hasattr(layer, "penalty")]
        # A layer of this package's that runs as it stands sets all of these anew.
        anew = [s.layers[0] for s in all_of(self.backward) if isinstance(s, LayerStage) and s.needs_dinputs]
        anew = [layer for layer in anew if type(layer) in (*LAYERS, *ACTIVATIONS, ParametricActivation)]
        own = [layer for layer in model.layers if layer not in self.layers]
        own += [layer for stage in every for layer in stage.layers]
        self._kept = [layer.__dict__ for layer in own if layer not in anew]
        self._uniform: dict[int, tuple[Array, ...]] = {}
        self.threads = blas.threads_of(self.backend, self.store.largest)
        self.micro_batch_size: int | None = None
        """How many rows of a batch are computed at once, in a fit that says so."""
        self._part = 0
        self.updating = False
        """Whether an update has begun and not ended: an exception that passes then leaves it half done."""

    def _running(self, layers: Sequence[Layer]) -> list[Layer]:
        """What runs for the model's layers, or the first of them."""
        return self.model.running(layers)

    def _first_trained(self) -> int:
        """The index of the first of the layers that has parameters to train, its own or its parts'."""
        return min((int(str(position).partition(".")[0]) for position in self.owners), default=len(self.layers))

    def lines(self) -> list[str]:
        """The step in words, in order."""
        forward = [stage.lines()[0] for stage in (*self.stages, self.head)]
        backward = [stage.lines()[1] for stage in self.backward]
        rounded = ["float32 products rounded to TF32"] if self.backend.precision == "tf32" else []
        update = f"{type(self.model.optimizer).__name__}: one update"
        steps = [line for text in (*forward, *backward) for line in text.splitlines()]
        return [*rounded, *steps, update, *self.threads.lines()]

    def forward_backward(
        self, x: Array, y: Array, w: Array | None = None, v: Array | None = None, means: Array = None, heft: float = 1.0
    ) -> Array:
        """The mean loss of one batch, penalties included, 0-d; gradients are set.

        Parameters
        ----------
        x
            (n, m) of the model's dtype, or uint8 where the plan takes bytes.
        y
            Labels as `loss.prepare` gives them.
        w, v
            (n,) weights in the loss, and in the metric; see `Batch`.
        means
            (2,), where the mean loss and the weighted sum of the metric's scores are wanted: the loss is then a view of
            it.
        heft
            What the gradient of the mean, penalties aside, is multiplied by; see `Batch`.
        """
        model, head = self.model, self.head
        epoch, step = model.epoch, model.step
        for kept in self._kept:  # what this step does not compute is not to be read
            if "output" in kept or "dinputs" in kept:
                for name in ("inputs", "output", "dinputs"):
                    kept.pop(name, None)
        out = x
        for stage in self.stages:
            stage.begin(epoch, step, self._part)
            out = stage.forward(out)
        head.forward(out)
        loss = self._mean(y, w, v, x.shape[0], means, heft)
        loss = self._penalised(loss)
        dvalues = None
        for stage in self.backward:
            dvalues = stage.backward(dvalues)
        self.penalties.add_gradients()
        self.store.computed.update(self.owners)
        return loss

    def _penalised(self, loss: Array) -> Array:
        """The loss with the penalties added in place."""
        loss = self.penalties.add(loss)
        for layer in self.penalised:
            if isinstance(layer, Dense) and type(layer).penalty is Dense.penalty:
                loss = layer.add_penalty(loss)
            elif (penalty := layer.penalty()) is not None:
                loss += penalty  # in place: it stays a 0-d array
        return loss

    def follow(self) -> None:
        """Gives the pair that stands for the model's loss its options. Whoever asks for steps calls it, where options
        may have been changed since."""
        own = self.model.loss
        if own is not self.loss and own is not None:
            options = self.loss.__dict__
            for name in self.followed:
                options[name] = getattr(own, name)

    def _mean(self, y: Array, w: Array | None, v: Array | None, n: int, means: Array, heft: float) -> Array:
        """The mean loss, and where `means` is given, the weighted sum of the scores beside it."""
        head, weighted_sum = self.head, self.backend.kernels["weighted_sum"]
        equal, shares, column = self._equal(n)
        if w is not None:
            column = self.buffers.take(self, "shares", (n, 1))
            assert column is not None
            shares = self.backend.kernels["shares"](w, out=column[:, 0])
        if heft != 1:
            column = self.backend.fuse(formulas.times)(column, heft, out=self.buffers.take(self, "factors", (n, 1)))
        if means is None:
            return weighted_sum(head.losses(y, column, w), shares)
        losses, scores, both = head.losses_and_scores(y, column, w)
        if both is not None and w is None and v is None:
            weighted_sum(both, equal, out=means)
        else:
            weighted_sum(losses, shares, out=means[0, ...])
            weighted_sum(scores, equal[1, ...] if v is None else v, out=means[1, ...])
        return means[0, ...]

    def _equal(self, n: int) -> tuple[Array, ...]:
        """What each of n samples without weights counts: the rows 1 / n, in a mean, and 1, in a sum; the first of them,
        and that as a column."""
        if n in self._uniform:
            return self._uniform[n]
        xp = self.backend.xp
        equal = xp.ones((2, n), dtype=getattr(xp, self.model.dtype), device=self.backend.device)
        equal[0, ...] = 1 / n
        return remember(self._uniform, n, (equal, equal[0, ...], equal[0, :, None]))

    def gather(self) -> None:
        """Brings together on all processes what each has of the model by itself: of rows, nothing."""

    def release(self) -> None:
        """Gives the layers back to a reader: by hand they compute everything, into new memory."""
        for stage in (*self.stages, self.head):
            stage.release()

    def gradients(
        self, x: Array, y: Array, w: Array | None = None, v: Array | None = None, means: Array = None, heft: float = 1.0
    ) -> Array:
        """`forward_backward`; of the micro-batches in turn, where the batch is larger than one."""
        n, few = x.shape[0], self.micro_batch_size
        if few is None or n <= few:
            return self.forward_backward(x, y, w, v, means, heft)
        # Where all weigh 0, the parts share the penalties by their rows.
        shares = None if w is None or heft == 0 else self.backend.kernels["shares"](w)

        def parts() -> Iterator[tuple[Any, Batch]]:
            for start in range(0, n, few):
                place = slice(start, min(n, start + few))
                share = (place.stop - start) / n if shares is None else self.backend.xp.sum(shares[place])
                w_part, v_part = [None if a is None else a[place] for a in (w, v)]
                yield share, Batch(x[place, ...], y[place, ...], w_part, v_part, math.nan, math.nan)

        return self.accumulate(parts(), means, heft)

    def whole(self, parts: "Iterable[tuple[Any, Batch]]", means: Array) -> Array:
        """`accumulate`, of batches that are all of the data: what L-BFGS asks for."""
        return self.accumulate(parts, means)

    def accumulate(self, parts: "Iterable[tuple[Any, Batch]]", means: Array = None, heft: float = 1.0) -> Array:
        """The mean loss and the gradients of parts of a batch: Σ share · (loss, gradients), the shares' sum being 1.

        Parameters
        ----------
        parts
            Each part's share, a number or a 0-d array, and the part.
        means, heft
            As for `forward_backward`; the latter is that of the whole.
        """
        xp, gradients = self.backend.xp, self.store.gradients
        total = self.buffers.take(self, "gradients", gradients.shape)
        both = self.buffers.take(self, "means", (2, *self.columns))
        assert total is not None and both is not None
        total[...], both[...] = 0, 0
        part = xp.empty_like(both)
        for number, (share, batch) in enumerate(parts):
            self._part = number
            place = None if means is None else part
            loss = self.forward_backward(batch.x, batch.y, batch.w, batch.v, place, heft)
            self.backend.fuse(formulas.add_scaled, into=("total",))(total, gradients, share)
            both[0, ...] += share * loss
            both[1, ...] += part[1, ...] if means is not None else 0
        self._part = 0
        gradients[...] = total
        if means is None:
            return xp.asarray(both[0, ...], copy=True)
        means[...] = both
        return means[0, ...]

    def step(
        self, x: Array, y: Array, w: Array | None = None, v: Array | None = None, means: Array = None, heft: float = 1.0
    ) -> Array:
        """`gradients`, then one update of the parameters."""
        loss = self.gradients(x, y, w, v, means, heft)
        self.update()
        return loss

    def _update_store(self, optimizer: Optimizer) -> None:
        """The update itself, of all parameters."""
        optimizer.update_store(self.store)

    def update(self) -> None:
        """One update of the parameters by the gradients that are set."""
        model = self.model
        optimizer = model.optimizer
        optimizer.pre_update_params()
        self.updating = True
        if type(optimizer).update_params is Optimizer.update_params:
            self._update_store(optimizer)
            if optimizer.iterations % EVERY == 0:
                flush(optimizer, self.store)
        else:
            optimizer.update_params(model.layers)
        optimizer.post_update_params()
        model.__dict__["step"] += 1  # past the check of an attribute's name, as all that a step writes
        self.updating = False


Planned: TypeAlias = Callable[[], Plan]
"""Gives a model's plan, which there is once the first X has decided the backend."""
