"""One training step of a model, run layer by layer on a copy, and everything that happens in it."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnxp.activations import Activation, Softmax
from nnxp.doors.arrays import finite
from nnxp.gradients import Compared, compared
from nnxp.layers import Dense
from nnxp.layers.parts import with_parts
from nnxp.losses import CategoricalCrossentropy
from nnxp.memory.parameters import Owner
from nnxp.network.answers import class_names
from nnxp.optimizers import LBFGS
from nnxp.printing import counted
from nnxp.sequential import Sequential
from nnxp.teaching.facts import Column, Facts, Gradient, Matrix, Step, as_matrix
from nnxp.teaching.notation import symbol
from nnxp.teaching.tracing import Trace
from nnxp.teaching.updating import watched
from nnxp.teaching.wording import backward_of_layer, backward_of_loss, equation
from nnxp.teaching.working import Found, of_update, worked
from nnxp.typing import Array, ArrayLike, Floats

MOST_PARAMETERS, MOST_WORK = 5_000, 100_000
"""Each parameter is stepped both ways for its difference quotient: work is parameters times rows."""


def collected(model: Sequential, X: ArrayLike, y: ArrayLike) -> Facts:
    """The facts of one step; the model stays as it is. `nnxp.explain` says what is raised."""
    if not isinstance(model, Sequential):
        raise TypeError(f"got {model!r}, expected a Sequential with a loss")
    if model.members > 1:
        raise ValueError(
            f"got a model of {model.members} members, expected one network: explain(model.member(0), X, y)"
        )
    if model.loss is None:
        raise ValueError('got a model without a loss, expected one to train: Sequential(layers, loss="...")')
    if isinstance(model.optimizer, LBFGS):
        raise ValueError("got LBFGS, which takes many evaluations a step, expected an optimizer of batches, SGD say")
    twin = copy.deepcopy(model)
    x = twin._checked(X)
    if (rows := x.shape[0]) == 0:
        raise ValueError("got X with no samples, expected at least one")
    finite(twin.backend, x, "X", twin.dtype)
    trained = twin.store.trained
    if trained > MOST_PARAMETERS:
        raise ValueError(
            f"got a model of {trained:,} parameters, expected at most {MOST_PARAMETERS:,}, since each is stepped both "
            "ways and no page shows more: explain a smaller one"
        )
    if trained * rows > MOST_WORK:
        most = MOST_WORK // trained
        raise ValueError(
            f"got {rows:,} rows for {trained:,} parameters, expected at most {most:,}: explain X[:2], y[:2]"
        )
    _, differences = compared(twin, X, y, training=True, moment=(twin.epoch, twin.step))
    return _Collector(twin, X, y).facts(differences)


class _Collector:
    """The step of a model that is nobody else's."""

    def __init__(self, model: Sequential, X: ArrayLike, y: ArrayLike) -> None:
        assert model.loss is not None
        self.model, self.loss, self.X, self.y = model, model.loss, X, y
        self.digits = 9 if model.dtype == "float64" else 7
        self.values = self._run()
        self.mean, self.penalties = self._loss()  # which checks y
        self.truth = self.loss.prepare(y, self.values[-1].shape[1], model.dtype)
        model.backward(y)
        self.derivatives = [self._host(layer.dinputs) for layer in model.layers] + [self._host(self.loss.dinputs)]
        self.parameters = self._arrays("")
        self.computed = self._arrays("d")
        self.dimensions = _dimensions(self.values, model.layers)

    def facts(self, differences: Sequence[Compared]) -> Facts:
        """All of them, in the order in which they happen."""
        model, count = self.model, range(len(self.model.layers))
        gradients = [
            Gradient(*place, values, _quotients(differences, *place)) for place, values in self.computed.items()
        ]
        loss, columns, number = self.mean + self.penalties, self._columns(), 1 + model.optimizer.iterations
        steps = [*map(self._forward, count), self._losses(), self._loss_derivative()]
        steps += [self._backward(i, [g for g in gradients if _layer(g.layer) == i]) for i in reversed(count)]
        steps += self._updates()
        self._run()
        after = sum(self._loss())
        change = Matrix("L, L′, L′ - L", np.array([[loss, after, after - loss]]), ("1", "3"))
        note = f"L′ is the loss of the same rows: it {'fell' if after < loss else 'did not fall'}."
        steps.append(Step("after", "The loss after the update", matrices=(change,), notes=(note,)))
        sizes = {name: size for of, out in zip(self.dimensions, self.values, strict=True)
                 for name, size in zip(of, out.shape, strict=True)}  # fmt: skip
        names = f"{counted(len(model.layers), 'layer')}, {type(self.loss).__name__}, {type(model.optimizer).__name__}"
        title = f"Training step {number:,}: {names}"
        return Facts(title, self.digits, tuple(steps), columns, tuple(gradients), loss, after, sizes)

    def _host(self, a: Array) -> Floats:
        return np.array(self.model.backend.to_numpy(a), dtype=np.float64)

    def _run(self) -> list[Floats]:
        """What goes through the network: the inputs, and what each layer gives."""
        self.model.forward(self.X, training=True)
        layers = self.model.layers
        return [self._host(layers[0].inputs), *(self._host(layer.output) for layer in layers)]

    def _loss(self) -> tuple[float, float]:
        """The mean over the samples, and the layers' penalties."""
        mean = float(self.loss.calculate(self.model.layers[-1].output, self.y))
        return mean, sum(float(penalty) for penalty in self.model.penalties())

    def _arrays(self, prefix: str) -> dict[tuple[Owner, str], Floats]:
        """All parameters, or with "d" their gradients."""
        return {
            (position, name): self._host(getattr(layer, prefix + name))
            for position, layer in with_parts(self.model.layers)
            for name in layer.parameters
        }

    def _title(self, i: int) -> str:
        layer = self.model.layers[i]
        return f"Layer {i + 1}, {type(layer).__name__}" + (
            f"({layer.n_in}, {layer.n_out})" if isinstance(layer, Dense) else ""
        )

    def _matrix(self, i: int, place: tuple[Owner, str], values: Floats, prefix: str = "") -> Matrix:
        """A parameter of layer i or its parts, or what has its shape."""
        part = str(place[0]).partition(".")[2]
        name = symbol(prefix + place[1]) + (f" of {part}" if part else "")
        return Matrix(name, as_matrix(values), self._around(i, as_matrix(values).shape))

    def _around(self, i: int, shape: tuple[int, ...]) -> tuple[str, str]:
        """The dimensions of a matrix of layer i: those of its inputs and outputs, where it is as large."""
        before, after = self.dimensions[i][1], self.dimensions[i + 1][1]
        n_in, n_out = self.values[i].shape[1], self.values[i + 1].shape[1]
        rows = before if 1 < shape[0] == n_in else str(shape[0])
        return rows, after if shape[1] == n_out else before if shape[1] == n_in else str(shape[1])

    def _stored(self, i: int) -> list[Matrix]:
        """The parameters of a layer and its parts."""
        return [self._matrix(i, place, a) for place, a in self.parameters.items() if _layer(place[0]) == i]

    def _own(self, i: int) -> dict[str, Floats]:
        return {name: values for (owner, name), values in self.parameters.items() if owner == i}

    def _forward(self, i: int) -> Step:
        layer, x, y, trace = self.model.layers[i], self.values[i], self.values[i + 1], Trace(self.model.dtype)

        def run() -> Found:
            return [("y", trace.layer(layer, self._own(i)).run_forward(trace.letters("x", x), True), y)]

        works, notes = worked(trace, layer, run)
        matrices = (Matrix("x", x, self.dimensions[i]), *self._stored(i), Matrix("y", y, self.dimensions[i + 1]))
        return Step("forward", f"{self._title(i)}: forward", equation(type(layer)), i, matrices, works, notes)

    def _weighed(self, trace: Trace) -> tuple[Any, Floats | None]:
        """The truth as a loss on letters takes it, letters where it is numbers, and each sample's weight."""
        y, w, _ = self.loss.weigh(self.truth, None, self.model.dtype)
        truth = self.model.backend.to_numpy(y)
        return trace.letters("y", truth) if truth.ndim == 2 else truth, None if w is None else self._host(w)

    def _losses(self) -> Step:
        p, trace, dimensions = self.values[-1], Trace(self.model.dtype), self.dimensions[-1]
        with self.model.backend.context():
            y = self.loss.weigh(self.truth, None, self.model.dtype)[0]
            losses = self._host(self.loss.losses(self.model.layers[-1].output, y))

        def run() -> Found:
            truth, w = self._weighed(trace)
            symbols = trace.loss(self.loss).losses(trace.letters("p", p), truth)
            mean = trace.backend.kernels["weighted_mean"](trace.letters("ℓ", losses), w)
            return [("ℓ", symbols, losses), ("L", mean, np.array(self.mean))]

        works, notes = worked(trace, self.loss, run)
        if self.penalties:
            notes += (f"The layers' penalties add {self.penalties:.{self.digits}g} to L.",)
        truth = self._host(self.truth)
        of_truth = Matrix(
            "y", truth if truth.ndim == 2 else truth[:, None], dimensions if truth.ndim == 2 else ("n", "1")
        )
        total = Matrix("L", np.array([[self.mean]]), ("1", "1"))
        matrices = (Matrix("p", p, dimensions), of_truth, Matrix("ℓ", losses[:, None], ("n", "1")), total)
        name = type(self.loss).__name__
        return Step("loss", f"Loss, {name}: forward", equation(type(self.loss)), None, matrices, works, notes)

    def _loss_derivative(self) -> Step:
        p, dp, trace, dimensions = self.values[-1], self.derivatives[-1], Trace(self.model.dtype), self.dimensions[-1]

        def run() -> Found:
            (truth, w), loss = self._weighed(trace), trace.loss(self.loss)
            return [("dp", loss.mean_gradient(loss.gradients(trace.letters("p", p), truth), w), dp)]

        works, notes = worked(trace, self.loss, run)
        notes = ("dp is ∂L/∂p: how L changes with p. Each sample has its share of the mean.", *notes)
        if isinstance(self.loss, CategoricalCrossentropy) and isinstance(self.model.layers[-1], Softmax):
            notes += ("A training takes this and the softmax's backward in one: (p - t) / n, the same number.",)
        matrices = (Matrix("p", p, dimensions), Matrix("dp", dp, dimensions))
        title = f"Loss, {type(self.loss).__name__}: backward"
        return Step("backward", title, backward_of_loss(self.loss), None, matrices, works, notes)

    def _backward(self, i: int, gradients: Sequence[Gradient]) -> Step:
        layer, dy, dx, trace = (
            self.model.layers[i],
            self.derivatives[i + 1],
            self.derivatives[i],
            Trace(self.model.dtype),
        )
        local = self._local(i)

        def run() -> Found:
            twin = trace.layer(layer, self._own(i))
            twin.run_forward(trace.letters("x", self.values[i]), True)
            if "output" in layer.reads:
                twin.output = trace.letters("y", self.values[i + 1])
            of_input: Found = [] if local is None else [("f′", twin.run_backward(np.ones(dy.shape)), local)]
            of_input.append(("dx", twin.run_backward(trace.letters("dy", dy)), dx))
            return [
                *(("d" + name, twin.gradient(name), self.computed[i, name]) for name in layer.parameters),
                *of_input,
            ]

        works, notes = worked(trace, layer, run)
        last = i + 1 == len(self.model.layers)
        notes = ("dy is the loss's dp." if last else f"dy is layer {i + 2}'s dx: the chain rule.", *notes)
        matrices = [Matrix("dy", dy, self.dimensions[i + 1])]
        if "inputs" in layer.reads:
            matrices.append(Matrix("x", self.values[i], self.dimensions[i]))
        if "output" in layer.reads:
            matrices.append(Matrix("y", self.values[i + 1], self.dimensions[i + 1]))
        matrices += self._stored(i)
        if local is not None:
            matrices.append(Matrix("f′", local, self.dimensions[i]))
            notes += ("f′ is the local derivative ∂y/∂x, and dx = f′ · dy.",)
        for one in gradients:
            matrices.append(made := self._matrix(i, (one.layer, one.name), one.values, "d"))
            matrices.append(Matrix(f"{made.name}, by differences", as_matrix(one.differences), made.dimensions))
            matrices.append(Matrix(f"{made.name}, error", as_matrix(one.error), made.dimensions, is_error=True))
        if gradients:
            notes += ("By differences: (L(w + h) - L(w - h)) / 2h, in float64.",)
        matrices.append(Matrix("dx", dx, self.dimensions[i]))
        title = f"{self._title(i)}: backward"
        return Step("backward", title, backward_of_layer(layer), i, tuple(matrices), works, notes)

    def _local(self, i: int) -> Floats | None:
        """The derivative of an element-wise activation by its input: its backward of ones."""
        layer = self.model.layers[i]
        if not isinstance(layer, Activation) or isinstance(layer, Softmax) or layer.parameters:
            return None
        ones = self.model.backend.asarray(np.ones(self.values[i].shape), dtype=self.model.dtype)
        with self.model.backend.context():
            return self._host(copy.copy(layer).run_backward(ones))

    def _updates(self) -> list[Step]:
        optimizer, steps = self.model.optimizer, []
        for update in watched(self.model):
            i, place = _layer(update.owner), (update.owner, update.name)
            made = self._matrix(i, place, update.before["w"])
            title = f"Layer {i + 1}, {made.name}: the update by {type(optimizer).__name__}"
            step = of_update(update, title, i, made.dimensions, self.digits)
            clips = optimizer.clip_norm is not None or optimizer.clip_value is not None
            steps.append(step if not clips else replace(step, notes=(*step.notes, "g is what clipping has left.")))
        return steps

    def _columns(self) -> tuple[Column, ...]:
        """The first sample's way, for the drawing."""
        found = [Column("inputs", None, self.values[0][0], self.derivatives[0][0])]
        for i, layer in enumerate(self.model.layers):
            weights, last = (
                self._own(i).get("weights") if isinstance(layer, Dense) else None,
                i + 1 == len(self.model.layers),
            )
            labels = tuple(class_names(self.model) or ()) if last else ()
            value, derivative = self.values[i + 1][0], self.derivatives[i + 1][0]
            labels = labels if len(labels) == len(value) else ()
            found.append(Column(type(layer).__name__, i, value, derivative, weights, labels))
        return tuple(found)


def _layer(owner: Owner) -> int:
    """The layer that an owner is, or is part of."""
    return int(str(owner).partition(".")[0])


def _quotients(differences: Sequence[Compared], owner: Owner, name: str) -> Floats:
    """Those of a parameter; of a model of one layer they go by its name alone."""
    names = f"{owner}.d{name}", f"{str(owner).partition('.')[2]}.d{name}".lstrip(".")
    return next(found.expected for found in differences if found.gradient in names)


def _dimensions(values: Sequence[Floats], layers: Sequence[Any]) -> list[tuple[str, str]]:
    """What rows and columns go through the network are: a dense layer gives others than it takes."""
    found, number = [("n", "d0")], 0
    for layer, before, after in zip(layers, values, values[1:], strict=False):
        number += isinstance(layer, Dense) or before.shape[1] != after.shape[1]
        found.append(("n", f"d{number}"))
    return found
