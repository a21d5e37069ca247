"""Pictures of a training, drawn with matplotlib (`pip install "nnxp[plot]"`) and without its global state.

`training` draws one picture into a file: the loss and the metric by epoch, and below them, where one is
given, a panel that shows how the model does: `images`, `regions`, `confusion` or `predicted`.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnxp.typing import HostArray

Panel = Callable[[Any], None]
"""Draws into a matplotlib `SubFigure`."""
HostArray = HostArray

BLUE, ORANGE, RED, GREY, INK = "#2f6db3", "#e08214", "#c0392b", "#8a8f98", "#22262b"
PALETTE = (BLUE, ORANGE, "#3a9a5b", RED, "#7e57a8", "#8c6d46", "#d1679f", "#5f6a72", "#a8a437", "#35a3b5")
PICTURES = 36
COLUMNS = 12
GRID = 200
"""Points along each axis at which `regions` asks the model."""
LOG_FROM = 5
"""A loss whose largest value is more than so many times its smallest gets a logarithmic axis."""


def training(
    history: Mapping[str, Sequence[float]],
    path: str | os.PathLike[str],
    *,
    title: str = "",
    held_out: str = "validation",
    panel: Panel | None = None,
) -> None:
    """Draw the loss and the metric of a training by epoch.

    Parameters
    ----------
    history : mapping
        As `Sequential.fit` returns it: "loss", "accuracy" or "rmse", and the same with a prefix for data that
        were followed but not trained on, "val_" or `held_out` and "_".
    path : str or path
        The file; its ending names the format (.png, .svg, .pdf).
    title : str
        Above the picture.
    held_out : str
        What the data that were not trained on are called.
    panel : callable, optional
        What stands below the curves.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed; the message names the extra.

    Examples
    --------
    >>> import nnxp, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "curves.svg")
    >>> nnxp.plots.training({"loss": [1.0, 0.5], "accuracy": [0.5, 0.9]}, path, title="two epochs")
    >>> path.read_text().count("two epochs") > 0
    True
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError('pictures need matplotlib: pip install "nnxp[plot]"', name="matplotlib") from None
    figure = Figure(figsize=(10, 7 if panel else 4), dpi=120, layout="constrained", facecolor="white")
    figure.suptitle(_plain(title), fontsize=13, fontweight="bold", color=INK)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1)) if panel else [figure]
    metrics = ["loss", *(name for name in ("accuracy", "rmse") if name in history)]
    for axes, name in zip(np.atleast_1d(parts[0].subplots(1, len(metrics))), metrics, strict=True):
        followed = next((p for p in (f"{held_out}_", "val_") if f"{p}{name}" in history), None)
        _curve(axes, name, history[name], history[f"{followed}{name}"] if followed else None, held_out)
    if panel:
        panel(parts[1])
    figure.savefig(path)


def images(X: HostArray, y: HostArray, output: HostArray, classes: Sequence[str], shape: tuple[int, int]) -> Panel:
    """Pictures that the model gets wrong, the most confident mistakes first; then some it gets right.

    Parameters
    ----------
    X : numpy.ndarray, (n, height x width)
    y : numpy.ndarray, (n,)
        The true class indices.
    output : numpy.ndarray, (n, classes)
        Probabilities.
    classes : sequence of str
    shape : (height, width)
    """

    def draw(part: Any) -> None:
        guesses, confidence = output.argmax(axis=1), output.max(axis=1)
        wrong = np.flatnonzero(guesses != y)
        wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
        chosen = np.concatenate([wrong, np.flatnonzero(guesses == y)])[:PICTURES]
        shown = min(len(wrong), len(chosen))
        part.suptitle(
            f"{shown} of {len(wrong)} mistakes on the test part, the most confident first: true class → model's"
            if shown else "No mistake on the test part: the model's class of some samples",
            fontsize=10, color=INK,
        )  # fmt: skip
        rows = math.ceil(len(chosen) / COLUMNS)
        grid = part.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in grid:
            axes.set_axis_off()
        for axes, i in zip(grid, chosen, strict=False):
            axes.imshow(X[i].reshape(shape), cmap="gray_r", interpolation="nearest")
            right = guesses[i] == y[i]
            words = (
                [_plain(classes[guesses[i]])] if right else [_plain(classes[y[i]]), "→ " + _plain(classes[guesses[i]])]
            )
            long = sum(map(len, words)) > 10
            text = ("\n" if long else " ").join(words)
            axes.set_title(text, fontsize=6 if long else 8, color=INK if right else RED, pad=3)

    return draw


