"""TabM: Gorishniy et al. 2025 (arXiv 2410.24210), many networks of shared weights."""

from typing import NamedTuple

from nnxp.activations import ReLU
from nnxp.layers import Dense, Dropout, Layer, SharedDense
from nnxp.optimizers import AdamW
from nnxp.tabular.networks.purpose import Made, Purpose


class TabM(NamedTuple):
    """The settings of a TabM. An option of the command line replaces the field of its name."""

    hidden: tuple[int, ...] = (512, 512, 512)
    dropout: float = 0.1
    learning_rate: float = 2e-3
    weight_decay: float = 3e-4
    clip_norm: float = 1.0
    batch_size: int = 256
    epochs: int = 500
    members: int = 32

    @property
    def network(self) -> list[str]:
        """What there is beside the hidden layers' widths."""
        dropout = [f"dropout {self.dropout:g}"] if self.dropout else []
        return [*(["shared weights"] if self.members > 1 else []), "relu", *dropout]

    @property
    def rule(self) -> list[str]:
        """The optimizer and its options."""
        rate, decay = f"learning rate {self.learning_rate:g}", f"weight decay {self.weight_decay:g}"
        return ["adamw", rate, decay, f"gradients clipped to a norm of {self.clip_norm:g}"]


def tabm(recipe: TabM, purpose: Purpose) -> Made:
    """Layers that members share, the first with random signs for each; a head for each member."""
    layers, width = list[Layer](), purpose.features
    for units in recipe.hidden:
        layers.append(SharedDense(width, units, input_initializer=None if layers else "random_signs"))
        layers.append(ReLU())
        if recipe.dropout:
            layers.append(Dropout(recipe.dropout))
        width = units
    layers.append(Dense(width, purpose.outputs))
    optimizer = AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay, clip_norm=recipe.clip_norm, epsilon=1e-8)
    return purpose.made(layers, optimizer)
