"""Is a layer's backward the derivative of its forward? Checked against central differences, in float64."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nnxp import random
from nnxp.layers.base import Layer
from nnxp.layers.parts import with_parts
from nnxp.losses import Loss
from nnxp.memory.parameters import ParameterStore
from nnxp.typing import Array, ArrayLike, Floats

Host: TypeAlias = Floats

STEP = 2.0**-17
"""About the cube root of float64's epsilon: it balances the difference quotient's two errors, ε/h and h²."""
SMALLEST = 1e-3
"""Gradients below this share of the value that is differentiated drown in the quotient's rounding error."""


@dataclass(frozen=True)
class Worst:
    """The element of one gradient that is farthest from its difference quotient."""

    gradient: str
    index: tuple[int, ...]
    got: float
    expected: float
    error: float
    """|got - expected| over the largest magnitude in that gradient (or over `SMALLEST` if that is larger)."""


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found: the worst element of each gradient, the worst first."""

    layer: str
    worst: tuple[Worst, ...]
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether every gradient agrees."""
        return all(w.error <= self.tolerance for w in self.worst)

    def __str__(self) -> str:
        lines = [f"{self.layer}: gradients {'agree' if self.passed else 'DISAGREE'} (tolerance {self.tolerance:g})"]
        for w in self.worst:
            place = ", ".join(map(str, w.index))
            lines.append(
                f"  {w.gradient:<12} worst at [{place}]: got {w.got:.9g}, expected {w.expected:.9g}, "
                f"error {w.error:.2g}" + ("" if w.error <= self.tolerance else "  <--")
            )
        return "\n".join(lines)