def regions(X: HostArray, y: HostArray, classes: Sequence[str], predict: Callable[[HostArray], HostArray]) -> Panel:
    """Points in the plane over the class that the model gives each place; paler where it is less sure.

    Parameters
    ----------
    X : numpy.ndarray, (n, 2)
    y : numpy.ndarray, (n,)
        The true class indices.
    classes : sequence of str
    predict : callable
        From points (m, 2) to probabilities (m, classes).
    """

    def draw(part: Any) -> None:
        from matplotlib.colors import to_rgb

        axes = part.subplots()
        low, high = X.min(axis=0), X.max(axis=0)
        low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
        x0, x1 = (np.linspace(a, b, GRID) for a, b in zip(low, high, strict=True))
        points = np.stack([a.ravel() for a in np.meshgrid(x0, x1)], axis=1)
        colors = np.array([to_rgb(PALETTE[k % len(PALETTE)]) for k in range(len(classes))])
        tint = 1 - 0.45 * (1 - predict(points) @ colors)
        extent = (low[0], high[0], low[1], high[1])
        axes.imshow(
            tint.reshape(GRID, GRID, 3),
            extent=extent,
            origin="lower",
            aspect="auto",
            interpolation="bilinear",
        )
        axes.set_box_aspect(1)
        for k, name in enumerate(classes):
            axes.scatter(*X[y == k].T, s=18, color=colors[k], edgecolors="white", linewidths=0.6, label=_plain(name))
        axes.legend(
            title="test samples",
            fontsize=8,
            title_fontsize=8,
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
        )
        _bare(axes, "the model's class of each place", "")

    return draw


def confusion(counts: HostArray, classes: Sequence[str]) -> Panel:
    """How often each class was taken for which.

    Parameters
    ----------
    counts : numpy.ndarray, (classes, classes)
        As of `nnxp.metrics.confusion_matrix`.
    classes : sequence of str
    """

    def draw(part: Any) -> None:
        axes = part.subplots()
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(
            range(len(classes)),
            [_plain(name) for name in classes],
            fontsize=8,
            rotation=45,
            ha="right",
            color=INK,
        )
        axes.set_yticks(range(len(classes)), [_plain(name) for name in classes], fontsize=8, color=INK)
        if len(classes) <= len(PALETTE):
            for i, j in np.argwhere(counts):
                axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=8,
                          color="white" if share[i, j] > 0.5 else INK)  # fmt: skip
        axes.set_xlabel("the model's class", fontsize=9, color=INK)
        axes.set_ylabel("true class", fontsize=9, color=INK)
        axes.set_title("test samples", fontsize=10, color=INK)

    return draw


def predicted(y: HostArray, output: HostArray) -> Panel:
    """Predicted against true values, a set of axes for each output, four at most.

    Parameters
    ----------
    y : numpy.ndarray, (n,) or (n, outputs)
    output : numpy.ndarray, (n, outputs)
    """

    def draw(part: Any) -> None:
        truth = y.reshape(output.shape)
        shown = min(4, output.shape[1])
        for i, axes in enumerate(np.atleast_1d(part.subplots(1, shown))):
            both = np.concatenate([truth[:, i], output[:, i]])
            axes.plot([both.min(), both.max()], [both.min(), both.max()], color=GREY, linewidth=1, zorder=1)
            axes.scatter(truth[:, i], output[:, i], s=12, color=BLUE, alpha=0.6, edgecolors="none")
            name = "test samples" if output.shape[1] == 1 else f"test samples, output {i}"
            _bare(axes, name, "true value")
            axes.set_ylabel("predicted value", fontsize=9, color=INK)

    return draw


def _curve(axes: Any, name: str, values: Sequence[float], followed: Sequence[float] | None, held_out: str) -> None:
    """One quantity by epoch, its last value at the end of each line."""
    lines = [("training", values, BLUE)] + ([(held_out, followed, ORANGE)] if followed is not None else [])
    for label, series, color in lines:
        epochs = range(1, len(series) + 1)
        axes.plot(epochs, series, color=color, linewidth=1.8, marker="o" if len(series) == 1 else None,
                  label=f"{label}, at last {series[-1]:.4g}")  # fmt: skip
    shown = [value for _, series, _ in lines for value in series]
    if name != "accuracy" and max(shown) > LOG_FROM * min(shown) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_one_two_five)
        axes.yaxis.set_minor_formatter(_one_two_five)
    axes.legend(frameon=False, fontsize=9)
    axes.grid(color="#e3e6ea", linewidth=0.8)
    if len(values) == 1:
        axes.set_xticks([1])
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)
    _bare(axes, name, "epoch")


def _one_two_five(value: float, position: int) -> str:
    """The label of a logarithmic axis: every tick whose first digit is 1, 2 or 5."""
    return f"{value:g}" if f"{value:.0e}"[0] in "125" else ""


def _bare(axes: Any, title: str, xlabel: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=GREY, labelsize=8, which="both")
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel(xlabel, fontsize=9, color=INK)


def _plain(text: str) -> str:
    """Text that matplotlib does not read as a formula."""
    return text.replace("$", r"\$")
