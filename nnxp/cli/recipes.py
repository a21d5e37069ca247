"""The settings of a training for which none are given, by data set."""

import os

from nnxp.network.recipe import SEVERAL, Recipe

TABLES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".feather", ".arrow", ".xlsx")
"""How the name of a table's file ends."""


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
# Chosen by cross-validation within the training parts of digits, and on 10,000 of Fashion-MNIST's training images.
RECIPES = {
    "digits": DIGITS,
    "spiral": PLANE,
    "moons": PLANE,
    "fashion-mnist": IMAGES,
    "mnist": IMAGES,
    "a folder": IMAGES,
    "a table": SEVERAL,
    "a file": Recipe(),
}


def recipe_for(data: str) -> Recipe:
    """The recipe of a data set's name or path.

    Examples
    --------
    >>> recipe_for("fashion_mnist").hidden, recipe_for("digits.csv").hidden
    ((1024, 512), (128, 128))
    """
    if recipe := RECIPES.get(data.lower().replace("_", "-")):
        return recipe
    return RECIPES["a table" if is_table(data) else "a folder" if os.path.isdir(data) else "a file"]


def is_table(name: str) -> bool:
    """Whether a name is that of a table's file, or of the standard input: any file that is there, but for an .npz.

    What a file holds is found out when it is read, and said.
    """
    suffix = os.path.splitext(name.lower().removesuffix(".gz"))[1]
    named = name.lower().replace("_", "-") in RECIPES
    return name == "-" or suffix in TABLES or (suffix != ".npz" and not named and os.path.isfile(name))
