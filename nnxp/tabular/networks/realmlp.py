"""RealMLP: Holzmüller et al. 2024 (arXiv 2407.04491), in its simple form, TD-S, and in its full one, TD."""

from typing import Any, NamedTuple

from nnxp.activations import get_activation
from nnxp.layers import Dense, Dropout, Embedding, Layer, PeriodicEmbedding, Scaling
from nnxp.network.parametric import ParametricActivation
from nnxp.optimizers import Adam, AdamW, Optimizer
from nnxp.tabular.networks.purpose import Made, Purpose

WORD, WAVES, SIGMA, NUMBER = 8, 16, 0.1, 4
"""A coded word becomes 8 numbers; a number 4, from 16 cosines whose frequencies have the deviation 0.1."""
BETAS = {"beta_1": 0.9, "beta_2": 0.95, "epsilon": 1e-8}


class RealMLP(NamedTuple):
    """The settings of a RealMLP. An option of the command line replaces the field of its name."""

    full: bool
    """Whether numbers and words are embedded, activations learn their share, and weights begin from the data."""
    rates: tuple[float, float]
    """The learning rates for classes and for numbers."""
    hidden: tuple[int, ...] = (256, 256, 256)
    learning_rate: float | None = None
    """Instead of `rates`."""
    dropout: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.1
    batch_size: int = 256
    epochs: int = 256
    members: int = 1

    @property
    def network(self) -> list[str]:
        """What there is beside the hidden layers' widths."""
        parts = ["numbers as waves, parametric activations"] if self.full else []
        return [*parts, *([f"dropout {self.dropout:g}"] if self.dropout else [])]

    @property
    def rule(self) -> list[str]:
        """The optimizer and its schedule; the rate depends on what is learned."""
        return [f"adamw, weight decay {self.weight_decay:g}" if self.weight_decay else "adam", "coslog"]


TD_S = RealMLP(full=False, rates=(0.04, 0.07))
TD = RealMLP(full=True, rates=(0.04, 0.2), dropout=0.15, weight_decay=0.02)


def realmlp(recipe: RealMLP, purpose: Purpose) -> Made:
    """The layers in neural-tangent form behind a learned scale; of the full form, behind embeddings."""
    layers, width = _embedded(purpose) if recipe.full else (list[Layer](), purpose.features)
    layers.append(Scaling(width))
    name = "selu" if purpose.classifies else "mish"
    for units in recipe.hidden:
        layers.append(_dense(width, units, "data_variance" if recipe.full else None))
        layers.append(ParametricActivation(units, name) if recipe.full else get_activation(name))
        if recipe.dropout:
            layers.append(Dropout(recipe.dropout, schedule="flat_cosine"))
        width = units
    layers.append(_dense(width, purpose.outputs, "data_variance" if recipe.full else "zeros"))
    return purpose.made(layers, _optimizer(recipe, purpose, layers), recipe.label_smoothing)


def _embedded(purpose: Purpose) -> tuple[list[Layer], int]:
    """What makes numbers of words and waves of numbers, and how many columns come out."""
    layers, width = list[Layer](), purpose.features
    if purpose.codes:
        layers.append(Embedding(width, [*purpose.codes.values()], WORD, [*purpose.codes]))
        width += len(purpose.codes) * (WORD - 1)
    if purpose.numbers:  # which are the first columns, before and after
        layers.append(PeriodicEmbedding(width, NUMBER, WAVES, SIGMA, columns=[*range(purpose.numbers)]))
        width += purpose.numbers * (NUMBER - 1)
    return layers, width


def _dense(n_in: int, n_out: int, initializer: str | None) -> Dense:
    return Dense(n_in, n_out, initializer=initializer, parametrization="ntk")


def _optimizer(recipe: RealMLP, purpose: Purpose, layers: list[Layer]) -> Optimizer:
    """Adam, with the rate of each kind of parameter; where weights decay, a kind's factor enters twice."""
    kinds = {type(layer).__name__ for layer in layers}
    by_kind = {"Scaling": 6.0, "PeriodicEmbedding": 0.1, "ParametricActivation": 0.1}
    factors = {kind: factor for kind, factor in by_kind.items() if kind in kinds}
    rate = recipe.rates[0 if purpose.classifies else 1] if recipe.learning_rate is None else recipe.learning_rate
    common: dict[str, Any] = {"schedule": "coslog", "factors": factors | {"biases": 0.1}, **BETAS}
    if not recipe.weight_decay:
        return Adam(rate, **common)
    decay_factors = factors | {"Dense.biases": 0.0}
    return AdamW(
        rate,
        weight_decay=recipe.weight_decay,
        weight_decay_schedule="flat_cosine",
        decay_factors=decay_factors,
        **common,
    )
