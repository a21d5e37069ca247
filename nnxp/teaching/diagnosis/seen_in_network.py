"""What a network shows when some rows run through it: forward, backward, and along the optimizer's next step."""

import math
from typing import Any

import numpy as np

from nnxp.activations import ReLU, Sigmoid, Tanh
from nnxp.layers import Dense, Layer
from nnxp.layers.parts import with_parts
from nnxp.optimizers import LBFGS
from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis.evidence import Columns, DenseSeen, Network, UnitsSeen, Validation
from nnxp.teaching.diagnosis.sampling import Sample
from nnxp.teaching.diagnosis.truth import comparable, constant, skill
from nnxp.typing import Array, Floats

MULTIPLES = tuple(4.0**k for k in range(-1, 8))
"""How many of the optimizer's steps are tried at once."""
ENDS = {Sigmoid: (0.01, 0.99), Tanh: (-0.98, 0.98)}
"""Beyond these the derivative is below 4 % of its largest: sigmoid' = y(1 - y) ≤ 1/4, tanh' = 1 - y² ≤ 1."""
FEWEST = 5
"""Of fewer rows a share says nothing."""
TAIL = 20
"""The last of so many equal parts is the tail."""


class Probe:
    """Runs rows through a model that is nobody else's: its weights move, and are put back."""

    def __init__(self, model: Sequential, sample: Sample) -> None:
        assert model.loss is not None
        self.model, self.loss, self.sample = model, model.loss, sample

    def network(self) -> Network:
        """The measures."""
        model = self.model
        p = model.forward(self.sample.x)
        losses, given = self.losses(p, self.sample), self.host(p)
        outside = self._not_finite()
        found: dict[str, Any] = {"along": {}, "now": self._now(), "not_finite": outside}
        entering: Columns | None = None
        units: tuple[UnitsSeen, ...] = ()
        dense: tuple[DenseSeen, ...] = ()
        if not outside:
            entering, units = self._entering(), self._units()
            model.backward(self.sample.y)
            dense = self._dense()
            if not isinstance(model.optimizer, LBFGS) and model.store.trained and not self._is_frozen():
                found["along"] = self._along(found["now"])
        head, tail = max(1, len(losses) * 4 // 5), max(1, len(losses) // TAIL)
        return Network(
            entering=entering,
            dense=dense,
            units=units,
            loss=float(losses.mean()),
            penalty=self.penalty(),
            baseline=self.baseline(self.sample),
            skill=skill(self.sample.truth.matrix, comparable(self.loss, given)),
            by_place=(float(losses[:head].mean()), float(losses[-tail:].mean())),
            recalls=self.recalls(given, self.sample),
            **found,
        )

    def validation(self) -> tuple[Validation, Floats | None]:
        """Of rows that are not trained on, as a validation is: of members the mean prediction, of weights the average
        that the optimizer keeps. And each class's recall."""
        model = self.model if self.model.optimizer.ema is None else self.model.averaged()
        given = self.host(model.predict(self.sample.x))
        found = Validation(
            rows=len(given),
            loss=model.evaluate(self.sample.x, self.sample.y)["loss"],  # as the history has it: of logits, where it can
            baseline=self.baseline(self.sample),
            skill=skill(self.sample.truth.matrix, comparable(self.loss, given)),
        )
        return found, self.recalls(given, self.sample)

    def baseline(self, sample: Sample) -> float:
        """The loss of the best constant, with no penalty."""
        row = self.model.backend.asarray(constant(self.loss, sample.truth), dtype=self.model.dtype)
        with self.model.backend.context():
            p = self.model.backend.xp.broadcast_to(row, (len(sample), row.shape[1]))
            return float(self.losses(p + 0.0, sample).mean())

    def recalls(self, p: Floats, sample: Sample) -> Floats | None:
        """Of each class the share that is predicted; NaN of one with fewer than `FEWEST` rows."""
        classes, matrix = sample.truth.classes, comparable(self.loss, p)
        if classes is None:
            return None
        guess = (matrix[:, 0] > 0.5).astype(np.int64) if matrix.shape[1] == 1 else matrix.argmax(axis=1)
        hits = np.bincount(classes, guess == classes, minlength=sample.truth.of)
        rows = np.bincount(classes, minlength=sample.truth.of)
        return np.where(rows >= FEWEST, hits / np.maximum(rows, 1), np.nan)

    def losses(self, p: Array, sample: Sample) -> Floats:
        """Each row's, weighted by its class so that their mean is the loss."""
        with np.errstate(all="ignore"):
            losses = self.host(self.loss.forward(p, sample.y))
            mean = float(self.loss.calculate(p, sample.y))
        return losses * (mean / losses.mean()) if 0 < losses.mean() < math.inf else losses

    def host(self, a: Array) -> Floats:
        """In float64, where NumPy is."""
        return np.array(self.model.backend.to_numpy(a), dtype=np.float64)

    def penalty(self) -> float:
        """The sum of the layers'."""
        return sum(float(penalty) for penalty in self.model.penalties())

    def _layers(self) -> list[tuple[str, Layer]]:
        """Each with what it is called: parts of a layer after it, none of what the loss looks at."""
        found = []
        for position, layer in with_parts(self.model.layers):
            number, _, part = str(position).partition(".")
            sizes = f"({layer.n_in}, {layer.n_out})" if isinstance(layer, Dense) else ""
            found.append((f"layer {int(number) + 1}{part and '.' + part}, {type(layer).__name__}{sizes}", layer))
        return found

    def _rms(self, a: Array) -> float:
        xp = self.model.backend.xp
        with self.model.backend.context(), np.errstate(all="ignore"):
            size = float(xp.max(xp.abs(a)))  # first: squares of float32 end at 1e38
            return size and size * math.sqrt(float(xp.mean((a / size) ** 2)))

    def _not_finite(self) -> str:
        xp = self.model.backend.xp
        for title, layer in self._layers():
            output = layer.__dict__.get("output")
            if output is not None and not bool(xp.all(xp.isfinite(output))):
                return title
        return ""

    def _entering(self) -> Columns | None:
        """What the first dense layer is given."""
        first = next(
            (layer for _, layer in self._layers() if isinstance(layer, Dense) and "inputs" in vars(layer)), None
        )
        if first is None:
            return None
        xp = self.model.backend.xp
        with self.model.backend.context():
            x = first.inputs
            return Columns(self.host(xp.mean(x, axis=0)), self.host(xp.std(x, axis=0)))

    def _units(self) -> tuple[UnitsSeen, ...]:
        xp, found = self.model.backend.xp, []
        for title, layer in self._layers():
            if layer is self.model.layers[-1] or not isinstance(layer, ReLU | Sigmoid | Tanh):
                continue
            dead = saturated = 0.0
            with self.model.backend.context():
                if isinstance(layer, ReLU):
                    dead = float(np.mean(self.host(xp.max(layer.output, axis=0)) <= 0))
                else:
                    low, high = ENDS[type(layer)]
                    outside = xp.logical_or(layer.output < low, layer.output > high)
                    saturated = float(xp.mean(xp.astype(outside, layer.output.dtype)))
            is_part = layer not in self.model.layers
            found.append(UnitsSeen(title, int(layer.output.shape[1]), dead, saturated, is_part))
        return tuple(found)

    def _dense(self) -> tuple[DenseSeen, ...]:
        found, xp = [], self.model.backend.xp
        layers = [
            (title, layer) for title, layer in self._layers() if isinstance(layer, Dense) and "dinputs" in vars(layer)
        ]
        for title, layer in layers:
            with self.model.backend.context():
                w, size = layer.weights, self._rms(layer.weights)
                spread = self._rms(w - xp.mean(w, axis=1, keepdims=True)) / size if size else 0.0
            gain = size * math.sqrt(layer.n_in) * layer.scale
            alone = layer.n_out == 1
            found.append(
                DenseSeen(
                    title,
                    gain,
                    min(1.0, math.sqrt(2 * layer.n_in / (layer.n_in + layer.n_out))),
                    1.0 if alone else spread,
                    self._rms(layer.inputs),
                    self._rms(layer.dinputs),
                    not layer.trainable,
                    layer is layers[-1][1],
                    layer not in self.model.layers,
                )
            )
        return tuple(found)

    def _is_frozen(self) -> bool:
        return not self.model.store.spans(None)

    def _now(self) -> float:
        optimizer = self.model.optimizer
        return optimizer.current_learning_rate / optimizer.learning_rate if optimizer.learning_rate else 1.0

    def _along(self, now: float) -> dict[float, float]:
        """The loss, penalties included, after multiples of the step that the optimizer takes from these rows' gradient
        at its whole rate, without schedule and decay; with what it remembers of the steps before."""
        model, store = self.model, self.model.store
        optimizer, trained = model.optimizer, slice(0, store.trained)
        kept = optimizer.schedule, optimizer.decay
        optimizer.schedule, optimizer.decay = None, 0.0
        before = model.backend.asarray(store.values, copy=True)
        try:
            optimizer.pre_update_params()
            optimizer.update_params(model)
            with model.backend.context():
                step = store.values[trained] - before[trained]
                found = {0.0: self._at(before, step, 0.0)}
                found |= {multiple: self._at(before, step, multiple) for multiple in {*MULTIPLES, now}}
        finally:
            optimizer.schedule, optimizer.decay = kept
            store.values[:] = before
        return found

    def _at(self, before: Array, step: Array, multiple: float) -> float:
        store = self.model.store
        with np.errstate(all="ignore"):
            store.values[: store.trained] = before[: store.trained] + multiple * step
            return float(self.losses(self.model.forward(self.sample.x), self.sample).mean()) + self.penalty()
