"""Is a layer's backward the derivative of its forward? Checked against central differences, in float64."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnxp import random
from nnxp.backends import get_backend, library_of
from nnxp.layers.base import Layer
from nnxp.losses import Loss
from nnxp.parameters import ParameterStore
from nnxp.typing import ArrayLike

STEP = 2.0**-17
"""About the cube root of float64's epsilon, which balances the difference quotient's two errors, ε/h and h²."""


@dataclass(frozen=True)
class Worst:
    """The element of one gradient that is farthest from its difference quotient."""

    gradient: str
    index: tuple[int, ...]
    got: float
    expected: float
    error: float
    """|got - expected| over the largest magnitude in that gradient, or over 1 if that is larger."""


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
                f"  {w.gradient:<12} worst at [{place}]: got {w.got:.9g}, expected {w.expected:.9g}, error {w.error:.2g}"
                + ("" if w.error <= self.tolerance else "  <--")
            )
        return "\n".join(lines)


def check_gradients(
    subject: Any, X: ArrayLike, y: ArrayLike | None = None, *, training: bool = False, tolerance: float = 1e-6, seed: int = 0
) -> GradientReport:
    """Compares `backward` with central differences (f(x + h) - f(x - h)) / 2h, element by element.

    Works on a float64 copy, so that float32's rounding does not blur the verdict and nothing of the
    subject changes. Differences of a layer are taken of Σ output · r with a random r, those of a loss or of
    a model with a loss, of the mean loss. Choose X away from kinks, as ReLU has at 0.

    Parameters
    ----------
    subject : Layer, Loss or Sequential
        What to check.
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
        y is missing for a loss or a model.

    Examples
    --------
    >>> import nnxp
    >>> check_gradients(nnxp.Tanh(), [[0.5, -1.0]]).passed
    True
    """
    name = type(subject).__name__
    layers, loss = _parts(subject)
    if loss is not None and y is None:
        raise ValueError(f"got no y, expected one: the gradient of {name} is that of its loss")
    if not isinstance(subject, Layer | Loss) and library_of(X) != "numpy":
        X = get_backend(X).to_numpy(X)
    layers = [_double(layer, i) for i, layer in enumerate(layers)]
    if loss is not None:
        loss = copy.copy(loss)
        loss._dtype = "float64"
    backend = (layers[0] if layers else loss)._enter(X)  # type: ignore[union-attr]
    x = np.array(backend.to_numpy(backend.asarray(X, dtype="float64")), dtype=np.float64)
    x = x[None, :] if x.ndim == 1 else x

    def run(values: npt.NDArray[Any]) -> Any:
        out: Any = backend.asarray(values, dtype="float64", copy=True)
        for layer in layers:
            if hasattr(layer, "calls"):
                layer.calls = 0  # the same random numbers each time
            out = layer.forward(out, training=training)
        return out

    direction = random.normal(random.key(seed, "data"), tuple(run(x).shape)) if loss is None else None

    def objective(values: npt.NDArray[Any]) -> float:
        out = run(values)
        if loss is None:
            return float(np.sum(backend.to_numpy(out) * direction))
        penalties = [float(p) for p in (layer.penalty() for layer in layers if hasattr(layer, "penalty")) if p is not None]
        return float(loss.calculate(out, y)) + sum(penalties)

    out = run(x)
    gradient: Any = backend.asarray(direction, dtype="float64") if loss is None else loss.backward(out, y)
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    worst = [_worst("dinputs", backend.to_numpy(gradient), x, lambda: objective(x))]
    for i, layer in enumerate(layers):
        for parameter in layer.parameters:
            got = backend.to_numpy(getattr(layer, "d" + parameter)).copy()
            host = np.array(backend.to_numpy(getattr(layer, parameter)))

            def changed(layer: Layer = layer, parameter: str = parameter, host: npt.NDArray[Any] = host) -> float:
                setattr(layer, parameter, host)
                return objective(x)

            label = f"d{parameter}" if len(layers) == 1 else f"{i}.d{parameter}"
            worst.append(_worst(label, got, host, changed))
            changed()
    return GradientReport(name, tuple(sorted(worst, key=lambda w: -w.error)), tolerance)


def _parts(subject: Any) -> tuple[list[Layer], Loss | None]:
    if isinstance(subject, Layer):
        return [subject], None
    if isinstance(subject, Loss):
        return [], subject
    if hasattr(subject, "layers"):
        return subject.layers, subject.loss
    raise TypeError(f"got {subject!r}, expected a layer, a loss or a Sequential")


def _double(layer: Layer, position: int) -> Layer:
    """A float64 copy of a layer, with a store of its own."""
    twin = copy.copy(layer)
    twin.moment, twin._dtype, twin.needs_dinputs = None, "float64", True
    twin.__dict__.pop("buffers", None)
    if layer.parameters:
        _ = layer.store  # draws what was not drawn
        values = {name: layer.backend.to_numpy(getattr(layer, name)) for name in layer.parameters}
        twin._store, twin._assigned = None, {name: np.array(value, dtype=np.float64) for name, value in values.items()}
        twin.bind(ParameterStore(layer.backend, "float64", twin.entries(0)), 0, 0)
    return twin


def _worst(gradient: str, got: npt.NDArray[Any], values: npt.NDArray[Any], objective: Any) -> Worst:
    """Steps each element of `values` both ways, in place, and compares the quotient with `got`."""
    expected = np.zeros(values.shape, dtype=np.float64)
    for index in np.ndindex(*values.shape):
        kept = values[index]
        step = STEP * max(1.0, abs(kept))
        values[index] = kept + step
        above, high = objective(), values[index]
        values[index] = kept - step
        below, low = objective(), values[index]
        values[index] = kept
        expected[index] = (above - below) / (high - low)
    if tuple(got.shape) != tuple(values.shape):
        raise ValueError(f"{gradient} has shape {tuple(got.shape)}, expected {tuple(values.shape)}, that of what it is the gradient of")
    if not values.size:
        return Worst(gradient, (), 0.0, 0.0, 0.0)
    error = np.abs(got - expected) / max(1.0, float(np.max(np.abs(expected))))
    error = np.where(np.isnan(error), np.inf, error)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))
    return Worst(gradient, index, float(got[index]), float(expected[index]), float(error[index]))
