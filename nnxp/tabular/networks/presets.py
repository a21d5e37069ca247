"""The presets: which network for a table, what it is given, and how long it is trained."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nnxp.errors import hint
from nnxp.network.recipe import TABLE, Recipe
from nnxp.network.stack import stack
from nnxp.optimizers import get_optimizer
from nnxp.tabular.networks.purpose import Made, Purpose
from nnxp.tabular.networks.realmlp import TD, TD_S, realmlp

PATIENCE = 20
"""Epochs without a better score of the rows that are held out, after which `mlp` ends."""
FEWEST = 100
"""Of fewer rows none is held out: a fifth of them would choose by chance, and is wanted for the training."""


@dataclass(frozen=True)
class Preset:
    """A network for a table, and how it is trained.

    Attributes
    ----------
    name : str
    recipe
        Its settings: a named tuple, `epochs` and `batch_size` among them.
    network : callable
        What such a recipe makes for a purpose.
    encoding : mapping
        Options of the `Encoder`.
    held_out : float
        The share of the rows that choose the epoch whose weights are kept.
    patience : int or None
        How many epochs in a row may pass without a better one. None: all are run, since a schedule has to run out, and
        of equally good ones the last is the best.
    begins_linear : bool
        Whether a shortcut begins as the linear model of the rows that are trained on.
    whole_batches : bool
        Whether the rows after whole batches are left out of an epoch; otherwise batches grow with the rows.
    margin : float
        Predicted numbers are held within the range of the training's, wider by this share of it on either side.
    """

    name: str
    recipe: Any
    network: Callable[[Any, Purpose], Made]
    encoding: Mapping[str, Any]
    held_out: float
    patience: int | None
    begins_linear: bool = False
    whole_batches: bool = False
    margin: float = 0.5

    def settled(self, rows: int, epochs: int | None = None, batch_size: int | None = None) -> "Preset":
        """For so many rows to train on."""
        if batch_size is None:
            least = self.recipe.batch_size
            batch_size = min(least, rows) if self.whole_batches else batch_for(rows, least)
        return replace(self, recipe=self.recipe._replace(epochs=epochs or self.recipe.epochs, batch_size=batch_size))


def batch_for(rows: int, least: int) -> int:
    """Rows of one step of a training on a table: 1 of 320, as a power of two, from `least` to 1,024.

    So an epoch has some 300 steps, however long the table is.

    Examples
    --------
    >>> [batch_for(rows, 128) for rows in (50, 40_000, 80_000, 300_000, 10**7)]
    [128, 128, 256, 1024, 1024]
    """
    return max(least, 1 << min(max(round(math.log2(rows / 320)), 0), 10))


def plain(recipe: Recipe, purpose: Purpose) -> Made:
    """Dense layers, beside a linear model (see `nnxp.tabular.networks.trained.begin_linear`)."""
    keywords: dict[str, Any] = {**recipe.optimizer_options}
    keywords |= {} if recipe.schedule is None else {"schedule": recipe.schedule}
    optimizer = type(get_optimizer(recipe.optimizer))(**keywords)
    return purpose.made(stack(recipe, purpose.features, purpose.outputs), optimizer)


MLP = Preset("mlp", TABLE, plain, {}, held_out=0.1, patience=PATIENCE, begins_linear=True)
REALMLP_S = Preset(
    "realmlp-s",
    TD_S,
    realmlp,
    {"scaling_of": "all", "rare": 1},
    held_out=0.2,
    patience=None,
    whole_batches=True,
)
REALMLP = replace(REALMLP_S, name="realmlp", recipe=TD, encoding={**REALMLP_S.encoding, "categories": 8}, margin=0.0)
PRESETS = {"mlp": MLP, "realmlp-s": REALMLP_S, "realmlp": REALMLP, "default": MLP}
"""`default` is the one that did best on the tables for choosing."""


def get_preset(name: str) -> Preset:
    """The preset of a name.

    Raises
    ------
    ValueError
        There is none.
    """
    if name not in PRESETS:
        raise ValueError(f"got preset={name!r}, expected one of {', '.join(PRESETS)}{hint(str(name), PRESETS)}")
    return PRESETS[name]
