"""The presets: which network for a table, what it is given, and how long it is trained."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nnxp.errors import hint
from nnxp.layers import PiecewiseLinearEmbedding
from nnxp.network.recipe import BINS, ONE_LAYER, SEVERAL, Recipe
from nnxp.network.stack import stack
from nnxp.optimizers import get_optimizer
from nnxp.tabular.networks.purpose import Made, Purpose
from nnxp.tabular.networks.realmlp import TD, TD_S, realmlp
from nnxp.tabular.networks.tabm import TabM, tabm
from nnxp.typing import HostArray

PATIENCE = 20
"""Epochs without a better score of the rows that are held out, after which `mlp` ends."""
FEWEST = 100
"""Of fewer rows none is held out: a fifth of them would choose by chance, and is wanted for the training."""
LARGE = 20_000
"""Rows of a table from which on it tells enough for a larger network that needs no dropout."""
FEWEST_STEPS, SMALLEST = 16, 32
"""Of an epoch of `binned`, as long as a step has so many rows."""


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
    fewest_steps : int
        How many steps an epoch has at least: batches are smaller than the recipe's where there are few rows.
    large : mapping
        Settings that are others of `LARGE` rows and more.
    classes : mapping
        Settings that are others where classes are predicted, also of large tables.
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
    fewest_steps: int = 1
    large: Mapping[str, Any] = field(default_factory=dict)
    classes: Mapping[str, Any] = field(default_factory=dict)
    margin: float = 0.5

    def settled(
        self, rows: int, epochs: int | None = None, batch_size: int | None = None, members: int | None = None
    ) -> "Preset":
        """For so many rows to train on."""
        own = self.recipe
        if batch_size is None:
            least = own.batch_size
            batch_size = min(least, rows) if self.whole_batches else batch_for(rows, least, self.fewest_steps)
        recipe = own._replace(epochs=epochs or own.epochs, batch_size=batch_size, members=members or own.members)
        return replace(self, recipe=recipe)


def batch_for(rows: int, least: int, fewest_steps: int = 1) -> int:
    """Rows of one step of a training on a table: 1 of 320, as a power of two, from `least` to 1,024.

    So an epoch has some 300 steps, however long the table is. Where steps of `least` rows would be fewer than
    `fewest_steps`, they are smaller, of 32 rows or more.

    Examples
    --------
    >>> [batch_for(rows, 128) for rows in (50, 40_000, 80_000, 300_000, 10**7)]
    [128, 128, 256, 1024, 1024]
    >>> [batch_for(rows, 256, 16) for rows in (50, 1000, 5000, 10**7)]
    [32, 32, 256, 1024]
    """
    if fewest_steps > 1:
        least = min(least, max(SMALLEST, 1 << int(math.log2(max(rows / fewest_steps, 1)))))
    return max(least, 1 << min(max(round(math.log2(rows / 320)), 0), 10))


def plain(recipe: Recipe, purpose: Purpose) -> Made:
    """Dense layers, beside a linear model (see `nnxp.tabular.networks.trained.begin_linear`)."""
    keywords: dict[str, Any] = {**recipe.optimizer_options}
    keywords |= {} if recipe.schedule is None else {"schedule": recipe.schedule}
    optimizer = type(get_optimizer(recipe.optimizer))(**keywords)
    embedding = _bins(recipe.bins, purpose.X) if recipe.bins and recipe.hidden else None
    return purpose.made(stack(recipe, purpose.features, purpose.outputs, embedding), optimizer)


def _bins(bins: int, X: HostArray | None) -> PiecewiseLinearEmbedding | None:
    """Bins of the columns that have three values or more, between quantiles of their rows; None where none has."""
    assert X is not None
    low, high = X.min(axis=0), X.max(axis=0)
    within = (low < X) & (high > X)
    columns = np.flatnonzero(within.any(axis=0)).tolist()
    return PiecewiseLinearEmbedding.of(X, bins, columns=columns) if columns else None


MLP = Preset("mlp", ONE_LAYER, plain, {}, held_out=0.1, patience=PATIENCE, begins_linear=True)
BINNED = Preset(
    "binned",
    BINS,
    plain,
    {},
    held_out=0.1,
    patience=None,
    begins_linear=True,
    fewest_steps=FEWEST_STEPS,
    large={"hidden": (256, 256), "bins": 64, "dropout": 0.0, "epochs": 60},
    classes={"dropout": 0.5},
)
ENSEMBLE = replace(BINNED, name="ensemble", recipe=SEVERAL, large={**BINNED.large, "members": 1})
"""Of large tables one network, whose predictions differ less from another seed's."""
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
TABM = Preset("tabm", TabM(), tabm, {"scaling": "quantile"}, held_out=0.2, patience=16)
PRESETS = {
    "mlp": MLP,
    "binned": BINNED,
    "ensemble": ENSEMBLE,
    "realmlp-s": REALMLP_S,
    "realmlp": REALMLP,
    "tabm": TABM,
    "default": ENSEMBLE,
}
"""`default` is the one that did best on the tables for choosing (benchmarks/tabular/PROTOCOL.md)."""


def get_preset(name: str, classifies: bool, rows: int) -> Preset:
    """The preset of a name, for a table of so many rows.

    Raises
    ------
    ValueError
        There is none.
    """
    if name not in PRESETS:
        raise ValueError(f"got preset={name!r}, expected one of {', '.join(PRESETS)}{hint(str(name), PRESETS)}")
    preset = PRESETS[name]
    own = {**(preset.large if rows >= LARGE else {}), **(preset.classes if classifies else {})}
    return replace(preset, recipe=preset.recipe._replace(**own))
