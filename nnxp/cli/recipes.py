"""The settings of a training for which none are given, by data set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it. An option of the command line replaces the field of its name."""

    hidden: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    dropout: float = 0.0
    optimizer: str = "adam"
    optimizer_options: Mapping[str, float] = field(default_factory=lambda: {"learning_rate": 1e-3})
    batch_size: int = 32
    epochs: int = 100

    def __str__(self) -> str:
        options = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in self.optimizer_options.items())
        dropout = f", dropout {self.dropout:g}" if self.dropout else ""
        return (
            f"{','.join(map(str, self.hidden))} {self.activation}{dropout}; {self.optimizer}, {options}; "
            f"batches of {self.batch_size}, {self.epochs} epochs"
        )


PLANE = Recipe(optimizer_options={"learning_rate": 1e-2}, epochs=200)
IMAGES = Recipe(hidden=(512, 512), dropout=0.2, batch_size=128, epochs=20)
RECIPES = {
    "digits": Recipe(hidden=(256, 128), dropout=0.4),
    "spiral": PLANE,
    "moons": PLANE,
    "fashion-mnist": IMAGES,
    "mnist": IMAGES,
    "a folder": IMAGES,
    "a file": Recipe(),
}


def recipe_for(data: str) -> Recipe:
    """The recipe of a data set's name or path.

    Examples
    --------
    >>> recipe_for("fashion_mnist").hidden, recipe_for("digits.csv").hidden
    ((512, 512), (64, 64))
    """
    return RECIPES.get(data.lower().replace("_", "-")) or RECIPES["a folder" if Path(data).is_dir() else "a file"]
