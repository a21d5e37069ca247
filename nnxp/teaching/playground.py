"""`nnxp.Playground`: a callback that turns a training in the plane into a page to play with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnxp.backends import get_backend, library_of
from nnxp.callbacks import State
from nnxp.doors.arrays import refuse_sparse
from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described
from nnxp.files.wholefile import whole_file
from nnxp.layers import Layer
from nnxp.network.answers import answers, class_names
from nnxp.sequential import Sequential
from nnxp.teaching.playground_page import Shown, playground_page
from nnxp.teaching.snapshots import Frame, Scene, Window, groups, layers_with_parameters, outputs
from nnxp.teaching.unit_formulas import unit_formulas
from nnxp.typing import ArrayLike, HostArray

FRAMES = 40
"""Moments that are kept of a fit, beside its beginning and its end."""
POINTS, ROWS = 600, 2000
"""The most points that are drawn, and rows at which a unit may be dead."""
CLASSES = 256


class Playground(Constructed):
    """A callback that watches a training on two features, and writes what it saw as one page.

    The page shows the decision surface through the epochs, each hidden neuron's own surface, the loss, the sizes of the
    gradients, and which units are dead: hidden ones whose derivative is 0 at every row, so that nothing reaches the
    weights before them. It needs nothing beside itself: no network, no other file.

    Looked at are the beginning of the fit, 40 epochs evenly spaced, and its end; a second fit begins anew. Predictions
    are made beside the training, which goes on to the same weights as without. One that is resumed is shown from there
    on.

    Parameters
    ----------
    X : array, (n, 2)
        The rows that are trained on, of any library, in the units that the model takes.
    y : array, (n,), (n, 1) or (n, classes)
        Class indices, one-hot rows, or numbers.
    features : (str, str)
        What the two columns of X are called.
    held_out : str
        What the rows of the history's "val_" are called.

    Attributes
    ----------
    frames : list of Frame
        What was seen, a moment each (`nnxp.teaching.snapshots`).

    Raises
    ------
    ValueError
        X has other than two features, holds NaN or infinity, or is not as long as y. When the fit begins: the model has
        several members, other features, more than 256 classes, or outputs that are neither classes nor one number; a
        label is none of its classes. (Rows of a loss's `ignore_label` are not drawn.)
    TypeError
        X or y holds no numbers.

    Examples
    --------
    >>> import nnxp, tempfile, pathlib
    >>> X, y = nnxp.data.moons(samples=60, seed=0)
    >>> model = nnxp.Sequential([nnxp.Dense(2, 4), "relu", nnxp.Dense(4, 2), "softmax"],
    ...     "categorical_crossentropy", seed=0)
    >>> watching = nnxp.Playground(X, y)
    >>> history = model.fit(X, y, epochs=3, callbacks=[watching])
    >>> [frame.epoch for frame in watching.frames]
    [0, 1, 2, 3]
    >>> watching.save(pathlib.Path(tempfile.mkdtemp(), "moons.html"))
    """

    events = ("begin", "epoch", "end")
    last = True
    """At the end it sees the weights that other callbacks have put back."""
    __repr__ = described
    _shown: Shown
    _due: set[int]

    def __init__(
        self, X: ArrayLike, y: ArrayLike, *, features: Sequence[str] = ("x₁", "x₂"), held_out: str = "validation"
    ) -> None:
        self.X, self.y, self.features, self.held_out = _host(X), _host(y), tuple(map(str, features)), held_out
        if self.X.ndim != 2 or self.X.shape[1] != 2 or len(self.X) == 0:
            raise ValueError(
                f"got X of shape {self.X.shape}, expected (n, 2): a page shows a plane, which two features make: "
                "choose two, X[:, :2] say"
            )
        with np.errstate(all="ignore"):
            reach = np.ptp(self.X.astype(np.float64), axis=0)
        if not np.isfinite(reach).all():
            raise ValueError("got X with NaN or infinity, or numbers infinitely far apart, expected finite ones")
        if self.y.ndim == 0 or len(self.y) != len(self.X):
            raise ValueError(
                f"got {self.y.shape[0] if self.y.ndim else 1} targets for {len(self.X)} rows, expected one for each"
            )
        if len(self.features) != 2:
            raise ValueError(f"got features={list(features)}, expected two names")
        self.frames: list[Frame] = []

    def __call__(self, state: State[Sequential]) -> None:
        """Looks, where it is time."""
        model = state.model
        if model.communicator is not None and model.communicator.rank:
            return
        if state.event == "begin":
            self._begin(model, state.epoch, state.epochs)
        elif state.epoch in self._due if state.event == "epoch" else state.epoch > self.frames[0].epoch:
            if self.frames[-1].epoch == state.epoch:  # at the end, where other weights may have been put back
                self.frames.pop()
            self.frames.append(self._shown.scene.frame(model, state.epoch, has_stepped=True))
            self._shown = replace(self._shown, history={**model.history})

    def html(self) -> str:
        """The page."""
        if not self.frames:
            raise ValueError("got nothing to show yet, expected a fit: model.fit(X, y, callbacks=[playground])")
        return playground_page(self._shown)

    def save(self, path: str | Path) -> None:
        """Writes the page to a file."""
        page = self.html()
        with whole_file(Path(path), "the page") as file:
            file.write(page.encode())

    def _begin(self, model: Sequential, epoch: int, epochs: int) -> None:
        """Looks at the model before it is trained."""
        check(model)
        classes, one = class_names(model), self.X[:1]
        answer = answers(model, outputs(model, len(model.layers), one))
        if classes is None and answer.shape[1] != 1:
            raise ValueError(f"got a model of {answer.shape[1]} numbers, expected one, or classes, to show its surface")
        labels = _flat(self.y, classes is not None)
        counts = np.ones(len(labels), dtype=bool)
        if classes is not None:
            counts = labels != getattr(model.loss, "ignore_label", None)  # such rows are not drawn
            _check_classes(labels[counts], len(classes))
        self._due = {epoch + round(i * epochs / FRAMES) for i in range(1, FRAMES + 1)}
        found = groups(model, one)
        lines = [unit_formulas(model, g.start, g.stop, g.shown, outputs(model, g.start, one).shape[1]) for g in found]
        rows, drawn = self.X[_spread(len(self.X), ROWS)], np.flatnonzero(counts)
        drawn = drawn[_spread(len(drawn), POINTS)]
        scene = Scene(Window.around(self.X.astype(np.float64)), found, lines, rows, min(epochs, FRAMES) + 2)
        self.frames = [scene.frame(model, epoch, has_stepped=False)]
        names = [titled(layer) for layer in model.layers]
        self._shown = Shown(
            title=f"Playground: {', '.join(names)}",
            features=self.features,
            classes=classes,
            X=self.X[drawn].astype(np.float64),
            y=labels[drawn],
            scene=scene,
            frames=self.frames,
            history={**model.history},
            held_out=self.held_out,
            groups=[(group, ", ".join(names[group.start : group.stop])) for group in found],
            trained=[f"{i + 1}. {names[i]}" for i in layers_with_parameters(model)],
            loss=type(model.loss).__name__,
        )


def check(model: Sequential) -> None:
    """Raises where there is not one network of the plane."""
    if model.n_in not in (None, 2):
        raise ValueError(f"got a model of {model.n_in} features, expected two: a page shows a plane")
    if model.members > 1:
        raise ValueError(f"got a model of {model.members} members, expected one network: leave members= out")


def _check_classes(labels: HostArray, classes: int) -> None:
    """Raises where a page has no room for the classes, or a label is none of them."""
    if classes > CLASSES:
        raise ValueError(f"got a model of {classes:,} classes, expected {CLASSES} at most: a page has a byte for each")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"got y from {labels.min()} to {labels.max()}, expected the model's classes, 0 to {classes - 1}"
        )


def titled(layer: Layer) -> str:
    """A layer in a few letters."""
    widths = (getattr(layer, "n_in", None), getattr(layer, "n_out", None))
    return type(layer).__name__ + ("" if None in widths else f"({widths[0]}, {widths[1]})")


def _flat(y: HostArray, is_class: bool) -> HostArray:
    """Class indices, or numbers, (n,)."""
    if y.ndim == 2:
        y = y.argmax(axis=1) if is_class and y.shape[1] > 1 else y[:, 0]
    return np.rint(y).astype(np.int64) if is_class else y.astype(np.float64)  # 0.9 is a yes


def _spread(n: int, most: int) -> HostArray:
    """At most so many of n rows, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def _host(a: ArrayLike) -> HostArray:
    """An array of any library on the host."""
    refuse_sparse(a)
    return get_backend("numpy")._admit(a if library_of(a) == "numpy" else get_backend(a).to_numpy(a))