def check_gradients(
    subject: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    training: bool = False,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Compares `backward` with central differences (f(x + h) - f(x - h)) / 2h, element by element.

    Works on a float64 copy, so that float32's rounding does not blur the verdict and nothing of the
    subject changes. Differences of a layer are taken of Σ output · r with a random r, those of a loss or of
    a model with a loss, of the mean loss; penalties of the layers are added to both. Choose X away from
    kinks, as ReLU has at 0.

    Parameters
    ----------
    subject : Layer, Loss or Sequential
        What to check; of a model of several members, the first, whose layers all have.
    X
        Inputs (n, n_in), or a loss's predictions.
    y
        The truth, for a loss or a model.
    training : bool
        Check with `training=True`; a layer that draws random numbers is given the same ones each time.
    tolerance : float
        The largest error that passes.
    seed : int
        For the random r.

    Returns
    -------
    GradientReport
        `passed`, `worst`; printing it names the worst element of each gradient.

    Raises
    ------
    ValueError
        y is missing for a loss or a model; a method returns None; a gradient has the wrong shape.

    Examples
    --------
    >>> import nnxp
    >>> check_gradients(nnxp.Tanh(), [[0.5, -1.0]]).passed
    True
    """
    if getattr(subject, "members", 1) > 1:
        subject = subject.member(0)
    name, (value, found) = type(subject).__name__, compared(subject, X, y, training=training, seed=seed)
    worst = [_worst(one, value) for one in found]
    return GradientReport(name, tuple(sorted(worst, key=lambda w: -w.error)), tolerance)


class Compared(NamedTuple):
    """A gradient and its difference quotients, in float64 on the host."""

    gradient: str
    got: Host
    expected: Host


def compared(
    subject: Any, X: ArrayLike, y: ArrayLike | None, *, training: bool, seed: int = 0, moment: tuple[int, int] = (0, 0)
) -> tuple[float, list[Compared]]:
    """What `check_gradients` looks at: the value that is differentiated, and each gradient, "dinputs" first and then
    "0.dweights", "0.dbiases", ... `moment` is the epoch and the step whose random numbers a layer is given."""
    name, subject = type(subject).__name__, copy.deepcopy(subject)
    layers, loss = _parts(subject)
    if loss is not None and y is None:
        raise ValueError(f"got no y, expected one: the gradient of {name} is that of its loss")
    backend = subject._enter(X)
    if not isinstance(subject, Layer | Loss):
        _ = subject.store  # a model draws for all its layers
    layers = [_double(layer, i, moment) for i, layer in enumerate(layers)]
    places = [*with_parts(layers)]
    if loss is not None:
        loss = copy.copy(loss)
        loss._dtype = "float64"
    x = np.array(backend.to_numpy(backend.asarray(X, dtype="float64")), dtype=np.float64)
    x = x[None, :] if x.ndim == 1 else x

    def run(values: Host) -> Array:
        out = backend.asarray(values, dtype="float64", copy=True)
        for layer in layers:
            out = layer.forward(out, training=training)
        return out

    out = run(x)
    direction = random.normal(random.key(seed, "data"), tuple(out.shape))

    def objective() -> float:
        out = run(x)
        penalised = [layer.penalty() for _, layer in places if hasattr(layer, "penalty")]
        penalties = sum(float(penalty) for penalty in penalised if penalty is not None)
        if loss is None:
            return float(np.sum(backend.to_numpy(out) * direction)) + penalties
        return float(loss.calculate(out, y)) + penalties

    gradient = backend.asarray(direction, dtype="float64") if loss is None else loss.backward(out, y)
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    found = [_compared("dinputs", np.array(backend.to_numpy(gradient)), x, objective)]
    for position, layer in places:
        place = str(position).partition(".")[2] if len(layers) == 1 else str(position)
        for parameter in layer.parameters:
            got = backend.to_numpy(getattr(layer, "d" + parameter)).copy()
            values = np.array(backend.to_numpy(getattr(layer, parameter)))

            def assigned(layer: Layer = layer, parameter: str = parameter, values: Host = values) -> float:
                setattr(layer, parameter, values)
                return objective()

            found.append(_compared(f"{place}.d{parameter}" if place else f"d{parameter}", got, values, assigned))
            setattr(layer, parameter, values)
    return objective(), found


def _parts(subject: Any) -> tuple[list[Layer], Loss | None]:
    if isinstance(subject, Layer):
        return [subject], None
    if isinstance(subject, Loss):
        return [], subject
    if hasattr(subject, "layers") and hasattr(subject, "loss"):
        return subject.layers, subject.loss
    raise TypeError(f"got {subject!r}, expected a layer, a loss or a Sequential")


def _double(layer: Layer, position: int, moment: tuple[int, int]) -> Layer:
    """A float64 copy of a layer, with a store of its own and the same random numbers at every call."""
    for _, part in with_parts([layer]):
        if part.stored():
            _ = part.store  # draws what was not drawn
    twin = copy.copy(layer)
    places = [*with_parts([twin], position)]
    for place, part in places:
        part.moment, part._dtype = (place, *moment), "float64"
        values = {name: layer.backend.to_numpy(getattr(part, name)) for name in part.stored()}
        part._store, part._assigned = None, {name: np.array(a, dtype=np.float64) for name, a in values.items()}
    entries = [entry for place, part in places for entry in part.entries(place)]
    if entries:
        store = ParameterStore(layer.backend, "float64", entries)
        for place, part in places:
            part.bind(store, place, 0)
    return twin


def _compared(gradient: str, got: Host, values: Host, objective: Callable[[], float]) -> Compared:
    """Steps each element of `values` both ways, in place, for the quotients beside `got`."""
    if got.shape != values.shape:
        raise ValueError(
            f"got {gradient} of shape {got.shape}, expected {values.shape}: the shape of what it is the gradient of"
        )
    expected = np.zeros_like(values)
    for index in np.ndindex(*values.shape):
        kept = float(values[index])
        step = STEP * max(1.0, abs(kept))
        values[index] = high = kept + step
        above = objective()
        values[index] = low = kept - step
        below = objective()
        values[index] = kept
        expected[index] = (above - below) / (high - low)
    return Compared(gradient, got, expected)


def _worst(found: Compared, value: float) -> Worst:
    """The element that is farthest from its quotient; `value` is what was differentiated."""
    gradient, got, expected = found
    if not got.size:
        return Worst(gradient, (), 0.0, 0.0, 0.0)
    smallest = SMALLEST * max(1.0, abs(value))
    scale = max(smallest, float(np.max(np.abs(expected))))
    error = np.abs(got - expected) / scale
    error = np.where(np.isnan(error), np.inf, error)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))
    return Worst(gradient, index, float(got[index]), float(expected[index]), float(error[index]))
