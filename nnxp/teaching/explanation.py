"""`nnxp.explain`: one training step to read, with every number."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nnxp.files.wholefile import whole_file
from nnxp.sequential import Sequential
from nnxp.teaching.as_html import html
from nnxp.teaching.as_markdown import markdown
from nnxp.teaching.as_text import text
from nnxp.teaching.collecting import collected
from nnxp.teaching.example import two_two_two
from nnxp.teaching.facts import Facts, Gradient
from nnxp.typing import ArrayLike

FORMATS: dict[str, Callable[[Facts], str]] = {"text": text, "markdown": markdown, "html": html}
ENDINGS = {".txt": "text", ".md": "markdown", ".html": "html"}


@dataclass(frozen=True)
class Explanation:
    """One training step: printing it gives a page of text.

    Attributes
    ----------
    facts : Facts
        All that is known, step by step (`nnxp.teaching.facts`).
    """

    facts: Facts

    @property
    def loss(self) -> float:
        """Of the rows, before the update, penalties included."""
        return self.facts.loss

    @property
    def loss_after(self) -> float:
        """Of the same rows after it."""
        return self.facts.loss_after

    @property
    def gradients(self) -> tuple[Gradient, ...]:
        """Those of all parameters, each with its central differences and its error."""
        return self.facts.gradients

    def __str__(self) -> str:
        return text(self.facts)

    def markdown(self) -> str:
        """As Markdown."""
        return markdown(self.facts)

    def html(self) -> str:
        """As one page that needs nothing beside itself: a step at a time, by buttons or the arrow keys."""
        return html(self.facts)

    def save(self, path: str | Path) -> None:
        """Writes a file: HTML, Markdown or text, as its name ends in .html, .md or .txt."""
        kind = kind_of(path)
        if kind is None:
            raise ValueError(f"got {str(path)!r}, expected a name that ends in {', '.join(ENDINGS)}: step.html, say")
        with whole_file(Path(path), "the page") as file:
            file.write(FORMATS[kind](self.facts).encode())


def explain(model: Sequential | None = None, X: ArrayLike | None = None, y: ArrayLike | None = None) -> Explanation:
    """One training step of a model with every number: formula, numbers put in, value.

    The layers' own forward and backward, the loss and the optimizer run on a copy of the model, layer by layer; the
    model stays as it is. Formulas are what these compute, traced, and equations what their docstrings say. Beside each
    gradient stand its central differences in float64.

    Without arguments, the example of many explanations of backpropagation: two inputs, two hidden and two output
    neurons.

    Parameters
    ----------
    model : Sequential
        With a loss, of at most 5,000 parameters.
    X, y
        A few rows, as `Sequential.train_step` takes them: at most 100,000 parameters times rows.

    Returns
    -------
    Explanation
        `print` it, or see its `html`, `markdown` and `save`; numbers are in `loss`, `loss_after`, `gradients` and
        `facts`.

    Raises
    ------
    ValueError, TypeError
        The model is too large, has no loss, several members or L-BFGS; X or y are missing or do not fit.

    Examples
    --------
    >>> import nnxp
    >>> step = nnxp.explain()
    >>> round(step.loss, 9), round(step.loss_after, 9)
    (0.298371109, 0.280471447)
    >>> print(str(step).splitlines()[0])
    Training step 1: 4 layers, MeanSquaredError, SGD
    """
    if model is None and X is None and y is None:
        return Explanation(collected(*two_two_two()))
    if model is None or X is None or y is None:
        missing = ", ".join(name for name, given in (("model", model), ("X", X), ("y", y)) if given is None)
        raise ValueError(f"got no {missing}, expected explain(model, X, y), or nothing at all for the 2-2-2 example")
    return Explanation(collected(model, X, y))


def kind_of(path: str | Path) -> str | None:
    """The one of `FORMATS` that a file's name asks for, if it does."""
    return ENDINGS.get(Path(path).suffix.lower())
