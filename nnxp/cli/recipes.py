"""The settings of a training for which none are given, by data set."""

import math
import os
from collections.abc import Mapping
from typing import NamedTuple

TABLES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".feather", ".arrow", ".xlsx")
"""How the name of a table's file ends."""


class Recipe(NamedTuple):
    """A network and how to train it. An option of the command line replaces the field of its name."""

    hidden: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    normalization: str | None = None
    """"batch" or "layer": between each hidden layer and its activation."""
    dropout: float = 0.0
    input_dropout: float = 0.0
    shortcut: bool = False
    """Whether the inputs are also mapped to the outputs by one dense layer, which begins as the linear model that a
    table's results are compared with, trained with the class weights if there are some."""
    rescale: tuple[float, float] | None = None
    """Scale and offset of the inputs, where others than the data set's own do better."""
    optimizer: str = "adam"
    optimizer_options: Mapping[str, float] = {"learning_rate": 1e-3}
    schedule: str | None = None
    batch_size: int = 32
    epochs: int = 100

    def __str__(self) -> str:
        options = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in self.optimizer_options.items())
        dropout = f", dropout {self.dropout:g}" if self.dropout else ""
        dropout += f" (inputs {self.input_dropout:g})" if self.input_dropout else ""
        normalization = f", {self.normalization} normalization" if self.normalization else ""
        schedule = f", {self.schedule}" if self.schedule else ""
        shortcut = ", beside a linear model" if self.shortcut else ""
        return (
            f"{','.join(map(str, self.hidden))} {self.activation}{normalization}{dropout}{shortcut}; "
            f"{self.optimizer}, {options}{schedule}; "
            f"batches of {self.batch_size}, {self.epochs} epochs"
        )


PATIENCE = 20
"""Epochs without a better loss of the rows that are followed, after which the training on a table ends."""
TABLE = Recipe(
    hidden=(128,),
    dropout=0.5,
    shortcut=True,
    optimizer="adamw",
    optimizer_options={"learning_rate": 1e-3, "weight_decay": 0.1},
    batch_size=128,
    epochs=200,
)
PLANE = Recipe(optimizer_options={"learning_rate": 1e-2}, epochs=200)
DIGITS = Recipe(
    hidden=(256, 128),
    activation="silu",
    dropout=0.5,
    input_dropout=0.1,
    rescale=(1 / 8, -1.0),  # 0 to 16 becomes -1 to 1
    optimizer_options={"learning_rate": 3e-3, "decay": 1e-3},
    batch_size=64,
)
IMAGES = Recipe(
    hidden=(1024, 512),
    activation="gelu",
    dropout=0.5,
    rescale=(1 / (255 * 0.353), -0.286 / 0.353),  # the mean and the deviation of Fashion-MNIST's training bytes
    optimizer="adamw",
    optimizer_options={"learning_rate": 2e-3, "decay": 2e-3, "weight_decay": 0.05},
    batch_size=256,
    epochs=20,
)
# TABLE was chosen on made-up tables (linear, skewed, of rare classes, over six decades), others than the tests'. The
# others by cross-validation within the training parts of digits, and on 10,000 of Fashion-MNIST's training images.
RECIPES = {
    "digits": DIGITS,
    "spiral": PLANE,
    "moons": PLANE,
    "fashion-mnist": IMAGES,
    "mnist": IMAGES,
    "a folder": IMAGES,
    "a table": TABLE,
    "a file": Recipe(),
}


def recipe_for(data: str) -> Recipe:
    """The recipe of a data set's name or path.

    Examples
    --------
    >>> recipe_for("fashion_mnist").hidden, recipe_for("digits.csv").hidden
    ((1024, 512), (128,))
    """
    if recipe := RECIPES.get(data.lower().replace("_", "-")):
        return recipe
    return RECIPES["a table" if is_table(data) else "a folder" if os.path.isdir(data) else "a file"]


def batch_for(rows: int, least: int) -> int:
    """Rows of one step of a training on a table: 1 of 320, as a power of two, from `least` to 1,024.

    So an epoch has some 300 steps, however long the table is.

    Examples
    --------
    >>> [batch_for(rows, 128) for rows in (50, 40_000, 80_000, 300_000, 10**7)]
    [128, 128, 256, 1024, 1024]
    """
    return max(least, 1 << min(max(round(math.log2(rows / 320)), 0), 10))


def is_table(name: str) -> bool:
    """Whether a name is that of a table's file, or of the standard input: any file that is there, but for an .npz.

    What a file holds is found out when it is read, and said.
    """
    suffix = os.path.splitext(name.lower().removesuffix(".gz"))[1]
    named = name.lower().replace("_", "-") in RECIPES
    return name == "-" or suffix in TABLES or (suffix != ".npz" and not named and os.path.isfile(name))
