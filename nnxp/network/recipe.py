"""The settings of plain networks: pure data, which the command line's help shows without an array library."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Recipe(NamedTuple):
    """Dense layers in a row, and how they are trained. An option of the command line replaces the field of its name."""

    hidden: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    normalization: str | None = None
    """"batch" or "layer": between each hidden layer and its activation."""
    dropout: float = 0.0
    input_dropout: float = 0.0
    shortcut: bool = False
    """Whether the inputs are also mapped to the outputs by one dense layer, which begins as the linear model that a
    table's results are compared with, trained with the class weights if there are some."""
    bins: int = 0
    """Where numbers of a table are also shares of bins, for the hidden layers: how many bins each has at most."""
    rescale: tuple[float, float] | None = None
    """Scale and offset of the inputs, where others than the data set's own do better."""
    optimizer: str = "adam"
    optimizer_options: Mapping[str, float] = {"learning_rate": 1e-3}
    schedule: Any = None
    """The learning rate's, as the optimizer takes it."""
    batch_size: int = 32
    epochs: int = 100
    members: int = 1
    """How many such networks are trained side by side; their mean predicts."""

    @property
    def network(self) -> list[str]:
        """What there is beside the hidden layers' widths."""
        normalized = [f"{self.normalization} normalization"] if self.normalization else []
        bins = [f"{self.bins} bins a number"] if self.bins else []
        return [*bins, self.activation, *normalized, *([f"dropout {self.dropout:g}"] if self.dropout else [])]

    @property
    def rule(self) -> list[str]:
        """The optimizer, its options and its schedule."""
        options = [f"{name.replace('_', ' ')} {value:g}" for name, value in self.optimizer_options.items()]
        return [self.optimizer, *options, *([self.schedule] if self.schedule else [])]

    def __str__(self) -> str:
        dropout = f", dropout {self.dropout:g}" if self.dropout else ""
        dropout += f" (inputs {self.input_dropout:g})" if self.input_dropout else ""
        normalization = f", {self.normalization} normalization" if self.normalization else ""
        bins = f", {self.bins} bins a number" if self.bins else ""
        shortcut = ", beside a linear model" if self.shortcut else ""
        several = f"{self.members} networks of " if self.members > 1 else ""
        return (
            f"{several}{','.join(map(str, self.hidden))} {self.activation}{normalization}{dropout}{bins}{shortcut}; "
            f"{', '.join(self.rule)}; "
            f"batches of {self.batch_size}, {self.epochs} epochs"
        )


ONE_LAYER = Recipe(
    hidden=(128,),
    dropout=0.5,
    shortcut=True,
    optimizer="adamw",
    optimizer_options={"learning_rate": 1e-3, "weight_decay": 0.1},
    batch_size=128,
    epochs=200,
)
"""Chosen on made-up tables (linear, skewed, of rare classes, over six decades), others than the tests'."""
BINS = Recipe(
    hidden=(128, 128),
    dropout=0.1,
    shortcut=True,
    bins=16,
    optimizer="adamw",
    optimizer_options={"learning_rate": 2e-3, "weight_decay": 0.05},
    schedule="cosine",
    batch_size=256,
    epochs=50,
)
"""With dropout 0.5 where classes are predicted: chosen on public tables (benchmarks/tabular/PROTOCOL.md)."""
SEVERAL = BINS._replace(members=8)
"""What a table gets where nothing else is asked for."""
